"""The cases: what is deployed, what goes wrong meanwhile, and what must hold all the same."""
