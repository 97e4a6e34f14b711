"""The owner of a service with two ports, who has no code for it and types `aws` commands."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from tests.sandbox.executions import Executions
from tests.sandbox.shell import PROJECT

SHOP = "tests/sandbox/shop"
REPOSITORY = "team/shop"
CLUSTER, SERVICE = "team", "shop"


class Shopkeeper:
    """Makes the shop of `tests/sandbox/shop`, and changes it. ``ports`` are those of customers and staff."""

    def __init__(self, shell: Executions, folder: Path, ports: tuple[int, int]) -> None:
        self._shell, self._folder, self._ports = shell, folder, ports
        for script in (PROJECT / SHOP).glob("*.sh"):
            (folder / script.name).symlink_to(script)

    def create(self) -> None:
        """The first time: its image, and all of `create.sh`."""
        self._shell.aws("ecr", "create-repository", "--repository-name", REPOSITORY)
        self._shell.push(SHOP, "1.0.0", REPOSITORY, VERSION="1.0.0")
        customers, staff = self._ports
        self._type(f"CUSTOMERS_PORT={customers} STAFF_PORT={staff}", "source create.sh")

    def update(self, tag: str, cpu: int, *options: str) -> None:
        """Register a task definition with this image and CPU, and update the service to it.

        ``options`` are further ones of `aws ecs update-service`, such as the number of tasks.
        """
        self._type(
            "role=$(aws iam get-role --role-name shop-execution --query Role.Arn --output text)",
            f"source register.sh {tag} {cpu}",
            f"aws ecs update-service --cluster {CLUSTER} --service {SERVICE} --task-definition shop "
            f"{shlex.join(options)} > service.json",
            f"aws ecs wait services-stable --cluster {CLUSTER} --services {SERVICE}",
        )

    def tag(self, team: str) -> None:
        """Give the service a tag."""
        arn = self.service()["serviceArn"]
        self._type(f"aws ecs tag-resource --resource-arn {arn} --tags key=Team,value={team}")

    def service(self) -> dict[str, Any]:
        """The service as ECS describes it, with its tags."""
        asked = {"cluster": CLUSTER, "services": [SERVICE], "include": ["TAGS"]}
        return dict(self._shell.client("ecs").describe_services(**asked)["services"][0])

    def rules(self) -> list[dict[str, Any]]:
        """All rules of both listeners."""
        elbv2 = self._shell.client("elbv2")
        (balancer,) = elbv2.describe_load_balancers(Names=["shop"])["LoadBalancers"]
        listeners = elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        return [
            rule
            for listener in sorted(listeners, key=lambda one: self._ports.index(one["Port"]))
            for rule in elbv2.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
        ]

    def _type(self, *lines: str) -> None:
        """What is typed changes the service and its task definitions."""
        self._shell.said += [f"{CLUSTER}/{SERVICE}", "shop"]
        self._shell.bash("\n".join(lines), self._folder)
