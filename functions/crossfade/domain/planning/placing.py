"""Placing: which slot the owner's ECS service takes the place of, and which release runs there."""

from collections.abc import Sequence

from crossfade.domain.errors import ForeignChange, InvalidServiceSpec, NothingToLeave
from crossfade.domain.journal import State
from crossfade.domain.slots import Slot, TargetGroups, other
from crossfade.domain.spec.placed import Pattern, Placed, Route
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.traffic.place import groups_of, listener, refuse_unreached
from crossfade.domain.traffic.rule import LiveRule
from crossfade.domain.traffic.shown import Shown
from crossfade.domain.traffic.weights import Weights

ORIGIN: Slot = "green"
"""The slot whose place the owner's service takes before a first release, which goes to the other one."""


def place(
    spec: ServiceSpec,
    pattern: Pattern,
    own: Sequence[TargetGroups],
    rules: Sequence[LiveRule],
    state: State,
    *,
    preview_secret: str,
    leaves: bool,
) -> Placed:
    """The spec with its slots.

    ``own`` are Crossfade's target groups, one each for the pattern's targets, ``rules`` those of ``traffic``.

    Raises
    ------
    NothingToLeave
        The service is to be handed back, and its owner's ECS service is live already.
    InvalidServiceSpec
        Two entries of ``traffic`` are one rule.
    PatternUnusable
        No rule leads to a port of it.
    ForeignChange
        A rule leads to no port of it, or to several.
    """
    theirs = {target.target_group for target in pattern.targets}
    at_home = [any(rule.forwards.get(group) for group in theirs) for rule in rules]
    origin = _origin(state, leaves=leaves, at_home=any(at_home))
    if leaves and state.stable in (None, origin) and all(at_home):
        raise NothingToLeave(
            f"{spec.service} is live in its owner's ECS service {spec.like} already, so nothing was "
            "changed. Go on with crossfade leave, which removes what Crossfade made."
        )
    routes = [
        Route(
            rule=rule.arn,
            listener=listener(entry),
            target_groups=_bound(groups_of(entry, rule, own), origin),
        )
        for entry, rule in zip(spec.traffic, rules, strict=True)
    ]
    arns = [route.rule for route in routes]
    if twice := next((arn for arn in arns if arns.count(arn) > 1), None):
        raise InvalidServiceSpec(f"traffic of {spec.service} names the rule {twice} twice: leave it once.")
    ports = {target.target_group: target.name for target in pattern.targets}
    refuse_unreached(spec, ports, [route.target_groups.pattern for route in routes])
    warm = state.warm.slot if state.warm else None
    was_origin, is_origin = warm == state.origin, warm == origin
    first, *also = (route.model_dump() for route in routes)
    return Placed.model_validate(
        {
            **spec.model_dump(mode="json"),
            "pattern": pattern.with_first(routes[0].target_groups.pattern).model_dump(mode="json"),
            **first,
            "also": also,
            "origin": origin,
            "leftover": warm is not None and was_origin != is_origin,
            "preview_secret": preview_secret,
        }
    )


def _bound(own: TargetGroups, origin: Slot | None) -> TargetGroups:
    """The same with the owner's group in the place of the slot that its service takes."""
    return own.model_copy(update={origin: own.pattern, "replaced": own.of(origin)}) if origin else own


def _origin(state: State, *, leaves: bool, at_home: bool) -> Slot | None:
    """The slot whose place it takes; ``at_home``: a rule leads to it."""
    # A rule that still shows another slot is no reason to look for what is live in that one.
    written = state.origin and state.weights and state.weights.of(state.origin)
    if written or at_home:
        return state.origin or (other(state.stable) if state.stable else ORIGIN)
    return other(state.stable) if leaves and state.stable else None


def refuse_others_traffic(state: State, shown: Shown, spec: Placed) -> None:
    """Refuse a first deployment of which a rule does not send all traffic to the owner's service.

    Raises
    ------
    ForeignChange
        It does not, and no deployment is known that has changed it.
    """
    at_home = Weights.share(spec.origin, 100) if spec.origin else None
    astray = [one for one in shown.routes if one.weights != at_home]
    if state.weights is None and astray:
        route, live = astray[0].route, astray[0].weights
        raise ForeignChange(
            f"{spec.service} was never deployed by Crossfade, and its production rule {route.rule} stands at "
            f"{live}. It should lead to the group of its pattern ({route.target_groups.pattern}) alone. It "
            "is left alone. Put it right, then deploy again."
        )


def image_tag(image: str, repository: str) -> str | None:
    """The tag of an image of ECR, e.g. ``1.2.3``; None of another repository's, or one without a tag."""
    name, _, tag = image.rpartition(":")
    return tag if name.endswith(f"/{repository}") and "@" not in name else None
