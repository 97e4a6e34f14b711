"""The service that is deployed, as its stack writes it, and what its owner may put before its forward."""

from typing import Any

from crossfade.domain.slots import Slot
from faults.aws.names import ACCOUNT, ECS, GROUP, REGION

LISTENER = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener/app/web/1/2"
RULE = f"{LISTENER.replace(':listener/', ':listener-rule/')}/3"
OTHER_LISTENER = f"{LISTENER.rpartition('/')[0]}/7"
OTHER_RULE = f"{OTHER_LISTENER.replace(':listener/', ':listener-rule/')}/7"
"""A second listener, and the production rule there, by which clients come to a second port."""


def document(**changes: Any) -> dict[str, Any]:
    """A service spec as its stack writes it."""
    return {
        "service": "web",
        "like": f"{ECS}:service/web/web",
        "release": {"repository": "web", "push_tags": "^[0-9]+[.][0-9]+[.][0-9]+$"},
        "traffic": [{"listener": LISTENER, "priority": 100}],
        "preview": {"listener": LISTENER},
        "version": {"path": "/version"},
        "tasks": 2,
        "stages": [
            {"weight": 0, "min_seconds": 5, "max_seconds": 30},
            {"weight": 10, "min_seconds": 10, "max_seconds": 180},
            {"weight": 100, "min_seconds": 20, "max_seconds": 90},
        ],
        "launch": {"deadline_seconds": 60, "hold_seconds": 5},
        "retire": {"quiet_seconds": 10, "drain_seconds": 20, "deadline_seconds": 120},
        "probe": {
            "url": "http://web.example:80",
            "production_rate": 10,
            "slot_rate": 10,
            "network": {"subnets": ["subnet-2"], "security_groups": ["sg-2"], "public_ip": False},
        },
        "gate": {"probe_margin": 0.05, "warm_up_seconds": 0, "clump_seconds": 1.5},
        **changes,
    }


def found(**changes: Any) -> dict[str, Any]:
    """What is found of the service: see ``Placed``."""
    network = {"subnets": ["subnet-1"], "security_groups": ["sg-1"], "public_ip": True}
    pattern = {
        "task_definition": f"{ECS}:task-definition/web-stack:1",
        "target_group": f"{GROUP}/web/3",
        "container": "app",
        "port": 8080,
        "network": network,
        "desired": 0,
        "settings": {
            "launchType": "FARGATE",
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": ["subnet-1"],
                    "securityGroups": ["sg-1"],
                    "assignPublicIp": "ENABLED",
                }
            },
        },
    }
    return {
        "pattern": pattern,
        "listener": LISTENER,
        "rule": RULE,
        "target_groups": {
            "blue": f"{GROUP}/blue/1",
            "green": f"{GROUP}/green/2",
            "pattern": f"{GROUP}/web/3",
        },
        "preview_secret": "/crossfade/preview/web",
        **changes,
    }


def found_at(ports: list[int], groups: list[dict[str, str]], origin: Slot | None) -> dict[str, Any]:
    """The same for a service whose ports have these target groups, each with a listener and a rule."""
    first, *others = groups
    pattern = {
        **found()["pattern"],
        "also": [
            {"target_group": one["pattern"], "container": "app", "port": port}
            for one, port in zip(others, ports[1:], strict=True)
        ],
    }
    also = [{"rule": OTHER_RULE, "listener": OTHER_LISTENER, "target_groups": one} for one in others]
    return found(pattern=pattern, target_groups=first, also=also, origin=origin)


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
