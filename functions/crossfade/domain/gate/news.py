"""Whether the probe's evidence is recent: what was proved earlier says nothing about the present."""

from datetime import datetime

from crossfade.domain.answers import advice
from crossfade.domain.gate.blocks.from_ledger import Seen
from crossfade.domain.gate.reasons import roles
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.ledger import Lane
from crossfade.domain.slots import other
from crossfade.domain.spec.gate import GateSettings


def seen_on(state: GateState, watch: Watch, lane: Lane) -> Seen:
    """What a lane has shown."""
    return state.lanes.by_name(watch.candidate)[lane]


def failures_met(state: GateState, watch: Watch, lane: Lane) -> str:
    """The commonest failures of a lane, and what to do about them; empty without failures."""
    seen = seen_on(state, watch, lane)
    return seen.kinds.summary(seen.requests, watch.right.get(lane), watch.good_status)


def serves_nothing(state: GateState, settings: GateSettings, watch: Watch, now: datetime) -> str | None:
    """What the probe meets in a stable slot that serves nothing; None if the slot may serve.

    The lane's last record must be recent: a slot that is not observed any more may serve again.
    """
    seen = seen_on(state, watch, other(watch.candidate))
    last_news = max(seen.answered_at, seen.unanswered_at)
    if watch.first or now.timestamp() - last_news > watch.rates.news_seconds(other(watch.candidate)):
        return None
    if not state.lanes.stable_serves_nothing(settings):
        return None
    if state.lanes.stable.gone:
        return "has no target left"
    if seen.polling:
        return f"does not answer, {seen.polls:,} of {seen.polls:,} requests: {seen.met}"
    run = seen.run
    return f"failed the last {run.length:,} requests in a row, for {run.last - run.began:.1f} s"


def missing(state: GateState, watch: Watch, now: datetime) -> str | None:
    """Which lanes have no recent answer, and what was met instead; None if each has one.

    Production needs a good one, because a slot's own lane does not show what clients get. It need not have
    one while the stable slot itself does not answer well, since the candidate may replace that slot.
    """
    silent = [lane for lane in _needed(state, watch) if not _lately(state, watch, lane, now)]
    if silent:
        return f"probe evidence missing: {_silence(state, watch, silent, now)}"
    serves = watch.stage.weight == 100 or (
        not watch.alone and _lately(state, watch, other(watch.candidate), now, good=True)
    )
    if serves and not _lately(state, watch, "production", now, good=True):
        since = _since(watch, seen_on(state, watch, "production").good_at, now)
        met = failures_met(state, watch, "production")
        return f"no good answer from production for {since:,.0f} s: {met}"
    return None


def _called(watch: Watch, lane: Lane) -> str:
    """A lane by its role, e.g. ``candidate (green)``."""
    return lane if lane == "production" else roles(watch.candidate)[int(lane != watch.candidate)]


def _needed(state: GateState, watch: Watch) -> list[Lane]:
    lanes: list[Lane] = [watch.candidate]
    # At weight 100 no client is sent to the stable slot, and it may be stopped.
    if not watch.alone and not (watch.stage.weight == 100 and state.lanes.stable.gone):
        lanes.append(other(watch.candidate))
    # Before the first release there is no production rule, and in an emergency it does not answer.
    if not watch.alone or watch.stage.weight == 100:
        lanes.append("production")
    return lanes


def _lately(state: GateState, watch: Watch, lane: Lane, now: datetime, *, good: bool = False) -> bool:
    seen = seen_on(state, watch, lane)
    return now.timestamp() - (seen.good_at if good else seen.answered_at) <= watch.rates.news_seconds(lane)


def _since(watch: Watch, last: float, now: datetime) -> float:
    return now.timestamp() - max(last, watch.began.timestamp())


def _silence(state: GateState, watch: Watch, silent: list[Lane], now: datetime) -> str:
    polling = [lane for lane in silent if seen_on(state, watch, lane).polling]
    unpolled = [lane for lane in silent if lane not in polling]
    parts = []
    if unpolled:
        since = min(_since(watch, seen_on(state, watch, lane).answered_at, now) for lane in unpolled)
        *others, last = [_called(watch, lane) for lane in unpolled]
        lanes = f"{', '.join(others)} and {last}" if others else last
        parts.append(f"no answer from {lanes} for {since:,.0f} s")
    for lane in polling:
        seen = seen_on(state, watch, lane)
        parts.append(
            f"{_called(watch, lane)} does not answer, {seen.polls:,} of {seen.polls:,} requests: "
            f"{seen.met} ({watch.url}). "
            f"{advice(seen.met)}"
        )
    return "; ".join(parts)
