"""Somebody else changes the production rule while a deployment runs: what they set is left alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from crossfade.domain.traffic.weights import PUT_RIGHT
from tests.sandbox.client import failed, versions
from tests.sandbox.cloud import Cloud, Weights
from tests.sandbox.patience import until
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.rest import come_to_rest, live, other
from tests.sandbox.scaling import suspend
from tests.sandbox.shell import SERVICE
from tests.sandbox.stage import Stage

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]

THEIRS = 30
"""The candidate's weight that somebody else sets, which is none of the stages'."""
ANSWERS = 40
"""A weight of 30 that still counts would show in one of so many, but for once in a million."""


def set_share(cloud: Cloud, share: int) -> Weights:
    """Set the candidate's weight with `aws elbv2 modify-rule`, as the operations page tells a person to."""
    rule, stable = cloud.rule(), live(cloud)
    assert rule
    assert stable
    groups = cloud.target_groups
    weights = {stable.slot: 100 - share, other(stable.slot): share}
    *before, forward = rule["Actions"]
    for action in before:
        action["AuthenticateOidcConfig"]["UseExistingClientSecret"] = True
    for group in forward["ForwardConfig"]["TargetGroups"]:
        (slot,) = (slot for slot in weights if groups[slot] == group["TargetGroupArn"])
        group["Weight"] = weights[slot]
    cloud.aws(
        *("elbv2", "modify-rule", "--rule-arn", rule["RuleArn"]),
        *("--actions", json.dumps([*before, forward])),
    )
    return weights["blue"], weights["green"]


def answers(cloud: Cloud) -> set[str]:
    """The versions that clients get: the load balancer follows its rule a little later."""
    found = (requests.get(f"{cloud.url}/version", timeout=10) for _ in range(ANSWERS))
    return {answer.json()["version"] if answer.ok else str(answer.status_code) for answer in found}


def put_right(stage: Stage) -> list[str]:
    """Do what `docs/operations.md` asks of a person: one version live, in the rule and in the journal."""
    cloud = stage.cloud
    stable = live(cloud)
    assert stable
    idle = other(stable.slot)
    set_share(cloud, 0)
    until(lambda: answers(cloud) == {stable.version}, "clients who get the stable version alone")
    weights = {slot: {"N": "100" if slot == stable.slot else "0"} for slot in ("blue", "green")}
    cloud.aws(
        *("dynamodb", "update-item", "--table-name", cloud.outputs["Journal"]),
        *("--key", json.dumps({"service": {"S": SERVICE}, "item": {"S": "state"}})),
        *("--update-expression", "SET weights = :weights"),
        *("--expression-attribute-values", json.dumps({":weights": {"M": weights}})),
    )
    suspend(cloud, idle)
    cloud.aws(
        *("ecs", "update-service", "--cluster", cloud.cluster),
        *("--service", f"{SERVICE}-{idle}", "--desired-count", "0"),
    )
    return come_to_rest(cloud, stage.tasks)


@pytest.fixture(scope="module")
def meddled(scaled_stage: Stage) -> Rehearsal:
    """At weight 10 somebody gives the candidate 30; afterwards a person puts it right."""
    stage = scaled_stage

    def meddle(execution: str) -> dict[str, Any]:
        stage.reach(10)
        theirs = set_share(stage.cloud, THEIRS)
        stage.cloud.ended(execution)
        return {"theirs": theirs, "left": stage.cloud.weights(), "running": stage.cloud.running()}

    return stage.rehearse("meddled with", stage.push("0.4.1"), meddle, rests=False)


@pytest.fixture(scope="module")
def unrest_afterwards(scaled_stage: Stage, meddled: Rehearsal) -> list[str]:
    """What is not as it has to be when a person has put it right."""
    return put_right(scaled_stage)


def test_no_client_failed(meddled: Rehearsal) -> None:
    """Both slots kept their tasks, since both had clients."""
    assert failed(meddled.requests) == []


def test_their_weights_are_left_alone(meddled: Rehearsal) -> None:
    """The deployment changed nothing more, and neither did its rollback."""
    assert meddled.shares_seen == [0, 10, THEIRS]
    assert (meddled.seen["left"], meddled.seen["running"]) == (meddled.seen["theirs"], (2, 2))


def test_it_failed_by_name(meddled: Rehearsal) -> None:
    """The cause ends with what to do, and is written when nothing moves any more."""
    execution = meddled.execution

    assert (execution.status, execution.error) == ("FAILED", "ForeignChange")
    assert execution.cause.endswith(f"was changed outside Crossfade. {PUT_RIGHT}")


def test_the_journal_has_the_true_outcome(meddled: Rehearsal) -> None:
    """Nothing was rolled back, and nobody holds the service."""
    assert (meddled.item["outcome"], meddled.holder) == ("failed", None)
    assert "was changed outside Crossfade" in meddled.item["reason"]
    assert meddled.before == meddled.after


def test_a_person_can_put_it_right(unrest_afterwards: list[str]) -> None:
    """By what the operations page says, and nothing else."""
    assert unrest_afterwards == []


def test_the_next_deployment_goes_well(scaled_stage: Stage, unrest_afterwards: list[str]) -> None:
    """As if nothing had happened."""
    rehearsal = scaled_stage.rehearse("after the meddling", scaled_stage.push("0.4.2"))

    assert (rehearsal.item["outcome"], rehearsal.unrest) == ("promoted", [])
    assert versions(rehearsal.requests)[-1] == "0.4.2"
    assert failed(rehearsal.requests) == []
