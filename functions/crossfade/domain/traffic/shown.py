"""What the load balancer shows of a service's production rules, whose weights move together.

One value of the weights is whole. Several are half-done: a write of all of them was cut off, or the load
balancer shows some rules as before. That is no foreign change where each value is Crossfade's own, and the
next write of all rules mends it.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple, Self

from crossfade.domain.errors import ForeignChange, NotYetVisible, ResourceGone
from crossfade.domain.slots import Slot
from crossfade.domain.spec.placed import Route
from crossfade.domain.traffic.rule import LiveRule
from crossfade.domain.traffic.weights import Overwritten, Weights, refuse_foreign, refuse_stop


class ShownRoute(NamedTuple):
    """A production rule as it is shown; None where it is not. ``gone``: its listener does not exist."""

    route: Route
    rule: LiveRule | None
    gone: ResourceGone | None = None

    @property
    def weights(self) -> Weights | None:
        """The rule in terms of slots.

        Raises
        ------
        ForeignChange
            See ``LiveRule.weights``.
        ResourceGone
            Its listener does not exist.
        """
        if self.gone:
            raise self.gone
        return self.rule.weights(self.route.target_groups) if self.rule else None

    def is_one_of(self, weights: Collection[Weights | None]) -> bool:
        """Whether it is shown, with one of these weights."""
        try:
            return self.rule is not None and self.weights in weights
        except (ForeignChange, ResourceGone):
            return False


class Shown(NamedTuple):
    """All production rules of a service, in the order of its routes."""

    routes: tuple[ShownRoute, ...]

    @property
    def rules(self) -> tuple[LiveRule, ...]:
        """Those that are shown."""
        return tuple(one.rule for one in self.routes if one.rule)

    @property
    def weights(self) -> tuple[Weights | None, ...]:
        """The different weights of the rules, see ``ShownRoute.weights``; None where one is not shown."""
        return tuple(dict.fromkeys(one.weights for one in self.routes))

    def among(self, weights: Collection[Weights | None], *, slot: Slot) -> Self:
        """Those that are shown with one of these weights, first the ones with most of it for ``slot``."""
        found = [(one, one.weights) for one in self.routes if one.is_one_of(weights)]
        found.sort(key=lambda pair: -pair[1].of(slot) if pair[1] else 0)
        return self._replace(routes=tuple(one for one, _ in found))

    def refuse_foreign(
        self,
        written: Weights | None,
        *,
        own: Collection[Weights | None] = (),
        overwritten: Iterable[Overwritten] = (),
        now: datetime,
    ) -> None:
        """Compare each rule with what was last written; ``own`` are further weights that it may have.

        Raises
        ------
        ForeignChange
            Some were changed outside Crossfade: each of them is named.
        NotYetVisible
            Some show weights that were overwritten not long ago.
        ResourceGone
            A listener does not exist.
        """
        past, changed, late = tuple(overwritten), list[ForeignChange](), list[NotYetVisible]()
        for one in self.routes:
            try:
                if (live := one.weights) not in own:
                    refuse_foreign(written, live, overwritten=past, now=now, where=self._in(one))
            except ForeignChange as change:
                changed.append(change)
            except NotYetVisible as unseen:
                late.append(unseen)
        if changed:
            raise ForeignChange(" ".join(map(str, changed)))
        if late:
            raise late[0]

    def refuse_stop(
        self, slot: Slot, written: Weights | None, *, overwritten: Iterable[Overwritten], now: datetime
    ) -> None:
        """Refuse to stop a slot that one of the rules gives weight to; see ``weights.refuse_stop``."""
        past = tuple(overwritten)
        for one in self.routes:
            refuse_stop(slot, one.weights, written=written, overwritten=past, now=now, where=self._in(one))

    def _in(self, one: ShownRoute) -> str:
        """Which rule a sentence is about; empty where there is one."""
        return f" in the production rule {one.route.rule}" if len(self.routes) > 1 else ""
