"""Traffic: weights, the floor of healthy targets, and foreign changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.domain.errors import ForeignChange, NotYetVisible, SlotHasTraffic, TrafficSplit
from crossfade.domain.slots import Slot, other
from crossfade.domain.traffic.weights import (
    RULE_SECONDS,
    Overwritten,
    Weights,
    refuse_foreign,
    refuse_stop,
    required_targets,
    shortfall,
    stable_slot,
)
from tests.unit.examples import at

BLUE, GREEN = Weights(blue=100, green=0), Weights(blue=0, green=100)
HALF = Weights(blue=50, green=50)


@given(st.sampled_from(["blue", "green"]), st.integers(0, 100))
def test_shares_add_up(slot: Slot, weight: int) -> None:
    """Law: a share and its rest are all the traffic."""
    weights = Weights.share(slot, weight)
    assert (weights.of(slot), weights.of(other(slot))) == (weight, 100 - weight)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param((90, 10), Weights(blue=90, green=10), id="percent"),
        pytest.param((0, 1), GREEN, id="one-group-alone"),
        pytest.param((9, 1), Weights(blue=90, green=10), id="the-same-shares"),
        pytest.param((999, 0), BLUE, id="the-highest-weight"),
        pytest.param((1, 2), Weights(blue=1, green=2), id="no-whole-percent"),
        pytest.param((0, 0), Weights(blue=0, green=0), id="nobody"),
    ],
)
def test_what_counts_are_shares(found: tuple[int, int], expected: Weights) -> None:
    """A plain forward reads back as weight 1; shares that are no whole percent are not Crossfade's."""
    assert Weights.shares(*found) == expected


@given(st.integers(0, 100), st.integers(1, 9))
def test_shares_do_not_depend_on_the_sum(weight: int, times: int) -> None:
    """Law: what Crossfade writes is read as the same, in whatever unit it is told."""
    assert Weights.shares(weight * times, (100 - weight) * times) == Weights.share("blue", weight)


@pytest.mark.parametrize(
    ("weights", "slot"),
    [
        (BLUE, "blue"),
        (GREEN, "green"),
        pytest.param(Weights(blue=1, green=0), "blue", id="all-of-a-small-sum"),
    ],
)
def test_the_slot_with_all_traffic_is_stable(weights: Weights | None, slot: Slot | None) -> None:
    """The load balancer says what is live, not the caller."""
    assert stable_slot(weights) == slot


@pytest.mark.parametrize("weights", [HALF, Weights(blue=0, green=0)], ids=["both", "none"])
def test_split_traffic_has_no_stable_slot(weights: Weights) -> None:
    """A deployment must not begin in the middle of another one."""
    with pytest.raises(TrafficSplit, match="give it all the traffic"):
        stable_slot(weights)


@pytest.mark.parametrize(
    ("written", "live"),
    [(BLUE, GREEN), pytest.param(BLUE, None, id="deleted"), pytest.param(None, BLUE, id="made-by-others")],
)
def test_foreign_changes_are_refused(written: Weights | None, live: Weights | None) -> None:
    """What Crossfade did not write, it does not overwrite."""
    with pytest.raises(ForeignChange, match="outside Crossfade") as refused:
        refuse_foreign(written, live, overwritten=[Overwritten(weights=HALF, until=at(0))], now=at(1))
    # A deployment's own rollback comes after this and may stop a slot: what to do is said by who is at rest.
    assert "slot" not in str(refused.value)


@pytest.mark.parametrize("before", [pytest.param(None, id="no-rule-yet"), HALF])
def test_what_was_overwritten_just_now_is_not_visible_yet(before: Weights | None) -> None:
    """The load balancer may answer so for five minutes; from then on it counts."""
    past = [Overwritten(weights=before, until=at(0))]
    with pytest.raises(NotYetVisible, match="still shows"):
        refuse_foreign(BLUE, before, overwritten=past, now=at(RULE_SECONDS - 1))
    with pytest.raises(ForeignChange):
        refuse_foreign(BLUE, before, overwritten=past, now=at(RULE_SECONDS))


@pytest.mark.parametrize("weights", [None, HALF])
def test_what_was_written_is_no_foreign_change(weights: Weights | None) -> None:
    """Equal is equal, before the first release too."""
    refuse_foreign(weights, weights, overwritten=[Overwritten(weights=BLUE, until=at(0))], now=at(1))


@pytest.mark.parametrize(
    ("desired", "weight", "needed"),
    [
        pytest.param(4, 0, 0, id="no-traffic-no-target"),
        pytest.param(0, 1, 1, id="traffic-needs-a-target-even-of-no-task"),
        pytest.param(4, 2, 1, id="at-least-one"),
        pytest.param(4, 50, 2, id="half"),
        pytest.param(4, 51, 3, id="rounded-up"),
        pytest.param(4, 100, 4, id="all"),
    ],
)
def test_floor(desired: int, weight: int, needed: int) -> None:
    """A slot's share of its tasks, rounded up."""
    assert required_targets(desired, weight) == needed


@given(st.integers(0, 50), st.integers(0, 100), st.integers(0, 100))
def test_more_traffic_never_needs_fewer_targets(desired: int, low: int, high: int) -> None:
    """Law: the floor rises with the weight, and never above the slot's tasks (or one)."""
    low, high = sorted((low, high))
    assert required_targets(desired, low) <= required_targets(desired, high) <= max(1, desired)


def test_a_shortfall_says_what_is_missing() -> None:
    """Slot, found and needed, in one sentence."""
    said = "green has 1 healthy targets of 4 tasks and needs 2 for weight 50"
    assert shortfall("green", 1, 4, 50) == said
    assert shortfall("green", 2, 4, 50) is None


def test_a_slot_with_traffic_is_not_stopped() -> None:
    """Whatever the reason for stopping it."""
    with pytest.raises(SlotHasTraffic, match="weight 50"):
        refuse_stop("green", HALF, written=HALF, overwritten=(), now=at(0))


def test_a_weight_that_was_taken_away_just_now_is_waited_for() -> None:
    """It may be what the load balancer showed before; minutes later it is traffic."""
    past = [Overwritten(weights=HALF, until=at(0))]
    with pytest.raises(NotYetVisible):
        refuse_stop("green", HALF, written=BLUE, overwritten=past, now=at(1))
    with pytest.raises(SlotHasTraffic):
        refuse_stop("green", HALF, written=BLUE, overwritten=past, now=at(RULE_SECONDS))


@pytest.mark.parametrize("live", [None, BLUE])
def test_a_slot_without_traffic_may_be_stopped(live: Weights | None) -> None:
    """No rule, or weight 0."""
    refuse_stop("green", live, written=BLUE, overwritten=(), now=at(0))


def test_the_same_groups_have_other_names_in_another_deployment() -> None:
    """Once the owner's service takes a slot's place, or has left it, and back again."""
    adopted = Weights(blue=10, green=90)  # green is the owner's
    assert adopted.bound("green", None) == Weights(blue=10, green=0, beside=90)
    assert adopted.bound("green", None).bound(None, "blue") == Weights(blue=90, green=0, beside=10)
    assert Weights(blue=0, green=100).bound(None, "blue") == Weights(blue=0, green=100)
    for origin in (None, "green"):
        assert adopted.bound(origin, origin) == adopted


def test_what_is_beside_the_slots_is_told_only_where_there_is_any() -> None:
    """The journal's weights are compared with such as an earlier version has stored."""
    assert Weights(blue=100, green=0).model_dump() == {"blue": 100, "green": 0}
    assert Weights(blue=0, green=0, beside=100).model_dump(mode="json") == {
        "blue": 0, "green": 0, "beside": 100,
    }  # fmt: skip
    assert "100 to a target group that is no slot's now" in str(Weights(blue=0, green=0, beside=100))


def test_shares_of_three_groups() -> None:
    """Of any sum; as they are where the shares are no whole numbers."""
    assert Weights.shares(0, 0, 1) == Weights(blue=0, green=0, beside=100)
    assert Weights.shares(1, 1, 2) == Weights(blue=25, green=25, beside=50)
    assert Weights.shares(1, 1, 1) == Weights(blue=1, green=1, beside=1)
