"""VerifyGreen and WatchStage: gather evidence until there is a verdict, for some seconds at most."""

import os

from pydantic import Json

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.domain.alarms import heed
from crossfade.domain.certificate import StageRecord
from crossfade.domain.gate.look import look
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.message import Message, Moment, iso
from crossfade.domain.plan import Plan
from crossfade.domain.records import Record
from crossfade.domain.state import refuse_superseded
from crossfade.domain.verdict import Verdict
from crossfade.handlers.following import follow
from crossfade.handlers.outcomes import Outcomes
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
    watch, settings = _watch(event), event.plan.spec.gate
    gate, verdict = event.gate, Verdict(action="hold", reason="not looked yet")
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    outcomes = Outcomes(event.plan)

    def decided(records: list[Record]) -> bool:
        nonlocal gate, verdict
        refuse_superseded(journal.refuse_lost(event.plan))
        now = utc_now()
        gate, _ = look(gate, records, [], settings=settings, watch=watch, now=now)
        # Only then: the probe's own requests are taken out of the users' minutes.
        blocks = outcomes.blocks(gate, now)
        gate, verdict = look(gate, [], blocks, settings=settings, watch=watch, now=now)
        verdict = heed(
            verdict,
            event.plan.spec.alarms,
            outcomes.alarms(now),
            began=event.plan.began,
            late=now >= watch.deadline,
        )
        return verdict.action != "hold"

    cursor, probe_died = follow(event.plan, event.probe, event.cursor, decided)
    now = utc_now()
    if verdict.action == "roll_back":
        journal.milestone(event.plan, "judged", iso(now))
    record = StageRecord(
        weight=watch.stage.weight,
        began=watch.began,
        ended=None if verdict.action == "hold" else now,
        verdict=verdict.action,
        reason=verdict.reason,
    )
    journal.watched(event.plan, record, cursor)
    return Watched(verdict=verdict, gate=gate.model_dump_json(), cursor=cursor, probe_died=probe_died)


def _watch(event: Event) -> Watch:
    plan, following = event.plan, event.stage + 1
    return Watch(
        stage=plan.stages[event.stage],
        next_weight=plan.stages[following].weight if following < len(plan.stages) else None,
        began=event.began,
        deadline=event.deadline,
        candidate=plan.candidate,
        candidate_since=event.candidate_since,
        expected=plan.release.version,
        # A stable slot whose version is not known is still there to compare with.
        previous=None if plan.stable is None else plan.previous.version if plan.previous else "",
    )
