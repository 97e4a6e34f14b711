"""CloudWatch Logs, where the emulator's differ from AWS's."""
