"""What the journal holds for a service: its holder, what is live, what waits, what is still warm.

The journal is the lock and the memory; what the probe saw is in the ledger.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from crossfade.domain.errors import DeployedUnknown, NotRemoved, ServiceLost, StillLive, Superseded
from crossfade.domain.model import Model, Timestamp, iso
from crossfade.domain.slots import SLOTS, Slot
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.tasks.scaling import Resumption
from crossfade.domain.traffic.rule import LastRule, LiveRule, SeenRule
from crossfade.domain.traffic.shown import Shown
from crossfade.domain.traffic.weights import RULE_SECONDS, Overwritten, Weights

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=15)
"""Between two automatic rollbacks of a deployment: after the first one, after the sixth and later."""
DELETION = "the deletion of its stack"
"""Holds a service whose stack is being deleted: no execution can change anything more."""


class Hold(NamedTuple):
    """What every write of a deployment asks for; its condition is that ``holder`` still holds the service.

    ``holder`` is the execution at work on the deployment: its own, or a rollback's.
    """

    service: str
    deployment: str
    holder: str


class Candidate(Model):
    """The release that is being deployed, and the slot that it goes to."""

    slot: Slot
    version: str
    digest: str
    pattern: str = ""
    settings: str = ""


class Waiting(Model):
    """A release that came while another deployment held the service.

    ``at`` is its place in time: when its image was pushed, or when a person asked for it. ``execution`` has
    asked for it; ``supersede`` makes the running deployment roll back for it. ``tagged`` is the release's.
    """

    version: str
    digest: str
    at: Timestamp
    execution: str
    supersede: bool = False
    tagged: Timestamp | None = None

    @property
    def deployment(self) -> str:
        """The name that it is started under, also by a second try, which so starts nothing more."""
        return waited_name(self.execution)


def waited_name(execution: str) -> str:
    """The name of the deployment that is started for what an execution has let wait."""
    return f"waited-{hashlib.sha256(execution.encode()).hexdigest()[:32]}"


class WarmSlot(Model):
    """The old version's slot after a promotion: its tasks still run, until its deployment stops them."""

    slot: Slot
    deployment: str
    execution: str
    until: Timestamp


class LatestImage(Model):
    """The image that came last, by its push or its tag, of all that were ever deployed or tried."""

    at: Timestamp
    digest: str


class Noticed(Model):
    """A pattern that was found to differ from what is live with an image, and when.

    ``pattern`` is its task definition, ``settings`` the fingerprint of the rest, see ``Pattern.steady``.
    ``tried``: a deployment has answered it, so that it is followed no more, however that has ended.
    """

    digest: str
    pattern: str
    settings: str
    at: Timestamp
    tried: bool = False

    def is_of(self, other: "Noticed") -> bool:
        """Whether the other one says the same, whenever it was noticed."""
        return (self.digest, self.pattern, self.settings) == (other.digest, other.pattern, other.settings)


class Tried(Model):
    """Rollbacks that have taken one deployment over, one after the other; ``at``: when the last one did."""

    times: int
    at: Timestamp

    @property
    def next_at(self) -> datetime:
        """When the next automatic one may begin: the wait doubles with each that did not succeed."""
        # Bounded before it is doubled: the count of some months is more than a timedelta can hold.
        doubled: int = 2 ** min(self.times - 1, 10)
        return self.at + min(FIRST_WAIT * doubled, LONGEST_WAIT)


class State(Model):
    """A service in the journal; empty before its first deployment.

    ``holder`` is the execution that may change the service, ``deployment`` the deployment that it works on.
    ``weights`` were written last, at ``written_at``, to ``last_rule`` and ``last_also`` (see ``last_rules``).
    ``intended`` is set during a write, so that a write that was cut off, maybe between two rules, is not
    taken for a foreign change. ``overwritten`` has older weights that the load balancer may still show.
    ``seen`` is what reads since the last write have shown of the rules that is their owner's, where that was
    news. ``origin`` is the slot whose place the owner's ECS service took in the last deployment.

    ``freed`` is when the last deployment freed the service, after all its changes; ``resumed`` is how it left
    the live slot's scaling. ``verified``: whether the live slot was seen to answer with its version. It was
    not if a rollback had to route clients to a candidate that was not verified, or if answers name none.
    ``verified_by`` is the spec's ``version`` by which it was, as a text; Crossfade 0.2 and before kept none.
    ``release_number`` is that of the live release, None where it was promoted by an earlier Crossfade, or not
    at all. ``tried`` counts the rollbacks of the deployment that holds the service; None before the first
    one.
    """

    holder: str | None = None
    deployment: str | None = None
    candidate: Candidate | None = None
    stable: Slot | None = None
    version: str | None = None
    digest: str | None = None
    release_number: int | None = None
    noticed: Noticed | None = None
    weights: Weights | None = None
    intended: Weights | None = None
    written_at: Timestamp | None = None
    last_rule: LastRule | None = None
    last_also: tuple[LastRule, ...] = ()
    overwritten: tuple[Overwritten, ...] = ()
    seen: tuple[SeenRule, ...] = ()
    freed: Timestamp | None = None
    resumed: Resumption | None = None
    newest: LatestImage | None = None
    waiting: Waiting | None = None
    warm: WarmSlot | None = None
    origin: Slot | None = None
    tried: Tried | None = None
    verified: bool = True
    verified_by: str | None = None

    def knows_the_answers(self, spec: ServiceSpec) -> bool:
        """Whether the live slot was seen to answer with its version where ``spec`` looks for it."""
        return self.verified and self.verified_by in {None, spec.version.text}

    @property
    def was_deployed(self) -> bool:
        """Whether the service was ever deployed, or was about to be; a deletion alone leaves no trace."""
        return self.model_copy(update={"holder": None}) != State()

    @property
    def leaves(self) -> bool:
        """Whether the service is being handed back: the candidate goes to its owner's ECS service."""
        return self.candidate is not None and self.candidate.slot == self.origin

    def would_replace(self, digest: str) -> bool:
        """Whether an image is live, and another one is being deployed in its place."""
        return self.digest == digest and self.candidate is not None and self.candidate.digest != digest

    def tried_by(self, execution: str, now: datetime) -> Tried:
        """The count with the rollback that takes the service over; a second time it counts nothing."""
        if self.tried and self.holder == execution:
            return self.tried
        return Tried(times=self.tried.times + 1 if self.tried else 1, at=now)

    def overwritten_by(self, weights: Weights | None, now: datetime) -> tuple[Overwritten, ...]:
        """What may still be read once ``weights`` are written; None removes the rule."""
        past = [*self.overwritten, Overwritten(weights=self.weights, until=now)]
        if self.intended:
            past.append(Overwritten(weights=self.intended, until=now))
        last = {one.weights: one for one in past if one.weights != weights and one.may_be_read(now)}
        return tuple(last.values())

    def bound(self, origin: Slot | None) -> Self:
        """The state as a deployment reads it in which the owner's service takes the place of ``origin``."""

        def now(weights: Weights | None) -> Weights | None:
            return weights.bound(self.origin, origin) if weights else None

        past = tuple(one.model_copy(update={"weights": now(one.weights)}) for one in self.overwritten)
        return self.model_copy(update={"origin": origin, "weights": now(self.weights), "overwritten": past})

    def own(self, now: datetime) -> tuple[Weights | None, ...]:
        """What may be read of the rule by Crossfade's own doing: written, about to be, or overwritten."""
        past = [one.weights for one in self.overwritten if one.may_be_read(now)]
        return (self.weights, *([self.intended] if self.intended else []), *past)

    @property
    def last_rules(self) -> tuple[LastRule, ...]:
        """All production rules; none where it is not known which ``weights`` were written to.

        One that was changed outside Crossfade, and so left alone by a rollback, is of an earlier write.
        """
        known = (self.last_rule, *self.last_also) if self.last_rule else ()
        return known if self.weights and any(one.at == self.written_at for one in known) else ()

    def written_to(self, arn: str) -> LastRule | None:
        """A rule as ``weights`` were written to it; None where they were not, or that is not known."""
        return next((one for one in self.last_rules if (one.arn, one.at) == (arn, self.written_at)), None)

    def may_be(self, read: LiveRule, weights: Weights | None, now: datetime) -> list[LiveRule]:
        """What the rule may be by now, by a read that is Crossfade's own by its ``weights``.

        More than one where reads of the last minutes, or the last write and a read, differ in what is its
        owner's, and nothing tells which is newer. What shows overwritten weights is older than the last
        write, and so are its actions: they are not among it.
        """
        last = self.written_to(read.arn)
        seen = [one for one in self.seen if one.arn == read.arn and one.may_be_newer(now)]
        is_old = self._is_old(weights) and bool(last or seen)
        found = [] if is_old else [read]
        found += [one.over(read) for one in seen]
        if last and ((is_old and not seen) or (last.again and last.may_be_newer(now))):
            found.append(last.over(read))
        by_owner: dict[str, LiveRule] = {}
        for rule in found:
            by_owner.setdefault(rule.of_owner, rule)
        return list(by_owner.values())

    def known(self, shown: Shown, now: datetime) -> list[list[LiveRule]]:
        """What each rule that is shown may be by now, see ``may_be``."""
        return [self.may_be(one.rule, one.weights, now) for one in shown.routes if one.rule]

    def saw(self, read: LiveRule, weights: Weights | None, now: datetime) -> tuple[SeenRule, ...]:
        """``seen`` after a read; what is no other than the last write is no news where no read was other."""
        seen = tuple(one for one in self.seen if one.may_be_newer(now))
        mine = [one for one in seen if one.arn == read.arn]
        last = self.written_to(read.arn)
        if self._is_old(weights) or (last and last.over(read).of_owner == read.of_owner and not mine):
            return seen
        others = [one for one in seen if one not in mine or one.over(read).of_owner != read.of_owner]
        return (*others, SeenRule(arn=read.arn, actions=json.dumps(read.actions), at=now))

    def _is_old(self, weights: Weights | None) -> bool:
        return self.weights is not None and weights not in (self.weights, self.intended)


def deployed_unknown(service: str, parameter: str) -> DeployedUnknown:
    """The error if it is not known where a service was deployed; ``parameter`` is its spec's name in SSM."""
    return DeployedUnknown(
        f"{service} was deployed, but the journal has no deployment of it any more, and its spec in SSM is "
        "gone or cannot be read. So it is not known what to remove, and nothing was removed. Put the spec "
        f"back into the parameter {parameter}, then delete the stack again. Without it: remove the rule of "
        f"production and the ECS services {service}-blue and {service}-green by hand, delete the journal's "
        f"item state of {service}, then delete the stack again."
    )


def not_removed(service: str, left: Mapping[str, str]) -> NotRemoved:
    """The error for what a deletion has left of a service: why, by what it is."""
    reasons = {reason.rstrip(". "): None for reason in left.values()}
    return NotRemoved(
        f"Crossfade removed all that it made for {service}, except {', '.join(left)}: "
        f"{'. '.join(reasons)}. Put right what this says, then delete the stack again."
    )


def refuse_just_written(service: str, state: State, now: datetime) -> None:
    """Let a service leave only once what the load balancer shows of its rule is no older than the last write.

    Raises
    ------
    StillLive
        By the journal a slot of Crossfade's has got traffic a moment ago, whatever is shown.
    """
    if state.weights is None or state.written_at is None:
        return
    live = [slot for slot in SLOTS if slot != state.origin and state.weights.of(slot)]
    believed = state.written_at + timedelta(seconds=RULE_SECONDS)
    if live and now < believed:
        raise StillLive(
            f"Crossfade has sent clients of {service} to its slot {live[0]} a moment ago, and until "
            f"{iso(believed)} the load balancer may show older weights, so nothing was removed. Hand the "
            "service back first, as crossfade leave does; if you did that by hand in the rule, wait for that."
        )


def machine_of(execution: str) -> str:
    """The state machine's name in an execution's ARN; empty for what is no execution."""
    parts = execution.split(":")
    return parts[6] if len(parts) > 7 else ""


def service_lost(hold: Hold) -> ServiceLost:
    """The error for a deployment that no longer holds its service."""
    return ServiceLost(
        f"Deployment {hold.deployment} does not hold {hold.service} any more, so it changes nothing more. "
        "Read the rollback that took the service over."
    )


def refuse_lost(state: State, hold: Hold) -> None:
    """Let a deployment continue only while it holds its service, whose state this is.

    Raises
    ------
    ServiceLost
        Another execution holds the service, or none.
    """
    if state.holder != hold.holder:
        raise service_lost(hold)


def refuse_superseded(state: State) -> None:
    """Let a deployment continue only while no newer release may take its place.

    Raises
    ------
    Superseded
        A newer release waits and the spec says supersede, or the live release was asked for.
    """
    refuse_going_back(state)
    if state.waiting and state.waiting.supersede:
        raise Superseded(
            f"{state.waiting.version} was asked for by {state.waiting.execution}, and when_busy says "
            "supersede, so this deployment is rolled back for it."
        )


def refuse_going_back(state: State) -> None:
    """Let a deployment continue only while the live release, which it would replace, is not asked for.

    Raises
    ------
    Superseded
        The live release was asked for.
    """
    waiting = state.waiting
    if waiting and waiting.supersede and state.would_replace(waiting.digest):
        raise Superseded(
            f"{waiting.version}, which is live, was asked for by {waiting.execution}, so this deployment is "
            "rolled back."
        )
