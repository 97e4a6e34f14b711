"""What of the pattern's scaling a slot gets, and what is written otherwise for the slot."""

from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest

from crossfade.domain.spec.placed import PatternScaling
from crossfade.domain.tasks.scaling import ACTIVE, ScalableTarget
from crossfade.domain.tasks.scaling_copy import (
    ACTION,
    ALARM,
    ALARM_ACTIONS,
    ALARM_SET,
    BOUNDS,
    OF_THE_TARGET,
    POLICY,
    Found,
    bounds,
    cautions,
    copy,
    not_copied,
    read_scaling,
)
from tests.unit.examples import of_two_ports, pattern, placed

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
TARGET = {"MinCapacity": 2, "MaxCapacity": 8}
STEPS = {"PolicyARN": "arn:steps", "PolicyName": "steps", "PolicyType": "StepScaling"}
ALARMED = {"AlarmName": "memory", "AlarmActions": ["arn:steps"], "Threshold": 0.0, "ActionsEnabled": False}
OWN = placed()
THEIR_GROUP = OWN.pattern.target_group
THEIRS = THEIR_GROUP.partition(":targetgroup/")[2]
GREENS = OWN.target_groups.green.partition(":targetgroup/")[2]
PREFIX = GREENS.partition("/")[0]


def _found(**changes: Any) -> Found:
    values: dict[str, Any] = {"target": TARGET, "policies": [STEPS], "actions": [], "alarms": [ALARMED]}
    return Found(**values | changes)


def _action(schedule: str = "cron(0 8 * * ? *)", **changes: Any) -> dict[str, Any]:
    return {"ScheduledActionName": "morning", "Schedule": schedule, **changes}


def _members(service: str, call: str) -> set[str]:
    model = botocore.session.get_session().get_service_model(service)
    shape = model.operation_model(call).input_shape
    assert shape
    return set(shape.members)


@pytest.mark.parametrize(
    ("call", "fields"),
    [
        ("PutScalingPolicy", {*OF_THE_TARGET, *POLICY}),
        ("PutScheduledAction", {*OF_THE_TARGET, *ACTION}),
        ("RegisterScalableTarget", {*OF_THE_TARGET, *BOUNDS, "SuspendedState", "RoleARN", "Tags"}),
    ],
)
def test_no_field_is_forgotten(call: str, fields: set[str]) -> None:
    """What boto3 learns to send is copied, or set; the role is Application Auto Scaling's own for ECS."""
    assert _members("application-autoscaling", call) == fields


def test_no_field_of_an_alarm_is_forgotten() -> None:
    """Neither."""
    assert _members("cloudwatch", "PutMetricAlarm") == {*ALARM, *ALARM_ACTIONS, *ALARM_SET}


def test_what_is_read_is_json_and_has_no_empty_fields() -> None:
    """A plan holds it. A threshold of 0 and a switch that is off are not empty."""
    end = NOW + timedelta(days=1)
    action = _action(EndTime=end, StartTime=None, CreationTime=NOW)
    alarm = ALARMED | {"Dimensions": [], "Unit": None, "StateValue": "OK", "OKActions": []}
    scaling = read_scaling(_found(actions=[action], alarms=[alarm]), NOW)
    assert scaling.actions == (_action(EndTime="2026-11-28T12:00:00.000Z"),)
    assert scaling.alarms == (ALARMED | {"AlarmActions": ["steps"]},)
    assert scaling.policies == ({"PolicyName": "steps", "PolicyType": "StepScaling"},)
    assert PatternScaling.model_validate_json(scaling.model_dump_json()) == scaling


@pytest.mark.parametrize(
    ("action", "over"),
    [
        pytest.param(_action(), False, id="for-ever"),
        pytest.param(_action(EndTime=NOW - timedelta(seconds=1)), True, id="ended"),
        pytest.param(_action(EndTime=NOW), False, id="ends"),
        pytest.param(_action("at(2026-11-27T11:59:59)"), True, id="done"),
        pytest.param(_action("at(2026-11-27T12:00:01)"), False, id="to-be-done"),
        pytest.param(
            _action("at(2026-11-27T11:59:59)", Timezone="America/Lima"), False, id="maybe-to-be-done"
        ),
        pytest.param(_action("at(2026-11-26T23:59:59)", Timezone="America/Lima"), True, id="done-everywhere"),
    ],
)
def test_what_is_over_is_not_copied(action: dict[str, Any], over: bool) -> None:
    """A schedule of yesterday's sale."""
    assert len(read_scaling(_found(actions=[action]), NOW).actions) == (not over)


def test_what_an_alarm_does_besides_is_named() -> None:
    """A message about the pattern's load would come twice, or by a right that Crossfade has not."""
    both = ALARMED | {"AlarmActions": ["arn:steps", "arn:topic"]}
    assert list(not_copied(_found(alarms=[both]))) == ["other actions of the alarm memory"]
    assert read_scaling(_found(alarms=[both]), NOW).alarms[0]["AlarmActions"] == ["steps"]
    assert list(not_copied(_found())) == []


def test_a_prediction_knows_only_what_its_slot_has_served() -> None:
    """Its owner should know."""
    predicts = {"PolicyARN": "arn:p", "PolicyName": "weekly", "PolicyType": "PredictiveScaling"}
    assert list(cautions(_found())) == []
    (caution,) = cautions(_found(policies=[STEPS, predicts]))
    assert "the policy weekly" in caution


def _live(least: int, most: int) -> ScalableTarget:
    return ScalableTarget(suspension=ACTIVE, least=least, most=most)


@pytest.mark.parametrize(
    ("scheduled", "live", "wanted", "expected"),
    [
        pytest.param({}, None, 2, (2, 8), id="the-pattern's"),
        pytest.param({}, _live(1, 20), 2, (2, 8), id="the-pattern's-and-not-the-live-slot's"),
        pytest.param({}, _live(2, 12), 9, (2, 9), id="room-for-what-is-live"),
        pytest.param({"MinCapacity": 6}, _live(6, 20), 6, (6, 8), id="the-schedule-has-set-one"),
        pytest.param({"MaxCapacity": 4}, _live(2, 4), 3, (2, 4), id="or-the-other"),
        pytest.param({"MinCapacity": 6}, None, 2, (2, 8), id="the-live-slot-is-not-scaled"),
        pytest.param({"MinCapacity": 10}, _live(10, 20), 5, (10, 10), id="never-more-than-the-most"),
    ],
)
def test_the_bounds_of_a_slot(
    scheduled: dict[str, int], live: ScalableTarget | None, wanted: int, expected: tuple[int, int]
) -> None:
    """What the clock has set goes on; what its owner has set comes with the release."""
    actions = (_action(ScalableTargetAction=scheduled),) if scheduled else ()
    scaling = PatternScaling(least=2, most=8, actions=actions)
    assert tuple(bounds(scaling, live, wanted, first=False).values()) == expected


def test_a_first_release_has_the_patterns_bounds() -> None:
    """Nothing serves that could become too little."""
    assert bounds(PatternScaling(least=1, most=2), None, 6, first=True) == {
        "MinCapacity": 1,
        "MaxCapacity": 2,
    }


def _dimensions(**named: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in named.items()]


@pytest.mark.parametrize(
    ("theirs", "own"),
    [
        (_dimensions(ServiceName="web"), _dimensions(ServiceName="web-green")),
        (
            _dimensions(ClusterName="web", ServiceName="web"),
            _dimensions(ClusterName="web", ServiceName="web-green"),
        ),
        (
            _dimensions(ClusterName="shop", ServiceName="web"),
            _dimensions(ClusterName="shop", ServiceName="web"),
        ),
        (_dimensions(ServiceName="webs"), _dimensions(ServiceName="webs")),
        (_dimensions(QueueName="web"), _dimensions(QueueName="web")),
        (
            _dimensions(TargetGroup=f"targetgroup/{THEIRS}", LoadBalancer="app/web/1"),
            _dimensions(TargetGroup=f"targetgroup/{GREENS}", LoadBalancer="app/web/1"),
        ),
        (
            _dimensions(TaskDefinitionFamily="web-stack"),
            _dimensions(TaskDefinitionFamily="crossfade-web"),
        ),
        ([], []),
    ],
)
def test_metrics_are_the_slots_own(theirs: list[dict[str, str]], own: list[dict[str, str]]) -> None:
    """In a policy, in an alarm, and in what either computes of several metrics."""
    metric = {
        "Metrics": [{"Id": "m", "MetricStat": {"Metric": {"Dimensions": theirs}}}],
        "Dimensions": theirs,
    }
    expected = {"Metrics": [{"Id": "m", "MetricStat": {"Metric": {"Dimensions": own}}}], "Dimensions": own}
    policy = {"PolicyName": "a", "TargetTrackingScalingPolicyConfiguration": metric}
    scaling = PatternScaling(least=1, most=2, policies=(policy,), alarms=({"AlarmName": "a", **metric},))
    found = copy(OWN, "green", scaling)
    assert found.policies == ({"PolicyName": "a", "TargetTrackingScalingPolicyConfiguration": expected},)
    assert {key: found.alarms[0][key] for key in expected} == expected


def test_labels_and_expressions_name_the_slot() -> None:
    """A ResourceLabel ends with the target group, and a query may name it, or the service."""
    metric = {
        "ResourceLabel": f"app/web/1/targetgroup/{THEIRS}",
        "Expression": "SELECT 'web', \"ServiceName\" = 'web' AND ServiceName=\"web\" IN "
        f"targetgroup/{THEIRS}",
    }
    policy = {"PolicyName": "web", "PolicyType": "TargetTrackingScaling", "Deep": [[metric]]}
    (found,) = copy(OWN, "green", PatternScaling(least=1, most=2, policies=(policy,))).policies
    own = {
        "ResourceLabel": f"app/web/1/targetgroup/{GREENS}",
        "Expression": "SELECT 'web', \"ServiceName\" = 'web-green' AND ServiceName=\"web-green\" IN "
        f"targetgroup/{GREENS}",
    }
    assert found == policy | {"Deep": [[own]]}


def test_any_port_may_tell_how_much_there_is_to_do() -> None:
    """Each name of a group is rewritten into that of the slot's group for the same port."""
    spec = of_two_ports()
    admin = spec.also[0].target_groups
    label, dimension = (
        f"app/web/1/{_name(admin.pattern)}",
        {"Name": "TargetGroup", "Value": _name(THEIR_GROUP)},
    )
    expression = f"m1 + SEARCH('{_name(admin.pattern)} {_name(THEIR_GROUP)}')"
    metric = {"ResourceLabel": label, "Dimensions": [dimension], "Expression": expression}
    policy = {"PolicyName": "web", "Deep": metric}
    (found,) = copy(spec, "green", PatternScaling(least=1, most=2, policies=(policy,))).policies
    own = {
        "ResourceLabel": f"app/web/1/{_name(admin.green)}",
        "Dimensions": [{"Name": "TargetGroup", "Value": f"targetgroup/{GREENS}"}],
        "Expression": f"m1 + SEARCH('{_name(admin.green)} targetgroup/{GREENS}')",
    }
    assert found == policy | {"Deep": own}


def _name(group: str) -> str:
    return group[group.index("targetgroup/") :]


def test_an_alarm_gets_a_name_and_a_tag() -> None:
    """By which it is known as Crossfade's; names that would be too long stay apart."""
    names = ("memory", f"{'m' * 250}1", f"{'m' * 250}2")
    scaling = PatternScaling(least=1, most=2, alarms=tuple({"AlarmName": name} for name in names))
    found = copy(OWN, "green", scaling).alarms
    assert found[0]["AlarmName"] == f"{PREFIX}-memory"
    assert found[0]["Tags"] == [
        {"Key": "crossfade:service", "Value": "web"},
        {"Key": "crossfade:spec", "Value": "/crossfade/services/web"},
    ]
    assert len({alarm["AlarmName"] for alarm in found}) == 3
    assert {len(alarm["AlarmName"]) for alarm in found[1:]} == {255}
    assert all(alarm["AlarmName"].startswith(f"{PREFIX}-m") for alarm in found)


def test_who_is_scaled_otherwise_runs_otherwise() -> None:
    """So a change of the scaling alone can be released; without any, what ran before is what it was."""
    plain = pattern()
    scaled = pattern(scaling=PatternScaling(least=1, most=2).model_dump())
    wider = pattern(scaling=PatternScaling(least=1, most=3).model_dump())
    assert len({one.fingerprint for one in (plain, scaled, wider)}) == 3
    assert plain.fingerprint == pattern(scaling=None).fingerprint


def test_which_slots_are_scaled_like_the_pattern() -> None:
    """Not the owner's own service, which has its scaling; nor any where the pattern has none."""
    scaled = pattern(scaling=PatternScaling(least=1, most=2).model_dump()).model_dump(mode="json")
    spec = placed(pattern=scaled, origin="green")
    assert [spec.copies_scaling(slot) for slot in ("blue", "green")] == [True, False]
    assert not placed().copies_scaling("blue")
