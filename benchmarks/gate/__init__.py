"""The gate against what others decide by, on the same simulated deployments; `make bench-gate`."""
