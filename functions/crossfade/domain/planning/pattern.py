"""The owner's ECS service as the pattern of the slots: what is copied of it, and what cannot be one.

Every field of CreateService and UpdateService (botocore ecs 2014-11-13) is in one of the tables here.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from crossfade.domain.errors import NotPrepared, PatternUnusable
from crossfade.domain.slots import SLOTS
from crossfade.domain.spec.names import SERVICE_TAG, SPEC_TAG
from crossfade.domain.spec.placed import Pattern, Target
from crossfade.domain.spec.service import Network, OwnRule, ServiceSpec

Shown = Mapping[str, Any]
"""What AWS shows of a resource."""

COPIED = (
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "networkConfiguration",
    "placementConstraints",
    "placementStrategy",
    "enableECSManagedTags",
    "propagateTags",
    "enableExecuteCommand",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "monitoring",
)
SET = (
    "cluster",
    "serviceName",
    "service",
    "taskDefinition",
    "desiredCount",
    "forceNewDeployment",
    "loadBalancers",
    "deploymentConfiguration",
    "healthCheckGracePeriodSeconds",
    "availabilityZoneRebalancing",
    "tags",
)
"""What Crossfade decides by itself for a slot."""
REFUSED = ("deploymentController", "schedulingStrategy", "serviceRegistries", "vpcLatticeConfigurations")
"""What may have one value only, which is that of a service that is made without it."""
NOT_SENT = ("role", "clientToken")
"""The role is ECS's own in a network of the task's own; the token is for one call."""
OF_A_ROLLOUT = ("serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations")
"""What DescribeServices tells of each rollout, and not of the service (botocore's ``Deployment``)."""
OF_A_REVISION = ("monitoring",)
"""What DescribeServiceRevisions alone tells (botocore's ``ServiceRevision``)."""

HTTP1 = "HTTP1"
"""The only protocol version of a target group with which a request by HTTP/1.1 succeeds.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html
"""
BEYOND_UPDATE = frozenset({"launchType"})
"""What CreateService takes and UpdateService does not."""
SWITCHED_OFF: Mapping[str, Any] = {
    "enableExecuteCommand": False,
    "enableECSManagedTags": False,
    "propagateTags": "NONE",
    "serviceConnectConfiguration": {"enabled": False},
}
"""What is set in any case: where it is left out an update keeps what is there, and a new service takes the
cluster's default namespace (documentation of ``ClusterServiceConnectDefaultsRequest``)."""
TAKEN_OUT: Mapping[str, Any] = {
    "capacityProviderStrategy": [],
    "placementConstraints": [],
    "placementStrategy": [],
    "volumeConfigurations": [],
}
"""How UpdateService takes out what a service has (its documentation of each); sent only where it has it."""

OF_DEPLOYMENTS = ("deploymentCircuitBreaker", "maximumPercent", "minimumHealthyPercent", "strategy")
"""What Crossfade sets, or knows, of a deployment configuration."""
OWN_TAGS = (SERVICE_TAG, SPEC_TAG)
MOST_TAGS = 50
"""Of a service in ECS; those of AWS's own do not count."""
FARGATE = frozenset({"FARGATE", "FARGATE_SPOT"})
SLOW_START, STICKINESS = "slow_start.duration_seconds", "stickiness.enabled"


class Found(NamedTuple):
    """What AWS shows of the owner's ECS service.

    ``service`` is of DescribeServices with its tags, ``revision`` the newest of DescribeServiceRevisions,
    empty where there is none. ``groups`` are those of its target groups that exist, by their ARNs, each with
    its attributes. ``unknown`` names what ECS tells and this version of boto3 does not know.
    """

    service: Shown
    revision: Shown
    groups: Mapping[str, tuple[Shown, Mapping[str, str]]]
    unknown: tuple[str, ...] = ()


def pattern_gone(spec: ServiceSpec, status: str = "") -> PatternUnusable | NotPrepared:
    """The error for a pattern that ECS shows with another status than ACTIVE, or does not show at all.

    One that was made just now is not shown either, and is looked for again.
    """
    found = f"is {status}" if status else "does not exist"
    return (PatternUnusable if status else NotPrepared)(
        f"The ECS service {spec.like}, which the spec of {spec.service} names in like, {found}. What is live "
        "runs on. Deploy the stack that declares it again, or correct like."
    )


def read_pattern(spec: ServiceSpec, found: Found) -> Pattern:
    """What the slots get of the owner's ECS service.

    Raises
    ------
    PatternUnusable
        It cannot be one; the sentence names each reason.
    """
    service = found.service
    faults = [
        *_kind(spec, service),
        *_deployments(service),
        *_capacity(service),
        *_discovery(service),
        *_route(spec, found),
    ]
    if faults:
        raise PatternUnusable(
            f"The ECS service {spec.like} cannot be the pattern of {spec.service}: {'; '.join(faults)}. "
            "Nothing was changed."
        )
    (first, *also), network = [_target(found, one) for one in service["loadBalancers"]], _network(service)
    return Pattern(
        task_definition=service["taskDefinition"],
        **first.model_dump(),
        also=tuple(also),
        network=Network(
            subnets=network["subnets"],
            security_groups=network["securityGroups"],
            public_ip=network.get("assignPublicIp") == "ENABLED",
        ),
        desired=service["desiredCount"],
        settings=slot_settings(service, found.revision),
        tags=_owners_tags(service),
        left_out=(*_left_out(service), *found.unknown),
        warnings=tuple(_warnings(found)),
    )


def slot_settings(service: Shown, revision: Shown) -> dict[str, Any]:
    """What a service has of ``COPIED``, in the words of CreateService."""
    shown = {
        **{key: service.get(key) for key in COPIED},
        **{key: _rollout(service).get(key) for key in OF_A_ROLLOUT if key in COPIED},
        **{key: revision.get(key) for key in OF_A_REVISION},
    }
    return {key: value for key, value in shown.items() if value}


def created_settings(pattern: Pattern) -> dict[str, Any]:
    """What CreateService gets, so that a slot has what the pattern has, and nothing else."""
    return {**SWITCHED_OFF, **pattern.settings}


def updated_settings(pattern: Pattern, slot: Shown) -> dict[str, Any]:
    """The same for UpdateService and a slot that is there.

    ``slot`` is the slot's service as DescribeServices shows it, empty where it shows none.
    """
    wanted = {key: value for key, value in pattern.settings.items() if key not in BEYOND_UPDATE}
    had = slot_settings(slot, {}) if slot else {}
    gone = {key: value for key, value in TAKEN_OUT.items() if key in had and key not in wanted}
    return {**SWITCHED_OFF, **gone, **wanted}


def _kind(spec: ServiceSpec, service: Shown) -> Iterator[str]:
    """What it is to ECS."""
    if service.get("resourceManagementType") == "ECS":
        yield "it is an Express Mode service, whose load balancer ECS manages by itself"
    if "/" not in service["serviceArn"].partition(":service/")[2]:
        yield (
            f"it has the old ARN {service['serviceArn']}, which cannot be tagged: migrate it to the long "
            "ARN, see ECS's documentation"
        )
    name = service["serviceName"]
    if name in {spec.own_service(slot) for slot in SLOTS}:
        yield f"{name} is the name of a slot of Crossfade: give service in the spec another name"
    if service.get("schedulingStrategy", "REPLICA") != "REPLICA":
        yield f"its scheduling strategy is {service['schedulingStrategy']}, and must be REPLICA"
    if len(_owners_tags(service)) + len(OWN_TAGS) > MOST_TAGS:
        yield (
            f"it has {len(_owners_tags(service))} tags, Crossfade adds {len(OWN_TAGS)}, and ECS allows "
            f"{MOST_TAGS}"
        )


def _deployments(service: Shown) -> Iterator[str]:
    """Who decides how its tasks are replaced."""
    controller = service.get("deploymentController", {}).get("type", "ECS")
    if controller != "ECS":
        yield f"its deployment controller is {controller}, and must be ECS"
    strategy = service.get("deploymentConfiguration", {}).get("strategy", "ROLLING")
    if strategy != "ROLLING":
        yield (
            f"its deployment strategy is {strategy}, with which ECS itself moves traffic between target "
            "groups: set ROLLING"
        )


def _capacity(service: Shown) -> Iterator[str]:
    """Where its tasks run."""
    launch_type = service.get("launchType", "FARGATE")
    others = [
        one["capacityProvider"]
        for one in service.get("capacityProviderStrategy", [])
        if one["capacityProvider"] not in FARGATE
    ]
    if launch_type != "FARGATE" or others:
        yield f"its tasks run on {', '.join(others) or launch_type}, and Crossfade releases on Fargate only"
    network = _network(service)
    if not network:
        yield "it has no network of its own (awsvpc)"
    elif not network.get("securityGroups"):
        yield "it names no security group: name one, also where it is its VPC's default one"


def _discovery(service: Shown) -> Iterator[str]:
    """What leads to its tasks past the load balancer: a candidate would be met there at once, unweighted."""
    rollout = _rollout(service)
    if service.get("serviceRegistries"):
        yield "it is registered with service discovery, where clients would meet a candidate at once"
    connect = rollout.get("serviceConnectConfiguration", {})
    if connect.get("enabled") and connect.get("services"):
        names = ", ".join(one.get("discoveryName") or one["portName"] for one in connect["services"])
        yield (
            f"it offers {names} by Service Connect, where clients would meet a candidate at once; as a "
            "client alone it may use it"
        )
    if rollout.get("vpcLatticeConfigurations"):
        yield "it is a target of VPC Lattice, whose weights Crossfade does not move"


def _target(found: Found, reached: Shown) -> Target:
    container = reached["containerName"]
    return Target(
        target_group=reached["targetGroupArn"],
        container=container,
        port=reached["containerPort"],
        digest=_digest(found, container),
    )


def _route(spec: ServiceSpec, found: Found) -> Iterator[str]:
    """How the load balancer reaches it."""
    targets = found.service.get("loadBalancers", [])
    if not targets:
        yield "it has no target group"
    if any("targetGroupArn" not in target for target in targets):
        yield "it has a Classic Load Balancer, and needs a target group of an Application Load Balancer"
        return
    arns = [target["targetGroupArn"] for target in targets]
    for arn in arns:
        if arn in found.groups:
            yield from _group(spec, *found.groups[arn])
        else:
            yield f"its target group {arn} does not exist"
    ports = Counter(f"{target['containerName']}:{target['containerPort']}" for target in targets)
    for port, times in ports.items():
        if times > 1:
            yield (
                f"{times} of its target groups are of the port {port}: let all rules lead to one of them, "
                "and take the others out of the service"
            )


def _group(spec: ServiceSpec, group: Shown, attributes: Mapping[str, str]) -> Iterator[str]:
    name = group["TargetGroupName"]
    if group.get("Protocol") not in {"HTTP", "HTTPS"}:
        yield f"its target group {name} is of protocol {group.get('Protocol')}, and must be of HTTP or HTTPS"
    version = group.get("ProtocolVersion", HTTP1)
    if version != HTTP1:
        yield (
            f"its target group {name} takes requests by {version} alone, and the probe asks by HTTP/1.1, to "
            "which the load balancer answers with an error"
        )
    if group.get("TargetType") != "ip":
        yield f"its target group {name} has targets of type {group.get('TargetType')}, and Fargate needs ip"
    if attributes.get(STICKINESS) == "true":
        yield f"its target group {name} is sticky, which overrides weights: turn its stickiness off"
    listeners = [route.listener if isinstance(route, OwnRule) else route.rule for route in spec.traffic]
    wanted = {_balancer(arn) for arn in (*listeners, spec.preview.listener)}
    attached = group.get("LoadBalancerArns", [])
    if attached and wanted != set(attached):
        yield (
            f"its target group {name} belongs to {', '.join(attached)}, and traffic and preview of the spec "
            f"to {', '.join(sorted(wanted))}: all have to be of one load balancer"
        )


def _left_out(service: Shown) -> Iterator[str]:
    """What it has of its deployments' settings and a slot has not."""
    for key, value in service.get("deploymentConfiguration", {}).items():
        on = value.get("enable", True) if isinstance(value, Mapping) else value
        if on and key not in OF_DEPLOYMENTS:
            yield f"deploymentConfiguration.{key}"


def _warnings(found: Found) -> Iterator[str]:
    slow = max(int(attributes.get(SLOW_START, "0")) for _, attributes in found.groups.values())
    if slow:
        yield (
            f"slow start of {slow} s: for that long a new target gets less traffic than its weight, so the "
            "candidate's users are fewer"
        )
    if found.service.get("availabilityZoneRebalancing") == "ENABLED":
        yield "Availability Zone rebalancing is on there and off in the slots"


def _digest(found: Found, container: str) -> str:
    """What ECS has resolved the tag of a container's image to (documentation of ``ContainerImage``).

    Empty without a revision, before its first task has started, and where its owner has disabled that.
    """
    current = found.revision.get("taskDefinition") == found.service["taskDefinition"]
    images = found.revision.get("containerImages", []) if current else []
    return next((one.get("imageDigest", "") for one in images if one.get("containerName") == container), "")


def _rollout(service: Shown) -> Shown:
    """The newest rollout of a service."""
    return next((one for one in service.get("deployments", []) if one["status"] == "PRIMARY"), {})


def _network(service: Shown) -> Shown:
    found: Shown = (service.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    return found


def _owners_tags(service: Shown) -> dict[str, str]:
    """The tags that the owner has given it."""
    return {
        tag["key"]: tag.get("value", "")
        for tag in service.get("tags", [])
        if not tag["key"].startswith("aws:") and tag["key"] not in OWN_TAGS
    }


def _balancer(arn: str) -> str:
    """The ARN of the load balancer that a listener or a rule belongs to."""
    before, _, rest = arn.partition(":listener")
    return f"{before}:loadbalancer/{'/'.join(rest.partition('/')[2].split('/')[:3])}"
