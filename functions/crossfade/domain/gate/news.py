"""Whether the probe's evidence is of now: proof that was reached once says nothing about the present."""

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
    return state.lanes.seen[2 if lane == "production" else int(lane != watch.candidate)]


def told(state: GateState, watch: Watch, lane: Lane) -> str:
    """The commonest failures of a lane, and what to do about them; empty where there is none."""
    seen = seen_on(state, watch, lane)
    return seen.kinds.told(seen.requests, watch.right.get(lane))


def serves_nothing(state: GateState, settings: GateSettings, watch: Watch, now: datetime) -> str | None:
    """What the stable slot's lane meets where it serves nothing; None where it may serve.

    The lane must have told so lately: what is not heard any more may serve again.
    """
    seen = seen_on(state, watch, other(watch.candidate))
    told_at = max(seen.heard, seen.knocked)
    if watch.first or now.timestamp() - told_at > watch.rates.news_seconds(other(watch.candidate)):
        return None
    if not state.lanes.stable_serves_nothing(settings):
        return None
    if state.lanes.stable_gone:
        return "has no target left"
    if seen.knocking:
        return f"does not answer, {seen.knocks:,} of {seen.knocks:,} requests: {seen.met}"
    run = state.lanes.stable_run
    return f"failed the last {run.length:,} requests in a row, for {run.last - run.began:.1f} s"


def missing(state: GateState, watch: Watch, now: datetime) -> str | None:
    """What there is no news of, and what was met instead; None where each lane has answered lately.

    Production must have answered well, or a slot's own lane would be taken for what clients get. Only where
    the stable slot itself does not answer well, a candidate may come to its help.
    """
    silent = [lane for lane in _needed(state, watch) if not _lately(state, watch, lane, now)]
    if silent:
        return f"probe evidence missing: {_silence(state, watch, silent, now)}"
    serves = watch.stage.weight == 100 or (
        not watch.alone and _lately(state, watch, other(watch.candidate), now, well=True)
    )
    if serves and not _lately(state, watch, "production", now, well=True):
        since = _since(watch, seen_on(state, watch, "production").well, now)
        return f"no good answer of production for {since:,.0f} s: {told(state, watch, 'production')}"
    return None


def _called(watch: Watch, lane: Lane) -> str:
    """A lane by its role, e.g. ``candidate (green)``."""
    return lane if lane == "production" else roles(watch.candidate)[int(lane != watch.candidate)]


def _needed(state: GateState, watch: Watch) -> list[Lane]:
    lanes: list[Lane] = [watch.candidate]
    # At weight 100 no client is sent to the stable slot, and it may go.
    if not watch.alone and not (watch.stage.weight == 100 and state.lanes.stable_gone):
        lanes.append(other(watch.candidate))
    # Before its first release a service has no production rule; nor does one answer where nobody serves.
    if not watch.alone or watch.stage.weight == 100:
        lanes.append("production")
    return lanes


def _lately(state: GateState, watch: Watch, lane: Lane, now: datetime, *, well: bool = False) -> bool:
    seen = seen_on(state, watch, lane)
    return now.timestamp() - (seen.well if well else seen.heard) <= watch.rates.news_seconds(lane)


def _since(watch: Watch, last: float, now: datetime) -> float:
    return now.timestamp() - max(last, watch.began.timestamp())


def _silence(state: GateState, watch: Watch, silent: list[Lane], now: datetime) -> str:
    knocking = [lane for lane in silent if seen_on(state, watch, lane).knocking]
    mute = [lane for lane in silent if lane not in knocking]
    parts = []
    if mute:
        since = min(_since(watch, seen_on(state, watch, lane).heard, now) for lane in mute)
        *others, last = [_called(watch, lane) for lane in mute]
        lanes = f"{', '.join(others)} and {last}" if others else last
        parts.append(f"no answer of {lanes} for {since:,.0f} s")
    for lane in knocking:
        seen = seen_on(state, watch, lane)
        address = watch.production_url if lane == "production" else watch.preview_url
        parts.append(
            f"{_called(watch, lane)} does not answer, {seen.knocks:,} of {seen.knocks:,} requests: "
            f"{seen.met} ({address}). "
            f"{advice(seen.met)}"
        )
    return "; ".join(parts)
