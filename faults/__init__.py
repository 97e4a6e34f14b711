"""Simulated deployments with a fault at every point: `python -m faults`, or `make faults`."""
