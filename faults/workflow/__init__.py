"""The interpreter: runs the definitions as Step Functions does, in virtual time."""
