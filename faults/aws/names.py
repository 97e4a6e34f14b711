"""The simulated account's names: whose it is, and where."""

REGION, ACCOUNT = "us-east-1", "123456789012"
ECS = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
GROUP = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup"
STATES = f"arn:aws:states:{REGION}:{ACCOUNT}"
