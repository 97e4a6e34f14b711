"""VerifyGreen and WatchStage: gather evidence until there is a verdict, for some seconds at most."""

import os

from pydantic import Json

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.domain.certificate import StageRecord
from crossfade.domain.gate.state import GateState
from crossfade.domain.message import Message, Moment, iso
from crossfade.domain.plan import Plan
from crossfade.domain.records import Record
from crossfade.domain.state import refuse_superseded
from crossfade.domain.verdict import Verdict
from crossfade.handlers.following import follow
from crossfade.handlers.gate import Gate, watching
from crossfade.handlers.step import step, utc_now


class Event(Message):
    """The stage by its place in the plan and its window, the probe's task, and what earlier looks have seen.

    ``gate`` is JSON in a string, so that nothing on its way changes a digit of it.
    """

    plan: Plan
    probe: str
    stage: int
    began: Moment
    deadline: Moment
    candidate_since: Moment
    gate: Json[GateState]
    cursor: str | None


class Watched(Message):
    """The verdict, and what the next look needs. ``probe_died``: first of all, a new probe."""

    verdict: Verdict
    gate: str
    cursor: str | None
    probe_died: bool


@step(Event)
def handler(event: Event) -> Watched:
    """Look until the verdict is not to hold, or until the next invocation's turn."""
    plan = event.plan
    watch = watching(
        plan, event.stage, began=event.began, deadline=event.deadline, since=event.candidate_since
    )
    gate, verdict = Gate(plan, watch, event.gate), Verdict(action="hold", reason="not looked yet")
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])

    def decided(records: list[Record]) -> bool:
        nonlocal verdict
        refuse_superseded(journal.refuse_lost(plan))
        verdict = gate.look(records, utc_now())
        return verdict.action != "hold"

    cursor, probe_died = follow(plan, event.probe, event.cursor, decided)
    now = utc_now()
    if verdict.action == "roll_back":
        journal.milestone(plan, "judged", iso(now))
    record = StageRecord(
        weight=watch.stage.weight,
        began=watch.began,
        ended=None if verdict.action == "hold" else now,
        verdict=verdict.action,
        reason=verdict.reason,
    )
    journal.watched(plan, record, cursor)
    return Watched(verdict=verdict, gate=gate.state.model_dump_json(), cursor=cursor, probe_died=probe_died)
