"""What AWS refuses, and what it keeps, of listeners, rules, target groups and tags."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ministack.services import alb

from sandbox.load_balancer import checks
from tests.sandbox_parts.load_balancer.test_api import EVERYTHING, KEEP, SECRET, create, forward, login
from tests.sandbox_parts.load_balancer.test_cloudformation import provision

FIXED = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]
TAGS = [{"Key": "crossfade:service", "Value": "a & <b>"}]
AWS_TAG = [{"Key": "aws:cloudformation:stack-name", "Value": "web"}]
REWRITE = [
    {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/a/(.*)$", "Replace": "/$1"}]}}
]


def tags_of(elbv2: Any, arn: str) -> list[dict[str, str]]:
    return list(elbv2("DescribeTags", ResourceArns=[arn])["TagDescriptions"][0]["Tags"])


def test_a_change_leaves_what_it_does_not_name(elbv2, listener, groups):
    """ModifyRule replaces conditions, actions and transforms each as a whole, and no other."""
    rule = elbv2(
        "CreateRule",
        ListenerArn=listener,
        Priority=1,
        Conditions=EVERYTHING,
        Actions=forward((groups[0], 1)),
        Transforms=REWRITE,
        Tags=TAGS,
    )["Rules"][0]
    other = [{"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/b"]}}]

    changed = elbv2("ModifyRule", RuleArn=rule["RuleArn"], Actions=forward((groups[1], 1)))["Rules"][0]
    assert changed["Actions"] != rule["Actions"]
    assert {**changed, "Actions": rule["Actions"]} == rule
    again = elbv2("ModifyRule", RuleArn=rule["RuleArn"], Conditions=other)["Rules"][0]
    assert again["Conditions"][0]["PathPatternConfig"]["RegexValues"] == ["^/b"]
    assert {**again, "Conditions": rule["Conditions"]} == changed
    reset = elbv2("ModifyRule", RuleArn=rule["RuleArn"], ResetTransforms=True)["Rules"][0]
    assert {**reset, "Transforms": REWRITE} == again
    assert tags_of(elbv2, rule["RuleArn"]) == TAGS


def test_a_default_rule_cannot_be_changed_as_a_rule(elbv2, listener, groups, refused):
    """OperationNotPermitted; ModifyListener does it."""
    default = elbv2("DescribeRules", ListenerArn=listener)["Rules"][0]["RuleArn"]
    with pytest.raises(refused, match="OperationNotPermitted"):
        elbv2("ModifyRule", RuleArn=default, Actions=forward((groups[0], 1)))
    elbv2("ModifyListener", ListenerArn=listener, DefaultActions=forward((groups[0], 1)))
    shown = elbv2("DescribeRules", RuleArns=[default])["Rules"][0]["Actions"][0]
    assert shown["TargetGroupArn"] == groups[0]


@pytest.mark.parametrize("operation", ["CreateRule", "CreateTargetGroup", "CreateListener", "AddTags"])
def test_tags_of_aws_are_refused(elbv2, balancer, listener, groups, refused, operation):
    """On what is made and on what there is; the caller's own are shown."""
    calls: dict[str, dict[str, Any]] = {
        "CreateRule": {
            "ListenerArn": listener,
            "Priority": 1,
            "Conditions": EVERYTHING,
            "Actions": forward((groups[0], 1)),
        },
        "CreateTargetGroup": {"Name": "web", "Port": 8080},
        "CreateListener": {"LoadBalancerArn": balancer, "Port": 8081, "DefaultActions": FIXED},
        "AddTags": {"ResourceArns": [groups[0]]},
    }
    with pytest.raises(refused, match="ValidationError"):
        elbv2(operation, **calls[operation], Tags=TAGS + AWS_TAG)
    made = elbv2(operation, **calls[operation], Tags=TAGS)
    name, arn = {
        "CreateRule": ("Rules", "RuleArn"),
        "CreateTargetGroup": ("TargetGroups", "TargetGroupArn"),
        "CreateListener": ("Listeners", "ListenerArn"),
    }.get(operation, ("", ""))
    assert tags_of(elbv2, made[name][0][arn] if name else groups[0]) == TAGS


def test_a_name_has_at_most_32_characters(elbv2, refused):
    """That of a target group."""
    elbv2("CreateTargetGroup", Name="a" * 32, Port=80)
    with pytest.raises(refused, match="ValidationError"):
        elbv2("CreateTargetGroup", Name="a" * 33, Port=80)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({}, True),
        ({"HealthCheckPath": "/"}, True),
        ({"Matcher": {"HttpCode": "200"}}, True),
        ({"Port": 81}, False),
        ({"HealthCheckPath": "/healthz"}, False),
        ({"Matcher": {"HttpCode": "200-299"}}, False),
        ({"HealthCheckEnabled": False}, False),
        ({"ProtocolVersion": "HTTP1", "IpAddressType": "ipv4"}, True),
        ({"ProtocolVersion": "GRPC"}, False),
    ],
)
def test_a_group_is_made_once(elbv2, refused, other, same):
    """With the same settings again it is the one that there is, with other ones DuplicateTargetGroupName."""
    asked = {"Name": "web", "Port": 80, "TargetType": "ip", "VpcId": "vpc-1"}
    first = elbv2("CreateTargetGroup", **asked)["TargetGroups"]
    if same:
        assert elbv2("CreateTargetGroup", **asked | other)["TargetGroups"] == first
        return
    with pytest.raises(refused, match="DuplicateTargetGroupName"):
        elbv2("CreateTargetGroup", **asked | other)
    assert len(elbv2("DescribeTargetGroups")["TargetGroups"]) == 1


def test_a_group_has_its_protocol_version(elbv2):
    """Of a call, of a template, and AWS's default."""
    for number, given in enumerate(({}, {"ProtocolVersion": "HTTP2", "IpAddressType": "ipv6"})):
        asked = {"Port": 80, "Protocol": "HTTP", **given}
        made = elbv2("CreateTargetGroup", Name=f"call-{number}", **asked)["TargetGroups"][0]
        of_a_stack, _ = provision("TargetGroup", Name=f"stack-{number}", **asked)
        shown = elbv2("DescribeTargetGroups", TargetGroupArns=[of_a_stack])["TargetGroups"][0]
        for group in (made, shown):
            assert group["ProtocolVersion"] == given.get("ProtocolVersion", "HTTP1")
            assert group["IpAddressType"] == given.get("IpAddressType", "ipv4")


def test_a_load_balancer_has_room_for_so_many_rules(elbv2, listener, groups, refused, monkeypatch):
    """TooManyRules; default rules do not count."""
    monkeypatch.setattr(checks, "MOST_RULES", 1)
    create(elbv2, listener, forward((groups[0], 1)), priority=1)
    with pytest.raises(refused, match="TooManyRules"):
        create(elbv2, listener, forward((groups[0], 1)), priority=2)


def test_a_load_balancer_has_room_for_so_many_groups(elbv2, listener, groups, refused, monkeypatch):
    """Those of all its rules; the same one again is none more."""
    monkeypatch.setattr(checks, "MOST_GROUPS", 1)
    create(elbv2, listener, forward((groups[0], 1)), priority=1)
    create(elbv2, listener, forward((groups[0], 1)), priority=2)
    with pytest.raises(refused, match="TooManyUniqueTargetGroupsPerLoadBalancer"):
        create(elbv2, listener, forward((groups[1], 1)), priority=3)


def test_an_https_listener_needs_a_certificate(elbv2, balancer, listener, refused):
    """Made or changed, by the API or by a stack."""
    arn = "arn:aws:acm:us-east-1:000000000000:certificate/one"
    asked: dict[str, Any] = {"LoadBalancerArn": balancer, "Protocol": "HTTPS", "DefaultActions": FIXED}
    with pytest.raises(refused, match="ValidationError"):
        elbv2("CreateListener", **asked, Port=8443)
    with pytest.raises(refused, match="ValidationError"):
        elbv2("ModifyListener", ListenerArn=listener, Protocol="HTTPS")
    with pytest.raises(ValueError, match="A certificate must be specified for HTTPS listeners"):
        provision("Listener", **asked, Port=8443)
    made = elbv2("CreateListener", **asked, Port=8443, Certificates=[{"CertificateArn": arn}])["Listeners"][0]
    assert made["Certificates"] == [{"CertificateArn": arn}]
    elbv2("ModifyListener", ListenerArn=made["ListenerArn"], Port=8444)


def test_a_login_may_stand_in_a_default_action(elbv2, balancer, groups, refused):
    """With its secret, which a change may keep; it is never shown."""
    last = {**forward((groups[0], 1))[0], "Order": 2}

    def made(**secret: Any) -> Any:
        return elbv2(
            "CreateListener", LoadBalancerArn=balancer, Port=8081, DefaultActions=[login(**secret), last]
        )

    for wrong in ({}, KEEP):
        with pytest.raises(refused, match="InvalidLoadBalancerAction"):
            made(**wrong)
    arn = made(**SECRET)["Listeners"][0]["ListenerArn"]
    with pytest.raises(refused, match="InvalidLoadBalancerAction"):
        elbv2("ModifyListener", ListenerArn=arn, DefaultActions=[login(), last])
    elbv2("ModifyListener", ListenerArn=arn, DefaultActions=[login(**KEEP, Scope="openid email"), last])
    shown = elbv2("DescribeListeners", ListenerArns=[arn])["Listeners"][0]["DefaultActions"][0]
    assert shown["AuthenticateOidcConfig"]["Scope"] == "openid email"
    assert "ClientSecret" not in shown["AuthenticateOidcConfig"]
    assert alb._listeners[arn]["DefaultActions"][0]["AuthenticateOidcConfig"]["ClientSecret"] == "s"


def test_a_stack_makes_a_login(elbv2, listener, groups):
    """As the API does, with AWS's defaults; not without a secret."""
    last = {"Type": "forward", "Order": "2", "TargetGroupArn": groups[0]}
    asked = {"ListenerArn": listener, "Priority": 1, "Conditions": EVERYTHING}
    with pytest.raises(ValueError, match="client secret"):
        provision("ListenerRule", **asked, Actions=[login(), last])
    arn, _ = provision(
        "ListenerRule", **asked, Actions=[login(**SECRET, AuthorizationEndpoint="https://a?b&c"), last]
    )
    rule = elbv2("DescribeRules", RuleArns=[arn])["Rules"][0]
    shown = rule["Actions"][0]["AuthenticateOidcConfig"]
    assert (shown["SessionCookieName"], shown["SessionTimeout"], shown["Scope"]) == (
        "AWSELBAuthSessionCookie",
        604800,
        "openid",
    )
    assert (shown["OnUnauthenticatedRequest"], shown["AuthorizationEndpoint"]) == (
        "authenticate",
        "https://a?b&c",
    )
    kept = copy.deepcopy(rule["Actions"])
    kept[0]["AuthenticateOidcConfig"] |= KEEP
    elbv2("ModifyRule", RuleArn=arn, Actions=kept)
    assert elbv2("DescribeRules", RuleArns=[arn])["Rules"][0] == rule


@pytest.mark.parametrize(
    "gate",
    [
        login(**SECRET, AuthenticationRequestExtraParams={"prompt": "login", "a": "<&>"}),
        {
            "Type": "authenticate-cognito",
            "Order": 1,
            "AuthenticateCognitoConfig": {
                "UserPoolArn": "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_a",
                "UserPoolClientId": "web",
                "UserPoolDomain": "web",
                "SessionTimeout": 60,
                "AuthenticationRequestExtraParams": {"prompt": "login"},
            },
        },
        {
            "Type": "jwt-validation",
            "Order": 1,
            "JwtValidationConfig": {
                "JwksEndpoint": "https://login.example/jwks",
                "Issuer": "https://login.example",
                "AdditionalClaims": [{"Format": "string-array", "Name": "aud", "Values": ["a", "b"]}],
            },
        },
    ],
)
def test_what_stands_before_a_forward_reads_back(elbv2, listener, groups, gate):
    """Whatever a call gives of it, so that it can be written as it was read."""
    last = {**forward((groups[0], 1))[0], "Order": 2}
    rule = create(elbv2, listener, [gate, last])
    config = next(name for name in gate if name.endswith("Config"))
    given = {name: value for name, value in gate[config].items() if name != "ClientSecret"}
    shown = rule["Actions"][0][config]
    assert {name: shown[name] for name in given} == given
