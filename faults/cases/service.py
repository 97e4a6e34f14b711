"""The service that is deployed, as its stack writes it, and what its owner may put before its forward."""

from typing import Any

from faults.aws.names import ACCOUNT, ECS, GROUP, REGION


def document(**changes: Any) -> dict[str, Any]:
    """A service spec as its stack writes it."""
    return {
        "service": "web",
        "cluster": f"{ECS}:cluster/web",
        "blueprint": f"{ECS}:task-definition/web-blueprint:1",
        "container": "app",
        "port": 8080,
        "repository": "web",
        "push_tags": "^[0-9]+[.][0-9]+[.][0-9]+$",
        "listener": f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener/app/web/1/2",
        "rule_priority": 100,
        "target_groups": {"blue": f"{GROUP}/blue/1", "green": f"{GROUP}/green/2"},
        "production_url": "http://web.example:80",
        "preview_url": "http://web.example:8081",
        "version": {"path": "/version"},
        "network": {"subnets": ["subnet-1"], "security_groups": ["sg-1"], "public_ip": True},
        "desired_count": 2,
        "stages": [
            {"weight": 0, "min_seconds": 5, "max_seconds": 30},
            {"weight": 10, "min_seconds": 10, "max_seconds": 180},
            {"weight": 100, "min_seconds": 20, "max_seconds": 90},
        ],
        "launch": {"deadline_seconds": 60, "hold_seconds": 5},
        "retire": {"quiet_seconds": 10, "drain_seconds": 20, "deadline_seconds": 120},
        "probe": {
            "production_rate": 10,
            "slot_rate": 10,
            "network": {"subnets": ["subnet-2"], "security_groups": ["sg-2"], "public_ip": False},
        },
        "gate": {"probe_margin": 0.05, "warm_up_seconds": 0},
        **changes,
    }


def login(**changes: Any) -> dict[str, Any]:
    """A login action as DescribeRules tells it: without its secret."""
    config = {
        "Issuer": "https://login.example",
        "AuthorizationEndpoint": "https://login.example/authorize",
        "TokenEndpoint": "https://login.example/token",
        "UserInfoEndpoint": "https://login.example/userinfo",
        "ClientId": "web",
        "OnUnauthenticatedRequest": "allow",
    }
    return {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": config | changes}
