"""Drift: slots that somebody else has changed are found before a deployment changes anything."""

import pytest

from crossfade.domain.errors import NotYetVisible, SlotDrift
from crossfade.domain.journal import State, WarmSlot
from crossfade.domain.planning.drift import SlotCount, refuse_drift, refuse_old_release
from crossfade.domain.planning.plan import RunningRelease
from crossfade.domain.slots import Slot
from tests.unit.examples import at, origin_placed, placed


def _count(desired: int, tasks: int | None = None, registered: int | None = None) -> SlotCount:
    tasks = desired if tasks is None else tasks
    return SlotCount(desired=desired, tasks=tasks, registered=desired if registered is None else registered)


def _refuse(
    blue: SlotCount | None,
    green: SlotCount | None,
    stable: Slot | None,
    warm: Slot | None = None,
    freed: float | None = None,
) -> None:
    kept = WarmSlot(slot=warm, deployment="d0", execution="e", until=at(900)) if warm else None
    state = State(warm=kept, freed=None if freed is None else at(freed))
    refuse_drift(placed(), {"blue": blue, "green": green}, stable=stable, state=state, now=at(60))


@pytest.mark.parametrize(
    ("blue", "green", "stable", "warm"),
    [
        pytest.param(None, None, None, None, id="before-the-first-release"),
        pytest.param(_count(0), None, None, None, id="after-a-failed-first-release"),
        pytest.param(_count(2), None, "blue", None, id="one-slot-only"),
        pytest.param(_count(2), _count(0), "blue", None, id="idle-slot-at-0"),
        pytest.param(_count(0), _count(2), "green", None, id="the-other-way-round"),
        pytest.param(_count(2), _count(2), "blue", "green", id="kept-warm"),
        pytest.param(_count(2), _count(0, tasks=2, registered=2), "blue", None, id="still-stopping"),
        pytest.param(_count(1, tasks=3, registered=3), None, "blue", None, id="scaling-in"),
        pytest.param(_count(4, tasks=2, registered=2), None, "blue", None, id="scaling-out"),
        pytest.param(_count(2, registered=0), None, "blue", None, id="no-target-is-not-drift"),
    ],
)
def test_slots_as_crossfade_left_them(
    blue: SlotCount | None, green: SlotCount | None, stable: Slot | None, warm: Slot | None
) -> None:
    """Or as automatic scaling, a warm slot or ECS's own pace explain."""
    _refuse(blue, green, stable, warm)


@pytest.mark.parametrize(
    ("blue", "green", "stable", "warm", "said"),
    [
        pytest.param(None, None, "blue", None, "web-blue does not exist", id="stable-service-deleted"),
        pytest.param(_count(0), None, "blue", None, "web-blue stands at 0 tasks", id="stable-scaled-to-0"),
        pytest.param(
            _count(2), _count(1), "blue", None, "idle slot green stands at 1 tasks", id="idle-slot-runs"
        ),
        pytest.param(
            _count(2),
            _count(1),
            "green",
            "green",
            "idle slot blue stands at 2 tasks",
            id="other-slot-is-warm",
        ),
        pytest.param(_count(2), None, None, None, "idle slot blue", id="tasks-before-the-first-release"),
        pytest.param(
            _count(2, registered=3),
            None,
            "blue",
            None,
            "target group of blue has 3 targets, and its ECS service 2 tasks",
            id="a-foreign-target-in-the-stable-group",
        ),
        pytest.param(
            _count(2),
            _count(0, registered=1),
            "blue",
            None,
            "group of green",
            id="a-target-in-the-idle-group",
        ),
    ],
)
def test_slots_that_somebody_changed(
    blue: SlotCount | None, green: SlotCount | None, stable: Slot | None, warm: Slot | None, said: str
) -> None:
    """The sentence says what was found, and ends in what to do."""
    with pytest.raises(SlotDrift, match=said) as refused:
        _refuse(blue, green, stable, warm)
    assert str(refused.value).endswith("then deploy again.")


def test_what_was_before_the_last_deployment_is_no_drift() -> None:
    """ECS may show it for a minute after that has let go of the service."""
    with pytest.raises(NotYetVisible, match="idle slot green stands at 2 tasks"):
        _refuse(_count(2), _count(2), "blue", freed=1)
    with pytest.raises(SlotDrift, match="Scale it to 0"):
        _refuse(_count(2), _count(2), "blue", freed=0)


RELEASE = RunningRelease(version="0.0.1", digest="sha256:1", pattern="web:1")


@pytest.mark.parametrize("running", [None, RELEASE], ids=["nothing", "the-one-before"])
def test_the_release_before_the_last_is_not_taken_for_it(running: RunningRelease | None) -> None:
    """The plan would think that the new one is to be deployed again, or compare with the wrong one."""
    state = State(version="0.0.2", digest="sha256:2", freed=at(0))
    with pytest.raises(NotYetVisible, match=r"0\.0\.2 .* has just been made live"):
        refuse_old_release(running, state, at(59))
    refuse_old_release(running, state, at(60))
    refuse_old_release(running, state.model_copy(update={"digest": None}), at(59))
    refuse_old_release(RELEASE, state.model_copy(update={"digest": "sha256:1"}), at(59))


def test_the_owners_tasks_without_traffic_are_no_drift() -> None:
    """An update of the owner's stack starts them; the next plan says so."""
    counts: dict[Slot, SlotCount | None] = {"blue": None, "green": _count(2)}
    refuse_drift(origin_placed(), counts, stable=None, state=State(), now=at(60))
    with pytest.raises(SlotDrift, match="idle slot green stands at 2"):
        refuse_drift(placed(), counts, stable=None, state=State(), now=at(60))
