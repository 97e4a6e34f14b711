"""What the workflow writes, call by call, and what of that the law on harm does not allow.

Each call is looked at when it is made, whether or not AWS takes it: what it sets, and what it concerns. The
account is compared before and after each, so that a change is laid to whoever has made it, and once more from
the beginning to the end of a case: whatever differs then must be the workflow's by law, or its owner's doing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from faults.aws.account import held, managed, names, task_resource
from faults.cases.disturbances import candidate
from faults.law import COMES, GOES, PAGE, Attributes, Change, Law, Resource, calls, changes, settings, unnamed

if TYPE_CHECKING:
    from faults.world import World

Request = Mapping[str, Any]
STORES = {"dynamodb", "s3", "stepfunctions"}
"""Services of which a write changes what it names, as a whole, and nothing else."""


class Writes:
    """The writes of a world's handlers. ``breaches``: what the law does not allow, in sentences."""

    def __init__(self, world: World) -> None:
        self.breaches: list[str] = []
        self._world, self._law = world, Law(**names(world))
        self._made: set[Resource] = set()
        self._of_owner: set[Change] = set()
        self._before: dict[Resource, Attributes] = {}

    def begin(self) -> None:
        """A case begins: what there is now is what its end is compared with."""
        self._before, self._of_owner = dict(held(self._world)), set()

    def asked(self, service: str, operation: str, request: Request) -> None:
        """A handler asks for a write."""
        for call, given in calls(service, operation, request):
            self.breaches += unnamed(call, given)
            resource = self._concerned(call, given)
            if resource and not self._law.covers(resource):
                self._broken(call, f"concerns {resource.kind} {resource.name}")
            elif resource and service in STORES:
                self._made.add(resource)
            for what in _BOUNDS.get(call, _unbound)(self._world, given):
                self._broken(call, what)

    def done(self, service: str, operation: str, make: Callable[[], Any]) -> Any:
        """Let a handler's write have its effect, and see what that is."""
        if service in STORES:
            return make()
        before = managed(self._world)
        try:
            return make()
        finally:
            for change in changes(before, managed(self._world)):
                if not self._law.allows(change, made=change.resource in self._made):
                    self._broken(f"{service} {operation}", f"changes {change}")
                self._note(change)

    def by_owner(self, happening: Callable[..., object], *given: Any) -> None:
        """Somebody else changes something: whatever it is, it is not Crossfade's doing."""
        before = held(self._world)
        happening(*given)
        after = held(self._world)
        for change in changes(before, after):
            if change.what == COMES:
                self._before[change.resource] = after[change.resource]
            elif change.what == GOES:
                self._before.pop(change.resource, None)
            else:
                self._of_owner.add(change)
            if change.what in (COMES, GOES):
                self._made.discard(change.resource)

    def unlawful(self) -> list[str]:
        """Every breach so far, and what differs from the beginning without anybody's right or doing."""
        left = [
            f"{change} since the beginning"
            for change in changes(self._before, held(self._world))
            if change not in self._of_owner
            and not self._law.allows(change, made=change.resource in self._made or change.what == GOES)
        ]
        return [*dict.fromkeys(self.breaches), *left]

    def _note(self, change: Change) -> None:
        if change.what == COMES:
            self._made.add(change.resource)
        elif change.what == GOES:
            self._made.discard(change.resource)

    def _broken(self, call: str, what: str) -> None:
        self.breaches.append(f"{call} {what}, to which {PAGE} gives no right")

    def _concerned(self, call: str, request: Request) -> Resource | None:
        """What a write is about; None where it is not there, or the page does not know the call."""
        name = _NAMED[call](self._world, request) if call in _NAMED else None
        if name is None or isinstance(name, Resource):
            return name
        return Resource(settings()[call][0], name)


def _unbound(_: World, __: Request) -> Iterator[str]:
    yield from ()


def _foreign_groups(world: World, request: Request) -> Iterator[str]:
    """In the production rule stand the service's groups, and no other ones."""
    own = {group for _, port in world.own.ports for group in (port.blue, port.green, port.pattern)}
    for action in request.get("Actions", ()):
        for group in action.get("ForwardConfig", {}).get("TargetGroups", ()):
            if group["TargetGroupArn"] not in own:
                yield f"forwards to {group['TargetGroupArn']}"


def _of_the_owner(world: World, request: Request) -> Iterator[str]:
    """What is written of the owner's service, and when."""
    pattern = world.own.like.rpartition("/")[2]
    if request["service"] != pattern:
        return
    if odd := request.keys() - {"cluster", "service", "taskDefinition", "desiredCount", "forceNewDeployment"}:
        yield f"sets {', '.join(sorted(odd))} of the owner's service"
    if "taskDefinition" in request and candidate(world) != world.origin:
        yield "launches something in the owner's service, which is not handed back"
    if world.origin is None and request["desiredCount"]:
        yield "starts tasks of the owner's service, which takes no slot's place"


_BOUNDS: dict[str, Callable[[World, Request], Iterator[str]]] = {
    "elasticloadbalancing:ModifyRule": _foreign_groups,
    "ecs:UpdateService": _of_the_owner,
}
"""What the page says in words of what a call sets."""


def _rule(world: World, request: Request) -> str | None:
    for listener, rule in world.balancer.listed():
        if rule["RuleArn"] == request["RuleArn"]:
            return f"{listener} {rule['Priority']}"
    return None


def _service(_: World, request: Request) -> str:
    cluster = request["cluster"].rpartition("/")[2]
    return f"{cluster}/{request.get('service') or request['serviceName']}"


def _task(world: World, request: Request) -> Resource | None:
    tasks = [task for task, _ in world.ecs.probes]
    tasks += [task for service in world.ecs.services.values() for task in service.tasks]
    return next((task_resource(task) for task in tasks if task.arn == request["task"]), None)


def _last(key: str, mark: str) -> Callable[[World, Request], str]:
    return lambda _, request: request[key].rpartition(mark)[2]


def _item(_: World, request: Request) -> str:
    key = request.get("Key") or request["Item"]
    return f"{key['service']['S']}/{key['item']['S']}"


_NAMED: dict[str, Callable[[World, Request], Resource | str | None]] = {
    "elasticloadbalancing:CreateRule": lambda _, request: f"{request['ListenerArn']} {request['Priority']}",
    "elasticloadbalancing:ModifyRule": _rule,
    "elasticloadbalancing:DeleteRule": _rule,
    "ecs:CreateService": _service,
    "ecs:UpdateService": _service,
    "ecs:DeleteService": _service,
    "ecs:TagResource": _last("resourceArn", ":service/"),
    "ecs:RegisterTaskDefinition": lambda _, request: f"{request['family']}:",
    "ecs:DeregisterTaskDefinition": _last("taskDefinition", "/"),
    "ecs:RunTask": lambda _, request: f"{request['taskDefinition'].rpartition('/')[2].partition(':')[0]}/",
    "ecs:StopTask": _task,
    "application-autoscaling:RegisterScalableTarget": lambda _, request: request["ResourceId"],
    "application-autoscaling:TagResource": _last("ResourceARN", "scalable-target/"),
    "states:StartExecution": lambda _, request: f"{request['stateMachineArn'].rpartition(':')[2]}:",
    "states:StopExecution": _last("executionArn", ":execution:"),
    "dynamodb:PutItem": _item,
    "dynamodb:UpdateItem": _item,
    "dynamodb:DeleteItem": _item,
    **{
        f"s3:{name}": lambda _, request: request["Key"]
        for name in (
            "PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload",
            "AbortMultipartUpload",
        )
    },
}  # fmt: skip
"""How the resource that a write concerns is found."""
