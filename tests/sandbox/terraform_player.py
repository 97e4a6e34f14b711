"""Terraform's provider without Terraform: for one module, the calls that change something, in its order.

terraform/module.json has the calls of hashicorp/aws 5.100.0 for terraform/service.tf; terraform/calls.json is
what the real one has called. Read for this, in hashicorp/terraform-provider-aws: `resourceServiceUpdate` and
`resourceServiceDelete` in internal/service/ecs/service.go, `resourceTaskDefinitionDelete` in
internal/service/ecs/task_definition.go, `resourceListenerRuleUpdate` in
internal/service/elbv2/listener_rule.go, `resourceTargetUpdate` in internal/service/appautoscaling/target.go.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from tests.sandbox.executions import Executions
from tests.sandbox.patience import until
from tests.sandbox.terraformed import MODULE, TerraformOwner, Variables

CALLS: dict[str, list[dict[str, Any]]] = json.loads(
    MODULE.with_name("module.json").read_text(encoding="utf-8")
)
"""Of `create`, `refresh` and `destroy`. `${…}` is a variable, the id of what was made, or one of `_values`.

`at` is where an answer has the id of what was `made`. `arguments` of a refresh: where the answer has each,
and what the module says.
"""
LOGS, ROLE, FIREWALL = "aws_cloudwatch_log_group.shop", "aws_iam_role.execution", "aws_security_group.shop"
CLUSTER, SERVICE, TARGET = "aws_ecs_cluster.shop", "aws_ecs_service.shop", "aws_appautoscaling_target.shop"
GROUP, RULE = "aws_lb_target_group.shop", "aws_lb_listener_rule.shop"
DEFINITION = "aws_ecs_task_definition.shop"
IGNORABLE = {(RULE, "action"), (SERVICE, "desired_count")}
UPDATED = {"task_definition": "taskDefinition", "desired_count": "desiredCount"}
"""What an argument of the service is named in UpdateService."""
BUSY = {
    *("ResourceInUse", "DependencyViolation"),
    *("ClusterContainsTasksException", "ClusterContainsServicesException"),
}
"""The errors after which the provider tries again to delete."""


class TerraformPlayer(TerraformOwner):
    """Makes the calls by boto3; the same interface as where Terraform makes them.

    It compares what the module's variables and Crossfade can change, and waits where the provider waits.
    """

    def __init__(self, shell: Executions, folder: Path, module: str, variables: Variables) -> None:
        self.variables = variables
        self._shell, self._file = shell, folder / "main.tf"
        self._file.write_text(module, encoding="utf-8")
        self._made: dict[str, str] = {}
        self._session, self._clients = shell.session(), dict[str, Any]()

    def apply(self) -> str:
        """Create all of it, or change what differs."""
        if self._made:
            self._update(self.planned())
        else:
            self._create()
            self._made[LOGS] = "arn:aws:logs:us-east-1:000000000000:log-group:/shop"
        return ""

    def planned(self) -> dict[str, set[str]]:
        """What an apply would change now: by resource the names of its arguments."""
        text, values = self._file.read_text(encoding="utf-8"), self._values()
        differing = defaultdict[str, set[str]](set)
        for read in CALLS["refresh"]:
            address, answer = read["address"], self._call(read, values)
            for name, (path, wanted) in read["arguments"].items():
                ignored = (address, name) in IGNORABLE and f"ignore_changes = [{name}]" in text
                if not ignored and _plain(_at(answer, path)) != _plain(_filled(wanted, values)):
                    differing[address].add(name)
            if address == DEFINITION and differing[DEFINITION] - {"tags_all"}:
                differing[SERVICE].add("task_definition")  # the ARN is known after the apply
        order = [read["address"] for read in CALLS["refresh"]]
        return {address: differing[address] for address in order if differing[address]}

    def destroy(self) -> str:
        """Destroy all of it, in the opposite order."""
        values = self._values()
        for call in CALLS["destroy"]:
            until(lambda call=call: self._gone(call, values), call["operation"], every=2)
            if call["operation"] == "DeleteService":
                until(lambda: self.service()["status"] == "INACTIVE", "the service's end")
        self._made.clear()
        return ""

    def state(self) -> list[str]:
        """The addresses of what was made."""
        return sorted(self._made)

    def client(self, service: str) -> Any:
        """A client of the sandbox; what it is asked is not noted as said by a person."""
        if service not in self._clients:
            self._clients[service] = self._shell.client_of(self._session, service)
        return self._clients[service]

    def _call(self, call: dict[str, Any], values: dict[str, Any]) -> Any:
        operation = getattr(self.client(call["service"]), xform_name(call["operation"]))
        return operation(**_filled(call["asked"], values))

    def _gone(self, call: dict[str, Any], values: dict[str, Any]) -> bool:
        try:
            self._call(call, values)
        except ClientError as error:
            if error.response["Error"]["Code"] not in BUSY:
                raise
            return False
        return True

    def _values(self) -> dict[str, Any]:
        given, group = self.variables, self._made.get(GROUP)
        found = self.client("ecr").describe_repositories(repositoryNames=["team/shop"])["repositories"]
        return {
            **given,
            **self._made,
            "cpu_text": str(given["cpu"]),
            "image": f"{found[0]['repositoryUri']}:{given['image_tag']}",
            "tags": [{"Key": "Team", "Value": given["team"]}],
            "lower_tags": [{"key": "Team", "value": given["team"]}],
            "tag_map": {"Team": given["team"]},
            "condition": [{"Field": "path-pattern", "PathPatternConfig": {"Values": given["paths"]}}],
            "action": [{"Type": "forward", "Order": 1, "TargetGroupArn": group}],
        }

    def _create(self, only: str = "") -> None:
        """Make the calls that create it all, or only those of one operation."""
        for call in CALLS["create"]:
            if only in ("", call["operation"]):
                answer = self._call(call, self._values())
                if "made" in call:
                    self._made[call["made"]] = made = _at(answer, call["at"])
                    if call["operation"] == "CreateLoadBalancer":
                        self.client("elbv2").get_waiter("load_balancer_available").wait(
                            LoadBalancerArns=[made]
                        )

    def _update(self, differing: dict[str, set[str]]) -> None:
        for address, names in differing.items():
            values, changed = self._values(), names - {"tags_all"}
            if address == DEFINITION and changed:  # replaced, with its tags
                self.client("ecs").deregister_task_definition(taskDefinition=self._made[DEFINITION])
                self._create("RegisterTaskDefinition")
                continue
            if "tags_all" in names:
                self._tag(address, values)
            if changed and address == SERVICE:
                wanted = {"task_definition": self._made[DEFINITION], "desired_count": 2}
                asked = {UPDATED[name]: wanted[name] for name in changed}
                asked |= {"cluster": self._made[CLUSTER], "service": self._made[SERVICE]}
                self.client("ecs").update_service(**asked)
            elif changed and address == RULE:
                asked = {f"{name.capitalize()}s": values[name] for name in changed}
                self.client("elbv2").modify_rule(RuleArn=self._made[RULE], **asked)
            elif changed:
                self._create("RegisterScalableTarget")

    def _tag(self, address: str, values: dict[str, Any]) -> None:
        """`updateTags` in internal/service/*/tags_gen.go."""
        made, tags = self._made[address], values["tags"]
        if address == ROLE:
            self.client("iam").tag_role(RoleName="shop-execution", Tags=tags)
        elif address == FIREWALL:
            self.client("ec2").create_tags(Resources=[made], Tags=tags)
        elif address == LOGS:
            self.client("logs").tag_resource(resourceArn=made, tags=values["tag_map"])
        elif address == TARGET:
            scaling = self.client("application-autoscaling")
            scaling.tag_resource(ResourceARN=made, Tags=values["tag_map"])
        elif address in (CLUSTER, DEFINITION, SERVICE):
            self.client("ecs").tag_resource(resourceArn=made, tags=values["lower_tags"])
        else:
            self.client("elbv2").add_tags(ResourceArns=[made], Tags=tags)


def _filled(asked: Any, values: dict[str, Any]) -> Any:
    if isinstance(asked, dict):
        return {key: _filled(value, values) for key, value in asked.items()}
    if isinstance(asked, list):
        return [_filled(each, values) for each in asked]
    return values[asked[2:-1]] if isinstance(asked, str) and asked.startswith("${") else asked


def _at(answer: Any, path: list[Any]) -> Any:
    for key in path:
        answer = answer.get(key, []) if isinstance(answer, dict) else answer[key]
    return answer


def _plain(value: Any) -> Any:
    """Tags as a mapping, actions as the groups that they forward to, and lists in an order."""
    if not isinstance(value, list) or not value or isinstance(value[0], str):
        return sorted(value) if isinstance(value, list) else value
    if "Type" in value[0]:
        forward = value[-1]
        several = forward.get("ForwardConfig", {}).get("TargetGroups") or [forward]
        return [each["TargetGroupArn"] for each in several]
    return {each.get("Key") or each["key"]: each.get("Value") or each["value"] for each in value}
