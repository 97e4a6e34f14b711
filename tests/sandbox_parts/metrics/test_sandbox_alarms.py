"""Alarms: AWS's rules for missing data, what moves an alarm, and since when it is where it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from sandbox.cloudwatch import alarms, metric_data
from tests.sandbox_parts.metrics.conftest import Call, Clock

TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
SHOP = {"LoadBalancer": "app/lb/1", "TargetGroup": "targetgroup/blue/2"}
ALARM: dict[str, Any] = {
    "AlarmName": "errors",
    "Namespace": "AWS/ApplicationELB",
    "MetricName": "HTTPCode_Target_5XX_Count",
    "Dimensions": [{"Name": name, "Value": value} for name, value in SHOP.items()],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 5,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
}


@pytest.mark.parametrize(
    ("drawn", "needed", "expected"),
    [
        ("0-X-X", 3, ["OK", "OK", "OK", "OK"]),
        ("0----", 3, ["OK", "OK", "OK", "OK"]),
        ("-----", 3, ["INSUFFICIENT_DATA", None, "ALARM", "OK"]),
        ("0XX-X", 3, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("--X--", 3, ["ALARM", None, "ALARM", "OK"]),
        ("0-X-X", 2, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("00X0X", 2, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("0-X--", 2, ["OK", "OK", "ALARM", "OK"]),
        ("----0", 2, ["OK", "OK", "ALARM", "OK"]),
        ("---X-", 2, ["ALARM", None, "ALARM", "OK"]),
        # In the text below those tables: not at once, as the next point may be fine.
        ("----X", 3, [None, None, "ALARM", "OK"]),
        ("---X-", 3, [None, None, "ALARM", "OK"]),
    ],
)
def test_missing_data(drawn: str, needed: int, expected: list[str | None]) -> None:
    """The tables in "Configuring how CloudWatch alarms treat missing data": 3 periods, the newest last."""
    points = [{"0": False, "X": True, "-": None}[each] for each in reversed(drawn)]
    found = [alarms.verdict(points, periods=3, needed=needed, missing=each) for each in TREATMENTS]
    assert found == expected


@pytest.fixture
def cloudwatch(emulator: Callable[[str], Call]) -> Call:
    """CloudWatch without alarms."""
    return emulator("cloudwatch")


@pytest.fixture
def minute(clock: Clock) -> Callable[..., None]:
    """The next minute goes by, with that number of errors, up to the evaluation after it."""

    def pass_by(errors: int = 0, dimensions: dict[str, str] = SHOP) -> None:
        begin = clock.now // 60 * 60
        if errors:
            metric_data.store(ALARM["Namespace"], ALARM["MetricName"], dimensions, begin, errors)
        clock.now = begin + 60 + metric_data.DELAY_SECONDS
        alarms.evaluate_everywhere()

    return pass_by


def shown(cloudwatch: Call, name: str = "errors") -> dict[str, Any]:
    """DescribeAlarms of one alarm, of either kind."""
    answer = cloudwatch("DescribeAlarms", AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    (alarm,) = answer["MetricAlarms"] + answer["CompositeAlarms"]
    return dict(alarm)


def state(cloudwatch: Call, name: str = "errors") -> tuple[str, float]:
    """An alarm's state, and since when (seconds)."""
    alarm = shown(cloudwatch, name)
    since: datetime = alarm["StateTransitionedTimestamp"]
    return str(alarm["StateValue"]), since.timestamp()


def test_an_alarm_goes_and_comes_back_by_itself(
    cloudwatch: Call, minute: Callable[..., None], clock: Clock
) -> None:
    """Sparse data: the last bad minute counts until it is out of the evaluation range, three minutes here."""
    cloudwatch("PutMetricAlarm", **ALARM, TreatMissingData="notBreaching")
    minute(errors=4)
    assert state(cloudwatch)[0] == "OK"
    minute(errors=5)
    since = clock.now
    for _ in range(2):
        assert state(cloudwatch) == ("ALARM", since)
        minute()
    assert state(cloudwatch) == ("ALARM", since)
    minute()
    assert state(cloudwatch) == ("OK", clock.now)


def test_an_alarm_looks_at_its_own_metric(cloudwatch: Call, minute: Callable[..., None]) -> None:
    """The other target group's errors are not its own, nor are those of the load balancer as a whole."""
    cloudwatch("PutMetricAlarm", **ALARM)
    minute(errors=9, dimensions=SHOP | {"TargetGroup": "targetgroup/green/3"})
    minute(errors=9, dimensions={"LoadBalancer": "app/lb/1"})
    assert state(cloudwatch)[0] == "INSUFFICIENT_DATA"


def test_two_of_three(cloudwatch: Call, minute: Callable[..., None]) -> None:
    """DatapointsToAlarm out of EvaluationPeriods."""
    three = {"EvaluationPeriods": 3, "DatapointsToAlarm": 2, "TreatMissingData": "notBreaching"}
    cloudwatch("PutMetricAlarm", **ALARM | three)
    states = []
    for errors in (9, 0, 9, 0, 0, 0, 0):
        minute(errors)
        states.append(state(cloudwatch)[0])
    assert states == ["OK", "OK", "ALARM", "ALARM", "ALARM", "OK", "OK"]


def test_set_by_hand(cloudwatch: Call, minute: Callable[..., None], clock: Clock) -> None:
    """It holds for half a minute at least; then the alarm is what its metric says. Its parents follow."""
    cloudwatch("PutMetricAlarm", **ALARM, TreatMissingData="notBreaching")
    cloudwatch("PutCompositeAlarm", AlarmName="any", AlarmRule="ALARM(errors)")
    clock.now += 50.25
    by_hand = clock.now
    cloudwatch("SetAlarmState", AlarmName="errors", StateValue="ALARM", StateReason="a rehearsal")
    minute()
    assert state(cloudwatch) == ("ALARM", by_hand)
    assert state(cloudwatch, "any") == ("ALARM", by_hand)
    minute()
    assert state(cloudwatch) == ("OK", clock.now)
    assert state(cloudwatch, "any") == ("OK", clock.now)


def test_the_time_of_a_state_outlasts_what_leaves_the_state(cloudwatch: Call, clock: Clock) -> None:
    """Neither the same state again nor a new definition is a transition."""
    cloudwatch("PutMetricAlarm", **ALARM, TreatMissingData="ignore")
    clock.now += 10
    since = clock.now
    cloudwatch("SetAlarmState", AlarmName="errors", StateValue="ALARM", StateReason="a rehearsal")
    clock.now += 10
    cloudwatch("SetAlarmState", AlarmName="errors", StateValue="ALARM", StateReason="again")
    cloudwatch("PutMetricAlarm", **ALARM | {"Threshold": 7}, TreatMissingData="ignore")
    assert state(cloudwatch) == ("ALARM", since)
    assert shown(cloudwatch)["Threshold"] == 7


def test_a_new_alarm_has_its_times(cloudwatch: Call) -> None:
    """Both are there before anything happened to it."""
    cloudwatch("PutMetricAlarm", **ALARM)
    alarm = shown(cloudwatch)
    assert alarm["StateValue"] == "INSUFFICIENT_DATA"
    assert alarm["StateTransitionedTimestamp"] == alarm["StateUpdatedTimestamp"]


def test_unknown_names_are_left_out(cloudwatch: Call) -> None:
    """They are no error."""
    answer = cloudwatch("DescribeAlarms", AlarmNames=["nobody"], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    assert (answer["MetricAlarms"], answer["CompositeAlarms"]) == ([], [])
