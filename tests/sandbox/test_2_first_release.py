"""The first release of a service: nobody was served before, and nobody is sent to half a service."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any

import pytest

from tests.sandbox.cloud import Cloud
from tests.sandbox.executions import Execution
from tests.sandbox.patience import until
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.shell import SERVICE
from tests.sandbox.stage import Stage

pytestmark = pytest.mark.enable_socket


def test_the_push_deploys(first_release: Rehearsal) -> None:
    """Nothing but the push was needed."""
    execution = first_release.execution

    assert (execution.status, execution.output["outcome"]) == ("SUCCEEDED", "promoted")


def test_the_service_answers(cloud: Cloud, first_release: Rehearsal) -> None:
    """A client gets the version that was pushed."""
    with urllib.request.urlopen(f"{cloud.url}/version", timeout=10) as answer:
        assert json.load(answer)["version"] == "0.0.1"


def test_weights_go_from_nothing_to_all(first_release: Rehearsal) -> None:
    """Nobody was served by the pattern, which has no task: there is nothing to go on with by halves."""
    assert first_release.weights_seen == [(0, 0), (100, 0)]


def test_only_the_blue_slot_runs(cloud: Cloud, first_release: Rehearsal) -> None:
    """The first release lives in blue; green has no service yet."""
    assert ((2, 0), {"blue"}) == (cloud.running(), set(cloud.slots()))


def test_the_certificate_has_no_version_before(first_release: Rehearsal) -> None:
    """There was none."""
    certificate = first_release.certificate

    assert certificate["from"] == {"version": None, "digest": None}
    assert certificate["to"]["version"] == "0.0.1"
    assert [stage["weight"] for stage in certificate["reported"]["stages"]] == [0, 100]
    assert certificate["requests"]["green"] == {
        **{"sent": 0, "ok": 0, "failed": 0, "missing": 0, "at_most": None}
    }
    assert certificate["requests"]["production"]["failed"] == 0
    assert certificate["ledger"]["complete"]


def test_the_release_is_pinned_by_its_digest(cloud: Cloud, first_release: Rehearsal) -> None:
    """A tag that moves later must not change what runs."""
    digest = first_release.certificate["to"]["digest"]

    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
    assert cloud.image_of("blue").endswith(f"/{SERVICE}@{digest}")


def test_the_service_is_free(first_release: Rehearsal) -> None:
    """The next deployment may begin."""
    assert first_release.holder is None


def test_the_same_release_again_is_nothing_to_do(cloud: Cloud, first_release: Rehearsal) -> None:
    """Asked for by its digest, the running release is found, and nothing is changed."""
    before = cloud.snapshot()

    asked = {"service": SERVICE, "image_digest": first_release.certificate["to"]["digest"]}
    execution = cloud.ended(cloud.start(asked))

    assert (execution.status, execution.output["action"]) == ("SUCCEEDED", "nothing_to_do")
    assert "already runs 0.0.1" in execution.output["reason"]
    assert before == cloud.snapshot()


def test_a_sticky_rule_is_refused(stage: Stage, first_release: Rehearsal) -> None:
    """Sticky sessions override weights, so that nothing could be shifted."""
    cloud = stage.cloud
    rule = cloud.rule()
    assert rule is not None
    forward = rule["Actions"][-1]["ForwardConfig"]
    groups = {"TargetGroups": forward["TargetGroups"]}
    stickiness = {"Enabled": True, "DurationSeconds": 60}
    sticky: dict[str, Any] = {**groups, "TargetGroupStickinessConfig": stickiness}
    before = cloud.snapshot()

    def forward_to(config: dict[str, Any]) -> None:
        cloud.client("elbv2").modify_rule(
            RuleArn=rule["RuleArn"], Actions=[{"Type": "forward", "ForwardConfig": config}]
        )
        until(lambda: is_sticky() is (config is sticky), "the load balancer to tell of the change")

    def is_sticky() -> bool:
        now = cloud.rule()
        assert now is not None
        return bool(now["Actions"][-1]["ForwardConfig"].get("TargetGroupStickinessConfig", {}).get("Enabled"))

    def asked() -> Execution | None:
        """How it ends; None where the plan was still told of the rule as it was."""
        execution = cloud.ended(cloud.start({"service": SERVICE, "image_tag": "0.0.1"}))
        return execution if execution.status == "FAILED" else None

    forward_to(sticky)
    try:
        execution = until(asked, "a plan that sees the sticky rule")
    finally:
        forward_to(groups)

    assert (execution.status, execution.error) == ("FAILED", "StickyTraffic")
    assert rule["RuleArn"] in execution.cause
    assert before == cloud.snapshot()
