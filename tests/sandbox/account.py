"""The sandbox's account as its owner finds it, and neighbours in it: other people's things.

What a rehearsal leaves different is compared with the law (``faults/law.py``). What people did meanwhile is
known by the names that they gave to AWS.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from functools import cache
from typing import Any

from faults.law import COMES, Attributes, Change, Held, Law, Resource, changes
from tests.sandbox.cloud import Cloud, listener_of
from tests.sandbox.shell import SERVICE, STACK

NEIGHBOUR = "neighbour"
THEIR_PRIORITY = 100
"""That of the neighbour's rule on the sample's listener."""
TOLD = {
    "ECS service": {
        "status", "runningCount", "pendingCount", "deployments", "events", "taskSets", "updatedAt",
        "currentServiceDeployment", "currentServiceRevisions",
    },
    "alarm": {"StateValue", "StateReason", "StateReasonData", "StateUpdatedTimestamp",
              "StateTransitionedTimestamp"},
}  # fmt: skip
"""Attributes by which AWS tells how something goes: nobody sets them."""
TAGGED = {"listener rule", "task definition"}
"""What is known to be Crossfade's by its tags."""
OF_TARGET_TRACKING = "TargetTracking-"
"""How the names of the alarms begin that AWS makes for a policy, and deletes with it."""


def settle(cloud: Cloud) -> None:
    """Let the neighbours be there: a service of somebody else's, and a job of the sample service's name."""
    ecs, scaling = cloud.client("ecs"), cloud.client("application-autoscaling")
    for family in (NEIGHBOUR, SERVICE):
        ecs.register_task_definition(
            family=family,
            containerDefinitions=[{"name": "job", "image": "job:1", "memory": 128}],
            tags=[{"key": "owner", "value": NEIGHBOUR}],
        )
    ecs.create_cluster(clusterName=NEIGHBOUR)
    ecs.create_service(
        cluster=NEIGHBOUR, serviceName=f"{SERVICE}-blue", taskDefinition=NEIGHBOUR, desiredCount=0
    )
    scaling.register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=f"service/{NEIGHBOUR}/{SERVICE}-blue",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=0,
        MaxCapacity=3,
    )
    cloud.client("elbv2").create_rule(
        ListenerArn=cloud.listener,
        Priority=THEIR_PRIORITY,
        Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": ["neighbour.example"]}}],
        Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "410"}}],
    )
    cloud.client("ecr").create_repository(repositoryName=NEIGHBOUR)
    cloud.client("ssm").put_parameter(Name=f"/{NEIGHBOUR}/secret", Value="theirs", Type="String")


def beyond_the_law(cloud: Cloud, before: Held, after: Held, said: Set[str] = frozenset()) -> list[str]:
    """What differs and neither Crossfade may change nor somebody has changed who has ``said`` its name."""
    laws = [
        Law(
            listener=listener_of(rule["RuleArn"]),
            rule_priority=rule["Priority"],
            cluster=cloud.cluster.rpartition("/")[2],
            service=cloud.service,
            pattern=cloud.spec["like"].rpartition("/")[2],
            stack=STACK,
        )
        for rule in cloud.rules()
        if rule
    ]
    assert laws
    return sorted(
        str(change)
        for change in changes(before, after)
        if not any(law.allows(change, made=_made(change, before)) for law in laws)
        and not _said(change.resource, said)
    )


def held(cloud: Cloud) -> Held:
    """What the account holds now."""
    found = {}
    for resource, attributes in _held(cloud):
        told = TOLD.get(resource.kind, set())
        found[resource] = {name: value for name, value in attributes.items() if name not in told}
    return found


def _held(cloud: Cloud) -> Iterator[tuple[Resource, Attributes]]:
    yield from _load_balancers(cloud.client("elbv2"))
    yield from _containers(cloud.client("ecs"))
    for target in _pages(
        cloud, "application-autoscaling", "describe_scalable_targets", ServiceNamespace="ecs"
    ):
        yield Resource("scalable target", target["ResourceId"]), target
    for repository in _pages(cloud, "ecr", "describe_repositories"):
        yield Resource("repository", repository["repositoryName"]), repository
    for parameter in _pages(cloud, "ssm", "get_parameters_by_path", Path="/", Recursive=True):
        yield Resource("parameter", parameter["Name"]), parameter
    for alarm in _pages(cloud, "cloudwatch", "describe_alarms"):
        if not alarm["AlarmName"].startswith(OF_TARGET_TRACKING):
            yield Resource("alarm", alarm["AlarmName"]), alarm


def _load_balancers(elbv2: Any) -> Iterator[tuple[Resource, Attributes]]:
    for balancer in elbv2.describe_load_balancers()["LoadBalancers"]:
        arn = balancer["LoadBalancerArn"]
        yield Resource("load balancer", arn), balancer
        for listener in elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
            yield Resource("listener", listener["ListenerArn"]), listener
            for rule in elbv2.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]:
                name = f"{listener['ListenerArn']} {rule['Priority']}"
                yield Resource("listener rule", name), {**rule, "tags": _rule_tags(elbv2, rule["RuleArn"])}
    for group in elbv2.describe_target_groups()["TargetGroups"]:
        arn = group["TargetGroupArn"]
        attributes = elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
        found = {attribute["Key"]: attribute["Value"] for attribute in attributes}
        yield Resource("target group", arn), {**group, "Attributes": found}


@cache
def _rule_tags(elbv2: Any, rule: str) -> tuple[str, ...]:
    """By key; they are given as a rule is made."""
    (found,) = elbv2.describe_tags(ResourceArns=[rule])["TagDescriptions"]
    return tuple(sorted(tag["Key"] for tag in found["Tags"]))


def _containers(ecs: Any) -> Iterator[tuple[Resource, Attributes]]:
    for cluster in ecs.list_clusters()["clusterArns"]:
        name = cluster.rpartition("/")[2]
        yield Resource("cluster", name), {}
        arns = ecs.list_services(cluster=cluster)["serviceArns"]
        described = ecs.describe_services(cluster=cluster, services=arns, include=["TAGS"]) if arns else {}
        for service in described.get("services", []):
            yield Resource("ECS service", f"{name}/{service['serviceName']}"), service
    for page in ecs.get_paginator("list_task_definitions").paginate(status="ACTIVE"):
        for arn in page["taskDefinitionArns"]:
            # Once it is registered, nothing of a revision changes but whether it is active.
            yield Resource("task definition", arn.rpartition("/")[2]), {"tags": _tags(ecs, arn)}


@cache
def _tags(ecs: Any, task_definition: str) -> tuple[str, ...]:
    found = ecs.describe_task_definition(taskDefinition=task_definition, include=["TAGS"])
    return tuple(sorted(tag["key"] for tag in found.get("tags", [])))


def _pages(cloud: Cloud, service: str, method: str, **given: Any) -> Iterator[dict[str, Any]]:
    """What all pages of an answer list."""
    client = cloud.client(service)
    for page in client.get_paginator(method).paginate(**given):
        for listed in page.values():
            if isinstance(listed, list):
                yield from listed


def _made(change: Change, before: Held) -> bool:
    """Whether Crossfade has made what has gone or changed; rules and task definitions say so by tags."""
    if change.what == COMES or change.resource.kind not in TAGGED:
        return True
    return any(tag.startswith("crossfade:") for tag in before[change.resource]["tags"])


def _said(resource: Resource, said: Set[str]) -> bool:
    """Whether somebody has named a resource: by its name, or its family, or each word of it."""
    return bool({resource.name, resource.name.rpartition(":")[0]} & said) or said.issuperset(
        resource.name.split()
    )
