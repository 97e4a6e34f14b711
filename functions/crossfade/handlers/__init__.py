"""One handler for each state: parse, ask the domain, call an adapter, return."""
