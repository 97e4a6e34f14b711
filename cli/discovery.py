"""What there is of a running service: found by following AWS from its ECS service to the rule before it."""

import re
from typing import Any, NamedTuple, Self

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

    ``balancer`` is its load balancer, ``listeners`` are all of that one, ``routes`` are the rules that lead
    to the service, the first one that by which the probe is to ask. ``repository`` is that of the container
    which that one leads to, ``tag`` that of its image, empty where it is named by a digest.
    """

    service: dict[str, Any]
    definition: dict[str, Any]
    balancer: dict[str, Any]
    listeners: list[Listener]
    routes: list[LiveRule]
    repository: str
    tag: str

    @property
    def route(self) -> LiveRule:
        """The rule by which the probe is to ask."""
        return self.routes[0]

    @property
    def listener(self) -> Listener:
        """That rule's listener."""
        return self.listener_of(self.route)

    def listener_of(self, route: LiveRule) -> Listener:
        """The listener of one of the rules."""
        return next(one for one in self.listeners if route in one.rules)

    def port_of(self, route: LiveRule) -> dict[str, Any]:
        """What one of the rules leads to, of the service's ``loadBalancers``."""
        return next(one for one in ports_of(self.service) if route.forwards.get(one["targetGroupArn"]))

    def first(self, route: LiveRule) -> Self:
        """The same, with the rule by which the probe is to ask."""
        routes = [route, *(one for one in self.routes if one != route)]
        repository, tag = _image(self.service, self.definition, self.port_of(route)["containerName"])
        return self._replace(routes=routes, repository=repository, tag=tag)

    @property
    def unclear(self) -> list[LiveRule]:
        """Rules to several ports, by any of which the probe may be to ask; none where it is clear."""
        best = [one for one in self.routes if _rank(one, self) == _rank(self.route, self)]
        groups = {self.port_of(one)["targetGroupArn"] for one in best}
        return best if len(groups) > 1 else []


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
    groups = _groups(account, service)
    balancer = _balancer(account, groups)
    names = account.preparation(name or service["serviceName"]).names
    listeners = balancer_listeners(account.client("elbv2"), balancer["LoadBalancerArn"], names)
    routes = _routes(service, listeners)
    definition = account.client("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])
    found = Discovered(service, definition["taskDefinition"], balancer, listeners, routes, "", "")
    places = [one["targetGroupArn"] for one in ports_of(service)]
    return found.first(
        min(routes, key=lambda one: (*_rank(one, found), places.index(found.port_of(one)["targetGroupArn"])))
    )


def ports_of(service: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the ``loadBalancers`` of an ECS service those that are target groups."""
    return [one for one in service.get("loadBalancers", []) if "targetGroupArn" in one]


def _rank(route: LiveRule, found: Discovered) -> tuple[bool, bool, int]:
    """What is less, the likelier it is the rule by which clients come to what is released.

    By HTTPS sooner than not; for a host, then by default, then for other conditions.
    """
    released = _repository(found.service, found.definition, found.port_of(route)["containerName"])
    hosts = any(condition["Field"] == "host-header" for condition in route.conditions)
    by_http = found.listener_of(route).shown["Protocol"] != "HTTPS"
    return released is None, by_http, 0 if hosts else 1 if is_default(route) else 2


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


def _groups(account: Account, service: dict[str, Any]) -> list[dict[str, Any]]:
    """Its target groups; that there is one is the first thing a pattern needs."""
    arns = [one["targetGroupArn"] for one in ports_of(service)]
    if not arns:
        raise click.ClickException(
            f"{service['serviceArn']} has no target group. Crossfade moves the traffic of such, by the "
            "weights of an Application Load Balancer."
        )
    found: list[dict[str, Any]] = account.client("elbv2").describe_target_groups(TargetGroupArns=arns)[
        "TargetGroups"
    ]
    return found


def _balancer(account: Account, groups: list[dict[str, Any]]) -> dict[str, Any]:
    for group in groups:
        if not group["LoadBalancerArns"]:
            raise click.ClickException(
                f"The target group {group['TargetGroupArn']} belongs to no load balancer: no listener leads "
                "to it. Let the default action of one lead there, or a rule, or take it out of the service."
            )
    arns = list(dict.fromkeys(arn for group in groups for arn in group["LoadBalancerArns"]))
    if len(arns) > 1:
        raise click.ClickException(
            f"The service's target groups belong to several load balancers, {', '.join(arns)}, and Crossfade "
            "moves the weights of one. Give what the others lead to an ECS service of its own."
        )
    (found,) = account.client("elbv2").describe_load_balancers(LoadBalancerArns=arns)["LoadBalancers"]
    if found["Type"] != "application":
        raise click.ClickException(
            f"The target group {groups[0]['TargetGroupArn']} belongs to the {found['Type']} load balancer "
            f"{arns[0]}, which has no weights. Crossfade needs an Application Load Balancer."
        )
    return dict(found)


def _routes(service: dict[str, Any], listeners: list[Listener]) -> list[LiveRule]:
    """All rules that lead to the service: to each port one at least, and none to several ports."""
    ports = {one["targetGroupArn"]: one for one in ports_of(service)}
    routes = routes_to(ports, listeners)
    if not routes:
        raise click.ClickException(
            f"No rule of the load balancer leads to {service['serviceArn']} now. If it is under Crossfade "
            "already, name what Crossfade calls it with --name."
        )
    for route in routes:
        if len(ports.keys() & route.forwards.keys()) > 1:
            raise click.ClickException(
                f"The rule {route} leads to several ports of {service['serviceArn']}, and its weights cannot "
                "move between versions as well. Let it lead to one of them."
            )
    for group, port in ports.items():
        if not any(route.forwards.get(group) for route in routes):
            raise click.ClickException(
                f"No rule leads to {port['containerName']}:{port['containerPort']} ({group}) of "
                f"{service['serviceArn']}. Let one lead there, or take that target group out of the service."
            )
    return routes


def _image(service: dict[str, Any], definition: dict[str, Any], name: str) -> tuple[str, str]:
    """Repository and tag of a container that the load balancer reaches."""
    found = _repository(service, definition, name)
    if found is None:
        region, account = service["serviceArn"].split(":")[3:5]
        raise click.ClickException(
            f"Container {name} runs {_image_of(definition, name)}, which is in no ECR repository of this "
            f"account and region ({account}, {region}). Crossfade releases images from there: push it there "
            "first."
        )
    return found


def _repository(service: dict[str, Any], definition: dict[str, Any], name: str) -> tuple[str, str] | None:
    """The same; None where its image is in no ECR repository of the service's account and region."""
    found = ECR.match(_image_of(definition, name))
    region, account = service["serviceArn"].split(":")[3:5]
    return (found[3], found[4] or "") if found and (found[1], found[2]) == (account, region) else None


def _image_of(definition: dict[str, Any], name: str) -> str:
    return next(str(one["image"]) for one in definition["containerDefinitions"] if one["name"] == name)


def is_default(rule: LiveRule) -> bool:
    """Whether a rule is a listener's default one."""
    return rule.priority == DEFAULT
