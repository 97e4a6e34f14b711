"""A deployment ends before its events are too many: what the bound counts is in the definition."""

import networkx
import pytest

from crossfade.domain.spec import history_events as events
from crossfade.watching.ledger_tail import FOLLOW_SECONDS, SILENCE_SECONDS
from faults.files import State, definition
from tests.statemachine.definitions import states

EVENTS = {
    "Task": ["TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited"],
    "Choice": ["ChoiceStateEntered", "ChoiceStateExited"],
    "Wait": ["WaitStateEntered", "WaitStateExited"],
    "Pass": ["PassStateEntered", "PassStateExited"],
}
FOLLOWS = {"VerifyCandidate": FOLLOW_SECONDS, "WatchStage": FOLLOW_SECONDS}
"""Tasks that wait within their function."""

LOOPS = {
    ("StartProbe", "ProbeStarted", "WaitForProbesRoom"): events.PROBE,
    ("LaunchCandidate", "CandidateLaunched", "WaitForSlot"): events.LAUNCH,
    ("CheckCandidate", "CandidateReady", "WaitForCandidate"): events.LAUNCH,
    (
        *("LaunchCandidate", "CandidateLaunched", "SuspendCandidate"),
        *("CheckCandidate", "CandidateReady", "WaitForRoom"),
    ): events.RELAUNCH,
    ("CheckProbe", "ProbeWriting", "WaitForProbe"): events.LAUNCH,
    ("VerifyCandidate", "CandidateVerified"): events.WATCH,
    ("ShiftTraffic", "TrafficShifted", "WaitForTargets"): events.SHIFT,
    ("WatchStage", "StageWatched"): events.WATCH,
    ("RetireStable", "StableRetired", "WaitForStable"): events.RETIRE,
}
COUNTED = {"PlanAgain", "RestartProbe", "NextStage", "StepBack"}
"""Loops through these end by a count: the reserve holds the first two, and the others are counted."""
STEP_BACK = (
    *("StepBack", "ShiftTraffic", "TrafficShifted", "LetStableGrow", "VerifyCandidate", "CandidateVerified"),
    *("SuspendStable", "RetireStable", "StableRetired"),
)
CLIMB = ("NextStage", "ShiftTraffic", "TrafficShifted", "WatchStage", "StageWatched")


def _next(state: State) -> list[str]:
    choices = [choice["Next"] for choice in state.get("Choices", [])]
    return [*choices, *(state[key] for key in ("Next", "Default") if key in state)]


def _loops() -> set[frozenset[str]]:
    graph = networkx.DiGraph(
        (name, target) for name, state in states("deploy").items() for target in _next(state)
    )
    loops = [frozenset(loop) for loop in networkx.simple_cycles(graph)]
    return {loop for loop in loops if not loop & COUNTED}


def test_every_loop_is_counted() -> None:
    """A new one needs its place in the arithmetic."""
    assert _loops() == {frozenset(loop) for loop in LOOPS}


@pytest.mark.parametrize("loop", LOOPS, ids="-".join)
def test_a_time_round_is_counted_as_it_is(loop: tuple[str, ...]) -> None:
    """Its events by the kinds of its states; it is no faster than its Wait, or than its function's look."""
    found = [definition("deploy")["States"][name] for name in loop]
    waits = [state["Seconds"] for state in found if state["Type"] == "Wait"]
    waits += [FOLLOWS[name] for name in loop if name in FOLLOWS]
    assert LOOPS[loop].events == sum(len(EVENTS[state["Type"]]) for state in found)
    assert 0 < LOOPS[loop].seconds <= sum(waits)


@pytest.mark.parametrize(
    ("passed", "counted"), [(STEP_BACK, events.STEP_BACK), (CLIMB, events.CLIMB)], ids=["back", "up"]
)
def test_a_step_back_is_counted_as_it_is(passed: tuple[str, ...], counted: int) -> None:
    """Each state that it passes, and those of a stage that is climbed again."""
    found = [definition("deploy")["States"][name] for name in passed]
    assert counted == sum(len(EVENTS[state["Type"]]) for state in found)


def test_launching_again_takes_no_more_events_than_looking() -> None:
    """Both go on until the same deadline, one instead of the other."""
    assert events.RELAUNCH.within(60) <= events.LAUNCH.within(60)


def test_a_look_without_the_probe_is_counted_as_it_is() -> None:
    """It ends after a silence."""
    assert (events.WATCH.events, SILENCE_SECONDS) == events.WATCH_UNHEARD


def test_the_time_for_a_shift_is_that_of_the_definition() -> None:
    """NextStage sets it, in milliseconds."""
    deadline = states("deploy")["NextStage"]["Assign"]["shift_deadline"]
    assert f"$millis() + {events.SHIFT_SECONDS * 1000})" in deadline
