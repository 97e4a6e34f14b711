"""What stands for Fargate on this machine: processes, images, addresses. It knows nothing of the emulator."""
