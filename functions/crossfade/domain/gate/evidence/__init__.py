"""Evidence: what blocks of outcomes prove, as e-processes that may be looked at any time."""
