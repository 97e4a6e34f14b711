"""The gate: whether a stage may end, must go back, or has to be watched on.

One pure function, :func:`look`, so that the rule can be replaced without touching anything around it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from crossfade.domain.message import Message, Moment
from crossfade.domain.records import LaneEvent, Record, Request
from crossfade.domain.spec import WINDOW, Slot, Stage, other

FAILURES = 5
"""So many failures within the window are too many."""
RUN = 3
"""So many failures in a row are too many."""


class Window(Message):
    """When a stage began and when it must have ended."""

    began: Moment
    deadline: Moment

    @classmethod
    def of(cls, stage: Stage, began: datetime) -> "Window":
        """The window of a stage that begins now."""
        return cls(began=began, deadline=began + timedelta(seconds=stage.max_seconds))


class Sighting(Message):
    """What a stage has seen so far; it travels from look to look.

    ``recent`` holds the candidate's last outcomes, oldest first, ``.`` right and ``x`` failed. ``gone`` and
    ``stable_gone`` say that the load balancer has no target of that slot left.
    """

    recent: str = ""
    answers: int = 0
    failures: int = 0
    wrong: tuple[str, ...] = ()
    gone: bool = False
    stable_gone: bool = False
    production: int = 0
    production_failures: int = 0


class Verdict(Message):
    """What to do, and the reason in words for a person on call.

    ``error`` names the failure (see ``domain/errors.py``) when the verdict is ``roll_back``.
    """

    action: Literal["advance", "hold", "roll_back"]
    reason: str
    error: Literal["CandidateWorse", "TargetsBelowFloor", "EvidenceMissing"] | None = None


def look(
    sighting: Sighting,
    records: Iterable[Record],
    *,
    stage: Stage,
    window: Window,
    now: datetime,
    candidate: Slot,
    expected: str,
) -> tuple[Sighting, Verdict]:
    """Take in new records and judge the stage.

    Records from before the stage began are left out. The same records in any split over looks end in the
    same sighting.
    """
    for record in records:
        if record.at >= window.began:
            sighting = _take(sighting, record, candidate, expected)
    return sighting, _judge(sighting, stage, window, now, candidate, expected)


def _take(seen: Sighting, record: Record, candidate: Slot, expected: str) -> Sighting:
    if isinstance(record, LaneEvent) and record.lane == candidate:
        return seen.model_copy(update={"gone": record.event == "paused"})
    if isinstance(record, LaneEvent) and record.lane == other(candidate):
        return seen.model_copy(update={"stable_gone": record.event == "paused"})
    if not isinstance(record, Request):
        return seen
    if record.lane == "production":
        return seen.model_copy(
            update={
                "production": seen.production + 1,
                "production_failures": seen.production_failures + (not record.ok),
            }
        )
    if record.lane != candidate:
        return seen
    wrong = record.ok and record.version != expected
    return seen.model_copy(
        update={
            "recent": (seen.recent + ("." if record.ok else "x"))[-WINDOW:],
            "answers": seen.answers + 1,
            "failures": seen.failures + (not record.ok),
            "wrong": tuple(sorted({*seen.wrong, str(record.version)})) if wrong else seen.wrong,
        }
    )


def _judge(
    seen: Sighting, stage: Stage, window: Window, now: datetime, candidate: Slot, expected: str
) -> Verdict:
    worse = _worse(seen, candidate, expected)
    if worse:
        return Verdict(action="roll_back", reason=worse, error="CandidateWorse")
    # At weight 0 nobody is sent here yet, and at 100 nobody is sent there any more.
    if seen.stable_gone and 0 < stage.weight < 100:
        return Verdict(
            action="roll_back",
            reason=f"{other(candidate)} has no target left for its {100 - stage.weight} % of the traffic",
            error="TargetsBelowFloor",
        )
    missing = _missing(seen, candidate)
    if not missing:
        if now - window.began < timedelta(seconds=stage.min_seconds):
            return Verdict(action="hold", reason=f"all well, watched for {stage.min_seconds:g} s at least")
        return Verdict(
            action="advance",
            reason=f"{candidate} answered {seen.answers} of {seen.answers} right, "
            f"production {seen.production} of {seen.production}",
        )
    if now >= window.deadline:
        return Verdict(
            action="roll_back",
            reason=f"after {stage.max_seconds:g} s at weight {stage.weight}: {missing}",
            error="EvidenceMissing",
        )
    return Verdict(action="hold", reason=missing)


def _worse(seen: Sighting, candidate: Slot, expected: str) -> str | None:
    if seen.wrong:
        return f"{candidate} answered version {', '.join(seen.wrong)} instead of {expected}"
    if seen.gone:
        return f"{candidate} has no target left"
    if seen.recent.endswith("x" * RUN):
        return f"{candidate} failed the last {RUN} requests in a row"
    failures = seen.recent.count("x")
    if failures >= FAILURES:
        return f"{candidate} failed {failures} of its last {len(seen.recent)} requests"
    return None


def _missing(seen: Sighting, candidate: Slot) -> str | None:
    if seen.answers < WINDOW:
        return f"{candidate} has given {seen.answers} answers of the {WINDOW} that a stage needs"
    if seen.failures:
        return f"{candidate} failed {seen.failures} of {seen.answers} requests"
    if seen.production_failures:
        return f"{seen.production_failures} of {seen.production} production requests failed"
    return None
