"""Whose turn it is: what becomes of a release that is asked for, given what is live, running and waiting.

ECR's events come twice, late, or not at all. What decides is when an image was pushed, never when an event
arrived.
"""

from typing import Literal

from crossfade.domain.errors import ServiceBusy
from crossfade.domain.message import Message, Moment
from crossfade.domain.plan import Release
from crossfade.domain.spec import ServiceSpec
from crossfade.domain.state import DELETION, State, Waiting


class NotNow(Message):
    """Why a release is not deployed."""

    action: Literal["nothing_to_do", "ignore"]
    reason: str


def not_now(release: Release, state: State, *, ordered_at: Moment | None) -> NotNow | None:
    """Why a release must not be deployed or queued; None when it may.

    ``ordered_at`` is the release's place in time where it gives way to newer ones: a push's time, or the
    time of what has waited. It is None where a person means exactly this release, older or not.
    """
    running, waiting = state.candidate, state.waiting
    if waiting and (waiting.digest, waiting.at) == (release.digest, ordered_at):
        waiting = None  # this is what has waited, and its turn has come
    if running and (running.digest, running.blueprint) == (release.digest, release.blueprint):
        return NotNow(
            action="nothing_to_do", reason=f"{release.version} is being deployed by {state.deployment}."
        )
    if waiting and waiting.digest == release.digest:
        return NotNow(action="nothing_to_do", reason=f"{release.version} waits already.")
    if ordered_at is None:
        return None
    newest = state.newest
    if newest and (ordered_at < newest.at or (newest.at, newest.digest) == (ordered_at, release.digest)):
        return NotNow(
            action="ignore",
            reason=f"{release.version} gives way: an image pushed then or later was deployed or tried.",
        )
    if waiting and ordered_at <= waiting.at:
        return NotNow(
            action="ignore", reason=f"{release.version} gives way to {waiting.version}, which waits."
        )
    return None


def wait(release: Release, spec: ServiceSpec, state: State, *, at: Moment, execution: str) -> Waiting:
    """The release as it waits for the service, by the spec's ``when_busy``.

    Raises
    ------
    ServiceBusy
        The spec rejects a release that comes while another one is deployed, or the service is being deleted.
    """
    if spec.when_busy == "reject" or state.holder == DELETION:
        raise busy(spec.service, state)
    return Waiting(
        version=release.version,
        digest=release.digest,
        at=at,
        execution=execution,
        supersede=spec.when_busy == "supersede",
    )


def busy(service: str, state: State) -> ServiceBusy:
    """The error for a service that another execution holds."""
    return ServiceBusy(
        f"Service {service} is held by {state.holder}. "
        "Wait until that deployment ends, then start this one again."
    )


def missed(digest: str, pushed: Moment, state: State) -> bool:
    """Whether the newest image of a repository should have been deployed, and no event of it ever came."""
    known = {state.digest, state.candidate and state.candidate.digest, state.waiting and state.waiting.digest}
    if digest in known or (state.newest and state.newest.digest == digest):
        return False
    return state.newest is None or pushed > state.newest.at
