"""MiniStack checks some calls against another resource than AWS does; here they meet AWS's own.

The resource of each action is that of AWS's Service Authorization Reference (cfn-lint carries it as data:
``cfnlint/data/AdditionalSpecs/Policies.json``). Only actions that Crossfade uses, and those like them, are
listed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region

from sandbox.autoscaling import scalable_targets
from sandbox.patching import replaces

ANYTHING = "*"


@replaces(iam_actions, "extract_resource_arn", version="1.5.33")
def resource_on_aws(
    emulator: Callable[..., str],
    service: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
    region: str,
    account_id: str,
) -> str:
    """The ARN of what a call is checked against; the emulator's own where it is AWS's too."""
    resolve = _RESOLVERS.get(service)
    found = resolve(headers, body, query_params) if resolve else None
    if found is None:
        return emulator(service, method, path, headers, body, query_params, region, account_id)
    if found == ANYTHING or found.startswith("arn:"):
        return found
    return f"arn:aws:{service}:{region}:{account_id}:{found}"


def _call(headers: dict[str, str], body: bytes) -> tuple[str, dict[str, Any]]:
    """The action and the parameters of a JSON call."""
    action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
    try:
        data = json.loads(body or b"{}")
    except ValueError:
        return action, {}
    return action, data if isinstance(data, dict) else {}


def _application_autoscaling(headers: dict[str, str], body: bytes, _query: dict[str, Any]) -> str | None:
    action, data = _call(headers, body)
    if "ResourceARN" in data:
        return str(data["ResourceARN"])
    return ANYTHING if action.startswith("Describe") else scalable_targets.arn_of(data)


def _monitoring(headers: dict[str, str], body: bytes, _query: dict[str, Any]) -> str | None:
    """Of alarms, and of several the first: the emulator knows a call that names a single one."""
    _, data = _call(headers, body)
    if "ResourceARN" in data:
        return str(data["ResourceARN"])
    names = data.get("AlarmNames")
    return f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:{names[0]}" if names else None


def _ecr(headers: dict[str, str], body: bytes, _query: dict[str, Any]) -> str | None:
    action, data = _call(headers, body)
    if action == "DescribeRepositories":
        return f"repository/{(data.get('repositoryNames') or ['*'])[0]}"
    return None


def _ecs(headers: dict[str, str], body: bytes, _query: dict[str, Any]) -> str | None:
    action, data = _call(headers, body)
    cluster = str(data.get("cluster", "default")).rsplit("/", 1)[-1]
    if action in {"CreateService", "UpdateService", "DeleteService", "DescribeServices"} | {
        "ListServiceDeployments"
    }:
        names = data.get("services") or [data.get("serviceName") or data.get("service", "")]
        return f"service/{cluster}/{str(names[0]).rsplit('/', 1)[-1]}"
    if action in {"DescribeTasks", "StopTask"}:
        tasks = data.get("tasks") or [data.get("task", "")]
        return f"task/{cluster}/{str(tasks[0]).rsplit('/', 1)[-1]}"
    if action in {"TagResource", "UntagResource", "ListTagsForResource"}:
        return str(data.get("resourceArn", ""))
    if action in {"DescribeServiceRevisions", "DescribeServiceDeployments"}:
        kind = action.removeprefix("Describe")
        arns = data.get(f"{kind[0].lower()}{kind[1:-1]}Arns") or [""]
        return str(arns[0])
    if action == "DescribeClusters":
        clusters = data.get("clusters") or ["default"]
        return f"cluster/{str(clusters[0]).rsplit('/', 1)[-1]}"
    if action == "ListTasks":
        return f"container-instance/{cluster}/*"
    if action == "RunTask":
        task_definition = str(data.get("taskDefinition", ""))
        return task_definition if task_definition.startswith("arn:") else f"task-definition/{task_definition}"
    if action == "RegisterTaskDefinition":
        return f"task-definition/{data.get('family', '')}:*"
    if action in _ECS_ANYTHING:
        return ANYTHING
    return None


_ECS_ANYTHING = {
    "DeregisterTaskDefinition",
    "DescribeTaskDefinition",
    "ListClusters",
    "ListServices",
    "ListTaskDefinitionFamilies",
    "ListTaskDefinitions",
}
"""What cannot be allowed for less than everything."""


def _elb(_headers: dict[str, str], body: bytes, query: dict[str, Any]) -> str | None:
    action = iam_actions._param(body, query, "Action")
    if action.startswith("Describe"):
        return ANYTHING
    name = iam_actions._param(body, query, "Name")
    if action == "CreateTargetGroup":  # its last part is not known before it is there
        return f"targetgroup/{name}/*"
    if action == "CreateLoadBalancer":
        return f"loadbalancer/app/{name}/*"
    return iam_actions._param(body, query, *_ELB_ARNS) or None


_ELB_ARNS = (
    "RuleArn",
    "ListenerArn",
    "TargetGroupArn",
    "LoadBalancerArn",
    "ResourceArns.member.1",
    "RulePriorities.member.1.RuleArn",
)
"""Where a call names what it is checked against; the first that it has. A rule is made on its listener."""


def _logs(headers: dict[str, str], body: bytes, _query: dict[str, Any]) -> str | None:
    action, data = _call(headers, body)
    if action in {"GetLogEvents", "PutLogEvents"}:
        return f"log-group:{data.get('logGroupName', '')}:log-stream:{data.get('logStreamName', '')}"
    if action in {"DescribeLogGroups", "DescribeLogStreams", "FilterLogEvents"}:
        group = str(data.get("logGroupName") or data.get("logGroupIdentifier") or "")
        return f"log-group:{group.split(':log-group:')[-1].removesuffix(':*')}:log-stream:"
    if action == "CreateLogStream":
        return f"log-group:{data.get('logGroupName', '')}:"
    return None


def _ssm(headers: dict[str, str], body: bytes, _query: dict[str, Any]) -> str | None:
    action, data = _call(headers, body)
    if action == "GetParametersByPath":
        return f"parameter/{str(data.get('Path', '')).strip('/')}/"
    return None


_RESOLVERS: dict[str, Callable[[dict[str, str], bytes, dict[str, Any]], str | None]] = {
    "application-autoscaling": _application_autoscaling,
    "ecr": _ecr,
    "ecs": _ecs,
    "elasticloadbalancing": _elb,
    "logs": _logs,
    "monitoring": _monitoring,
    "ssm": _ssm,
}
