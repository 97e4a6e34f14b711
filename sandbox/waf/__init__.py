"""WAF, where the emulator's differs from AWS's."""
