"""Lambda functions and layers, where the emulator's differ from AWS's."""
