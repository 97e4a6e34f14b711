"""Traffic: the production rule, and the weights in it."""
