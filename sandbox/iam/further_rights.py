"""Rights that AWS asks for beside that to make the call: to tag what it makes, and on all that it names.

MiniStack checks one action on one resource for a call to ECS or to ELB. What is made with tags needs the
right to tag as well, in which the key ``…:CreateAction`` tells what makes it: "ELB API permissions to tag
resources during creation" in ELB's user guide, "Tag resources during creation" in that of ECS.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

from ministack import app
from ministack.core import iam_actions, iam_evaluator, router
from ministack.core.responses import get_account_id, get_region, new_uuid

from sandbox.patching import changes

Response = tuple[int, dict[str, str], bytes]
Handler = Callable[[str, str, dict[str, str], bytes, dict[str, Any]], Awaitable[Response]]
Right = tuple[str, str]
"""An action and the resource that it is needed on."""

ELB, ECS = "elasticloadbalancing", "ecs"


@changes(app, "SERVICE_HANDLERS", version="1.5.33")
def ask_for_further_rights(emulator: dict[str, Handler]) -> dict[str, Handler]:
    """After MiniStack's own check of a call, before anything is done."""
    for service, rights in ((ELB, _of_elb), (ECS, _of_ecs)):
        emulator[service] = _asking(service, rights, emulator[service])
    return emulator


def _asking(
    service: str, rights: Callable[[str, dict[str, Any]], Iterator[Right]], handler: Handler
) -> Handler:
    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Response:
        if app.AUTH:
            action, data = _call(service, headers, body, query)
            key = router.extract_access_key_id(headers, query)
            params = data if service == ELB else {}
            tags = iam_actions.request_tag_context(service, f"{service}:{action}", body, params)
            for needed, resource in rights(action, data):
                made = {} if needed == action else {f"{service}:CreateAction": action}
                if refusal := _refusal(service, needed, resource, key, headers, tags | made):
                    return refusal
        return await handler(method, path, headers, body, query)

    return handle


def _call(
    service: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The action and the parameters of a call: ECS speaks JSON, ELB the Query protocol."""
    if service == ELB:
        params = {**query, **parse_qs(body.decode("utf-8", errors="replace"))}
        return iam_actions._query_param(params, "Action"), params
    data = json.loads(body or b"{}")
    return headers.get("x-amz-target", "").rsplit(".", 1)[-1], data if isinstance(data, dict) else {}


def _refusal(
    service: str, action: str, resource: str, key: str, headers: dict[str, str], context: dict[str, Any]
) -> Response | None:
    action, region = f"{service}:{action}", get_region()
    if not resource.startswith("arn:"):
        resource = f"arn:aws:{service}:{region}:{get_account_id()}:{resource}"
    denied = iam_evaluator.enforce(
        key, action, service, region, resource_arn=resource, service_context=context
    )
    if not isinstance(denied, iam_evaluator.EvalResult):
        return None
    refusal: Response = iam_actions.access_denied_response(
        service,
        action,
        denied.principal_arn,
        new_uuid(),
        headers=headers,
        resource_arn=resource,
        explicit_deny=denied.decision == "Deny",
    )
    return refusal


def _of_elb(action: str, params: dict[str, Any]) -> Iterator[Right]:
    for name in ("ResourceArns.member.{}", "RulePriorities.member.{}.RuleArn"):  # the first one was checked
        number = 2
        while arn := iam_actions._query_param(params, name.format(number)):
            yield action, arn
            number += 1
    if not action.startswith("Create") or "Tags.member.1.Key" not in params:
        return
    name = iam_actions._query_param(params, "Name")
    balancer = iam_actions._query_param(params, "LoadBalancerArn")
    listener = iam_actions._query_param(params, "ListenerArn")
    made = {
        "CreateRule": listener.replace(":listener/", ":listener-rule/") + "/*",
        "CreateListener": balancer.replace(":loadbalancer/", ":listener/") + "/*",
        "CreateTargetGroup": f"targetgroup/{name}/*",
        "CreateLoadBalancer": f"loadbalancer/app/{name}/*",
    }
    if action in made:
        yield "AddTags", made[action]


def _of_ecs(action: str, data: dict[str, Any]) -> Iterator[Right]:
    cluster = str(data.get("cluster") or "default").rsplit("/", 1)[-1]
    for asked, kind in (("DescribeServices", "service"), ("DescribeTasks", "task")):
        if action == asked:
            for name in data.get(f"{kind}s", [])[1:]:
                yield action, f"{kind}/{cluster}/{str(name).rsplit('/', 1)[-1]}"
    made = {
        "CreateCluster": f"cluster/{data.get('clusterName', 'default')}",
        "CreateService": f"service/{cluster}/{data.get('serviceName', '')}",
        "RegisterTaskDefinition": f"task-definition/{data.get('family', '')}:*",
        "RunTask": f"task/{cluster}/*",
    }
    if data.get("tags") and action in made:
        yield "TagResource", made[action]
