"""Adapters: each receives its client, speaks the domain's words, and translates the errors it understands."""
