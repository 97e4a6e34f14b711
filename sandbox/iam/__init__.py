"""What IAM checks calls against, where the emulator's differs from AWS's."""
