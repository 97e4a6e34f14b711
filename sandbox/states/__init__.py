"""Step Functions, where the emulator's differ from AWS's."""
