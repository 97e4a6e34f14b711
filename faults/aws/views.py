"""What reads of AWS answer: services are eventually consistent, so a read may be of some writes ago.

A view lags for one resource: an ECS service, the tasks that belong to none, the rules of a listener, a
scalable target, an execution, the journal's index. It shows each write of it only when that is so many
seconds old. What writes see of each other is never stale: a priority is taken and a name is used up at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from faults.aws.dynamodb import INDEX

if TYPE_CHECKING:
    from faults.world import World

BOUNDS = {
    "ecs": 60.0, "elbv2": 300.0, "application-autoscaling": 60.0, "stepfunctions": 60.0, "dynamodb": 60.0,
}  # fmt: skip
"""By service: so many seconds after a write every read shows it."""
TICK = 1e-6
"""Sums of seconds are not exact: what is a millionth of a second too young for a bound is old enough."""
HELD = ("ecs", "elbv2", "application-autoscaling")
"""Services whose writes may take effect some time after their answer."""
PROBES = "tasks of no service"


class Resource(NamedTuple):
    """What is read or written: the service's name as boto3 has it, and which resource of it."""

    service: str
    name: str


class Range(NamedTuple):
    """How many seconds a view may lag, or an effect may be late: more than ``above``, at most ``most``."""

    above: float
    most: float


class _Lag(NamedTuple):
    """How a view lags; ``since``: writes from before that moment are shown."""

    seconds: float
    since: float


class Views:
    """The states of resources before each of their last writes, and which views lag."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._before: dict[Resource, list[tuple[float, Any]]] = {}
        self._lags: dict[Resource, _Lag] = {}

    def resource(self, service: str, request: dict[str, Any]) -> Resource | None:
        """What a request reads or writes; None where every read shows the last write."""
        find = _RESOURCES.get(service)
        name = find(self._world, request) if find else None
        return Resource(service, name) if name else None

    def wrote(self, resource: Resource) -> None:
        """A write of a resource is about to be made: remember what it was."""
        now, bound = self._world.clock.now, BOUNDS[resource.service]
        if resource.service != "stepfunctions":  # executions know by themselves when they changed
            known = [entry for entry in self._before.get(resource, []) if entry[0] + bound > now]
            before = self._world.models[resource.service].snapshot()
            self._before[resource] = [*known, (now, before)]

    def model(self, resource: Resource) -> Any:
        """What answers a read of a resource now: the model, or one of how it was."""
        lag = self._lags.get(resource)
        if lag:
            hidden = self._hidden(resource, lag)
            if hidden:
                return self._before_moment(resource, hidden[0])
            del self._lags[resource]
        return self._world.models[resource.service]

    def stale(self, resource: Resource, read: Any) -> Range | None:
        """How far the view of a read may lag so that its answer differs; None where it would not.

        ``read`` gives the answer of a model.
        """
        now, bound = self._world.clock.now, BOUNDS[resource.service]
        answer = read(self._world.models[resource.service])
        for moment in reversed(self._moments(resource)):
            if moment + bound <= now or moment > now:
                return None
            if read(self._before_moment(resource, moment)) != answer:
                return Range(now - moment, bound)
        return None

    def lag(self, resource: Resource, seconds: float) -> None:
        """From now on a view lags, until it has caught up."""
        self._lags[resource] = _Lag(seconds, float("-inf"))

    def delay(self, resource: Resource, seconds: float) -> None:
        """The write that is about to be made takes effect, and is shown, only in so many seconds."""
        self._lags[resource] = _Lag(seconds, self._world.clock.now)
        self._world.models[resource.service].hold(resource.name, self._world.clock.now + seconds)

    def rest(self) -> None:
        """Nothing lags any more; what was written is remembered."""
        self._lags = {}

    def _hidden(self, resource: Resource, lag: _Lag) -> list[float]:
        shown = self._world.clock.now - lag.seconds + TICK
        return [moment for moment in self._moments(resource) if moment > shown and moment >= lag.since]

    def _moments(self, resource: Resource) -> list[float]:
        if resource.service == "stepfunctions":
            return list(self._world.models[resource.service].changes(resource.name))
        return [moment for moment, _ in self._before.get(resource, [])]

    def _before_moment(self, resource: Resource, written: float) -> Any:
        if resource.service == "stepfunctions":
            return self._world.models[resource.service].before(written)
        return next(before for moment, before in self._before[resource] if moment == written)


def _ecs(world: World, request: dict[str, Any]) -> str | None:
    if "services" in request:
        (name,) = request["services"]
        return str(name)
    if found := request.get("service") or request.get("serviceName"):
        return str(found)
    if "tasks" in request:
        return world.ecs.owner(request["tasks"]) or PROBES
    if "startedBy" in request:
        return world.ecs.rolled_out(request["startedBy"]) or PROBES
    return PROBES if "task" in request else None


def _rules(world: World, request: dict[str, Any]) -> str | None:
    return world.balancer.view(request)


def _target(_: World, request: dict[str, Any]) -> str | None:
    if "ResourceIds" in request:
        (name,) = request["ResourceIds"]
        return str(name)
    if "ResourceARN" in request:
        return str(request["ResourceARN"]).rpartition("scalable-target/")[2]
    return str(request["ResourceId"])


def _execution(_: World, request: dict[str, Any]) -> str | None:
    found = request.get("executionArn")
    return str(found) if found and "includeExecutionData" not in request else None


def _index(world: World, request: dict[str, Any]) -> str | None:
    if "IndexName" in request:
        return str(request["IndexName"])
    reads = "ConsistentRead" in request
    return INDEX if not reads and world.dynamodb.changes_index(request) else None


_RESOURCES = {
    "dynamodb": _index,
    "ecs": _ecs,
    "elbv2": _rules,
    "application-autoscaling": _target,
    "stepfunctions": _execution,
}
