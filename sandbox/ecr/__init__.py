"""ECR's pushes and images, where the emulator's differ from AWS's."""
