"""The owner of a service that was not made for Crossfade, who deploys and changes a stack of their own."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.sandbox.executions import Executions
from tests.sandbox.patience import until

CDK = Path(__file__).with_name("cdk")

IMAGES: dict[str, dict[str, tuple[str, str, dict[str, str]]]] = {
    "plain": {"team/plain": ("sample_app", "1.0.0", {"VERSION": "1.0.0"})},
    "shared": {
        "team/web": ("sample_app", "prod-1.2.3", {"VERSION": "1.2.3"}),
        "team/sidecar": ("tests/sandbox/sidecar", "1.0.0", {}),
    },
}
"""By template and repository: what the image is made of, its tag, and the arguments of its build."""

SOON = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 4, "HealthyThresholdCount": 2}
LET_GO = {"Key": "deregistration_delay.timeout_seconds", "Value": "5"}

Template = dict[str, Any]


def template(name: str, ports: dict[int, int]) -> Template:
    """What the CDK made of a stack: `plain` or `shared`.

    Its listeners are on ports of this machine, `ports` by those that the CDK gave them. And what takes
    minutes on AWS takes seconds: its target groups check and let go soon, and its containers leave soon.
    """
    made: Template = json.loads((CDK / f"{name}.template.json").read_text(encoding="utf-8"))
    for resource in made["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::ElasticLoadBalancingV2::Listener":
            properties["Port"] = ports[properties["Port"]]
            for action in properties["DefaultActions"]:
                if redirect := action.get("RedirectConfig"):
                    redirect["Port"] = str(ports[int(redirect["Port"])])
        if resource["Type"] == "AWS::ElasticLoadBalancingV2::TargetGroup":
            properties |= SOON
            attributes = {one["Key"]: one for one in properties["TargetGroupAttributes"]}
            attributes[LET_GO["Key"]] = LET_GO
            properties["TargetGroupAttributes"] = list(attributes.values())
        for container in properties.get("ContainerDefinitions", []):
            leave = {"Name": "SHUTDOWN_GRACE_SECONDS", "Value": "1"}
            container["Environment"] = [*container.get("Environment", []), leave]
    return made


def properties_of(template: Template, kind: str) -> dict[str, Any]:
    """The properties of a template's only resource of a type, such as `AWS::ECS::Service`; to be changed."""
    (found,) = [one for one in template["Resources"].values() if one["Type"] == kind]
    properties: dict[str, Any] = found["Properties"]
    return properties


def push_images(shell: Executions, name: str) -> None:
    """Make the repositories that a template's images are in, and push those that it names."""
    for repository, (folder, tag, build_args) in IMAGES[name].items():
        shell.aws("ecr", "create-repository", "--repository-name", repository)
        shell.push(folder, tag, repository, **build_args)


class Owner:
    """Deploys one stack with `aws cloudformation`. Its images are there already."""

    def __init__(self, shell: Executions, stack: str, template: Template, **parameters: str) -> None:
        self.template = template
        self._shell, self._stack, self._arn = shell, stack, stack
        self._parameters = [
            f"ParameterKey={name},ParameterValue={value}" for name, value in parameters.items()
        ]

    def deploy(self) -> None:
        """Create the stack; AssertionError with CloudFormation's reasons."""
        self._arn = str(self._change("create-stack")["StackId"])
        self._end("CREATE_COMPLETE")

    def update(self, change: Callable[[Template], None]) -> None:
        """Change the template by a function that is given it, and update the stack."""
        self.template = copy.deepcopy(self.template)
        change(self.template)
        self._say_what_changes()
        self._change("update-stack")
        self._end("UPDATE_COMPLETE")

    def delete(self, ends: str = "DELETE_COMPLETE") -> list[str]:
        """Delete the stack, and see the deletion end so; returns what could not be deleted, and why."""
        self._shell.aws("cloudformation", "delete-stack", "--stack-name", self._arn)
        return self._end(ends)

    def resource(self, kind: str) -> str:
        """The physical id of the stack's only resource of a type, such as `AWS::ECS::Service`."""
        (found,) = [one["PhysicalResourceId"] for one in self.resources() if one["ResourceType"] == kind]
        return str(found)

    def resources(self) -> list[dict[str, Any]]:
        """All that the stack has made."""
        client = self._shell.client("cloudformation")
        return list(client.describe_stack_resources(StackName=self._arn)["StackResources"])

    def service(self) -> dict[str, Any]:
        """The stack's ECS service, as ECS describes it, with its tags."""
        cluster, arn = self.resource("AWS::ECS::Cluster"), self.resource("AWS::ECS::Service")
        asked = {"cluster": cluster, "services": [arn], "include": ["TAGS"]}
        return dict(self._shell.client("ecs").describe_services(**asked)["services"][0])

    def _say_what_changes(self) -> None:
        """Whose doing the update is: the names are not in the template."""
        service = self.service()
        cluster = service["clusterArn"].rpartition("/")[2]
        family = service["taskDefinition"].rpartition("/")[2].partition(":")[0]
        self._shell.said += [f"{cluster}/{service['serviceName']}", family]

    def _change(self, command: str) -> dict[str, Any]:
        return self._shell.aws(
            *("cloudformation", command, "--stack-name", self._stack),
            *("--template-body", json.dumps(self.template), "--capabilities", "CAPABILITY_IAM"),
            *(("--parameters", *self._parameters) if self._parameters else ()),
        )

    def _end(self, wanted: str) -> list[str]:
        client = self._shell.client("cloudformation")

        def look() -> str | None:
            status = client.describe_stacks(StackName=self._arn)["Stacks"][0]["StackStatus"]
            return None if status.endswith("_IN_PROGRESS") else str(status)

        ended = until(look, f"the end of what {self._stack} does")
        began = f"{wanted.partition('_')[0]}_IN_PROGRESS"
        events = client.describe_stack_events(StackName=self._arn)["StackEvents"]  # the newest first
        last = next(
            (
                number
                for number, event in enumerate(events)
                if (event["PhysicalResourceId"], event["ResourceStatus"]) == (event["StackId"], began)
            ),
            len(events),
        )
        reasons = [
            f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
            for event in events[:last]
            if event["ResourceStatus"].endswith("_FAILED")
        ]
        assert ended == wanted, reasons
        return reasons
