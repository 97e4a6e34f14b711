"""What a rollout needs beside the gate: clients that leave a slot, alarms, an end of step-backs."""
