"""Admission: may a release be deployed, must it wait, or does it give way to a newer one?

ECR's events come twice, late, or not at all. So releases are ordered by when their image was pushed, never by
when an event arrived.
"""

import json
from datetime import datetime, timedelta
from typing import Literal

from crossfade.domain.errors import ReleasedBefore, ServiceBusy
from crossfade.domain.journal import DELETION, Noticed, State, Waiting, machine_of
from crossfade.domain.model import Model, Timestamp, iso
from crossfade.domain.planning.plan import Plan, Release
from crossfade.domain.proof.certificate import History
from crossfade.domain.spec.service import ServiceSpec

ROLL_BACK = "RollBack"
"""The state of a deployment that has failed, whatever has failed there."""
ENDED = "(ended)"
"""In place of a state: the execution has ended."""
TAGS_FOLLOW = timedelta(minutes=5)
"""How long after its image a tag may come; a later one was added to an older image."""
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=15), timedelta(hours=6)
"""Between two tries of an image whose event never came, or that was refused."""
SETTLES = timedelta(minutes=5)
"""How long a change of the pattern must have stood before it is released by itself."""


class Declined(Model):
    """Why a release is not deployed."""

    action: Literal["nothing_to_do", "ignore"]
    reason: str


def is_under_way(release: Release, state: State) -> bool:
    """Whether the release is the one that the service is held for: the same image, the same pattern."""
    running = state.candidate
    made_of = (release.digest, release.pattern, release.settings)
    return running is not None and (running.digest, running.pattern, running.settings) == made_of


def is_given_up(state: State, history: History, own: str, entered: str | None) -> bool:
    """Whether the deployment that holds the service will not promote its release any more.

    It was judged bad, has failed, was stopped or superseded, or is rolled back. ``own`` is an execution of
    the machine that deploys; ``entered`` is the state that the holder is in, ``ENDED``, or None where that is
    not known.
    """
    if history.promoted:
        return False  # the holder only finishes what was left undone
    taken_over = machine_of(state.holder or "") != machine_of(own)
    superseded = state.waiting is not None and state.waiting.supersede
    return taken_over or superseded or history.judged is not None or entered in {ROLL_BACK, ENDED}


def is_warm(release: Release, state: State, promoted: Plan) -> bool:
    """Whether a free service's old slot still runs the release; ``promoted``: the plan of who keeps it."""
    before = promoted.previous
    return (
        state.holder is None
        and before is not None
        and (before.digest, before.pattern, before.settings)
        == (release.digest, release.pattern, release.settings)
    )


def is_late_tag(release: Release, state: State, at: Timestamp | None) -> bool:
    """Whether a tag has made a release of an image that was there long before, and would give way to others.

    ``at`` is when the tag came. An event that comes late tells of a tag that came with its image, or before
    what was deployed since.
    """
    newest, pushed = state.newest, release.pushed
    if at is None or pushed is None or newest is None or at < pushed + TAGS_FOLLOW:
        return False
    if (newest.at, newest.digest) == (at, release.digest):
        return True  # this very tag was deployed or tried, and its event has come again
    waits = state.waiting is not None and state.waiting.digest == release.digest
    known = waits or state.digest == release.digest or is_under_way(release, state)
    return pushed <= newest.at < at and not known


def released_before(service: str, release: Release, state: State, at: Timestamp) -> ReleasedBefore:
    """The error for a tag that came to an image which was a release before."""
    reason = (
        f"its tag came at {iso(at)} to an image that has another release's tag, or was deployed or tried "
        "before."
    )
    return ReleasedBefore(_gives_way(service, release, state, reason).reason)


def decline(
    service: str,
    release: Release,
    state: State,
    *,
    ordered_at: Timestamp | None,
    given_up: bool = False,
) -> Declined | None:
    """Why a release must not be deployed or queued; None when it may.

    ``ordered_at`` is the release's place in time where it gives way to newer ones: a push's time, or the
    time of what has waited. It is None where a person means exactly this release, older or not. ``given_up``:
    it is under way, but will not be promoted, so asking for it is a new request.
    """
    running, waiting = state.candidate, state.waiting
    if waiting and (waiting.digest, waiting.at) == (release.digest, ordered_at):
        waiting = None  # this is the release that waited
    if running and is_under_way(release, state) and not given_up:
        same = _same(release, running.version)
        return Declined(action="nothing_to_do", reason=f"{same} is being deployed by {state.deployment}.")
    if waiting and waiting.digest == release.digest:
        same = _same(release, waiting.version)
        return Declined(
            action="nothing_to_do", reason=f"{same} waits already: {waiting.deployment} will deploy it."
        )
    if ordered_at is None:
        return None
    if state.leaves:  # what waited would take the service away from its owner again
        reason = f"{service} is being handed back to its owner by {state.deployment}."
        return _gives_way(service, release, state, reason)
    newest = state.newest
    same_push = given_up and ordered_at == release.came
    if same_push or (newest and (newest.at, newest.digest) == (ordered_at, release.digest)):
        reason = f"its image, {_how(release, ordered_at)} at {iso(ordered_at)}, was deployed or tried before."
        return _gives_way(service, release, state, reason)
    if newest and ordered_at < newest.at:
        came = (
            "it was asked for" if ordered_at != release.came else f"its image was {_how(release, ordered_at)}"
        )
        live = newest.digest == state.digest
        later = "the live one" if live else f"one that was deployed or tried ({newest.digest})"
        reason = f"{came} at {iso(ordered_at)}, and {later} came later, at {iso(newest.at)}."
        return _gives_way(service, release, state, reason)
    if waiting and ordered_at <= waiting.at:
        reason = f"{release.version} gives way to {waiting.version}, which is newer and waits."
        return Declined(action="ignore", reason=reason)
    return None


def _how(release: Release, at: Timestamp) -> str:
    return "tagged" if at == release.tagged else "pushed"


def _same(release: Release, version: str) -> str:
    """How a release is called that is known already, perhaps by another tag of its image."""
    if release.version == version:
        return version
    return f"{release.version} is the same image as {version} ({release.digest}), which"


def _gives_way(service: str, release: Release, state: State, reason: str) -> Declined:
    """What keeps it from going back by itself, what is live, and how a person deploys it all the same.

    By its digest too: the tag may name another image by now.
    """
    live = f" Live is {state.version}." if state.version else ""
    by_hand = {"service": service, "image_tag": release.version, "image_digest": release.digest}
    return Declined(
        action="ignore",
        reason=f"{release.version} gives way: {reason}{live} To deploy {release.version} all the same, "
        f"start by hand: {json.dumps(by_hand)}.",
    )


def enqueue(
    release: Release,
    spec: ServiceSpec,
    state: State,
    *,
    at: Timestamp,
    execution: str,
    by_hand: bool = False,
) -> Waiting:
    """The release as it waits for the service, by the spec's ``when_busy``.

    A person who asks for what is live, while another release is deployed, means that one to go back.

    Raises
    ------
    ServiceBusy
        The spec rejects a release that comes while another one is deployed, or the service is being deleted.
    """
    back = by_hand and state.would_replace(release.digest)
    if state.holder == DELETION or (spec.when_busy == "reject" and not back):
        raise busy(spec.service, state)
    return Waiting(
        version=release.version,
        digest=release.digest,
        at=at,
        execution=execution,
        supersede=back or spec.when_busy == "supersede",
        tagged=release.tagged,
    )


def busy(service: str, state: State) -> ServiceBusy:
    """The error for a service that another execution holds, or whose removal is not at its end."""
    if state.holder == DELETION:
        return ServiceBusy(
            f"Service {service} is held by {DELETION}, or by a crossfade leave: its removal has begun, and "
            "is not at its end. If that ended NotRemoved, put right what it said, then end it: call "
            f"crossfade leave {service} again, or delete the stack again. Then adopt the service anew."
        )
    return ServiceBusy(
        f"Service {service} is held by {state.holder}{_troubled(state)}. "
        "Wait until that deployment ends, then start this one again."
    )


def held(service: str, waiting: Waiting, state: State) -> str:
    """Why a release has to wait, and for whom."""
    back = f", and {state.deployment} goes back" if state.would_replace(waiting.digest) else ""
    return f"{state.holder} holds {service}{back}{_troubled(state)}"


def _troubled(state: State) -> str:
    """That the holder is not the first who tries to put the service right, and what a person can do."""
    failed = state.tried.times - 1 if state.tried else 0
    if failed < 1:
        return ""
    return (
        f", and {failed} rollback{'' if failed == 1 else 's'} of {state.deployment} did not succeed: "
        "read the last one and put right what it says, then start a rollback by hand"
    )


def missed(digest: str, pushed: Timestamp, state: State) -> bool:
    """Whether the newest image of a repository should have been deployed, and never was, nor was it tried.

    No event of it ever came, or its plan was refused.
    """
    known = {state.digest, state.candidate and state.candidate.digest, state.waiting and state.waiting.digest}
    if digest in known or (state.newest and state.newest.digest == digest):
        return False
    return state.newest is None or pushed > state.newest.at


def tries_of(found: Noticed, state: State, now: datetime) -> int | None:
    """The number of tries that a pattern may have had which is to be followed by now; None: it is not.

    ``found`` differs from what is live. It must have been noticed for a while: a stack's update changes one
    thing after the other.
    """
    known = state.noticed
    if known is None or not known.is_of(found) or known.tried or now < known.at + SETTLES:
        return None
    return tries_by(now - known.at - SETTLES)


def tries_by(age: timedelta) -> int:
    """The number of tries that an image may have had which was missed or refused for ``age``.

    A refused image may be refused again, and no event says when the reason is gone: so the waits between two
    tries double, up to ``LONGEST_WAIT``.
    """
    tries, wait = 1, FIRST_WAIT
    while age >= wait:
        tries, age, wait = tries + 1, age - wait, min(2 * wait, LONGEST_WAIT)
    return tries
