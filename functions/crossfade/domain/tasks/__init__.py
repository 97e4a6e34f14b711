"""Tasks: whether a slot has what it needs, and what to ask for."""
