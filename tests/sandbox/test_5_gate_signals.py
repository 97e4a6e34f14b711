"""What else the gate hears of: alarms that the spec names, and users by the target groups' metrics."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.client import failed
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.stage import Stage
from tests.sandbox.users import Users

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]

STANDING, RAISED = "orders-stuck", "orders-failing"
LONG_SECONDS = 120
"""The stage in which the alarm is raised does not end by itself, however slow the machine is."""
BY_METRICS_SECONDS = 900
MANY = 40


def create_alarm(stage: Stage, name: str, *, missing: str) -> None:
    """An alarm on a metric that never has a point: what that means is all that counts."""
    stage.cloud.aws(
        *("cloudwatch", "put-metric-alarm", "--alarm-name", name, "--namespace", "Orders"),
        *("--metric-name", "Stuck", "--statistic", "Sum", "--period", "60", "--evaluation-periods", "1"),
        *("--threshold", "1", "--comparison-operator", "GreaterThanThreshold"),
        *("--treat-missing-data", missing),
    )


def set_alarm(stage: Stage, name: str, state: str) -> None:
    """Put an alarm into a state, as CloudWatch's evaluation does."""
    stage.cloud.aws(
        *("cloudwatch", "set-alarm-state", "--alarm-name", name, "--state-value", state),
        *("--state-reason", "rehearsal"),
    )


@pytest.fixture(scope="module")
def raised(stage: Stage, first_release: Rehearsal) -> Rehearsal:
    """One alarm stands before the deployment begins, another one is raised at weight 10."""
    create_alarm(stage, STANDING, missing="breaching")
    create_alarm(stage, RAISED, missing="notBreaching")
    set_alarm(stage, STANDING, "ALARM")
    set_alarm(stage, RAISED, "OK")
    some = {"weight": 10, "min_seconds": LONG_SECONDS, "max_seconds": 2 * LONG_SECONDS}
    stages = [some if each["weight"] == 10 else each for each in stage.cloud.spec["stages"]]

    def raise_it(execution: str) -> None:
        stage.reach(10)
        set_alarm(stage, RAISED, "ALARM")

    with stage.spec(stages=stages, alarms=[STANDING, RAISED]):
        return stage.rehearse("alarm raised", stage.push("0.5.6"), raise_it)


def test_an_alarm_that_is_raised_goes_back(raised: Rehearsal) -> None:
    """By its name, before the stage could end, and no client failed."""
    assert (raised.execution.status, raised.execution.error) == ("FAILED", "AlarmRaised")
    assert RAISED in raised.execution.cause
    assert raised.certificate["outcome"] == "rolled_back"
    assert raised.shares_seen == [0, 10, 0]
    assert failed(raised.requests) == []


def test_an_alarm_that_stood_before_is_told_and_no_verdict(raised: Rehearsal) -> None:
    """The first stage was ended in spite of it."""
    preview = raised.certificate["reported"]["stages"][0]

    assert preview["verdict"] == "advance"
    assert f"{STANDING} was in ALARM before the deployment began" in preview["reason"]
    assert STANDING not in raised.execution.cause


def test_it_was_taken_from_clients_first(raised: Rehearsal) -> None:
    """Weight 0 at once, and the end when the alarm did not pass."""
    (stepped,) = raised.certificate["reported"]["step_backs"]

    assert (stepped["weight"], raised.certificate["reported"]["stages"][-1]["weight"]) == (10, 0)
    assert RAISED in stepped["reason"]


@pytest.fixture(scope="module")
def passing(stage: Stage, raised: Rehearsal) -> Rehearsal:
    """An alarm that is raised at weight 10, and is over soon after."""
    set_alarm(stage, RAISED, "OK")
    stages = [
        {**each, "min_seconds": 10} if each["weight"] == 10 else each for each in stage.cloud.spec["stages"]
    ]

    def raise_and_end_it(execution: str) -> None:
        stage.reach(10)
        set_alarm(stage, RAISED, "ALARM")
        stage.reach(0)
        set_alarm(stage, RAISED, "OK")

    with stage.spec(stages=stages, alarms=[RAISED]):
        return stage.rehearse("alarm passes", stage.push("0.5.8"), raise_and_end_it)


def test_an_alarm_that_passes_costs_time_alone(passing: Rehearsal) -> None:
    """It steps back, climbs and is promoted, and no client failed."""
    assert passing.certificate["outcome"] == "promoted"
    assert passing.shares_seen == [0, 10, 0, 10, 50, 100]
    assert [each["weight"] for each in passing.certificate["reported"]["step_backs"]] == [10]
    assert failed(passing.requests) == []


@pytest.fixture(scope="module")
def by_metrics(stage: Stage, first_release: Rehearsal) -> Rehearsal:
    """A version that fails whoever asks for anything but /version, watched by minute metrics."""
    stages: list[dict[str, Any]] = [
        {**each, "max_seconds": BY_METRICS_SECONDS}
        for each in stage.cloud.spec["stages"]
        if each["weight"] != 10
    ]
    gate = {"users": "metrics", "users_seconds": BY_METRICS_SECONDS, "settle_seconds": 10}
    with stage.spec(stages=stages, gate=gate), Users(stage.cloud.url, MANY):
        begin = stage.push("0.5.7", FAULT_USERS_ERROR_RATE="1")
        return stage.rehearse("fails users only, by metrics", begin)


def test_what_users_meet_is_found_by_metrics_too(by_metrics: Rehearsal) -> None:
    """Some minutes later than by the feed; the probe's own requests are not counted among them."""
    assert (by_metrics.execution.status, by_metrics.execution.error) == ("FAILED", "CandidateWorse")
    assert "of the users' requests (evidence 1 : " in by_metrics.execution.cause
    assert by_metrics.shares_seen == [0, 50, 0]
