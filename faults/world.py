"""The simulated AWS: a clock, the stack's state machines and functions, and a service set up by its stack."""

from __future__ import annotations

import json
import pickle
from random import Random
from typing import Any

from crossfade.domain.slots import SLOTS, Slot
from crossfade.domain.spec.names import preview_secret, target_group_name
from crossfade.domain.spec.placed import Placed
from faults.aws import pattern
from faults.aws.account import settle
from faults.aws.autoscaling import Scaling
from faults.aws.balancer import Balancer, Target, share
from faults.aws.cloudwatch import CloudWatch
from faults.aws.dynamodb import DynamoDb
from faults.aws.ecs import Ecs
from faults.aws.events import EventBus
from faults.aws.images import Image, Registry
from faults.aws.logs import Logs
from faults.aws.machines import Machines
from faults.aws.names import ACCOUNT, GROUP
from faults.aws.stack import environment, resolve
from faults.aws.states import States
from faults.aws.stores import Buckets, Parameters
from faults.aws.tasks import Service
from faults.aws.users import Users
from faults.aws.views import Views
from faults.cases.disturbances import Disturber
from faults.cases.fault import Faults
from faults.cases.service import found_at
from faults.cases.watcher import Watcher
from faults.cases.writes import Writes
from faults.client import Client, Made
from faults.files import resources
from faults.workflow.clock import Clock
from faults.workflow.execution import Execution

SECRET = "0f" * 16
"""That of the preview rules."""
SETTLING_SECONDS = 120.0
"""After the last execution: until ECS has stopped what it was told to stop."""
ORIGIN: Slot = "green"
"""The slot whose place the owner's service takes until a deployment has claimed the service."""


class World:
    """One AWS account in virtual time, in which a service is prepared for Crossfade.

    ``document`` is the service's spec, ``runs`` what its owner's own ECS service runs and gets all traffic
    with; None: that stands at 0 tasks.
    """

    def __init__(self, document: dict[str, Any], runs: Image | None = None) -> None:
        path = environment()["SPECS_PATH"]
        self.document = document
        self._placed = {origin: _placed(path, document, origin) for origin in (None, *SLOTS)}
        self.own = self._placed[None]
        """The spec with both slots' own services and target groups."""
        self.strict = False
        """Whether answers are checked against botocore's models as well."""
        self.clock, self.random = Clock(), Random(0)
        self.weather = Random(0)
        """Draws how long AWS takes for what takes it some time, and no fault is to blame."""
        self.views = Views(self)
        self.listing_seconds = (0.1, 2.0)
        """How far what is told of executions lags behind them."""
        self.refused = False
        """Whether nobody listens where the probe asks for production."""
        self.faults, self.disturber = Faults(self.clock), Disturber(self)
        self.calls: list[Made] = []
        self.watcher = Watcher(self)
        self.balancer = Balancer(self)
        self.users = Users(self)
        self.registry, self.logs, self.scaling = Registry(self.clock), Logs(self.users), Scaling(self)
        self.cloudwatch = CloudWatch(self)
        self.parameters, self.buckets = Parameters(), Buckets()
        self.ecs = Ecs(self, self.own.cluster)
        self.dynamodb = DynamoDb(environment()["JOURNAL_TABLE"], ("service", "item"))
        self.machines = Machines(self)
        self.bus = EventBus(self.clock, self.machines.start)
        self.spec_name = f"{path}{self.own.service}"
        self.parameters.values[self.spec_name] = json.dumps(document)
        passable = resources("AWS::SSM::Parameter")["PassableRoles"]
        self.parameters.values[environment()["TASK_ROLES"]] = resolve(passable["Value"])
        self.parameters.encrypt(preview_secret(path, self.own.service), SECRET)
        self.ecs.register_task_definition(
            family="crossfade-probe",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            executionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/crossfade/probe",
            containerDefinitions=[{"name": "probe", "image": "probe"}],
        )
        self.pattern_started = False
        """Whether the owner's stack has started tasks in its service while others have the traffic."""
        self.declared_count = 0
        """How many tasks the owner's stack says that its service has."""
        settle(self)
        pattern.prepare(self, SECRET)
        self.writes = Writes(self)
        pattern.declare(self, runs)

    @property
    def origin(self) -> Slot | None:
        """The slot whose place the owner's service takes, by the journal; as yet, or since the last claim."""
        state = self.dynamodb.item(self.own.service, "state")
        return state["origin"]["S"] if "origin" in state else None if state else ORIGIN

    @property
    def spec(self) -> Placed:
        """The spec with the services and target groups that the slots have now."""
        return self._placed[self.origin]

    @property
    def models(self) -> dict[str, Any]:
        """What answers the requests of each service."""
        return {
            "application-autoscaling": self.scaling,
            "cloudwatch": self.cloudwatch,
            "dynamodb": self.dynamodb,
            "ecr": self.registry,
            "ecs": self.ecs,
            "elbv2": self.balancer,
            "logs": self.logs,
            "s3": self.buckets,
            "ssm": self.parameters,
            "stepfunctions": States(self),
        }

    def client(self, service: str, **_: Any) -> Client:
        """What ``boto3.client`` gives."""
        return Client(self, service)

    def push(self, image: Image, tag: str | None = None) -> None:
        """An image is pushed, under its tag or another one, and ECR tells of it."""
        self.registry.push(image, tag)
        detail = {
            "action-type": "PUSH", "result": "SUCCESS", "repository-name": "web",
            "image-digest": image.digest, "image-tag": tag or image.tag,
        }  # fmt: skip
        self.bus.put("aws.ecr", "ECR Image Action", detail)

    def run(self) -> None:
        """Go on until every execution has ended and every handler as well, and what they did has settled."""
        self.clock.run()
        self.clock.run_for(SETTLING_SECONDS)

    def weight(self, slot: Slot) -> int:
        """The weight of a slot in the production rule in which it has most, in percent."""
        return max(weights[slot] for weights in self.weights())

    def weights(self) -> list[dict[Slot, int]]:
        """The weights of the slots in each production rule, in percent."""
        return [
            {slot: share(entry.weights.last, route.target_groups.of(slot)) for slot in SLOTS}
            for entry, route in zip(self.balancer.entries, self.spec.routes, strict=True)
        ]

    def has_weight(self, service: Service) -> bool:
        """Whether a production rule leads to an ECS service."""
        return any(
            entry.weights.last.get(group) for entry in self.balancer.entries for group in service.groups
        )

    def live(self) -> dict[Slot, tuple[str, ...]]:
        """The tags that run healthy in each slot, one for each target that is so at each port."""
        return {slot: tuple(target.image.tag for target in self.healthy(slot)) for slot in SLOTS}

    def healthy(self, slot: Slot, moment: float | None = None) -> tuple[Target, ...]:
        """The targets of a slot that are healthy at each port; now, if no moment is given."""
        histories = [self.balancer.healthy[group] for group in self.spec.slot_groups(slot)]
        first, *others = [one.last if moment is None else one.at(moment) for one in histories]
        return tuple(target for target in first if all(target in other for other in others))

    def executions(self, machine: str) -> list[Execution]:
        """The executions of a machine, in the order of their start."""
        return [execution for execution in self.machines.executions if execution.machine == machine]

    def frozen(self) -> bytes:
        """The world as it stands when nothing is under way; ``thaw`` makes as many such worlds of it."""
        self.calls, self.logs.writers, self.faults = [], [], Faults(self.clock)
        self.views.rest()
        return pickle.dumps(self)


def _placed(path: str, document: dict[str, Any], origin: Slot | None) -> Placed:
    ports = pattern.ports(document)
    names = [f"{one['containerName']}:{one['containerPort']}" if len(ports) > 1 else "" for one in ports]
    groups: list[dict[str, str]] = []
    for n, (port, name) in enumerate(zip(ports, names, strict=True)):
        own = {
            slot: f"{GROUP}/{target_group_name(path, document['service'], slot, name)}/{4 * n + place}"
            for place, slot in enumerate(SLOTS, start=1)
        }
        theirs = str(port["targetGroupArn"])
        groups.append({slot: theirs if slot == origin else own[slot] for slot in SLOTS} | {"pattern": theirs})
    numbers = [int(port["containerPort"]) for port in ports]
    return Placed.model_validate({**document, **found_at(numbers, groups, origin)})


def thaw(frozen: bytes) -> World:
    """A world of its own, as it stood when it was frozen."""
    world: World = pickle.loads(frozen)
    return world
