"""The whole exercise in one command, on this machine: `python -m demo`.

A release goes live under a client that never stops asking, a bad one is put back, and the records of both are
checked: what is printed as true at the end is computed from what the client and the deployments wrote.
"""
