"""What is missing until a service can be deployed: the parts of it that moto does not know."""

from typing import Any

import botocore.session
import pytest

from crossfade.domain.errors import NotPrepared
from crossfade.domain.preparation import (
    FIXED,
    HEALTH_CHECK,
    NEW_GROUP,
    Found,
    Group,
    Names,
    Port,
    Step,
    steps,
)
from crossfade.domain.slots import SLOTS, Slot
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.traffic.rule import LiveRule
from faults.cases.service import LISTENER, document, login

NAMES = Names("/services/", "web")
RULE = LISTENER.replace(":listener/", ":listener-rule/") + "/3"
ROLES = (*SLOTS, "pattern")
OWN = {"crossfade:service": "web", "crossfade:spec": NAMES.spec}
REWRITE = {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/web", "Replace": "/"}]}}
HTTP = {"Protocol": "HTTP", "ProtocolVersion": "HTTP1", "Port": 80, "VpcId": "vpc", "TargetType": "ip"}


def group(name: str, attributes: dict[str, str] | None = None, **shown: Any) -> Group:
    """A target group."""
    return Group(
        {"TargetGroupArn": name, "TargetGroupName": name, **HTTP, **shown}, attributes or NEW_GROUP, OWN
    )


def users(*transforms: dict[str, Any], before: tuple[dict[str, Any], ...] = ()) -> LiveRule:
    """The rule of the owner that users come by."""
    forward = {"Type": "forward", "Order": 2, "TargetGroupArn": "web"}
    host = {"Field": "host-header", "HostHeaderConfig": {"Values": ["web.example"]}}
    return LiveRule(
        arn=RULE, priority="100", conditions=(host,), actions=(*before, forward), transforms=transforms
    )


def preview(role: str, priority: str, target: str, *transforms: dict[str, Any]) -> LiveRule:
    """A preview rule."""
    header = {"HttpHeaderName": "x-crossfade-slot", "Values": [f"{{secret}}-{role}"]}
    return LiveRule(
        arn=role,
        priority=priority,
        conditions=({"Field": "http-header", "HttpHeaderConfig": header},),
        actions=({"Type": "forward", "TargetGroupArn": target},),
        transforms=transforms,
    )


def missing(found: Found, **changes: Any) -> list[Step]:
    """The steps of a service whose rule is its owner's."""
    spec = ServiceSpec.model_validate(document(traffic=[{"rule": RULE}], **changes))
    return steps(spec, NAMES, found)


def prepared(rule: LiveRule, *transforms: dict[str, Any], pattern: Group | None = None) -> Found:
    """A service that is prepared."""
    targets = {"blue": "cf-blue", "green": "cf-green", "pattern": "web"}
    previews = [
        preview(role, str(n), target, *transforms)
        for n, (role, target) in enumerate(targets.items(), start=1)
    ]
    groups = {slot: group(f"cf-{slot}") for slot in SLOTS}
    return Found(
        ports=(Port("", pattern or group("web"), groups),),
        rules=(*previews, rule),
        tags={one.arn: OWN for one in previews},
        production={LISTENER: (rule,)},
        has_secret=True,
    )


def _with_groups(found: Found, groups: dict[Slot, Group]) -> Found:
    return found._replace(ports=(found.ports[0]._replace(groups=groups),))


def test_every_setting_of_a_target_group_has_its_place() -> None:
    """One that the API gets has to be copied, and put right where that can be."""
    model = botocore.session.get_session().get_service_model("elbv2")
    created = model.operation_model("CreateTargetGroup").input_shape.members.keys()
    modified = model.operation_model("ModifyTargetGroup").input_shape.members.keys()
    assert {*FIXED, *HEALTH_CHECK} == created - {"Name", "Tags"}
    assert set(HEALTH_CHECK) == modified - {"TargetGroupArn"}


def test_nothing_is_missing_of_a_service_that_is_prepared() -> None:
    """With or without transforms."""
    assert missing(prepared(users())) == []
    assert missing(prepared(users(REWRITE), REWRITE)) == []


def test_a_pattern_in_another_vpc_is_refused() -> None:
    """ELB cannot move a target group, and tasks there would be no targets of the slots'."""
    with pytest.raises(
        NotPrepared, match=r"has VpcId vpc where the pattern's has vpc-2, and ELB cannot change"
    ):
        missing(prepared(users(), pattern=group("web", VpcId="vpc-2")))


def test_the_probe_meets_what_users_meet() -> None:
    """Transforms of their rule are those of the preview rules."""
    found = prepared(users(REWRITE))._replace(rules=(users(REWRITE),), tags={})
    assert [step.call.arguments["Transforms"] for step in missing(found)] == [[REWRITE]] * 3


@pytest.mark.parametrize(
    ("has", "wanted", "changed"),
    [
        ([], [REWRITE], {"Transforms": [REWRITE]}),
        ([REWRITE], [], {"ResetTransforms": True}),
    ],
)
def test_transforms_are_put_right(has: list[Any], wanted: list[Any], changed: dict[str, Any]) -> None:
    """And the inverse puts them back."""
    found = missing(prepared(users(*wanted), *has))
    assert [step.call.arguments for step in found] == [{"RuleArn": role, **changed} for role in ROLES]
    back = {"Transforms": has} if has else {"ResetTransforms": True}
    assert [step.inverse.arguments for step in found] == [{"RuleArn": role, **back} for role in ROLES]


def test_a_login_stands_before_no_rule_of_the_probe() -> None:
    """The third one leads where users get to, once they are known."""
    found = prepared(users(before=(login(),)))
    (step,) = missing(found, login_bypass=True)
    assert step.call.arguments["Actions"] == [{"Type": "forward", "TargetGroupArn": "web"}]
    assert step.call.arguments["Priority"] == 4


def test_a_new_group_gets_the_attributes_that_differ() -> None:
    """ELB refuses some of them where another one has not the value that they need."""
    pattern = group("web", {**NEW_GROUP, "load_balancing.algorithm.type": "least_outstanding_requests"})
    found = prepared(users(), pattern=pattern)
    found = _with_groups(found, {"blue": group("cf-blue", pattern.attributes)})
    attributes = next(step for step in missing(found) if "Attributes" in step.call.arguments)
    assert attributes.call.arguments == {
        "TargetGroupArn": f"<{NAMES.group('green')}>",
        "Attributes": [{"Key": "load_balancing.algorithm.type", "Value": "least_outstanding_requests"}],
    }


def test_an_attribute_that_is_not_known_here_is_copied() -> None:
    """AWS may show more of them tomorrow."""
    pattern = group("web", {**NEW_GROUP, "new.attribute": "7"})
    for step in missing(prepared(users(), pattern=pattern)):
        assert step.call.arguments["Attributes"] == [{"Key": "new.attribute", "Value": "7"}]


def test_a_setting_that_the_pattern_has_not_is_not_asked_for() -> None:
    """A health check that is off has no path."""
    assert missing(prepared(users(), pattern=group("web", HealthCheckEnabled=False)))
    found = prepared(users())
    assert (
        missing(_with_groups(found, {slot: group(f"cf-{slot}", HealthCheckPath="/") for slot in SLOTS})) == []
    )
