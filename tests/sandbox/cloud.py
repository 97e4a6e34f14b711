"""The sandbox as its users see it: a shell to act with, and boto3 to look at what is live."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from tests.sandbox.executions import Executions
from tests.sandbox.patience import until
from tests.sandbox.shell import SERVICE

Weights = tuple[int, int]
Counts = tuple[int, int]
LAST = "50000"
"""The highest priority of a rule, which the sample's stands at."""


@dataclass(frozen=True)
class Snapshot:
    """What a deployment may change. Weights are (blue, green); None: no production rule."""

    weights: Weights | None
    desired: dict[str, int]
    releases: list[str]
    tasks: list[str]
    journal: list[str]
    holder: str | None


class Cloud(Executions):
    """AWS on this machine, with Crossfade's stack in it, which is `crossfade` unless another one is named.

    ``grown_to`` is how many tasks the live slot is wanted to have since it has grown; None before that.
    """

    grown_to: int | None = None

    def delete_stack(self, arn: str) -> None:
        """Delete a stack and wait until it is gone."""
        self.aws("cloudformation", "delete-stack", "--stack-name", arn)

        def look() -> bool:
            try:
                found = self.client("cloudformation").describe_stacks(StackName=arn)["Stacks"][0]
            except ClientError:  # by its name, a deleted stack is unknown
                return True
            assert found["StackStatus"] != "DELETE_FAILED", found.get("StackStatusReason")
            return bool(found["StackStatus"] == "DELETE_COMPLETE")

        until(look, f"the end of stack {arn}")

    def tag_app(self, tag: str, more: str) -> None:
        """Push the sample application's image of a tag under one more tag, as CI does."""
        ecr = self.client("ecr")
        (image,) = ecr.batch_get_image(repositoryName=SERVICE, imageIds=[{"imageTag": tag}])["images"]
        ecr.put_image(
            repositoryName=SERVICE,
            imageManifest=image["imageManifest"],
            imageManifestMediaType=image["imageManifestMediaType"],
            imageTag=more,
        )

    # ---- what is live ----------------------------------------------------------------------------------

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        stack = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def repository(self, output: str) -> str:
        """The name of the repository whose address is an output of the stack."""
        return self.outputs[output].partition("/")[2]

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The service's spec, as its stack or `crossfade adopt` wrote it."""
        name = f"{self.outputs['SpecsPath']}{self.service}"
        return dict(json.loads(self.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]))

    @cached_property
    def cluster(self) -> str:
        """The ARN of the cluster that pattern and slots run in."""
        before, _, rest = self.spec["like"].partition(":service/")
        return f"{before}:cluster/{rest.partition('/')[0]}"

    @cached_property
    def listener(self) -> str:
        """The ARN of the listener that clients come to; of several, the one that the probe comes to."""
        return _listener_of(self.spec["traffic"][0])

    @cached_property
    def slot_groups(self) -> dict[str, set[str]]:
        """The ARNs of the target groups that Crossfade made, by slot: one for each port of the tasks."""
        found = self.client("elbv2").describe_target_groups()["TargetGroups"]
        own = f"cf-{self.service}-"
        groups: dict[str, set[str]] = {"blue": set(), "green": set()}
        for group in found:
            if group["TargetGroupName"].startswith(own):
                groups[group["TargetGroupName"].rpartition("-")[2]].add(group["TargetGroupArn"])
        return groups

    @property
    def target_groups(self) -> dict[str, str]:
        """The same of a service with one port."""
        return {slot: group for slot, (group,) in self.slot_groups.items()}

    def rules(self) -> list[dict[str, Any] | None]:
        """The production rules in the spec's order: those of its owner, or at the highest priority.

        None for one that is not there.
        """
        return [self._rule_of(route) for route in self.spec["traffic"]]

    def rule(self) -> dict[str, Any] | None:
        """The one by which the probe asks; None when there is none."""
        return self.rules()[0]

    def weights(self) -> Weights | None:
        """The live weights of blue and green; None when there is no production rule.

        Before the first release all of it leads to the pattern, which is neither. Of several rules, those of
        the one by which the probe asks.
        """
        return self.weights_of_rules()[0]

    def weights_of_rules(self) -> tuple[Weights | None, ...]:
        """The same of each rule."""
        return tuple(self._weights_of(rule) for rule in self.rules())

    def _rule_of(self, route: dict[str, Any]) -> dict[str, Any] | None:
        rules = self.client("elbv2").describe_rules(ListenerArn=_listener_of(route))["Rules"]
        place = LAST if route.get("priority") == "last" else str(route.get("priority"))
        wanted = route.get("rule", place)
        return next((rule for rule in rules if wanted in (rule["RuleArn"], rule["Priority"])), None)

    def _weights_of(self, rule: dict[str, Any] | None) -> Weights | None:
        if rule is None:
            return None
        groups = rule["Actions"][-1]["ForwardConfig"]["TargetGroups"]
        blue, green = (
            sum(group["Weight"] for group in groups if group["TargetGroupArn"] in self.slot_groups[slot])
            for slot in ("blue", "green")
        )
        return blue, green

    def slots(self) -> dict[str, dict[str, Any]]:
        """The ECS services of the slots that have one, by slot."""
        names = {f"{self.service}-{slot}": slot for slot in ("blue", "green")}
        found = self.client("ecs").describe_services(cluster=self.cluster, services=list(names))
        return {
            names[service["serviceName"]]: service
            for service in found["services"]
            if service["status"] == "ACTIVE"
        }

    def desired(self) -> Counts:
        """How many tasks blue and green are to run."""
        slots = self.slots()
        blue, green = (slots.get(slot, {}).get("desiredCount", 0) for slot in ("blue", "green"))
        return blue, green

    def running(self) -> Counts:
        """How many tasks blue and green run."""
        slots = self.slots()
        blue, green = (slots.get(slot, {}).get("runningCount", 0) for slot in ("blue", "green"))
        return blue, green

    def image_of(self, slot: str) -> str:
        """The image that a slot's task definition names."""
        arn = self.slots()[slot]["taskDefinition"]
        found = self.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
        return str(found["containerDefinitions"][0]["image"])

    def journal(self) -> dict[str, dict[str, Any]]:
        """The journal's items of the service, by their key."""
        stored = self.client("dynamodb").scan(TableName=self.outputs["Journal"], ConsistentRead=True)["Items"]
        items = map(_plain, stored)
        return {item["item"]: item for item in items if item["service"] == self.service}

    def state(self) -> dict[str, Any]:
        """The journal's item of the service itself; empty before its first deployment."""
        return self._stored("state")

    def item(self, deployment: str) -> dict[str, Any]:
        """The journal's item of a deployment; empty when it has none."""
        return self._stored(f"deployment#{deployment}")

    def _stored(self, item: str) -> dict[str, Any]:
        key = {"service": {"S": self.service}, "item": {"S": item}}
        asked = {"TableName": self.outputs["Journal"], "Key": key, "ConsistentRead": True}
        return _plain(self.client("dynamodb").get_item(**asked).get("Item", {}))

    def holder(self) -> str | None:
        """Who holds the service; None when it is free."""
        return self.state().get("holder")

    def snapshot(self) -> Snapshot:
        """Everything that a deployment may change, to be compared."""
        ecs = self.client("ecs")
        return Snapshot(
            weights=self.weights(),
            desired={slot: service["desiredCount"] for slot, service in self.slots().items()},
            releases=ecs.list_task_definitions(familyPrefix=f"crossfade-{self.service}", status="ACTIVE")[
                "taskDefinitionArns"
            ],
            tasks=sorted(ecs.list_tasks(cluster=self.cluster)["taskArns"]),
            journal=sorted(self.journal()),
            holder=self.holder(),
        )

    # ---- evidence ---------------------------------------------------------------------------------------

    def evidence(self, deployment: str, name: str) -> bytes:
        """A document of a deployment in the evidence bucket."""
        key = f"{self.service}/{deployment}/{name}"
        answer = self.client("s3").get_object(Bucket=self.outputs["EvidenceBucket"], Key=key)
        return bytes(answer["Body"].read())

    def ledger(self, deployment: str) -> list[dict[str, Any]]:
        """The records of a deployment's ledger so far, as CloudWatch Logs has them."""
        asked = {
            "logGroupName": f"/crossfade/{self.stack}/ledger",
            "logStreamName": f"{self.service}/{deployment}",
        }
        records: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            page = self.client("logs").get_log_events(**asked, **token, startFromHead=True)
            records += [json.loads(event["message"]) for event in page["events"]]
            if page["nextForwardToken"] == token.get("nextToken"):
                return records
            token = {"nextToken": page["nextForwardToken"]}

    def certificate(self, deployment: str) -> dict[str, Any] | None:
        """A deployment's certificate; None when it has none."""
        try:
            return dict(json.loads(self.evidence(deployment, "certificate.json")))
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return None


def listener_of(rule: str) -> str:
    """The ARN of a rule's listener."""
    return rule.replace(":listener-rule/", ":listener/").rpartition("/")[0]


def _listener_of(route: dict[str, Any]) -> str:
    """That of an entry of a spec's ``traffic``."""
    return str(route.get("listener") or listener_of(route["rule"]))


def _plain(stored: dict[str, Any]) -> dict[str, Any]:
    """An item of DynamoDB without the names of its types."""
    deserialize = TypeDeserializer().deserialize
    return {key: deserialize(value) for key, value in stored.items()}
