"""Rights in the sandbox: by ARN, by tag, by cluster, and to tag what is made."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox_parts.iam.conftest import EVERYTHING, FIXED, OURS, THEIRS, Account, allow, refusal

pytestmark = pytest.mark.enable_socket

ELB, OF_OURS = "elasticloadbalancing:", {"aws:ResourceTag/crossfade:service": "web"}
IF_OURS = {"aws:RequestTag/crossfade:service": "web"}


def test_a_rule_is_changed_by_its_arn(account: Account) -> None:
    """One rule, and no other of the same listener."""
    elb = account.caller("elbv2", allow(f"{ELB}ModifyRule", account.rules["theirs"]))
    assert not refusal(elb.modify_rule, RuleArn=account.rules["theirs"], Actions=FIXED)
    assert f"{ELB}ModifyRule" in refusal(elb.modify_rule, RuleArn=account.rules["ours"], Actions=FIXED)


def test_a_rule_is_made_on_its_listener(account: Account) -> None:
    """CreateRule is allowed for a listener, not for rules."""

    def made(resource: str) -> str:
        elb = account.caller("elbv2", allow(f"{ELB}CreateRule", resource))
        return refusal(
            elb.create_rule,
            ListenerArn=account.listener,
            Priority=100,
            Conditions=EVERYTHING,
            Actions=FIXED,
        )

    assert made(account.listener.replace(":listener/", ":listener-rule/") + "/*")
    assert not made(account.listener)


@pytest.mark.parametrize("operation", ["modify_rule", "modify_target_group_attributes", "remove_tags"])
def test_what_crossfade_made_is_known_by_its_tag(account: Account, operation: str) -> None:
    """aws:ResourceTag of rules and of target groups."""
    asked: dict[str, dict[str, dict[str, Any]]] = {
        name: {
            "modify_rule": {"RuleArn": account.rules[name], "Actions": FIXED},
            "modify_target_group_attributes": {
                "TargetGroupArn": account.groups[name],
                "Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "20"}],
            },
            "remove_tags": {"ResourceArns": [account.rules[name]], "TagKeys": ["x"]},
        }
        for name in ("ours", "theirs")
    }
    elb = account.caller("elbv2", allow(f"{ELB}*", StringEquals=OF_OURS))
    call = getattr(elb, operation)
    assert not refusal(call, **asked["ours"][operation])
    assert refusal(call, **asked["theirs"][operation])


def test_every_resource_of_a_call_is_checked(account: Account) -> None:
    """Not the first one alone."""
    elb = account.caller("elbv2", allow(f"{ELB}AddTags", account.rules["ours"]))
    tags = [{"Key": "x", "Value": "y"}]
    both = [account.rules["ours"], account.rules["theirs"]]
    assert not refusal(elb.add_tags, ResourceArns=both[:1], Tags=tags)
    assert refusal(elb.add_tags, ResourceArns=both, Tags=tags)
    ecs = account.caller("ecs", allow("ecs:DescribeServices", account.arn("service", "ours")))
    assert not refusal(ecs.describe_services, cluster="ours", services=["ours"])
    assert refusal(ecs.describe_services, cluster="ours", services=["ours", "theirs"])


def make_group(account: Account, name: str, tags: list[dict[str, str]], *rights: Any) -> str:
    elb = account.caller("elbv2", *rights)
    given = {"Port": 80, "Protocol": "HTTP", "VpcId": "vpc-1", "TargetType": "ip"}
    return refusal(elb.create_target_group, Name=name, **given, **({"Tags": tags} if tags else {}))


def test_what_is_made_must_have_our_tag(account: Account) -> None:
    """aws:RequestTag and aws:TagKeys of CreateTargetGroup, whose resource has an unknown last part."""
    resource = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/crossfade-*/*"
    keys = {"aws:TagKeys": ["crossfade:service"]}
    make = allow(f"{ELB}CreateTargetGroup", resource, StringEquals=IF_OURS, ForAllValues_StringEquals=keys)
    rights = [make, allow(f"{ELB}AddTags", resource)]
    assert not make_group(account, "crossfade-a", OURS, *rights)
    assert make_group(account, "crossfade-b", THEIRS, *rights)
    assert make_group(account, "crossfade-b", OURS + THEIRS, *rights)
    assert make_group(account, "crossfade-b", [], *rights)
    assert make_group(account, "other", OURS, *rights)


def test_who_makes_with_tags_needs_the_right_to_tag(account: Account) -> None:
    """AddTags on what is made, for the call that makes it only."""
    make = allow(f"{ELB}CreateTargetGroup")
    said = make_group(account, "tagged", OURS, make)
    assert f"{ELB}AddTags" in said
    tagging = {"elasticloadbalancing:CreateAction": "CreateTargetGroup"}
    tag = allow(f"{ELB}AddTags", StringEquals=tagging)
    assert not make_group(account, "tagged", OURS, make, tag)
    assert not make_group(account, "untagged", [], make)
    elb = account.caller("elbv2", tag)
    assert refusal(elb.add_tags, ResourceArns=[account.groups["theirs"]], Tags=OURS)
    rules = account.listener.replace(":listener/", ":listener-rule/")
    asked = {"ListenerArn": account.listener, "Conditions": EVERYTHING, "Actions": FIXED, "Tags": OURS}
    for resource, refused in ((account.listener, True), (f"{rules}/*", False)):
        may = allow(f"{ELB}CreateRule"), allow(f"{ELB}AddTags", resource)
        elb = account.caller("elbv2", *may)
        assert bool(refusal(elb.create_rule, Priority=200, **asked)) == refused


def test_a_service_is_made_with_the_right_to_tag(account: Account) -> None:
    """ecs:TagResource, with ecs:CreateAction."""
    asked = {"cluster": "ours", "taskDefinition": "ours", "desiredCount": 0}
    tags = [{"key": "crossfade:service", "value": "web"}]
    make = allow("ecs:CreateService", StringEquals=IF_OURS)
    ecs = account.caller("ecs", make)
    assert "ecs:TagResource" in refusal(ecs.create_service, serviceName="new", tags=tags, **asked)
    tag = allow("ecs:TagResource", StringEquals={"ecs:CreateAction": "CreateService"})
    ecs = account.caller("ecs", make, tag)
    assert not refusal(ecs.create_service, serviceName="new", tags=tags, **asked)
    assert refusal(ecs.create_service, serviceName="newer", **asked)
    assert refusal(ecs.tag_resource, resourceArn=account.arn("service", "theirs"), tags=tags)


def test_a_service_is_known_by_its_tag(account: Account) -> None:
    """aws:ResourceTag of ECS's resources; taking a tag away is a matter of its key."""
    ecs = account.caller("ecs", allow("ecs:UpdateService", StringEquals=OF_OURS))
    assert not refusal(ecs.update_service, cluster="ours", service="ours", desiredCount=0)
    assert refusal(ecs.update_service, cluster="theirs", service="theirs", desiredCount=0)
    ecs = account.caller("ecs", allow("ecs:UntagResource", ForAllValues_StringEquals={"aws:TagKeys": ["x"]}))
    arn = account.arn("service", "theirs")
    assert not refusal(ecs.untag_resource, resourceArn=arn, tagKeys=["x"])
    assert refusal(ecs.untag_resource, resourceArn=arn, tagKeys=["x", "owner"])


@pytest.mark.parametrize("named", ["ours", "arn"])
def test_what_has_no_resource_is_allowed_for_a_cluster(account: Account, named: str) -> None:
    """ListTasks and ListServices by ecs:cluster, however the call names it; one of AWS's keys is an ARN."""
    arn = account.arn("cluster", "ours")
    ecs = account.caller("ecs", allow(["ecs:ListTasks", "ecs:ListServices"], ArnEquals={"ecs:cluster": arn}))
    cluster = arn if named == "arn" else named
    assert not refusal(ecs.list_tasks, cluster=cluster)
    assert not refusal(ecs.list_services, cluster=cluster)
    assert refusal(ecs.list_tasks, cluster="theirs")
    assert refusal(ecs.list_services, cluster="theirs")
    assert refusal(account.caller("ecs", allow("ecs:ListServices", arn)).list_services, cluster="ours")


def test_a_scalable_target_is_registered_by_its_service(account: Account) -> None:
    """With namespace and dimension on any scalable target, and the right to scale that very service."""
    dimension = "ecs:service:DesiredCount"
    keys = {
        "application-autoscaling:service-namespace": "ecs",
        "application-autoscaling:scalable-dimension": dimension,
    }
    target = "arn:aws:application-autoscaling:us-east-1:000000000000:scalable-target/*"
    scaling = account.caller(
        "application-autoscaling",
        allow("application-autoscaling:RegisterScalableTarget", target, StringEquals=keys),
        allow(["ecs:DescribeServices", "ecs:UpdateService"], account.arn("service", "ours")),
        allow("cloudwatch:DescribeAlarms"),
        allow(
            ["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"],
            "arn:aws:cloudwatch:us-east-1:000000000000:alarm:",
        ),
    )
    asked = {"ServiceNamespace": "ecs", "ScalableDimension": dimension, "MinCapacity": 0, "MaxCapacity": 1}
    scaling.register_scalable_target(ResourceId="service/ours/ours", **asked)
    with pytest.raises(ClientError, match="not authorized"):
        scaling.register_scalable_target(ResourceId="service/theirs/theirs", **asked)


def test_a_scalable_target_is_tagged_and_known_by_it(account: Account) -> None:
    """A tag is given where a policy asks for it, and only what carries it is deregistered."""
    owner = account.sandbox.client("application-autoscaling")
    dimension = "ecs:service:DesiredCount"
    targets = {
        name: {
            "ServiceNamespace": "ecs",
            "ScalableDimension": dimension,
            "ResourceId": f"service/{name}/{name}",
        }
        for name in ("ours", "theirs")
    }
    arns = {
        name: owner.register_scalable_target(**target, MinCapacity=0, MaxCapacity=1)["ScalableTargetARN"]
        for name, target in targets.items()
    }
    target, key = arns["ours"].rpartition("/")[0] + "/*", "crossfade:service"
    scaling = account.caller(
        "application-autoscaling",
        allow("application-autoscaling:TagResource", target, Null={f"aws:RequestTag/{key}": "false"}),
        allow(
            "application-autoscaling:DeregisterScalableTarget",
            target,
            Null={f"aws:ResourceTag/{key}": "false"},
        ),
        allow("application-autoscaling:ListTagsForResource", target),
    )
    assert refusal(scaling.tag_resource, ResourceARN=arns["ours"], Tags={"other": "web"})
    assert not refusal(scaling.tag_resource, ResourceARN=arns["ours"], Tags={key: "web"})
    assert scaling.list_tags_for_resource(ResourceARN=arns["ours"])["Tags"] == {key: "web"}
    assert refusal(scaling.deregister_scalable_target, **targets["theirs"])
    assert not refusal(scaling.deregister_scalable_target, **targets["ours"])
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        owner.list_tags_for_resource(ResourceARN=arns["ours"])


def test_an_alarm_is_made_and_deleted_by_its_name(account: Account) -> None:
    """As AWS's Service Authorization Reference has it; of several the first is looked at here."""
    arn = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:cf-*"
    cloudwatch = account.caller(
        "cloudwatch", allow(["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"], arn)
    )
    alarm = {
        "MetricName": "Errors", "Namespace": "Web", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1,
        "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold",
    }  # fmt: skip
    assert refusal(cloudwatch.put_metric_alarm, AlarmName="web-errors", **alarm)
    assert not refusal(cloudwatch.put_metric_alarm, AlarmName="cf-web-errors", **alarm)
    assert refusal(cloudwatch.delete_alarms, AlarmNames=["web-errors"])
    assert not refusal(cloudwatch.delete_alarms, AlarmNames=["cf-web-errors"])


def test_a_log_group_is_read_by_its_arn(account: Account) -> None:
    """One group's events and streams, and no other's; a group of a longer name is another one."""
    logs = account.sandbox.client("logs")
    for name in ("/web/app", "/web/app-2"):
        logs.create_log_group(logGroupName=name)
    arn = "arn:aws:logs:us-east-1:000000000000:log-group:/web/app:*"
    mine = account.caller("logs", allow(["logs:FilterLogEvents", "logs:DescribeLogStreams"], arn))
    for call in (mine.filter_log_events, mine.describe_log_streams):
        assert not refusal(call, logGroupName="/web/app")
        assert refusal(call, logGroupName="/web/app-2")


def test_an_event_is_put_by_its_source_and_its_type(account: Account) -> None:
    """Each of the two alone is not enough."""
    condition = {"events:source": "crossfade", "events:detail-type": "State Change"}
    bus = account.caller("events", allow("events:PutEvents", StringEquals=condition))

    def put(source: str, kind: str) -> str:
        return refusal(bus.put_events, Entries=[{"Source": source, "DetailType": kind, "Detail": "{}"}])

    assert not put("crossfade", "State Change")
    assert "events:PutEvents" in put("other", "State Change")
    assert "events:PutEvents" in put("crossfade", "Other")


def test_a_call_by_http_counts_as_one_by_tls(account: Account) -> None:
    """For a bucket's policy that refuses all others."""
    admin, arn = account.sandbox.client("s3"), "arn:aws:s3:::tls-alone"
    refused = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    admin.create_bucket(Bucket="tls-alone")
    policy = {"Version": "2012-10-17", "Statement": [refused]}
    admin.put_bucket_policy(Bucket="tls-alone", Policy=json.dumps(policy))
    s3 = account.caller("s3", allow("s3:PutObject", f"{arn}/*"))
    assert not refusal(s3.put_object, Bucket="tls-alone", Key="a", Body=b"a")
    refused["Condition"]["Bool"]["aws:SecureTransport"] = "true"  # type: ignore[index]
    admin.put_bucket_policy(Bucket="tls-alone", Policy=json.dumps(policy))
    assert "s3:PutObject" in refusal(s3.put_object, Bucket="tls-alone", Key="a", Body=b"a")


def test_a_slot_of_another_crossfade_is_not_written(account: Account) -> None:
    """By the tag that names its spec; one without that tag may be this one's, of an earlier version."""
    owner, specs = account.sandbox.client("ecs"), {"own": "/a/services/web", "other": "/ab/services/web"}
    for name in (*specs, "untagged"):
        tags = [{"key": "crossfade:spec", "value": specs[name]}] if name in specs else []
        owner.create_service(
            cluster="ours", serviceName=f"{name}-blue", taskDefinition="ours", desiredCount=0, tags=tags
        )
    ecs = account.caller(
        "ecs",
        allow(
            ["ecs:CreateService", "ecs:UpdateService", "ecs:DeleteService", "ecs:TagResource"],
            "arn:aws:ecs:us-east-1:000000000000:service/*/*-blue",
            StringLikeIfExists={"aws:ResourceTag/crossfade:spec": "/a/services/*"},
        ),
    )
    for name, refused in {"own": False, "untagged": False, "other": True}.items():
        named = {"cluster": "ours", "service": f"{name}-blue"}
        arn = f"{account.arn('service', 'ours').rpartition('/')[0]}/{name}-blue"
        tag = {"resourceArn": arn, "tags": [{"key": "team", "value": "a"}]}
        assert bool(refusal(ecs.update_service, **named, desiredCount=0)) is refused, name
        assert bool(refusal(ecs.tag_resource, **tag)) is refused, name
        assert bool(refusal(ecs.delete_service, **named, force=True)) is refused, name
    made = {"serviceName": "new-blue", "taskDefinition": "ours", "desiredCount": 0}
    tags = [{"key": "crossfade:spec", "value": specs["own"]}]
    assert not refusal(ecs.create_service, cluster="ours", **made, tags=tags)
