"""The simulated AWS: a clock, the stack's state machines and functions, and a service set up by its stack."""

from __future__ import annotations

import pickle
from random import Random
from typing import Any

from crossfade.domain.slots import SLOTS, Slot
from crossfade.domain.spec.service import ServiceSpec
from faults.aws.account import settle
from faults.aws.autoscaling import Scaling
from faults.aws.balancer import Balancer
from faults.aws.cloudwatch import CloudWatch
from faults.aws.dynamodb import DynamoDb
from faults.aws.ecs import Ecs
from faults.aws.events import EventBus
from faults.aws.images import Image, Registry
from faults.aws.logs import Logs
from faults.aws.machines import Machines
from faults.aws.names import ACCOUNT, REGION
from faults.aws.stack import environment
from faults.aws.states import States
from faults.aws.stores import Buckets, Parameters
from faults.aws.users import Users
from faults.aws.views import Views
from faults.cases.disturbances import Disturber
from faults.cases.fault import Faults
from faults.cases.watcher import Watcher
from faults.cases.writes import Writes
from faults.client import Client, Made
from faults.workflow.clock import Clock
from faults.workflow.execution import Execution

SETTLING_SECONDS = 120.0
"""After the last execution: until ECS has stopped what it was told to stop."""
LOGS = {
    "logDriver": "awslogs",
    "options": {"awslogs-group": "/crossfade/web", "awslogs-region": REGION, "awslogs-stream-prefix": "web"},
}
"""Where the service's tasks log."""


class World:
    """One AWS account in virtual time."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.spec = ServiceSpec.model_validate(document)
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
        groups = self.spec.target_groups
        self.balancer = Balancer(
            self, self.spec.listener, self.spec.rule_priority, (groups.blue, groups.green)
        )
        self.users = Users(self)
        self.registry, self.logs, self.scaling = Registry(self.clock), Logs(self.users), Scaling(self)
        self.cloudwatch = CloudWatch(self)
        self.parameters, self.buckets = Parameters(), Buckets()
        self.ecs = Ecs(self, self.spec.cluster)
        self.dynamodb = DynamoDb(environment()["JOURNAL_TABLE"], ("service", "item"))
        self.machines = Machines(self)
        self.bus = EventBus(self.clock, self.machines.start)
        self.spec_name = f"{environment()['SPECS_PATH']}{self.spec.service}"
        self.parameters.values[self.spec_name] = self.spec.model_dump_json()
        settle(self)
        self.writes = Writes(self)
        self._register("crossfade-probe", {"name": "probe", "image": "probe"})
        app = {
            "name": self.spec.container,
            "image": "web-blueprint",
            "portMappings": [{"containerPort": self.spec.port}],
            "logConfiguration": LOGS,
        }
        self._register("web-blueprint", app)

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
        """The weight of a slot in the production rule."""
        return self.balancer.weights.last.get(self.spec.target_groups.of(slot), 0)

    def live(self) -> dict[Slot, tuple[str, ...]]:
        """The tags that run healthy in each slot, one for each target."""
        groups = self.spec.target_groups
        return {
            slot: tuple(target.image.tag for target in self.balancer.healthy[groups.of(slot)].last)
            for slot in SLOTS
        }

    def executions(self, machine: str) -> list[Execution]:
        """The executions of a machine, in the order of their start."""
        return [execution for execution in self.machines.executions if execution.machine == machine]

    def frozen(self) -> bytes:
        """The world as it stands when nothing is under way; ``thaw`` makes as many such worlds of it."""
        self.calls, self.logs.writers, self.faults = [], [], Faults(self.clock)
        self.views.rest()
        return pickle.dumps(self)

    def _register(self, family: str, container: dict[str, Any]) -> None:
        self.ecs.register_task_definition(
            family=family,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            executionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/crossfade/tasks/web",
            containerDefinitions=[container],
            tags=[{"key": "CostCenter", "value": "7"}],
        )


def thaw(frozen: bytes) -> World:
    """A world of its own, as it stood when it was frozen."""
    world: World = pickle.loads(frozen)
    return world
