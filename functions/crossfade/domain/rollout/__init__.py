"""What a rollout waits for beside the gate: clients leaving a slot, and alarms."""
