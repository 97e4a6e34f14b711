"""ProveStable: after the weights are back, see that clients get the stable version only."""

from typing import Literal

from crossfade.domain.drain import Quiet
from crossfade.domain.message import Message
from crossfade.handlers.following import Draining, follow_draining
from crossfade.handlers.step import step


class Event(Draining):
    """``shifted`` is when the stable slot's weights were read back."""


class Proved(Message):
    """``late`` is no proof: the rollback goes on, and says so."""

    status: Literal["wait", "drained", "late"]
    reason: str
    quiet: Quiet
    cursor: str | None


@step(Event)
def handler(event: Event) -> Proved:
    """Look until production gives the stable version alone, or until the deadline."""
    previous = event.plan.previous
    if previous is None:
        reason = "there is no stable version"
        return Proved(status="late", reason=reason, quiet=event.quiet, cursor=event.cursor)
    verdict, quiet, cursor = follow_draining(event, previous.version)
    return Proved(status=verdict.action, reason=verdict.reason, quiet=quiet, cursor=cursor)
