"""Evidence: what blocks of outcomes prove, as e-processes that may be read at any time."""
