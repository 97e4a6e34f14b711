"""A second service whose rule would take the first one's requests is refused, and nobody notices it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.sandbox.cloud import Cloud
from tests.sandbox.executions import Execution
from tests.sandbox.rehearsal import GoodRelease

pytestmark = pytest.mark.enable_socket

SECOND = "second"


@pytest.fixture(scope="module")
def groups(cloud: Cloud) -> Iterator[dict[str, str]]:
    """Target groups of the second service's own."""
    elbv2 = cloud.client("elbv2")
    first = elbv2.describe_target_groups(TargetGroupArns=[cloud.target_groups["blue"]])
    network = {key: first["TargetGroups"][0][key] for key in ("Protocol", "Port", "VpcId", "TargetType")}
    found: dict[str, str] = {}
    for slot in ("blue", "green"):
        made = elbv2.create_target_group(Name=f"{SECOND}-{slot}", **network)["TargetGroups"][0]
        found[slot] = made["TargetGroupArn"]
    yield found
    for group in found.values():
        elbv2.delete_target_group(TargetGroupArn=group)


@pytest.fixture(scope="module")
def refused(cloud: Cloud, groups: dict[str, str], good_release: GoodRelease) -> Execution:
    """Its first release: on the first one's listener, with a rule that would stand before its rule."""
    changes: dict[str, Any] = {"service": SECOND, "rule_priority": 50, "target_groups": groups}
    name = f"{cloud.outputs['SpecsPath']}{SECOND}"
    cloud.client("ssm").put_parameter(Name=name, Type="String", Value=json.dumps({**cloud.spec, **changes}))
    try:
        return cloud.ended(cloud.start({"service": SECOND, "image_tag": "0.0.2"}))
    finally:
        cloud.client("ssm").delete_parameter(Name=name)


def test_it_is_refused_by_name(cloud: Cloud, refused: Execution) -> None:
    """The cause names the rule that would get no request any more, its priority and its conditions."""
    rule = cloud.rule()
    assert rule
    assert (refused.status, refused.error) == ("FAILED", "RuleCovers")
    named = f"{rule['RuleArn']} (priority {rule['Priority']}, path-pattern /*)"
    assert named in refused.cause.partition("would get no request any more: ")[2]


def test_the_first_services_clients_get_its_version(cloud: Cloud, refused: Execution) -> None:
    """All of them, and by its own rule alone."""
    found = [requests.get(f"{cloud.url}/version", timeout=10).json()["version"] for _ in range(20)]
    assert found == ["0.0.2"] * 20
    rules = cloud.client("elbv2").describe_rules(ListenerArn=cloud.listener)["Rules"]
    assert "50" not in {rule["Priority"] for rule in rules}
