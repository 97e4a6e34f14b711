"""Decisions, as pure functions: no boto3, no clock, no environment, no log."""
