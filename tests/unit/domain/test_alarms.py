"""Alarms that the spec names: what they add to a verdict."""

import pytest

from crossfade.domain.errors import InvalidServiceSpec
from crossfade.domain.gate.past import Caution
from crossfade.domain.gate.state import Watch
from crossfade.domain.rollout.alarms import Alarm, refuse_unknown, with_alarms
from crossfade.domain.spec.service import Stage
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


def _watch(weight: int, *, first: bool = False) -> Watch:
    """A stage that began at 10 s; the load balancer showed it at 12 s."""
    return Watch(
        stage=Stage(weight=weight, min_seconds=1, max_seconds=60),
        next_weight=100,
        began=at(10),
        deadline=at(300),
        shown=at(12),
        candidate="green",
        candidate_since=at(0),
        expected="0.0.2",
        previous=None if first else "0.0.1",
    )


def _heed(
    verdict: Verdict,
    *alarms: Alarm,
    named: tuple[str, ...] = ("errors",),
    late: bool = False,
    watch: Watch | None = None,
    caution: Caution | None = None,
    now: float = 60,
) -> Verdict:
    found = {alarm.name: alarm for alarm in alarms}
    return with_alarms(
        verdict,
        named,
        found,
        began=at(0),
        watch=watch or _watch(10),
        caution=caution or Caution(),
        clump_seconds=15,
        now=at(301 if late else now),
    )


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
            Verdict(action="step_back", reason=RAISED, cause="alarm"),
            id="raised-while-held",
        ),
        pytest.param(
            ADVANCE,
            _alarm("ALARM"),
            False,
            Verdict(action="step_back", reason=RAISED, cause="alarm"),
            id="raised-though-all-is-proven",
        ),
        pytest.param(
            HOLD,
            _alarm("ALARM", since=0),
            False,
            Verdict(action="step_back", reason=RAISED.replace("05 UTC", "00 UTC"), cause="alarm"),
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
    """With clients on the candidate: raised steps back, standing is told, gone holds."""
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
        "step_back",
    ]


NOWHERE = _watch(0)
STAYS = f"{RAISED}, and stays though the candidate has had no clients for 180 s"


@pytest.mark.parametrize("verdict", [HOLD, ADVANCE], ids=["held", "would-climb"])
def test_at_weight_0_an_alarm_holds_until_it_is_over(verdict: Verdict) -> None:
    """It says since when, and what would end it; evidence that it is worse goes first."""
    assert _heed(verdict, _alarm("ALARM"), watch=NOWHERE) == Verdict(
        action="hold",
        reason=f"{RAISED}; candidate held at 0 % until it is over, rolled back if it stays for 180 s, "
        "48 s so far",
    )
    assert _heed(BACK, _alarm("ALARM"), watch=NOWHERE) == BACK
    assert _heed(verdict, _alarm("OK", 50), watch=NOWHERE) == verdict


@pytest.mark.parametrize(
    ("since", "now", "action"),
    [
        pytest.param(5, 191, "hold", id="not-yet"),
        pytest.param(5, 192, "roll_back", id="since-weight-0-was-shown"),
        pytest.param(40, 219, "hold", id="raised-later"),
        pytest.param(40, 220, "roll_back", id="since-it-was-raised"),
    ],
)
def test_an_alarm_that_stays_rolls_back(since: float, now: float, action: str) -> None:
    """Its clients are gone for twelve times as long as a spell, and it is up all the same."""
    found = _heed(HOLD, _alarm("ALARM", since), watch=NOWHERE, now=now)
    assert (found.action, found.error) == (action, "AlarmRaised" if action == "roll_back" else None)
    if (since, action) == (5, "roll_back"):
        assert found.reason == STAYS


def test_an_alarm_that_is_raised_again_rolls_back() -> None:
    """The candidate was stepped back for one, climbed, and here it is again, whatever came in between."""
    found = _heed(ADVANCE, _alarm("ALARM", 50), caution=Caution(step_backs=2, cause="strike", alarmed=True))
    assert (found.action, found.error) == ("roll_back", "AlarmRaised")
    assert found.reason.endswith(
        "raised during the deployment, again after the candidate was stepped back for one"
    )


@pytest.mark.parametrize("weight", [0, 100])
def test_a_first_release_has_nothing_to_step_back_to(weight: int) -> None:
    """It is rolled back, as ever."""
    found = _heed(HOLD, _alarm("ALARM"), watch=_watch(weight, first=True))
    assert (found.action, found.error, found.reason) == ("roll_back", "AlarmRaised", RAISED)


def test_while_stable_serves_nothing_an_alarm_is_told() -> None:
    """A way back would lead to that slot."""
    urgent = ADVANCE.model_copy(update={"emergency": True})
    found = _heed(urgent, _alarm("ALARM"))
    assert (found.action, found.reason) == ("advance", "proven; errors is in ALARM")


def test_no_alarm_no_change() -> None:
    """Where the spec names none."""
    assert _heed(ADVANCE, named=()) == ADVANCE


def test_unknown_alarms_are_refused_by_name() -> None:
    """A misspelt one would never be raised."""
    wanted = spec(alarms=["errors", "latency", "cost"])
    refuse_unknown(wanted, {name: _alarm(name=name) for name in wanted.alarms})
    with pytest.raises(InvalidServiceSpec, match=r"no alarm latency, cost\. Correct the spec of web"):
        refuse_unknown(wanted, {"errors": _alarm()})
