"""The comparison that every rehearsal ends with sees what becomes of other people's things."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.account import NEIGHBOUR, THEIR_PRIORITY, beyond_the_law, held
from tests.sandbox.cloud import Cloud
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.shell import SERVICE

pytestmark = pytest.mark.enable_socket

Act = Callable[[Cloud], Any]


def attribute(cloud: Cloud, seconds: int = 6) -> Any:
    """The target group of the pattern gets another attribute."""
    (pattern,) = cloud.client("ecs").describe_services(cluster=cloud.cluster, services=[cloud.spec["like"]])[
        "services"
    ]
    (balancer,) = pattern["loadBalancers"]
    return cloud.client("elbv2").modify_target_group_attributes(
        TargetGroupArn=balancer["targetGroupArn"],
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(seconds)}],
    )


def condition(cloud: Cloud, *paths: str) -> Any:
    """The production rule gets another condition."""
    rule = cloud.rule()
    assert rule
    wanted = [{"Field": "path-pattern", "PathPatternConfig": {"Values": paths or ["/*", "/more"]}}]
    return cloud.client("elbv2").modify_rule(RuleArn=rule["RuleArn"], Conditions=wanted)


def their_rule(cloud: Cloud) -> Any:
    """The neighbour's rule has another answer."""
    elbv2, priority = cloud.client("elbv2"), str(THEIR_PRIORITY)
    rules = elbv2.describe_rules(ListenerArn=cloud.listener)["Rules"]
    (arn,) = (rule["RuleArn"] for rule in rules if rule["Priority"] == priority)
    answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    return elbv2.modify_rule(RuleArn=arn, Actions=[answer])


def their_service(cloud: Cloud) -> Any:
    """A service of the slot's name in another cluster gets another count."""
    return cloud.client("ecs").update_service(
        cluster=NEIGHBOUR, service=f"{SERVICE}-blue", enableExecuteCommand=True
    )


def their_bounds(cloud: Cloud) -> Any:
    """Its scalable target gets another bound."""
    return cloud.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=f"service/{NEIGHBOUR}/{SERVICE}-blue",
        ScalableDimension="ecs:service:DesiredCount",
        MaxCapacity=4,
    )


def their_parameter(cloud: Cloud) -> Any:
    """A parameter gets another value."""
    name = f"/{NEIGHBOUR}/secret"
    return cloud.client("ssm").put_parameter(Name=name, Value="ours", Type="String", Overwrite=True)


def repository(cloud: Cloud) -> Any:
    """A repository is told to overwrite no tag."""
    return cloud.client("ecr").put_image_tag_mutability(
        repositoryName=NEIGHBOUR, imageTagMutability="IMMUTABLE"
    )


FOUND: list[tuple[Act, str]] = [
    (attribute, "target group"),
    (condition, "listener rule"),
    (their_rule, "listener rule"),
    (their_service, "ECS service"),
    (their_bounds, "scalable target"),
    (their_parameter, "parameter"),
    (repository, "repository"),
]
"""What somebody does, and the kind of what is found different."""


def test_what_is_done_to_others_is_found(cloud: Cloud, first_release: Rehearsal) -> None:
    """One thing after the other; what Crossfade may change, and what a person has named, is none of it."""
    first = before = held(cloud)
    seen = []
    try:
        for act, kind in FOUND:
            act(cloud)
            after = held(cloud)
            found = beyond_the_law(cloud, before, after)
            assert found, act.__doc__
            assert all(line.startswith(f"{kind} ") for line in found), found
            seen += found
            before = after
        assert sorted(seen) == beyond_the_law(cloud, first, before)
    finally:
        attribute(cloud, 5)
        condition(cloud, "/*")

    assert not any(
        "secret" in line for line in beyond_the_law(cloud, first, before, {f"/{NEIGHBOUR}/secret"})
    )
