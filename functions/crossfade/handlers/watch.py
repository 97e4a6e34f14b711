"""VerifyGreen and WatchStage: read the ledger on until there is a verdict, for some seconds at most."""

import os

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.domain.certificate import StageRecord
from crossfade.domain.message import Message, Moment, iso
from crossfade.domain.plan import Plan
from crossfade.domain.records import Record
from crossfade.domain.state import refuse_superseded
from crossfade.domain.verdict import Sighting, Verdict, Window, look
from crossfade.handlers.following import follow
from crossfade.handlers.step import step, utc_now


class Event(Message):
    """The stage by its place in the plan, its window, the probe's task, and what earlier looks have seen."""

    plan: Plan
    probe: str
    stage: int
    began: Moment
    deadline: Moment
    sighting: Sighting
    cursor: str | None


class Watched(Message):
    """The verdict, and what the next look needs. ``probe_died``: first of all, a new probe."""

    verdict: Verdict
    sighting: Sighting
    cursor: str | None
    probe_died: bool


@step(Event)
def handler(event: Event) -> Watched:
    """Look until the verdict is not to hold, or until the next invocation's turn."""
    stage = event.plan.stages[event.stage]
    window = Window(began=event.began, deadline=event.deadline)
    sighting, verdict = event.sighting, Verdict(action="hold", reason="not looked yet")
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])

    def decided(records: list[Record]) -> bool:
        nonlocal sighting, verdict
        refuse_superseded(journal.refuse_lost(event.plan))
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

    cursor, probe_died = follow(event.plan, event.probe, event.cursor, decided)
    now = utc_now()
    if verdict.action == "roll_back":
        journal.milestone(event.plan, "judged", iso(now))
    record = StageRecord(
        weight=stage.weight,
        began=window.began,
        ended=None if verdict.action == "hold" else now,
        verdict=verdict.action,
        reason=verdict.reason,
    )
    journal.watched(event.plan, record, cursor)
    return Watched(verdict=verdict, sighting=sighting, cursor=cursor, probe_died=probe_died)
