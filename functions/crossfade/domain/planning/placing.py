"""Placing: which slot the owner's ECS service takes the place of, and which release runs there."""

from crossfade.domain.errors import ForeignChange, NothingToLeave
from crossfade.domain.journal import State
from crossfade.domain.slots import Slot, TargetGroups, other
from crossfade.domain.spec.placed import Pattern, Placed
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.traffic.rule import LiveRule
from crossfade.domain.traffic.weights import Weights

ORIGIN: Slot = "green"
"""The slot whose place the owner's service takes before a first release, which goes to the other one."""


def place(
    spec: ServiceSpec,
    pattern: Pattern,
    own: TargetGroups,
    rule: LiveRule,
    state: State,
    *,
    listener: str,
    preview_secret: str,
    leaves: bool,
) -> Placed:
    """The spec with its slots: ``own`` are Crossfade's target groups, ``rule`` is the production rule.

    Raises
    ------
    NothingToLeave
        The service is to be handed back, and its owner's ECS service is live already.
    """
    origin = _origin(pattern, rule, state, leaves=leaves)
    theirs = {"pattern": pattern.target_group}
    if origin:
        theirs |= {origin: pattern.target_group, "replaced": own.of(origin)}
    if leaves and state.stable in (None, origin) and rule.forwards.get(pattern.target_group):
        raise NothingToLeave(
            f"{spec.service} is live in its owner's ECS service {spec.like} already, so nothing was "
            "changed. Go on with crossfade leave, which removes what Crossfade made."
        )
    warm = state.warm.slot if state.warm else None
    was_origin, is_origin = warm == state.origin, warm == origin
    return Placed.model_validate(
        {
            **spec.model_dump(mode="json"),
            "pattern": pattern.model_dump(mode="json"),
            "listener": listener,
            "rule": rule.arn,
            "target_groups": own.model_copy(update=theirs).model_dump(),
            "origin": origin,
            "leftover": warm is not None and was_origin != is_origin,
            "preview_secret": preview_secret,
        }
    )


def _origin(pattern: Pattern, rule: LiveRule, state: State, *, leaves: bool) -> Slot | None:
    # A rule that still shows another slot is no reason to look for what is live in that one.
    written = state.origin and state.weights and state.weights.of(state.origin)
    if written or rule.forwards.get(pattern.target_group):
        return state.origin or (other(state.stable) if state.stable else ORIGIN)
    return other(state.stable) if leaves and state.stable else None


def refuse_others_traffic(state: State, live: Weights, spec: Placed) -> None:
    """Refuse a first deployment whose rule does not send all traffic to the owner's service.

    Raises
    ------
    ForeignChange
        It does not, and no deployment is known that has changed it.
    """
    if state.weights is None and (spec.origin is None or live != Weights.share(spec.origin, 100)):
        raise ForeignChange(
            f"{spec.service} was never deployed by Crossfade, and its production rule {spec.rule} stands at "
            f"{live}. It should lead to the group of its pattern ({spec.pattern.target_group}) alone. It is "
            "left alone. Put it right, then deploy again."
        )


def image_tag(image: str, repository: str) -> str | None:
    """The tag of an image of ECR, e.g. ``1.2.3``; None of another repository's, or one without a tag."""
    name, _, tag = image.rpartition(":")
    return tag if name.endswith(f"/{repository}") and "@" not in name else None
