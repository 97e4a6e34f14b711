"""What happens meanwhile: tasks die, the live slot is scaled by hand, the owner's stack is updated."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from crossfade.domain.slots import SLOTS, Slot, other
from faults.aws import pattern
from faults.aws.balancer import HEALTH_SECONDS
from faults.aws.tasks import START_SECONDS, Service

if TYPE_CHECKING:
    from faults.world import World

REPLACED_SECONDS = 75.0
"""From the death of a task until another one is healthy in its place, as it takes Fargate."""
BACK_SECONDS = 30.0
"""After so long an owner who has scaled to 0 scales up again."""


class Disturbance(NamedTuple):
    """``of``: the slot that it concerns, by its role at that moment; or the owner's service, whatever role it
    has. ``does`` is given its service.

    ``fits`` where it makes a difference. ``passes``: whether a deployment must end as it would have without
    it; ``good``: it must where it deploys a good release. ``silences``: whether clients may have nobody to
    answer them for a while.
    """

    of: Literal["stable", "candidate", "pattern"]
    does: Callable[[World, Service], None]
    passes: Literal["always", "good", "never"]
    fits: Callable[[World, Service], bool] = lambda _, service: _running(service) > 0
    silences: bool = False


def _running(service: Service) -> int:
    return len(service.of(service.primary, "RUNNING"))


def _several(world: World, service: Service) -> bool:
    """Whether there is more than one task."""
    return _running(service) > 1


def _most(world: World, service: Service) -> int:
    """How many tasks its owner lets a service have at most."""
    target = world.scaling.targets.get(f"service/web/{service.name}")
    return int(target["MaxCapacity"]) if target else 100


def _may_grow(world: World, service: Service) -> bool:
    """Whether a service runs and may have more tasks."""
    return 0 < service.desired < _most(world, service) and _running(service) > 0


def _replaced(world: World, service: Service) -> None:
    """A task dies, and ECS starts another one."""
    world.ecs.kill(service, 1, back=REPLACED_SECONDS - START_SECONDS - HEALTH_SECONDS)


def _short(world: World, service: Service) -> None:
    """A task dies, and ECS finds no room for another one."""
    world.ecs.kill(service, 1)


def _halved(world: World, service: Service) -> None:
    """Half of the tasks die, and ECS finds no room for others."""
    world.ecs.kill(service, _running(service) // 2)


def _dead(world: World, service: Service) -> None:
    """All tasks die, and what starts in their place dies as well."""
    world.ecs.lose(service.name)


def _up(world: World, service: Service) -> None:
    """Two tasks more, as far as there may be more."""
    world.ecs.ask_by_hand(service.name, min(service.desired + 2, _most(world, service)))


def _down(world: World, service: Service) -> None:
    """One task is enough."""
    world.ecs.ask_by_hand(service.name, 1)


def _to_0(world: World, service: Service) -> None:
    """The service is switched off."""
    world.ecs.ask_by_hand(service.name, 0)


def _to_0_and_back(world: World, service: Service) -> None:
    """The service is switched off, and on again; whatever is live by then."""
    count = service.desired
    world.ecs.ask_by_hand(service.name, 0)

    def back() -> None:
        live = stable(world)
        if live:
            world.ecs.ask_by_hand(world.spec.slot_service(live), count)

    world.clock.after(BACK_SECONDS, world.writes.by_owner, back)


def _applied(world: World, service: Service) -> None:
    """The stack of the service's owner is updated, which sends all properties of the pattern."""
    world.pattern_started |= not world.has_weight(service) and world.declared_count > 0
    pattern.apply(world)


def _is_owners(_: World, service: Service) -> bool:
    """Whether the role is played by the owner's own service."""
    return service.name == "web"


def _serves(world: World, service: Service) -> bool:
    """The same, where its stack says that it is to have tasks: with 0 it would be switched off."""
    return _is_owners(world, service) and world.declared_count > 0


def _idles(world: World, service: Service) -> bool:
    """Whether the owner's service takes part in nothing, and its stack would start it."""
    at_work = (stable(world), candidate(world))
    taking_part = {world.spec.slot_service(slot) for slot in SLOTS if slot in at_work}
    return world.declared_count > 0 and service.name not in taking_part


DISTURBANCES: dict[str, Disturbance] = {
    "stable-replaced": Disturbance("stable", _replaced, "always"),
    "stable-halved": Disturbance("stable", _halved, "always", _several),
    "stable-dead": Disturbance("stable", _dead, "good", silences=True),
    "candidate-replaced": Disturbance("candidate", _replaced, "always"),
    "candidate-short": Disturbance("candidate", _short, "never"),
    "candidate-dead": Disturbance("candidate", _dead, "never", silences=True),
    "owner-up": Disturbance("stable", _up, "always", _may_grow),
    "owner-down": Disturbance("stable", _down, "always", _several),
    "owner-to-0": Disturbance("stable", _to_0, "never", silences=True),
    "owner-to-0-and-back": Disturbance("stable", _to_0_and_back, "never", silences=True),
    "stack-over-stable": Disturbance("stable", _applied, "always", _serves),
    "stack-over-candidate": Disturbance("candidate", _applied, "never", _is_owners, silences=True),
    "stack-over-idle": Disturbance("pattern", _applied, "always", _idles),
}


class Setting(NamedTuple):
    """What is so where a state is entered, as far as it matters to a disturbance.

    ``weight`` is the candidate's, ``wanted`` the tasks asked of the stable slot; ``good`` is the candidate.
    """

    machine: str
    state: str
    weight: int
    wanted: int
    good: bool | None

    @property
    def share(self) -> tuple[str, str, int]:
        """Where it is, and the candidate's weight."""
        return self.machine, self.state, self.weight


class Disturber:
    """Knows what can happen in a world at a moment, and lets it happen. ``happened`` are the names of it."""

    def __init__(self, world: World) -> None:
        self.happened: list[str] = []
        self._world = world

    def possible(self) -> tuple[str, ...]:
        """What would make a difference now."""
        services = {role: self._service(role) for role in ("stable", "candidate", "pattern")}
        return tuple(
            name
            for name, kind in DISTURBANCES.items()
            if (service := services[kind.of]) and kind.fits(self._world, service)
        )

    def setting(self, machine: str, state: str) -> Setting:
        """The setting of a state that is entered now."""
        new, service = candidate(self._world), self._service("stable")
        weight = self._world.weight(new) if new else 0
        return Setting(machine, state, weight, service.desired if service else 0, self._good())

    def happen(self, name: str) -> None:
        """Let it happen; harmless where it makes no difference any more."""
        service = self._service(DISTURBANCES[name].of)
        if service and name in self.possible():
            self.happened.append(name)
            self._world.writes.by_owner(partial(DISTURBANCES[name].does, self._world, service))

    def _service(self, role: str) -> Service | None:
        if role == "pattern":
            return self._world.ecs.services["web"]
        slot = stable(self._world) if role == "stable" else candidate(self._world)
        return self._world.ecs.services.get(self._world.spec.slot_service(slot)) if slot else None

    def _good(self) -> bool | None:
        found = _state(self._world).get("candidate")
        image = self._world.registry.images.get(found["M"]["digest"]["S"]) if found else None
        return image.behaviour == "good" if image else None


def stable(world: World) -> Slot | None:
    """The slot that the journal calls stable; before a first promotion the owner's, if anything ran there."""
    found = _state(world).get("stable")
    if found is None and world.ecs.services["web"].tasks:
        return world.origin
    return next((slot for slot in SLOTS if found == {"S": slot}), None)


def candidate(world: World) -> Slot | None:
    """The other slot, while there is a release in it that is neither promoted nor taken back."""
    live = stable(world)
    if "candidate" not in _state(world):
        return None
    slot: Slot = _state(world)["candidate"]["M"]["slot"]["S"]
    return slot if live is None or slot == other(live) else None


def _state(world: World) -> dict[str, Any]:
    return world.dynamodb.item("web", "state")
