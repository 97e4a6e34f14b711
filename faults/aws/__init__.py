"""The model of AWS: what handlers call, what happens meanwhile, and the stack that is deployed in it."""
