"""QueueRelease: a release waits for a service that another deployment holds."""

from typing import Literal

from crossfade import stack
from crossfade.domain.journal import Waiting
from crossfade.domain.model import Model
from crossfade.step import step, utc_now


class Queued(Model):
    """That the release waits, and whom it has dropped by that."""

    action: Literal["queued"]
    reason: str


@step
def handler(service: str, waiting: Waiting, held: str = "") -> Queued:
    """Let a release wait for its service; only the newest does. ``held`` says why it has to wait."""
    dropped = stack.release_queue().queue(service, waiting, utc_now())
    reason = (
        f"{waiting.version} waits until {service} is free; then {waiting.deployment} deploys it, "
        "unless a newer one comes."
    )
    if held:
        reason += f" {held}."
    if dropped:
        reason += f" {dropped.version}, which waited, is dropped."
    return Queued(action="queued", reason=reason)
