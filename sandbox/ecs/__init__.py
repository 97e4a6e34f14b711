"""ECS on Fargate: containers without Docker, and calls and rollouts as AWS has them."""
