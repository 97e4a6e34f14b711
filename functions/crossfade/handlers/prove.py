"""ProveStable: after the weights are back, see that clients get the winner's version only."""

from typing import Literal

from crossfade.domain import drain
from crossfade.domain.message import Message
from crossfade.domain.records import Record
from crossfade.handlers.following import Draining, follow
from crossfade.handlers.step import step, utc_now


class Event(Draining):
    """``shifted`` is when the weights were read back, ``version`` what clients are to get from there on."""

    version: str | None


class Proved(Message):
    """``late`` is no proof: the rollback goes on, and says so."""

    status: Literal["wait", "drained", "late"]
    reason: str
    quiet: drain.Quiet
    cursor: str | None
    probe_died: bool


@step(Event)
def handler(event: Event) -> Proved:
    """Look until production gives that version alone, or until the deadline."""
    if event.version is None:
        return Proved(
            status="late",
            reason="there is no stable version",
            quiet=event.quiet,
            cursor=event.cursor,
            probe_died=False,
        )
    version, retire = event.version, event.plan.spec.retire
    quiet, verdict = event.quiet, drain.DrainVerdict(action="wait", reason="not looked yet")

    def decided(records: list[Record]) -> bool:
        nonlocal quiet, verdict
        quiet, verdict = drain.look(
            quiet,
            records,
            retire=retire,
            failing=event.plan.spec.gate.failing,
            shifted=event.shifted,
            shown=event.shifted,
            now=utc_now(),
            version=version,
        )
        return verdict.action != "wait"

    cursor, probe_died = follow(event.plan, event.probe, event.cursor, decided)
    return Proved(
        status=verdict.action,
        reason=verdict.reason,
        quiet=quiet,
        cursor=cursor,
        probe_died=probe_died,
    )
