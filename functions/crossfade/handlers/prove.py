"""ProveStable: after the weights are back, see that clients get the winner's version only."""

from typing import Literal

from crossfade.domain.drain import Quiet
from crossfade.domain.message import Message
from crossfade.handlers.following import Draining, follow_draining
from crossfade.handlers.step import step


class Event(Draining):
    """``shifted`` is when the weights were read back, ``version`` what clients are to get from there on."""

    version: str | None


class Proved(Message):
    """``late`` is no proof: the rollback goes on, and says so."""

    status: Literal["wait", "drained", "late"]
    reason: str
    quiet: Quiet
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
    seen = follow_draining(event, event.version)
    return Proved(
        status=seen.verdict.action,
        reason=seen.verdict.reason,
        quiet=seen.quiet,
        cursor=seen.cursor,
        probe_died=seen.probe_died,
    )
