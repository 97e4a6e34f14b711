"""Why to roll back: evidence that the candidate is worse, or that it cannot serve."""

from crossfade.domain.gate import against, reasons
from crossfade.domain.gate.evidence.streams import Streams
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.spec.gate import GateSettings

OF_PROBE = " of its requests"
OUTAGE_SECONDS = 60
OUTAGE_BLOCKS = 3
"""How long after the stable lane failed a failing candidate may share its outage: the longer of the two."""
DEAD = 2
"""How long everything fails on a candidate that is dead, in lengths of a spell, where no client meets it."""


def worse(state: GateState, settings: GateSettings, watch: Watch) -> str | None:
    """Why to roll back at once; None without such evidence."""
    lanes = state.lanes
    candidate, stable = reasons.roles(watch.candidate)
    if lanes.candidate.gone:
        return f"{candidate} has no target left"
    if lanes.unanswered(settings, alone=watch.alone):
        seen = lanes.candidate
        return f"{candidate} does not answer any more, {seen.polls:,} of {seen.polls:,} requests: {seen.met}"
    if _dead(state, settings, watch):
        return against.failing_run(state, watch)
    if state.evidence >= 1 / settings.alpha:
        return against.strongest(state, settings, watch)
    for name, source in against.sources(state).items():
        if source.failure_limit.failing(settings) and _refuted(source, state, watch):
            return (
                f"{candidate} fails more than {settings.failing:.0%}{name or OF_PROBE}, and {stable} has "
                f"none to compare with (evidence {reasons.odds(source.failure_limit.exceeded.evidence)})"
                f"{against.met_by(name, state, watch)}"
            )
    return None


def _dead(state: GateState, settings: GateSettings, watch: Watch) -> bool:
    """Whether the candidate only fails, for longer than a spell goes on.

    With clients on it the weight steps back first.
    """
    if not state.lanes.dead(settings, alone=watch.alone):
        return False
    if watch.alone:
        return True
    run = state.lanes.candidate.run
    return not watch.stage.weight and run.last - run.began >= DEAD * settings.clump_seconds


def no_slot_serves(state: GateState, settings: GateSettings, watch: Watch) -> str | None:
    """Why the traffic must not stay split, though there is no evidence that the candidate is worse.

    The stable slot has no target for its share, and the candidate fails too much to continue. The rollback
    chooses the slot that gets all traffic by its targets.
    """
    candidate, stable = reasons.roles(watch.candidate)
    if not (state.lanes.stable.gone and fails_too_much(state, settings) and 0 < watch.stage.weight < 100):
        return None
    return (
        f"{stable} has no target left for its {100 - watch.stage.weight} % of the traffic, and {candidate} "
        f"fails more than {settings.failing:.0%}{OF_PROBE}{against.met_by('', state, watch)}"
    )


def fails_too_much(state: GateState, settings: GateSettings) -> bool:
    """Whether the candidate fails more than it may, whatever the stable slot does."""
    return any(source.failure_limit.failing(settings) for source in against.sources(state).values())


def _refuted(source: Streams, state: GateState, watch: Watch) -> bool:
    """Whether too many failures alone are a reason to roll back, with nothing to compare them with.

    A candidate that has clients still serves more of them than a stable slot that serves nothing.
    """
    if watch.alone:
        return watch.first or not watch.stage.weight
    return _nothing_to_compare(source, state)


def _nothing_to_compare(source: Streams, state: GateState) -> bool:
    """Whether the stable side has no requests, and the probe did not see it fail recently either.

    At weight 100 the stable side has no users, and reports of the candidate's users come late.
    """
    since = state.users.until - state.lanes.stable.failing_at
    return source.stable_absent and since >= max(OUTAGE_SECONDS, OUTAGE_BLOCKS * source.seconds)
