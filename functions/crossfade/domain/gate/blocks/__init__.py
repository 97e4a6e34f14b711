"""Blocks: requests and failures of both sides in the same span of time, from each source."""
