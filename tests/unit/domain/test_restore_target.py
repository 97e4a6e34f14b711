"""The way back: all traffic to the stable slot, where it can serve."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.domain.planning.plan import Plan
from crossfade.domain.proof.certificate import History
from crossfade.domain.rollback.target import RestoreTarget, restore_target, still_needed
from crossfade.domain.slots import Slot
from crossfade.domain.traffic.weights import Weights
from tests.unit.examples import at, first_plan, plan

BLUE, SOME, HALF, GREEN = (Weights.share("green", weight) for weight in (0, 10, 50, 100))


def _way(
    live: Weights | None,
    given: Plan,
    written: tuple[Weights | None, ...],
    *,
    blue: int = 2,
    green: int = 2,
    late: bool = False,
    fit: bool = True,
    short: str | None = None,
) -> RestoreTarget:
    return restore_target(
        [live],
        given,
        written=written[0],
        healthy={"blue": blue, "green": green},
        fit=fit,
        short=short,
        late=late,
    )


@pytest.mark.parametrize(
    ("live", "written", "blue", "winner"),
    [
        pytest.param(BLUE, (BLUE, None), 1, "blue", id="already-back-needs-nothing"),
        pytest.param(BLUE, (BLUE, None), 0, "green", id="it-never-left-the-stable-slot-which-is-dead-by-now"),
        pytest.param(BLUE, (HALF, None), 0, "green", id="what-is-read-may-be-old"),
        pytest.param(HALF, (HALF, None), 2, "blue", id="what-was-written"),
        pytest.param(HALF, (BLUE, HALF), 2, "blue", id="what-was-about-to-be-written"),
        pytest.param(HALF, (HALF, None), 1, "blue", id="one-healthy-target-is-better-than-none"),
        pytest.param(HALF, (HALF, None), 0, "green", id="the-stable-slot-cannot-serve"),
        pytest.param(GREEN, (GREEN, None), 0, "green", id="an-earlier-try-chose-the-candidate"),
        pytest.param(GREEN, (GREEN, None), 2, "blue", id="and-the-stable-slot-has-come-back"),
    ],
)
def test_winners(live: Weights | None, written: tuple[Weights, ...], blue: int, winner: Slot) -> None:
    """The stable slot, or the candidate where nobody could answer there."""
    way = _way(live, plan(), written, blue=blue)
    assert (way.action, way.winner) == ("go", winner)


@pytest.mark.parametrize("live", [BLUE, GREEN], ids=["on-the-air", "off-already"])
def test_a_first_release_goes_off_the_air(live: Weights) -> None:
    """There is nobody to win; healthy targets are not asked for."""
    assert _way(live, first_plan(), (live, None), blue=0, green=0) == RestoreTarget(
        action="go", winner=None, reason="no release is live: blue 0, green 100"
    )


@pytest.mark.parametrize(
    ("lives", "back"), [([BLUE, HALF], False), ([HALF, BLUE], False), ([BLUE] * 2, True)]
)
def test_rules_are_back_when_all_are(lives: list[Weights], back: bool) -> None:
    """Of two rules one is back, and the stable slot lacks tasks: what it still has to take is waited for."""
    way = restore_target(
        lives,
        plan(),
        written=BLUE,
        healthy={"blue": 1, "green": 4},
        fit=True,
        short="blue lacks 3",
        late=False,
    )
    assert (way.action == "go") is back
    assert back or way.reason.endswith(f"traffic stays at {lives[0]} and {lives[1]}")


def test_a_version_that_no_client_was_to_meet_is_not_given_to_them() -> None:
    """The gate refused it at weight 0, or its tasks never were all healthy; the reason says what is so."""
    way = _way(BLUE, plan(), (BLUE, None), blue=0, fit=False)
    assert (way.action, way.winner) == ("go", "blue")
    assert way.reason == (
        "blue 100, green 0, but stable (blue) has no healthy target: look at its tasks. candidate (green) "
        "has some, but 0.0.2 was not verified"
    )


def test_where_nobody_serves_and_nothing_was_moved_nothing_is_waited_for() -> None:
    """Clients are where they are to be."""
    way = _way(BLUE, plan(), (BLUE, None), blue=0, green=0)
    assert (way.action, way.winner) == ("go", "blue")
    assert "but neither slot has a healthy target: look at the tasks of both" in way.reason


def test_a_stable_slot_that_is_short_of_tasks_gets_them_first() -> None:
    """One task is not to carry what four did; where traffic never left it there is nothing to wait for."""
    short = "blue has 1 healthy targets of 4 tasks and needs 4 for weight 100"
    way = _way(HALF, plan(), (HALF, None), blue=1, green=4, short=short)
    assert (way.action, way.winner) == ("wait", None)
    assert way.reason == f"{short}; until it has them, traffic stays at blue 50, green 50"
    assert _way(BLUE, plan(), (BLUE, None), blue=1, green=4, short=short).winner == "blue"
    assert _way(HALF, plan(), (HALF, None), blue=0, green=4, short=short, fit=False).winner == "green"


def test_while_neither_slot_can_serve_the_traffic_stays() -> None:
    """Tasks may be on their way; moving clients from nowhere to nowhere helps nobody."""
    way = _way(HALF, plan(), (HALF,), blue=0, green=0)
    assert (way.action, way.winner) == ("wait", None)
    assert way.reason == "neither slot has a healthy target; traffic stays at blue 50, green 50"


def test_the_wait_for_a_healthy_slot_has_an_end() -> None:
    """Then the stable slot it is, and somebody must look."""
    way = _way(HALF, plan(), (HALF,), blue=0, green=0, late=True)
    assert (way.action, way.winner) == ("go", "blue")
    assert "look at the tasks of both" in way.reason


@pytest.mark.parametrize("late", [False, True])
def test_a_suspect_version_is_better_than_none(late: bool) -> None:
    """The reason says what was done, and why."""
    way = _way(HALF, plan(), (HALF,), blue=0, late=late)
    assert way.reason == (
        "stable (blue) has no healthy target, so all traffic goes to candidate (green), 0.0.2"
    )


@pytest.mark.parametrize(
    ("loser", "blue", "green", "refused", "late", "needed"),
    [
        pytest.param("green", 2, 2, None, False, None, id="the-winner-has-as-many"),
        pytest.param("green", 1, 2, None, False, "as_it_is", id="a-task-of-the-winner-is-being-replaced"),
        pytest.param("green", 1, 2, None, True, None, id="it-has-not-come-in-time"),
        pytest.param("green", 1, 1, None, False, None, id="neither-has-all"),
        pytest.param("green", 1, 2, 10, False, None, id="the-gate-has-refused-it"),
        pytest.param("green", 0, 1, 10, True, "as_winner", id="a-refused-one-is-better-than-none"),
        pytest.param("green", 0, 2, 0, False, None, id="but-not-one-that-no-client-has-met"),
        pytest.param("green", 0, 0, None, False, None, id="nobody-answers-anywhere"),
        pytest.param("blue", 2, 0, None, True, "as_winner", id="the-stable-slot-has-come-back"),
    ],
)
def test_when_a_loser_may_be_stopped(
    loser: Slot, blue: int, green: int, refused: int | None, late: bool, needed: str | None
) -> None:
    """Not while the winner lacks tasks which it has, for some time; never while it alone could answer."""
    short = "the winner has too few" if min(blue, green) < 2 else None
    history = History(plan=plan(), healthy=at(1), refused=refused)
    found = still_needed(
        plan(), history, loser, healthy={"blue": blue, "green": green}, short=short, late=late
    )
    assert found == needed


weights = st.none() | st.sampled_from([BLUE, SOME, HALF, GREEN])


@given(
    weights, weights, weights, st.integers(0, 2), st.integers(0, 2), st.booleans(), st.sampled_from([0, 1])
)
def test_clients_are_never_sent_to_nobody_while_somebody_answers(
    live: Weights | None,
    wrote: Weights | None,
    intended: Weights | None,
    blue: int,
    green: int,
    late: bool,
    first: int,
) -> None:
    """Law: all traffic ends at a slot with a healthy target, if there is one."""
    given = first_plan() if first else plan()
    way = _way(live, given, (wrote, intended), blue=blue, green=green, late=late)
    if way.action == "go" and way.winner and max(blue, green) > 0:
        assert {"blue": blue, "green": green}[way.winner] > 0


@given(weights, weights, weights, st.integers(0, 2), st.integers(0, 2))
def test_no_rollback_waits_for_ever(
    live: Weights | None, wrote: Weights | None, intended: Weights | None, blue: int, green: int
) -> None:
    """Law: when it is late, there is a way or a bar."""
    assert _way(live, plan(), (wrote, intended), blue=blue, green=green, late=True).action != "wait"
