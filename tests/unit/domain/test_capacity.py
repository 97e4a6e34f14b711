"""Capacity: the candidate has as many tasks as the live slot is wanted to have, or is asked for them."""

import pytest

from crossfade.domain.errors import ScalingTooNarrow
from crossfade.domain.tasks.capacity import Capacity, refuse_narrow
from crossfade.domain.tasks.scaling import ACTIVE, ScalableTarget
from tests.unit.examples import placed


def _capacity(wanted: int | None, asked: int, healthy: int, most: int | None = None) -> Capacity:
    return Capacity(slot="green", wanted=wanted, asked=asked, healthy=healthy, most=most)


@pytest.mark.parametrize(
    ("wanted", "asked", "most", "to_ask"),
    [
        pytest.param(4, 2, None, 4, id="the-live-slot-has-grown"),
        pytest.param(4, 4, None, None, id="as-many"),
        pytest.param(2, 4, None, None, id="never-fewer"),
        pytest.param(6, 2, 4, 4, id="no-more-than-its-bounds"),
        pytest.param(6, 4, 4, None, id="at-its-bounds"),
        pytest.param(6, 5, 4, None, id="beyond-its-bounds-already"),
        pytest.param(None, 2, None, None, id="a-first-release"),
        pytest.param(0, 2, None, None, id="a-live-slot-that-was-stopped"),
    ],
)
def test_what_is_asked_for(wanted: int | None, asked: int, most: int | None, to_ask: int | None) -> None:
    """As many as the live slot is wanted to have, within the bounds; a count is never lowered."""
    assert _capacity(wanted, asked, healthy=0, most=most).to_ask == to_ask


@pytest.mark.parametrize(
    ("weight", "healthy", "short"),
    [(10, 1, False), (50, 1, True), (50, 2, False), (100, 3, True), (100, 4, False)],
)
def test_a_share_of_what_the_live_slot_is_wanted_to_have(weight: int, healthy: int, short: bool) -> None:
    """Whatever the candidate was launched with."""
    assert (_capacity(4, 2, healthy).short_for(weight, late=True) is not None) is short


def test_a_first_release_needs_its_own_tasks() -> None:
    """There is no live slot to compare with."""
    assert _capacity(None, 2, healthy=1).short_for(100, late=True) is not None
    assert _capacity(None, 2, healthy=2).short_for(100, late=True) is None


@pytest.mark.parametrize(
    ("healthy", "late", "short"),
    [(1, False, True), (2, False, True), (4, False, False), (1, True, True), (2, True, False)],
)
def test_the_candidates_own_growth_is_waited_for_until_the_deadline(
    healthy: int, late: bool, short: bool
) -> None:
    """At it only what the live slot is wanted to have counts: no release goes back because it has grown."""
    assert (_capacity(2, 4, healthy).short_for(100, late=late) is not None) is short


def test_a_shortfall_names_bounds_that_are_too_narrow() -> None:
    """Nothing else would tell why no more tasks come."""
    assert _capacity(6, 4, 4, most=4).short_for(100, late=False) == (
        "green has 4 healthy targets of 6 tasks and needs 6 for weight 100; "
        "its scalable target allows 4: raise its MaxCapacity"
    )
    assert "MaxCapacity" not in (_capacity(6, 4, 4, most=8).short_for(100, late=False) or "")


def test_a_shortfall_has_ecss_own_words() -> None:
    """And nothing is told of a slot that is short of nothing."""
    troubled = _capacity(4, 4, 2).model_copy(update={"trouble": "ECS at 04:00:07: no room"})
    assert (troubled.short_for(100, late=True) or "").endswith("for weight 100 (ECS at 04:00:07: no room)")
    assert troubled.short_for(50, late=True) is None


def test_a_winner_is_not_short_of_what_its_bounds_forbid() -> None:
    """Nobody could give it more."""
    assert _capacity(6, 4, 4, most=4).within_bounds().short_for(100, late=False) is None
    assert _capacity(6, 4, 3, most=4).within_bounds().short_for(100, late=False)
    assert _capacity(6, 4, 4, most=None).within_bounds().wanted == 6


def _target(most: int) -> ScalableTarget:
    return ScalableTarget(suspension=ACTIVE, least=1, most=most)


@pytest.mark.parametrize(("blue", "green"), [(4, 4), (None, 4), (4, None), (None, None), (9, 9)])
def test_bounds_that_are_wide_enough(blue: int | None, green: int | None) -> None:
    """Or none at all."""
    targets = {"blue": blue and _target(blue), "green": green and _target(green)}
    refuse_narrow(placed(), 4, targets, stable="blue")  # type: ignore[arg-type]


@pytest.mark.parametrize("slot", ["blue", "green"])
def test_bounds_that_would_take_tasks_away_are_refused(slot: str) -> None:
    """Of either slot: the write that suspends the live slot's scaling would stop tasks that serve clients."""
    targets = {"blue": _target(8), "green": _target(8)} | {slot: _target(3)}
    with pytest.raises(ScalingTooNarrow, match=f"4 tasks, and the scalable target of web-{slot} allows 3"):
        refuse_narrow(placed(), 4, targets, stable="blue")  # type: ignore[arg-type]


def test_bounds_that_are_set_anew_are_not_looked_at() -> None:
    """The candidate's, where it is scaled like the pattern."""
    refuse_narrow(placed(), 4, {"blue": _target(8)}, stable="blue")
