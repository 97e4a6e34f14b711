"""The owner's ECS service as the pattern of the slots."""

from typing import Any

import botocore.session
import pytest

from crossfade.domain.errors import PatternUnusable
from crossfade.domain.planning.pattern import (
    BEYOND_UPDATE,
    COPIED,
    NOT_SENT,
    OF_A_REVISION,
    OF_A_ROLLOUT,
    REFUSED,
    SET,
    SWITCHED_OFF,
    TAKEN_OUT,
    Found,
    pattern_gone,
    read_pattern,
    updated_settings,
)
from crossfade.domain.spec.placed import Target
from faults.aws.names import GROUP
from faults.cases.service import LISTENER, document, found
from tests.unit.examples import pattern, spec

NETWORK = {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"}
OFF = {"alarmNames": [], "enable": False, "rollback": False}
SERVICE: dict[str, Any] = {
    "serviceArn": spec().like,
    "serviceName": "web",
    "clusterArn": spec().cluster,
    "status": "ACTIVE",
    "taskDefinition": found()["pattern"]["task_definition"],
    "desiredCount": 0,
    "launchType": "FARGATE",
    "platformVersion": "LATEST",
    "schedulingStrategy": "REPLICA",
    "deploymentController": {"type": "ECS"},
    "deploymentConfiguration": {
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        "maximumPercent": 200,
        "minimumHealthyPercent": 100,
        "alarms": OFF,
        "earlySuccessCriteria": {"enable": False},
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
    },
    "networkConfiguration": {"awsvpcConfiguration": NETWORK},
    "loadBalancers": [{"targetGroupArn": f"{GROUP}/web/3", "containerName": "app", "containerPort": 8080}],
    "serviceRegistries": [],
    "placementConstraints": [],
    "placementStrategy": [],
    "enableExecuteCommand": False,
    "enableECSManagedTags": True,
    "propagateTags": "NONE",
    "availabilityZoneRebalancing": "DISABLED",
    "roleArn": "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
    "resourceManagementType": "CUSTOMER",
    "tags": [],
    "deployments": [{"status": "PRIMARY", "platformVersion": "1.4.0"}],
}
BALANCER = LISTENER.replace(":listener/", ":loadbalancer/").rpartition("/")[0]
TARGETS: dict[str, Any] = {
    "TargetGroupArn": f"{GROUP}/web/3",
    "TargetGroupName": "web",
    "Protocol": "HTTP",
    "TargetType": "ip",
    "LoadBalancerArns": [BALANCER],
}


def _found(**changes: Any) -> Found:
    """The owner's service as AWS shows it, with changes; ``group``, ``attributes`` and ``rollout`` apart."""
    group = TARGETS | changes.pop("group", {})
    groups = {group["TargetGroupArn"]: (group, changes.pop("attributes", {})), **changes.pop("further", {})}
    revision = changes.pop("revision", {})
    unknown = changes.pop("unknown", ())
    rollout = SERVICE["deployments"][0] | changes.pop("rollout", {})
    return Found(SERVICE | {"deployments": [rollout]} | changes, revision, groups, unknown)


def test_a_service_is_read() -> None:
    """What the slots get, and what the load balancer reaches."""
    read = read_pattern(spec(), _found())
    settings = {
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "networkConfiguration": {"awsvpcConfiguration": NETWORK},
        "enableECSManagedTags": True,
        "propagateTags": "NONE",
    }
    assert read == pattern(settings=settings)


def test_every_field_has_a_decision() -> None:
    """A new one of CreateService or UpdateService is copied, set, refused, or not sent."""
    model = botocore.session.get_session().get_service_model("ecs")
    takes = {
        name
        for operation in ("CreateService", "UpdateService")
        for name in model.operation_model(operation).input_shape.members
    }
    decided = [*COPIED, *SET, *REFUSED, *NOT_SENT]
    assert takes == set(decided)
    assert len(decided) == len(set(decided))
    update = set(model.operation_model("UpdateService").input_shape.members)
    assert {*COPIED} - update == BEYOND_UPDATE
    assert {*TAKEN_OUT, *SWITCHED_OFF} <= update & {*COPIED}
    assert not TAKEN_OUT.keys() & SWITCHED_OFF.keys()


def test_every_field_is_read_where_it_is_told() -> None:
    """Of what a service is created with: by itself, by its newest rollout, or by its revision alone."""
    model = botocore.session.get_session().get_service_model("ecs")
    names = ("Service", "Deployment", "ServiceRevision")
    shown = {name: set(model.shape_for(name).members) for name in names}
    decided = {*COPIED, *REFUSED}
    created = model.operation_model("CreateService").input_shape.members
    for name in COPIED:  # what is shown has the shape of what is sent
        places = [model.shape_for(place).members for place in names]
        assert {place[name].name for place in places if name in place} == {created[name].name}
    assert set(OF_A_ROLLOUT) == (decided - shown["Service"]) & shown["Deployment"]
    assert set(OF_A_REVISION) == decided - shown["Service"] - shown["Deployment"]
    assert set(OF_A_REVISION) <= shown["ServiceRevision"]


def test_the_image_is_told_by_the_revision_of_what_runs_now() -> None:
    """An update has just changed the task definition, and ECS may show the revision of before."""
    images = [
        {"containerName": "proxy", "image": "envoy:1", "imageDigest": "sha256:e"},
        {"containerName": "app", "image": "web:1", "imageDigest": "sha256:a"},
    ]
    revision = {"taskDefinition": read_pattern(spec(), _found()).task_definition, "containerImages": images}
    assert read_pattern(spec(), _found(revision=revision)).digest == "sha256:a"
    before = revision | {"taskDefinition": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:0"}
    assert read_pattern(spec(), _found(revision=before)).digest == ""
    unresolved = revision | {"containerImages": [{"containerName": "app", "image": "web:1"}]}
    assert read_pattern(spec(), _found(revision=unresolved)).digest == ""


def test_settings_of_a_rollout_and_of_a_revision_are_read() -> None:
    """DescribeServices tells some of the newest rollout only, and one not at all."""
    connect = {"enabled": True, "namespace": "shop"}
    volumes = [{"name": "data", "managedEBSVolume": {"roleArn": "arn:role", "sizeInGiB": 10}}]
    finer = {"metricConfigurations": [{"metricNames": ["CPUUtilization"], "resolutionSeconds": 20}]}
    older = {"status": "ACTIVE", "serviceConnectConfiguration": {"enabled": True, "namespace": "old"}}
    newest = {
        "status": "PRIMARY",
        "serviceConnectConfiguration": connect,
        "volumeConfigurations": volumes,
    }
    read = read_pattern(spec(), _found(deployments=[older, newest], revision={"monitoring": finer}))
    assert read.settings["serviceConnectConfiguration"] == connect
    assert read.settings["volumeConfigurations"] == volumes
    assert read.settings["monitoring"] == finer


def test_capacity_providers_take_the_launch_types_place() -> None:
    """ECS shows one of the two, and takes one of them."""
    spot = [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]
    changed = {key: value for key, value in SERVICE.items() if key != "launchType"}
    read = read_pattern(spec(), _found()._replace(service=changed | {"capacityProviderStrategy": spot}))
    assert read.settings["capacityProviderStrategy"] == spot
    assert "launchType" not in read.settings


def test_tags_of_the_owner_are_read() -> None:
    """Those of AWS can be set by nobody; Crossfade's own would name another service."""
    tags = {"CostCenter": "7", "aws:cloudformation:stack-name": "web", "crossfade:service": "web"}
    read = read_pattern(spec(), _found(tags=[{"key": key, "value": value} for key, value in tags.items()]))
    assert read.tags == {"CostCenter": "7"}


def test_what_is_not_copied_is_named() -> None:
    """Alarms that would roll back, what is newer than this Crossfade, and what boto3 does not know."""
    configuration = SERVICE["deploymentConfiguration"] | {
        "alarms": OFF | {"enable": True, "alarmNames": ["errors"]},
        "lifecycleHooks": [{"hookTargetArn": "arn:function"}],
    }
    read = read_pattern(spec(), _found(deploymentConfiguration=configuration, unknown=("gatewayConnectors",)))
    assert read.left_out == (
        "deploymentConfiguration.alarms",
        "deploymentConfiguration.lifecycleHooks",
        "gatewayConnectors",
    )


def test_what_the_owner_should_know_is_said() -> None:
    """It is no reason to refuse."""
    read = read_pattern(
        spec(),
        _found(attributes={"slow_start.duration_seconds": "60"}, availabilityZoneRebalancing="ENABLED"),
    )
    slow, zones = read.warnings
    assert slow.startswith("slow start of 60 s")
    assert zones == "Availability Zone rebalancing is on there and off in the slots"


ADMIN: dict[str, Any] = TARGETS | {"TargetGroupArn": f"{GROUP}/admin/4", "TargetGroupName": "admin"}
BOTH: list[dict[str, Any]] = [
    *SERVICE["loadBalancers"],
    {"targetGroupArn": f"{GROUP}/admin/4", "containerName": "proxy", "containerPort": 9090},
]
"""Two ports, of two containers."""


def _of_two_ports(**admin: Any) -> Found:
    attributes = admin.pop("attributes", {})
    further = {f"{GROUP}/admin/4": (ADMIN | admin, attributes)}
    return _found(loadBalancers=BOTH, further=further)


def test_a_service_of_two_ports_is_read() -> None:
    """Each with its group, its container, and what that one's image is."""
    images = [
        {"containerName": "proxy", "image": "envoy:1", "imageDigest": "sha256:e"},
        {"containerName": "app", "image": "web:1", "imageDigest": "sha256:a"},
    ]
    revision = {"taskDefinition": SERVICE["taskDefinition"], "containerImages": images}
    read = read_pattern(spec(), _of_two_ports()._replace(revision=revision))
    assert read.targets == (
        Target(target_group=f"{GROUP}/web/3", container="app", port=8080, digest="sha256:a"),
        Target(target_group=f"{GROUP}/admin/4", container="proxy", port=9090, digest="sha256:e"),
    )


@pytest.mark.parametrize(
    ("admin", "named"),
    [
        ({"Protocol": "TCP"}, "group admin is of protocol TCP"),
        ({"TargetType": "instance"}, "group admin has targets of type instance"),
        ({"attributes": {"stickiness.enabled": "true"}}, "group admin is sticky"),
        (
            {"LoadBalancerArns": [BALANCER.replace("app/web", "app/shop")]},
            "group admin belongs to .*app/shop/1, and .*app/web/1: all have to be of one load balancer",
        ),
    ],
)
def test_each_of_several_groups_is_looked_at(admin: dict[str, Any], named: str) -> None:
    """By its name."""
    with pytest.raises(PatternUnusable, match=named):
        read_pattern(spec(), _of_two_ports(**admin))


def test_a_further_group_that_is_gone_is_named() -> None:
    """And the other one is not."""
    with pytest.raises(PatternUnusable, match=r"web: its target group .*/admin/4 does not exist\. Nothing"):
        read_pattern(spec(), _found(loadBalancers=BOTH))


def test_the_slowest_start_is_said() -> None:
    """Of all groups."""
    (slow,) = read_pattern(spec(), _of_two_ports(attributes={"slow_start.duration_seconds": "40"})).warnings
    assert slow.startswith("slow start of 40 s")


SERVER = {"enabled": True, "services": [{"portName": "http"}]}
OTHER = BALANCER.replace("app/web", "app/shop")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        *(
            pytest.param({"deploymentController": {"type": kind}}, f"controller is {kind}, and must", id=kind)
            for kind in ("EXTERNAL", "CODE_DEPLOY")
        ),
        *(
            pytest.param(
                {"deploymentConfiguration": {"strategy": kind}}, f"strategy is {kind}, with", id=kind
            )
            for kind in ("BLUE_GREEN", "LINEAR", "CANARY")
        ),
        pytest.param({"schedulingStrategy": "DAEMON"}, "strategy is DAEMON", id="daemon"),
        pytest.param({"resourceManagementType": "ECS"}, "Express Mode", id="express"),
        pytest.param(
            {"serviceRegistries": [{"registryArn": "arn:registry"}]}, "service discovery", id="registries"
        ),
        pytest.param(
            {"rollout": {"serviceConnectConfiguration": SERVER}},
            "offers http by Service Connect",
            id="service-connect-server",
        ),
        pytest.param(
            {"rollout": {"vpcLatticeConfigurations": [{"portName": "http"}]}}, "VPC Lattice", id="lattice"
        ),
        pytest.param({"launchType": "EC2"}, "run on EC2", id="ec2"),
        pytest.param(
            {"capacityProviderStrategy": [{"capacityProvider": "spare", "weight": 1}]},
            "run on spare",
            id="capacity-provider",
        ),
        pytest.param({"networkConfiguration": {}}, "no network of its own", id="no-network"),
        pytest.param(
            {"networkConfiguration": {"awsvpcConfiguration": NETWORK | {"securityGroups": []}}},
            "no security group",
            id="no-security-group",
        ),
        pytest.param({"loadBalancers": []}, "no target group", id="worker"),
        pytest.param(
            {"loadBalancers": [*BOTH[:1], BOTH[1] | {"containerName": "app", "containerPort": 8080}]},
            "2 of its target groups are of the port app:8080",
            id="two-groups-of-one-port",
        ),
        pytest.param(
            {"loadBalancers": [{"loadBalancerName": "web", "containerName": "app", "containerPort": 80}]},
            "Classic Load Balancer",
            id="classic",
        ),
        *(
            pytest.param({"group": {"Protocol": kind}}, f"of protocol {kind}, and must", id=f"network-{kind}")
            for kind in ("TCP", "UDP", "TCP_UDP", "TLS")
        ),
        pytest.param({"group": {"Protocol": "GENEVE"}}, "of protocol GENEVE", id="gateway-load-balancer"),
        pytest.param({"group": {"ProtocolVersion": "GRPC"}}, "takes requests by GRPC alone", id="grpc"),
        pytest.param({"group": {"ProtocolVersion": "HTTP2"}}, "takes requests by HTTP2 alone", id="http2"),
        pytest.param({"group": {"TargetType": "instance"}}, "of type instance", id="instances"),
        pytest.param({"attributes": {"stickiness.enabled": "true"}}, "is sticky", id="sticky"),
        pytest.param(
            {"group": {"LoadBalancerArns": [OTHER]}}, "belongs to .*app/shop/1", id="another-load-balancer"
        ),
        pytest.param(
            {"serviceArn": spec().like.replace("/web/web", "/web")},
            "old ARN",
            id="short-arn",
        ),
        pytest.param({"serviceName": "web-green"}, "web-green is the name of a slot", id="slot"),
        pytest.param(
            {"tags": [{"key": f"tag{n}", "value": "x"} for n in range(50)]}, "50 tags", id="fifty-tags"
        ),
    ],
)
def test_what_cannot_be_a_pattern_is_refused(changes: dict[str, Any], named: str) -> None:
    """Before anything is changed, and by the name of the service."""
    with pytest.raises(PatternUnusable, match=rf"service/web/web cannot be the pattern of web: .*{named}"):
        read_pattern(spec(), _found(**changes))


def test_a_target_group_that_is_gone_is_named() -> None:
    """ECS shows it still."""
    with pytest.raises(PatternUnusable, match=f"{GROUP}/web/3 does not exist"):
        read_pattern(spec(), _found()._replace(groups={}))


def test_every_reason_is_named_at_once() -> None:
    """Each one found by a deployment of its own would take a day."""
    with pytest.raises(PatternUnusable, match=r"DAEMON.*; its tasks run on EC2.*; it has no target group"):
        read_pattern(spec(), _found(schedulingStrategy="DAEMON", launchType="EC2", loadBalancers=[]))


def test_a_group_of_no_load_balancer_yet_is_let_pass() -> None:
    """The rule that is made for it comes first."""
    assert read_pattern(spec(), _found(group={"LoadBalancerArns": []}))


def test_an_owners_rule_tells_the_load_balancer() -> None:
    """By its own ARN."""
    rule = LISTENER.replace(":listener/", ":listener-rule/") + "/3"
    assert read_pattern(spec(traffic=[{"rule": rule}]), _found())
    elsewhere = document()["preview"] | {"listener": LISTENER.replace("app/web", "app/shop")}
    with pytest.raises(PatternUnusable, match=r"app/shop/1, .*app/web/1"):
        read_pattern(spec(traffic=[{"rule": rule}], preview=elsewhere), _found())


@pytest.mark.parametrize(("status", "said"), [("", "does not exist"), ("INACTIVE", "is INACTIVE")])
def test_a_pattern_that_is_not_there(status: str, said: str) -> None:
    """What is live does not depend on it."""
    assert f"names in like, {said}. What is live runs on." in str(pattern_gone(spec(), status))


def test_a_slot_that_is_not_shown_has_nothing_to_take_out() -> None:
    """It may have been made just now."""
    assert updated_settings(pattern(settings={"launchType": "FARGATE"}), {}) == dict(SWITCHED_OFF)


def test_a_change_of_any_setting_changes_the_fingerprint() -> None:
    """Or of a tag: the next release takes it along. In which order AWS lists something says nothing."""
    first = {"awsvpcConfiguration": NETWORK | {"subnets": ["a", "b"]}}
    turned = {"awsvpcConfiguration": NETWORK | {"subnets": ["b", "a"]}}
    same, also, other, tagged = (
        pattern(settings={"networkConfiguration": first}).fingerprint,
        pattern(settings={"networkConfiguration": turned}).fingerprint,
        pattern(settings={"networkConfiguration": first, "enableExecuteCommand": True}).fingerprint,
        pattern(settings={"networkConfiguration": first}, tags={"CostCenter": "7"}).fingerprint,
    )
    assert same == also
    assert len({same, other, tagged}) == 3


def test_any_of_its_targets_may_be_the_one_that_the_probe_asks() -> None:
    """With its own image; the others keep their order."""
    ports = ("app:8080", "admin:9090", "app:7070")
    first, *also = (
        Target(
            target_group=f"{GROUP}/{name}/1", container=name.split(":")[0], port=int(name[-4:]), digest=name
        )
        for name in ports
    )
    read = pattern(**first.model_dump(), also=also)
    assert read.port_names == ports
    assert (read.with_first(also[0].target_group).container, read.digest) == ("admin", "app:8080")
    found = read.with_first(also[0].target_group)
    assert found.targets == (also[0], first, also[1])
    assert found.with_first(first.target_group) == read
    assert pattern().port_names == ("",)
