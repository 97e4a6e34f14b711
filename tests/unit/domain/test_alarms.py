"""Alarms that the spec names: what they add to a verdict."""

import pytest

from crossfade.domain.errors import InvalidServiceSpec
from crossfade.domain.rollout.alarms import Alarm, refuse_unknown, with_alarms
from crossfade.domain.verdict import Verdict
from tests.unit.examples import at, spec

HOLD = Verdict(action="hold", reason="all well")
ADVANCE = Verdict(action="advance", reason="proven")
BACK = Verdict(action="roll_back", reason="candidate (green) fails", error="CandidateWorse")
RAISED = "CloudWatch alarm errors (since 04:00:05 UTC) was raised during the deployment"
STANDING = "errors was in ALARM before the deployment began"
GONE = "evidence missing: CloudWatch has no alarm errors any more"


def _alarm(state: str = "OK", since: float = 5, name: str = "errors") -> Alarm:
    return Alarm(name=name, state=state, since=at(since))


def _heed(
    verdict: Verdict, *alarms: Alarm, named: tuple[str, ...] = ("errors",), late: bool = False
) -> Verdict:
    found = {alarm.name: alarm for alarm in alarms}
    return with_alarms(verdict, named, found, began=at(0), late=late)


@pytest.mark.parametrize(
    ("verdict", "alarm", "late", "expected"),
    [
        pytest.param(HOLD, _alarm(), False, HOLD, id="ok"),
        pytest.param(ADVANCE, _alarm(), True, ADVANCE, id="ok-when-late"),
        pytest.param(ADVANCE, _alarm("INSUFFICIENT_DATA"), False, ADVANCE, id="without-data-it-says-nothing"),
        pytest.param(
            HOLD,
            _alarm("ALARM"),
            False,
            Verdict(action="roll_back", reason=RAISED, error="AlarmRaised"),
            id="raised-while-held",
        ),
        pytest.param(
            ADVANCE,
            _alarm("ALARM"),
            False,
            Verdict(action="roll_back", reason=RAISED, error="AlarmRaised"),
            id="raised-though-all-is-proven",
        ),
        pytest.param(
            HOLD,
            _alarm("ALARM", since=0),
            False,
            Verdict(action="roll_back", reason=RAISED.replace("05 UTC", "00 UTC"), error="AlarmRaised"),
            id="raised-as-the-deployment-began",
        ),
        pytest.param(BACK, _alarm("ALARM"), False, BACK, id="raised-and-worse-is-told-as-worse"),
        pytest.param(
            ADVANCE,
            _alarm("ALARM", since=-0.001),
            False,
            Verdict(action="advance", reason=f"proven; {STANDING}"),
            id="of-before-does-not-stop",
        ),
        pytest.param(
            HOLD,
            _alarm("ALARM", since=-9),
            True,
            Verdict(action="hold", reason=f"all well; {STANDING}"),
            id="of-before-is-told",
        ),
        pytest.param(
            BACK,
            _alarm("ALARM", since=-9),
            False,
            Verdict(
                action="roll_back", reason=f"candidate (green) fails; {STANDING}", error="CandidateWorse"
            ),
            id="of-before-is-told-with-a-rollback",
        ),
        pytest.param(HOLD, None, False, Verdict(action="hold", reason=GONE), id="gone-holds"),
        pytest.param(ADVANCE, None, False, Verdict(action="hold", reason=GONE), id="gone-and-all-is-proven"),
        pytest.param(
            ADVANCE,
            None,
            True,
            Verdict(action="roll_back", reason=GONE, error="EvidenceMissing"),
            id="gone-at-the-deadline",
        ),
        pytest.param(BACK, None, True, BACK, id="gone-and-worse"),
    ],
)
def test_what_an_alarm_adds(verdict: Verdict, alarm: Alarm | None, late: bool, expected: Verdict) -> None:
    """Raised goes back, standing is told, gone holds."""
    assert _heed(verdict, *([alarm] if alarm else []), late=late) == expected


def test_of_several_alarms_each_is_told() -> None:
    """One that was raised is enough, whatever the others are."""
    alarms = [_alarm("ALARM"), _alarm("ALARM", 7, name="latency"), _alarm("ALARM", -5, name="old")]
    reason = _heed(HOLD, *alarms, named=("errors", "latency", "old", "gone")).reason
    assert "errors (since 04:00:05 UTC), latency (since 04:00:07 UTC) was raised" in reason


def test_an_alarm_that_returns_was_raised() -> None:
    """It stood before the deployment, went, and came back."""
    standing, back = _alarm("ALARM", -9), _alarm("ALARM", 30)
    assert [_heed(HOLD, alarm).action for alarm in (standing, _alarm("OK", 20), back)] == [
        "hold",
        "hold",
        "roll_back",
    ]


def test_no_alarm_no_change() -> None:
    """Where the spec names none."""
    assert _heed(ADVANCE, named=()) == ADVANCE


def test_unknown_alarms_are_refused_by_name() -> None:
    """A misspelt one would never be raised."""
    wanted = spec(alarms=["errors", "latency", "cost"])
    refuse_unknown(wanted, {name: _alarm(name=name) for name in wanted.alarms})
    with pytest.raises(InvalidServiceSpec, match=r"no alarm latency, cost\. Correct the spec of web"):
        refuse_unknown(wanted, {"errors": _alarm()})
