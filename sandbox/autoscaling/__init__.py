"""Application Auto Scaling, which the emulator has not."""
