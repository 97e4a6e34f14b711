"""A slot is scaled like the pattern: copied, copied again, and removed; what Crossfade has not made stays."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from crossfade.aws.scaling_copies import OwnScaling, PatternScalings, SlotScaling
from crossfade.domain.errors import AwsUnavailable
from crossfade.domain.spec.placed import Pattern, PatternScaling
from tests.unit.account import Account

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
BOUNDS = {"MinCapacity": 2, "MaxCapacity": 8}
CALLS = ("register_scalable_target", "tag_resource", "put_scaling_policy", "put_scheduled_action")


@pytest.fixture
def copies(account: Account) -> SlotScaling:
    """Return the scaling of slots, one of which runs."""
    account.run("blue", account.spec.pattern.task_definition)
    return SlotScaling(account.autoscaling, account.cloudwatch, account.spec)


def _read(account: Account) -> Pattern:
    scalings = PatternScalings(account.autoscaling, account.cloudwatch)
    return scalings.read(account.spec, account.spec.pattern, NOW)


def _scaling(account: Account) -> PatternScaling:
    scaling = _read(account).scaling
    assert scaling
    return scaling


def _copied(account: Account, service: str) -> dict[str, Any]:
    """What a service is scaled by, by name."""
    target = account.target_of(service)
    policies = account.autoscaling.describe_scaling_policies(**target)["ScalingPolicies"]
    actions = account.autoscaling.describe_scheduled_actions(**target)["ScheduledActions"]
    return {policy["PolicyName"]: policy for policy in policies} | {
        action["ScheduledActionName"]: action for action in actions
    }


def _alarms(account: Account) -> dict[str, Any]:
    alarms = account.cloudwatch.describe_alarms()["MetricAlarms"]
    return {alarm["AlarmName"]: alarm for alarm in alarms if not alarm["AlarmName"].startswith("TargetTrack")}


def _prefix(account: Account) -> str:
    return account.spec.target_groups.blue.split("/")[1] + "-"


def test_a_pattern_that_is_not_scaled(account: Account) -> None:
    """It is what it was."""
    assert _read(account) == account.spec.pattern


def test_a_slot_gets_what_the_pattern_has(account: Account, copies: SlotScaling) -> None:
    """With its own names, an alarm of its own, and all suspended; it is done again without harm."""
    steps = account.scale_pattern()
    scaling = _scaling(account)
    for _ in range(2):
        copies.copy("blue", scaling, BOUNDS)
    target = account.scaling("blue")
    assert target is not None
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 8)
    assert set(target["SuspendedState"].values()) == {True}
    found, theirs = _copied(account, "web-blue"), _copied(account, "web")
    assert found.keys() == theirs.keys() == {"cpu", "requests", "steps", "morning"}
    group = account.spec.target_groups.blue.partition(":targetgroup/")[2]
    metric = found["requests"]["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]
    assert metric["ResourceLabel"] == f"app/web/1/targetgroup/{group}"
    for kept in ("Schedule", "Timezone", "ScalableTargetAction"):
        assert found["morning"][kept] == theirs["morning"][kept]
    alarms = _alarms(account)
    copied = alarms.pop(f"{_prefix(account)}memory")
    assert alarms.keys() == {"memory"}
    assert copied["AlarmActions"] == [found["steps"]["PolicyARN"]] != [steps]
    assert {"Name": "ServiceName", "Value": "web-blue"} in copied["Dimensions"]
    assert copied["Threshold"] == 0
    tags = account.cloudwatch.list_tags_for_resource(ResourceARN=copied["AlarmArn"])["Tags"]
    assert {"Key": "crossfade:service", "Value": "web"} in tags
    assert account.scaling("green") is None


def test_an_alarm_is_copied_once(account: Account) -> None:
    """Also where it asks two policies, whose names begin alike; one of another policy is that one's."""
    first = account.scale_pattern()
    steps = _copied(account, "web")["steps"]
    second = account.autoscaling.put_scaling_policy(
        **account.target_of("web"),
        PolicyName="steps-2",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration=steps["StepScalingPolicyConfiguration"],
    )["PolicyARN"]
    for name, actions in {"both": [first, second], "second": [second]}.items():
        account.alarm(name)
        alarm = account.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
        account.cloudwatch.put_metric_alarm(
            **{key: alarm[key] for key in ("AlarmName", "MetricName", "Namespace", "Statistic", "Period")},
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            AlarmActions=actions,
        )
    found = {alarm["AlarmName"]: alarm["AlarmActions"] for alarm in _scaling(account).alarms}
    assert found == {"memory": ["steps"], "both": ["steps", "steps-2"], "second": ["steps-2"]}


def test_what_is_gone_from_the_pattern_goes_from_the_slot(account: Account, copies: SlotScaling) -> None:
    """Policies, actions and alarms; and a policy that became one of another type is made anew."""
    account.scale_pattern()
    copies.copy("blue", _scaling(account), BOUNDS)
    for name in ("requests", "steps"):
        account.autoscaling.delete_scaling_policy(**account.target_of("web"), PolicyName=name)
    account.autoscaling.delete_scheduled_action(**account.target_of("web"), ScheduledActionName="morning")
    tracking = _copied(account, "web")["cpu"]["TargetTrackingScalingPolicyConfiguration"]
    account.autoscaling.put_scaling_policy(
        **account.target_of("web"),
        PolicyName="steps",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=tracking,
    )
    copies.copy("blue", _scaling(account), BOUNDS)
    found = _copied(account, "web-blue")
    assert found.keys() == {"cpu", "steps"}
    assert found["steps"]["PolicyType"] == "TargetTrackingScaling"
    assert _alarms(account).keys() == {"memory"}


def test_what_was_copied_goes_with_the_patterns_target(account: Account, copies: SlotScaling) -> None:
    """Twice, and the pattern's own is not touched."""
    account.scale_pattern()
    copies.copy("blue", _scaling(account), BOUNDS)
    for _ in range(2):
        copies.remove("blue")
    assert account.scaling("blue") is None
    assert _alarms(account).keys() == {"memory"}
    assert _copied(account, "web").keys() == {"cpu", "requests", "steps", "morning"}


def test_what_somebody_else_has_registered_stays(account: Account, copies: SlotScaling) -> None:
    """A slot's target without Crossfade's tag, as one was registered by hand before patterns had them."""
    account.scale("blue")
    copies.remove("blue")
    own = OwnScaling(account.autoscaling, account.cloudwatch, account.spec, account.spec.parameter)
    own.remove("web-blue", _prefix(account))
    assert account.scaling("blue") is not None


def test_a_target_of_another_service_s_tag_stays(account: Account, copies: SlotScaling) -> None:
    """The tag tells whose it is."""
    account.scale("blue")
    target = account.scaling("blue")
    assert target is not None
    account.autoscaling.tag_resource(
        ResourceARN=target["ScalableTargetARN"], Tags={"crossfade:service": "shop"}
    )
    copies.remove("blue")
    assert account.scaling("blue") is not None


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ValidationException", "ECS service doesn't exist: service/web/web-blue"),
        ("ObjectNotFoundException", "no"),
        ("ResourceNotFoundException", "no"),
    ],
)
@pytest.mark.parametrize("call", CALLS)
def test_what_was_just_made_may_not_be_seen_yet(
    account: Account, copies: SlotScaling, monkeypatch: pytest.MonkeyPatch, call: str, code: str, message: str
) -> None:
    """It is tried again."""
    account.scale_pattern()
    scaling = _scaling(account)
    monkeypatch.setattr(copies._autoscaling, call, _refusing(code, message))
    with pytest.raises(AwsUnavailable, match="not seen yet"):
        copies.copy("blue", scaling, BOUNDS)


@pytest.mark.parametrize("call", CALLS)
def test_another_refusal_is_told(
    account: Account, copies: SlotScaling, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A missing right is a ValidationException as well."""
    account.scale_pattern()
    scaling = _scaling(account)
    monkeypatch.setattr(copies._autoscaling, call, _refusing("ValidationException", "not authorized"))
    with pytest.raises(ClientError, match="not authorized"):
        copies.copy("blue", scaling, BOUNDS)


@pytest.mark.parametrize("call", ["delete_scaling_policy", "delete_scheduled_action"])
def test_what_is_gone_already(
    account: Account, copies: SlotScaling, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """What is read of a slot may be of before its deletion."""
    account.scale_pattern()
    copies.copy("blue", _scaling(account), BOUNDS)
    nothing = PatternScaling(least=2, most=8)
    monkeypatch.setattr(copies._autoscaling, call, _refusing("ObjectNotFoundException", "no"))
    copies.copy("blue", nothing, BOUNDS)


@pytest.mark.parametrize("call", ["delete_scaling_policy", "delete_scheduled_action"])
def test_what_cannot_be_deleted_is_told(
    account: Account, copies: SlotScaling, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """It would go on scaling the slot."""
    account.scale_pattern()
    copies.copy("blue", _scaling(account), BOUNDS)
    monkeypatch.setattr(copies._autoscaling, call, _refusing("InternalServiceException", "no"))
    with pytest.raises(ClientError):
        copies.copy("blue", PatternScaling(least=2, most=8), BOUNDS)


def _refusing(code: str, message: str) -> Any:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": message}}, "Call")

    return refuse
