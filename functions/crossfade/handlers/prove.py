"""ProveStable: after the weights are back, see that clients get the winner's version only."""

from typing import Literal

from crossfade.domain import drain
from crossfade.domain.message import Message
from crossfade.domain.records import Record
from crossfade.handlers.following import Draining, follow
from crossfade.handlers.step import step, utc_now


class Event(Draining):
    """``shifted`` is when the weights were read back, ``version`` what clients are to get from there on.

    It is None after a first release, and where nobody knows what ran before.
    """

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
    quiet, verdict = event.quiet, drain.DrainVerdict(action="wait", reason="not looked yet")

    def decided(records: list[Record]) -> bool:
        nonlocal quiet, verdict
        quiet, verdict = drain.look(
            quiet,
            records,
            retire=event.plan.spec.retire,
            failing=event.plan.spec.gate.failing,
            shifted=event.shifted,
            shown=event.shifted,
            now=utc_now(),
            version=event.version,
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
