"""Where the load balancer sends a request, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from faults.aws.balancer import Weights

if TYPE_CHECKING:
    from faults.world import World


BAD_GATEWAY = 502


class Answer(NamedTuple):
    """An answer; ``group`` and ``address`` are those of the task that gave it.

    ``own``: the load balancer gave it itself, since the task took the connection and hung up.
    """

    status: int
    version: str | None
    group: str = ""
    address: str = ""
    own: bool = False


def answer(
    world: World, headers: Mapping[str, str], moment: float, n: int, *, user: bool = False
) -> Answer | None:
    """What the n-th request of a lane, or of the users, got at a moment; None where no target was there.

    With the preview header it goes to one slot, without it through the weights as they have reached clients.
    """
    balancer = world.balancer
    weights = balancer.served.at(moment)
    asked = headers.get("x-crossfade-slot")
    group = balancer.previews.get(asked) if asked else _chosen(weights, n)
    healthy = balancer.healthy[group].at(moment) if group else ()
    status = balancer.broken[group].at(moment).status(n) if group else None
    if status == BAD_GATEWAY:  # sent there although the targets are unhealthy: there are no others
        return Answer(status, None, group or "", own=True)
    if not group or not healthy:
        return None
    if status:
        return Answer(status, None, group, healthy[n % len(healthy)].address)
    address, image = healthy[n % len(healthy)]
    exposed = partial(balancer.exposed, group, address, moment)
    status, version = image.answer(n, exposed=exposed, user=user)
    return Answer(status, version, group, address)


def _chosen(weights: Weights, n: int) -> str | None:
    """The group of the n-th request: over 100 requests each gets its share, spread evenly."""
    total = sum(weights.values())
    if not total:
        return None
    # Steps of 61 visit each place of 100 once before they come round.
    place, passed = n * 61 % 100 * total / 100, 0
    for group, weight in weights.items():
        passed += weight
        if place < passed:
            return group
    raise AssertionError(weights)
