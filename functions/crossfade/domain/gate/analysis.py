"""One analysis: take in what is new, then advance, hold or roll back, with the reason.

A pure function of the state and what is new. It may be called at any time, with the ledger's records split
in any way, and with the same blocks of users' outcomes again.
"""

from collections.abc import Iterable
from datetime import datetime

from crossfade.domain.gate.blocks.block import CAP, Block, Tally
from crossfade.domain.gate.blocks.by_task import Tasks
from crossfade.domain.gate.blocks.from_ledger import LedgerBlocks, ledger_blocks
from crossfade.domain.gate.blocks.from_metrics import count_probe
from crossfade.domain.gate.evidence.failure_limit import FailureLimit
from crossfade.domain.gate.evidence.spells import Spells
from crossfade.domain.gate.evidence.streams import Margin, Streams
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.gate.verdicts import verdict_of
from crossfade.domain.ledger import Record
from crossfade.domain.spec.gate import GateSettings
from crossfade.domain.verdict import Verdict

CALM = Spells()
"""No spell was met."""


def analyse(
    state: GateState,
    records: Iterable[Record],
    blocks: Iterable[Block],
    *,
    settings: GateSettings,
    watch: Watch,
    now: datetime,
) -> tuple[GateState, Verdict]:
    """Take in new records of the ledger and blocks of users' outcomes; returns the verdict on the stage."""
    ledger = ledger_blocks(
        state.lanes,
        records,
        candidate=watch.candidate,
        since=watch.candidate_since,
        right=watch.right,
        settings=settings,
    )
    state = state_after(state, ledger, blocks, settings=settings, watch=watch)
    return state, verdict_of(state, settings=settings, watch=watch, now=now)


def state_after(
    state: GateState,
    ledger: LedgerBlocks,
    blocks: Iterable[Block],
    *,
    settings: GateSettings,
    watch: Watch,
) -> GateState:
    """The state with what is new in the ledger, and with blocks of users' outcomes."""
    minutes = state.probe_minutes
    if settings.users == "metrics":
        minutes = count_probe(minutes, ledger.requests, watch.versions)
    probe = take_probe(state.probe, ledger.blocks, settings=settings, watch=watch)
    of_stable = [block.stable or Tally() for block in ledger.blocks]
    changes = {
        "lanes": ledger.lanes,
        "probe": probe,
        "users": _take_by_task(state.users, blocks, settings=settings, watch=watch, probe=probe.spells),
        "production": _limit_after(
            state.production, ledger.production, state, settings=settings, watch=watch
        ),
        "stable": _limit_after(state.stable, of_stable, state, settings=settings, watch=watch),
        "probe_minutes": minutes,
    }
    return state.model_copy(update=changes)  # not validated again: half of a look's time


def take_probe(source: Streams, blocks: Iterable[Block], *, settings: GateSettings, watch: Watch) -> Streams:
    """The probe's streams after blocks of the ledger."""
    launched = watch.candidate_since.timestamp()
    return _take(source, blocks, settings, watch, Margin(settings.probe_margin, of_rate=1.0), launched)


def take_users(
    source: Streams, blocks: Iterable[Block], *, settings: GateSettings, watch: Watch, probe: Spells = CALM
) -> Streams:
    """The users' streams after blocks of their outcomes.

    A spell that the probe met as well is one spell: ``probe`` are those of its lanes.

    By the margin, at most the share ``users_harmed`` of all users may fail at the next weight because of the
    candidate.
    """
    if not watch.shared or watch.next_weight is None:
        return _take(source, blocks, settings, watch, None, probe=probe)
    fixed = min(settings.users_margin, settings.users_harmed * 100 / watch.next_weight)
    return _take(source, blocks, settings, watch, Margin(fixed, of_rate=0.5), probe=probe)


def _take_by_task(
    source: Streams, blocks: Iterable[Block], *, settings: GateSettings, watch: Watch, probe: Spells
) -> Streams:
    """The users' streams, with what each task has answered since their counts of failures began."""
    source = take_users(source, [], settings=settings, watch=watch)
    for block in blocks:
        if block.at >= source.until:
            tasks = source.tasks
            source = take_users(source, [block], settings=settings, watch=watch, probe=probe)
            counting = any(source.failing.counts) or any(source.failing.pending)
            source = source._replace(tasks=tasks.after(block.tasks) if counting else Tasks())
    return source


def _limit_after(
    limit: FailureLimit, tallies: Iterable[Tally], state: GateState, *, settings: GateSettings, watch: Watch
) -> FailureLimit:
    """The failure limit of another lane than the candidate's: it can hold a stage, but not roll it back."""
    if state.probe.stage != watch.began.timestamp():
        limit = limit.at_stage()
    for tally in tallies:
        limit = limit.after(tally.requests, tally.failures, settings, CAP)
    return limit


def _take(
    source: Streams,
    blocks: Iterable[Block],
    settings: GateSettings,
    watch: Watch,
    margin: Margin | None,
    launched: float | None = None,
    probe: Spells = CALM,
) -> Streams:
    warm = watch.candidate_since.timestamp() + settings.warm_up_seconds
    source = source.at_stage(watch.began.timestamp())
    for block in blocks:
        met = probe.meets(block, settings.clump_seconds)
        source = source.after(
            block, settings, warm=warm, margin=margin, launched=launched, alone=watch.alone, met=met
        )
    return source
