"""What there is of a running service: found by following AWS from its ECS service to the rule before it."""

import re
from typing import Any, NamedTuple

import click
from botocore.exceptions import ClientError

from cli.account import Account
from crossfade.aws.errors import error_code
from crossfade.aws.routes import balancer_listeners
from crossfade.domain.traffic.routes import Listener, routes_to
from crossfade.domain.traffic.rule import DEFAULT, LiveRule

ECR = re.compile(r"(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.[^/]+/([^:@]+)(?::([^@]+))?")
"""An image of ECR by account, region, repository and tag: ECR has several hosts for each."""


class Discovered(NamedTuple):
    """A running service, in the shapes of AWS's answers.

    ``balancer`` is its load balancer, ``listeners`` are all of that one, ``route`` is the rule that leads to
    the service. ``repository`` is that of the container which the load balancer reaches, ``tag`` that of
    its image, empty where it is named by a digest.
    """

    service: dict[str, Any]
    definition: dict[str, Any]
    balancer: dict[str, Any]
    listeners: list[Listener]
    route: LiveRule
    listener: Listener
    repository: str
    tag: str


def discover(account: Account, like: str, name: str | None) -> Discovered:
    """Follow an ECS service, ``CLUSTER/SERVICE``, to what leads to it.

    ``name`` is what Crossfade calls it, the ECS service's own name where it is None: rules that were made
    for it before lead there as well, and are not its owner's.

    Raises
    ------
    click.ClickException
        It cannot be followed; the text says where it ends, and what to do.
    """
    service = _service(account, *_parts(like))
    group = _group(account, service)
    balancer = _balancer(account, group)
    names = account.preparation(name or service["serviceName"]).names
    listeners = balancer_listeners(account.client("elbv2"), balancer["LoadBalancerArn"], names)
    route = _route(service, group, listeners)
    definition = account.client("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])
    repository, tag = _image(service, definition["taskDefinition"])
    return Discovered(
        service=service,
        definition=definition["taskDefinition"],
        balancer=balancer,
        listeners=listeners,
        route=route,
        listener=next(one for one in listeners if route in one.rules),
        repository=repository,
        tag=tag,
    )


def _parts(like: str) -> tuple[str, str]:
    cluster, _, service = like.rpartition(":service/")[2].partition("/")
    if not cluster or not service or "/" in service:
        raise click.BadParameter(
            f"{like!r} is no ECS service: name its cluster and the service, such as web/web",
            param_hint="--like",
        )
    return cluster, service


def _service(account: Account, cluster: str, name: str) -> dict[str, Any]:
    try:
        answer = account.client("ecs").describe_services(cluster=cluster, services=[name], include=["TAGS"])
    except ClientError as error:
        if error_code(error) != "ClusterNotFoundException":
            raise
        raise click.ClickException(f"There is no cluster {cluster} in this account and region.") from error
    found = [service for service in answer["services"] if service["status"] == "ACTIVE"]
    if not found:
        raise click.ClickException(f"The cluster {cluster} has no active service {name}.")
    return dict(found[0])


def _group(account: Account, service: dict[str, Any]) -> dict[str, Any]:
    """Its target group; that there is one is the first thing a pattern needs."""
    arns = [one["targetGroupArn"] for one in service.get("loadBalancers", []) if "targetGroupArn" in one]
    if len(arns) != 1:
        raise click.ClickException(
            f"{service['serviceArn']} has {len(arns) or 'no'} target group{'s' if arns else ''}. Crossfade "
            "moves the traffic of one, by the weights of an Application Load Balancer."
        )
    (found,) = account.client("elbv2").describe_target_groups(TargetGroupArns=arns)["TargetGroups"]
    return dict(found)


def _balancer(account: Account, group: dict[str, Any]) -> dict[str, Any]:
    arns = group["LoadBalancerArns"]
    if len(arns) != 1:
        raise click.ClickException(
            f"The target group {group['TargetGroupArn']} belongs to no load balancer: no listener leads to "
            "it. Let the default action of one lead there, or a rule."
        )
    (found,) = account.client("elbv2").describe_load_balancers(LoadBalancerArns=arns)["LoadBalancers"]
    if found["Type"] != "application":
        raise click.ClickException(
            f"The target group {group['TargetGroupArn']} belongs to the {found['Type']} load balancer "
            f"{arns[0]}, which has no weights. Crossfade needs an Application Load Balancer."
        )
    return dict(found)


def _route(service: dict[str, Any], group: dict[str, Any], listeners: list[Listener]) -> LiveRule:
    routes = routes_to([group["TargetGroupArn"]], listeners)
    if not routes:
        raise click.ClickException(
            f"No rule of the load balancer leads to {service['serviceArn']} now. If it is under Crossfade "
            "already, name what Crossfade calls it with --name."
        )
    if len(routes) > 1:
        raise click.ClickException(
            f"Several rules lead to {service['serviceArn']}, and Crossfade moves the weights of one: "
            f"{'; '.join(str(rule) for rule in routes)}. Leave one of them; the others may redirect to it."
        )
    return routes[0]


def _image(service: dict[str, Any], definition: dict[str, Any]) -> tuple[str, str]:
    """Repository and tag of the container that the load balancer reaches."""
    name = service["loadBalancers"][0]["containerName"]
    image = next(one["image"] for one in definition["containerDefinitions"] if one["name"] == name)
    found = ECR.match(image)
    region, account = service["serviceArn"].split(":")[3:5]
    if found is None or (found[1], found[2]) != (account, region):
        raise click.ClickException(
            f"Container {name} runs {image}, which is in no ECR repository of this account and region "
            f"({account}, {region}). Crossfade releases images from there: push it there first."
        )
    return found[3], found[4] or ""


def is_default(rule: LiveRule) -> bool:
    """Whether a rule is a listener's default one."""
    return rule.priority == DEFAULT
