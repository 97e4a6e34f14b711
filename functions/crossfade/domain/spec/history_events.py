"""How many events a deployment may write: at 25,000 Step Functions ends it, without a Catch."""

from collections.abc import Sequence
from typing import NamedTuple

MOST_EVENTS = 25_000
"""https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""
RESERVE = 5_000
"""For retries, three events each, for states that are passed once, for a hundred asks for a second probe."""


class Loop(NamedTuple):
    """A loop of ``deploy.asl.yaml``: the events of one time round, and the seconds that it takes at least."""

    events: int
    seconds: float

    def within(self, seconds: float) -> float:
        """The events of ``seconds``."""
        return self.events * seconds / self.seconds


LAUNCH = Loop(9, 2)
"""CheckCandidate, CandidateReady, WaitForCandidate; LaunchCandidate and CheckProbe have two such of their
own, and the same deadline."""
PROBE = Loop(9, 10)
"""StartProbe, ProbeStarted, WaitForProbesRoom, with a deadline that is as long as the launch's."""
RELAUNCH = Loop(21, 5)
"""From LaunchCandidate to CandidateReady and back by WaitForRoom: fewer than LAUNCH, in the same time."""
SHIFT = Loop(9, 3)
"""ShiftTraffic, TrafficShifted, WaitForTargets."""
SHIFT_SECONDS = 150
"""What NextStage allows for a shift."""
WATCH = Loop(7, 20)
"""WatchStage, StageWatched."""
WATCH_UNHEARD = Loop(7, 6)
"""The same with a dead probe: an invocation ends after ``SILENCE_SECONDS``. No stage advances like that."""
RETIRE = Loop(9, 3)
"""RetireStable, StableRetired, WaitForStable, once nothing is judged any more."""
MOST_STEP_BACKS = 20
"""As many the definition lets a deployment have; a healthy one in a bad neighbourhood has a few."""
STEP_BACK = 33
"""StepBack, ShiftTraffic, TrafficShifted, LetStableGrow, a look of VerifyCandidate; and once more at the top
SuspendStable and a look of RetireStable."""
CLIMB = 16
"""NextStage, ShiftTraffic, TrafficShifted, a look of WatchStage."""


def most_events(launch: float, stages: Sequence[float], retire: float, give_up: float) -> float:
    """The most events that a deployment with these deadlines writes, in seconds, retries apart.

    After each step back it may climb through all stages and a retry. It goes on climbing until it gives up;
    who waits for targets all that time has the most events.
    """
    return (
        MOST_STEP_BACKS * (STEP_BACK + len(stages) * CLIMB)
        + SHIFT.within(give_up)
        + PROBE.within(launch)
        + LAUNCH.within(launch)
        + (len(stages) - 1) * SHIFT.within(SHIFT_SECONDS)
        + WATCH.within(sum(stages))
        + WATCH_UNHEARD.within(max(stages))
        + RETIRE.within(2 * retire)
    )
