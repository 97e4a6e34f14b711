"""A cluster in the running sandbox that tests run tasks in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.sandbox_parts.containers.conftest import Sandbox, until

REGISTRY = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
TRUST = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
READ = {
    "Effect": "Allow",
    "Action": "ssm:GetParameter",
    "Resource": "arn:aws:ssm:us-east-1:000000000000:parameter/crossfade/*",
}


def policy(statement: dict[str, Any]) -> str:
    """A policy document of one statement."""
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass
class Cluster:
    """A cluster with one repository and a log group, all named `tasks`."""

    sandbox: Sandbox

    def __post_init__(self) -> None:
        self.ecs = self.sandbox.client("ecs")
        self.logs = self.sandbox.client("logs")

    def prepare(self) -> None:
        """Make what the tasks need."""
        self.ecs.create_cluster(clusterName="tasks")
        self.sandbox.client("ecr").create_repository(repositoryName="tasks")
        self.logs.create_log_group(logGroupName="tasks")
        iam = self.sandbox.client("iam")
        iam.create_role(RoleName="reader", AssumeRolePolicyDocument=policy(TRUST))
        iam.put_role_policy(RoleName="reader", PolicyName="read", PolicyDocument=policy(READ))
        other = TRUST | {"Principal": {"Service": "lambda.amazonaws.com"}}
        iam.create_role(RoleName="stranger", AssumeRolePolicyDocument=policy(other))

    def run(self, image: str, role: str | None = "reader", **container: Any) -> str:
        """Register a task definition of `image` and run it; returns the task's ARN."""
        log = {"awslogs-group": "tasks", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t"}
        definition = self.ecs.register_task_definition(
            family="tasks",
            networkMode="awsvpc",
            **({"taskRoleArn": f"arn:aws:iam::000000000000:role/{role}"} if role else {}),
            containerDefinitions=[
                {
                    "name": "app",
                    "image": f"{REGISTRY}/{image}",
                    "logConfiguration": {"logDriver": "awslogs", "options": log},
                    **container,
                }
            ],
        )["taskDefinition"]["taskDefinitionArn"]
        return str(self.ecs.run_task(cluster="tasks", taskDefinition=definition)["tasks"][0]["taskArn"])

    def task(self, arn: str) -> dict[str, Any]:
        """DescribeTasks of one task."""
        return dict(self.ecs.describe_tasks(cluster="tasks", tasks=[arn])["tasks"][0])

    def stopped(self, arn: str) -> dict[str, Any]:
        """The task, once it is STOPPED."""
        return dict(until(lambda: (task := self.task(arn))["lastStatus"] == "STOPPED" and task))

    def lines(self, arn: str) -> list[str]:
        """The task's log so far."""
        stream = f"t/app/{arn.rsplit('/', 1)[-1]}"
        try:
            answer = self.logs.get_log_events(logGroupName="tasks", logStreamName=stream, startFromHead=True)
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in answer["events"]]

    def line(self, arn: str, beginning: str) -> str:
        """The first line of the log that begins so."""
        return str(until(lambda: next((x for x in self.lines(arn) if x.startswith(beginning)), None)))

    def address(self, arn: str) -> str | None:
        """The task's address, once it runs."""
        found = self.task(arn)
        details = {d["name"]: d["value"] for a in found["attachments"] for d in a["details"]}
        return details.get("privateIPv4Address") if found["lastStatus"] == "RUNNING" else None
