"""What may be at no moment, whatever comes of it: nobody answers clients, what serves is stopped."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from crossfade.domain.slots import SLOTS, Slot, other
from faults.aws.balancer import Target
from faults.aws.functions import Invocation
from faults.aws.history import History
from faults.cases.disturbances import candidate, stable

if TYPE_CHECKING:
    from faults.world import World


class Silence(NamedTuple):
    """From when until when a slot had clients and no healthy target, while the other slot had one."""

    slot: Slot
    began: float
    ended: float


class Watcher:
    """Looks at every change of weights, of health, of desired counts, and of what the journal calls stable.

    ``gaps`` are the moments with nobody to answer: a target group with weight and without a healthy target,
    both for the weights of the rule and for those that clients meet some seconds later. ``silences`` are
    those of which the other slot could have taken the clients, as they met the weights. ``short`` are the
    winners, of a promotion or a rollback, with fewer targets than the stable slot was asked to have at its
    highest since the candidate was launched. ``worse`` are the slots that were stopped though they served,
    while what was left did not. ``weighted`` are those that Crossfade stopped though they had weight.
    ``climbs`` are those of a candidate that was stepped back and got weight again without the gate's word.
    """

    def __init__(self, world: World) -> None:
        self.gaps: list[tuple[float, Slot, int]] = []
        self.silences: list[Silence] = []
        self.short: list[str] = []
        self.worse: list[str] = []
        self.weighted: list[str] = []
        self.climbs: list[str] = []
        self._world = world
        self._asked: dict[str, list[tuple[float, int]]] = {}
        """What each ECS service was asked for, and when."""
        self._silent: dict[Slot, float] = {}
        self._stable: History[Slot | None] = History(None)
        self._weight = 0
        """The candidate's."""

    def look(self) -> None:
        """Something has changed."""
        world, now = self._world, self._world.clock.now
        self._climb()
        served = [entry.served.at(now) for entry in world.balancer.entries]
        for slot in SLOTS:
            met = max(
                weights.get(route.target_groups.of(slot), 0)
                for weights, route in zip(served, world.spec.routes, strict=True)
            )
            weight = max(world.weight(slot), met)
            # Before a first release the rule may lead to an owner's service that never ran anything.
            ever = world.spec.slot_service(slot) in self._asked
            if weight > 0 and ever and not self._healthy(slot):
                self.gaps.append((now, slot, weight))
            if met > 0 and not self._healthy(slot) and self._healthy(other(slot)):
                self._silent.setdefault(slot, now)
            elif slot in self._silent:
                self.silences.append(Silence(slot, self._silent.pop(slot), now))

    def _climb(self) -> None:
        """After a step back nothing but a climb that the gate decided puts weight on the candidate.

        A rollback may: it gives all the traffic to a candidate where the stable slot has no target.
        """
        new = candidate(self._world)
        before, self._weight = self._weight, self._world.weight(new) if new else 0
        if before or not self._weight:
            return
        back, decided = self._last("deploy", "StepBack"), self._last("deploy", "NextStage")
        by_rollback = self._weight == 100 and self._last("rollback", "RestoreWeights") > back
        if back > decided and not by_rollback:
            self.climbs.append(f"at {self._world.clock.now:.2f} {new} got weight {self._weight}")

    def _last(self, machine: str, name: str) -> float:
        """When an execution entered a state last; -1: never."""
        executions = self._world.executions(machine)
        return max((at for one in executions for at, state in one.path if state == name), default=-1.0)

    def at_rest(self) -> tuple[Slot, ...]:
        """The slots that have clients and serve nothing now, while the other one could."""
        return tuple(self._silent)

    def journaled(self) -> None:
        """The journal was written: perhaps it calls another slot stable now."""
        before, now = self._stable.last, stable(self._world)
        if now == before:
            return
        self._stable.set(self._world.clock.now, now)
        if before and now and self._machine() == "deploy":
            most, found = self._most(before, since=now), self._healthy(now)
            if found < most:
                self._note(f"{now} was promoted with {found} healthy targets of {most}")

    def stable_at(self, moment: float) -> Slot | None:
        """The slot that the journal called stable then."""
        return self._stable.at(moment)

    def resized(self, service: str, before: int, count: int) -> None:
        """A service is told to run so many tasks."""
        now, spec = self._world.clock.now, self._world.spec
        if before or count:
            self._asked.setdefault(service, [(now, before)]).append((now, count))
        if not (before and not count and self._machine()):
            return
        if self._world.has_weight(self._world.ecs.services[service]):
            self.weighted.append(f"at {now:.2f} {service} was stopped, and had weight")
        for slot in SLOTS:
            if spec.slot_service(slot) == service:
                self._stopped(slot, before)

    def _stopped(self, loser: Slot, asked: int) -> None:
        """Crossfade stops a slot that was asked for so many tasks; what is left is the winner."""
        world, winner = self._world, other(loser)
        left, lost = self._healthy(winner), self._healthy(loser)
        good = all(target.image.behaviour == "good" for target in self._targets(loser))
        fit = good and lost >= asked and self._was_ready(loser)
        of_winner = world.ecs.services.get(world.spec.slot_service(winner))
        wanted = of_winner.desired if of_winner else 0  # 0: switched off by its owner
        if lost and not left and wanted and world.weight(winner) and (fit or self._had_clients(loser)):
            self.worse.append(f"at {world.clock.now:.2f} {loser} was stopped with {lost} healthy targets")
        if self._machine() != "rollback" or stable(world) != winner:
            return
        service = world.ecs.services[world.spec.slot_service(winner)]
        most = self._most(winner, since=loser)
        if 0 < service.desired < most:
            self._note(f"{winner} was asked for {service.desired} tasks after a rollback, not for {most}")
        elif good and left < min(lost, service.placeable):
            self._note(f"{winner} had {left} healthy targets after a rollback, and {loser} {lost}")

    def _most(self, slot: Slot, *, since: Slot) -> int:
        """How many tasks a slot was asked for at most since the other one was launched."""
        asked, began = self._asked[self._world.spec.slot_service(slot)], self.launched(since)
        then = [count for moment, count in asked if moment <= began][-1:]
        return max([*then, *(count for moment, count in asked if moment > began)], default=0)

    def launched(self, slot: Slot) -> float:
        """When a slot was last started."""
        asked = self._asked[self._world.spec.slot_service(slot)]
        return max(moment for (_, before), (moment, count) in pairwise(asked) if count and not before)

    def _healthy(self, slot: Slot) -> int:
        return len(self._targets(slot))

    def _targets(self, slot: Slot) -> tuple[Target, ...]:
        return self._world.healthy(slot)

    def _was_ready(self, slot: Slot) -> bool:
        """Whether a deployment has found all its tasks healthy since their launch."""
        since = self.launched(slot)
        return any(
            at >= since and state == "CheckProbe"
            for execution in self._world.executions("deploy")
            for at, state in execution.path
        )

    def _had_clients(self, slot: Slot) -> bool:
        """Whether clients have met what runs in a slot."""
        since = self.launched(slot)
        return any(
            value.get(route.target_groups.of(slot), 0)
            for entry, route in zip(self._world.balancer.entries, self._world.spec.routes, strict=True)
            for moment, value in zip(entry.weights.moments, entry.weights.values, strict=True)
            if moment >= since
        )

    def _machine(self) -> str | None:
        """The machine whose handler is at work."""
        caller = self._world.clock.strand
        return caller.place[0] if isinstance(caller, Invocation) else None

    def _note(self, what: str) -> None:
        self.short.append(f"at {self._world.clock.now:.2f} {what}")
