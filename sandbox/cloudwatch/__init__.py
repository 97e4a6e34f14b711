"""CloudWatch's metrics and alarms, where the emulator's differ from AWS's."""
