"""VerifyGreen and WatchStage: read the ledger on until there is a verdict, for some seconds at most."""

import os

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.domain.certificate import StageRecord
from crossfade.domain.message import Message, Moment, iso
from crossfade.domain.plan import Plan
from crossfade.domain.records import Record
from crossfade.domain.verdict import Sighting, Verdict, Window, look
from crossfade.handlers.following import follow
from crossfade.handlers.step import step, utc_now


class Event(Message):
    """The stage by its place in the plan, its window, and what earlier looks have seen."""

    plan: Plan
    stage: int
    began: Moment
    deadline: Moment
    sighting: Sighting
    cursor: str | None


class Watched(Message):
    """The verdict, and what the next look needs."""

    verdict: Verdict
    sighting: Sighting
    cursor: str | None


@step(Event)
def handler(event: Event) -> Watched:
    """Look until the verdict is not to hold, or until the next invocation's turn."""
    stage = event.plan.stages[event.stage]
    window = Window(began=event.began, deadline=event.deadline)
    sighting, verdict = event.sighting, Verdict(action="hold", reason="not looked yet")

    def decided(records: list[Record]) -> bool:
        nonlocal sighting, verdict
        sighting, verdict = look(
            sighting,
            records,
            stage=stage,
            window=window,
            now=utc_now(),
            candidate=event.plan.candidate,
            expected=event.plan.release.version,
        )
        return verdict.action != "hold"

    cursor = follow(event.plan.ledger, event.cursor, decided)
    _write_down(event.plan, stage.weight, window, verdict, cursor)
    return Watched(verdict=verdict, sighting=sighting, cursor=cursor)


def _write_down(plan: Plan, weight: int, window: Window, verdict: Verdict, cursor: str | None) -> None:
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    journal.read_to(plan, cursor)
    now = utc_now()
    if verdict.action == "roll_back":
        journal.milestone(plan, "judged", iso(now))
    journal.stage(
        plan,
        StageRecord(
            weight=weight,
            began=window.began,
            ended=None if verdict.action == "hold" else now,
            verdict=verdict.action,
            reason=verdict.reason,
        ),
    )
