"""The test client: it asks a service for its version at a steady rate and writes every answer down.

One program with two faces: a command on a laptop (`python -m probe --url …`) and a task on ECS
(`python -m probe --task`).
"""
