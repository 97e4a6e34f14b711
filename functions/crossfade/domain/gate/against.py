"""What speaks against the candidate, in words: its failures or its slowness, and what the probe met."""

from crossfade.domain.gate import reasons
from crossfade.domain.gate.evidence.streams import Streams
from crossfade.domain.gate.news import failures_met
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.spec.gate import GateSettings


def sources(state: GateState) -> dict[str, Streams]:
    """The sources of outcomes; by name, which follows a count of requests in words."""
    return {"": state.probe, " of the users' requests": state.users}


def strongest(state: GateState, settings: GateSettings, watch: Watch) -> str:
    """The strongest stream against the candidate; of the probe's streams, with what the probe met."""
    name, text = reasons.strongest(
        sources(state), state.evidence, settings, watch.candidate, state.lanes.paths
    )
    return text + met_by(name, state, watch)


def met_by(name: str, state: GateState, watch: Watch) -> str:
    """What the probe met on the candidate's lane, if the source of this name is the probe."""
    met = "" if name else failures_met(state, watch, watch.candidate)
    return f"; {met}" if met else ""


def failing_run(state: GateState, watch: Watch) -> str:
    """The candidate's run of failures."""
    candidate, stable = reasons.roles(watch.candidate)
    run = state.lanes.candidate.run
    while_stable = "" if watch.alone else f", while {stable} answers"
    return (
        f"{candidate} failed the last {run.length} requests in a row, for {run.last - run.began:.1f} s"
        f"{while_stable}; {failures_met(state, watch, watch.candidate)}"
    )
