"""Conditions: which requests meet them, how they read back, and what AWS refuses."""

from __future__ import annotations

from typing import Any

import pytest
from ministack.services import alb

from sandbox.load_balancer.conditions import Seen, met
from tests.sandbox_parts.load_balancer.test_api import create, forward
from tests.sandbox_parts.load_balancer.test_cloudformation import provision


def values(field: str, config: str, *given: str, **more: Any) -> dict[str, Any]:
    return {"Field": field, config: {"Values": list(given), **more}}


def host(*given: str) -> dict[str, Any]:
    return values("host-header", "HostHeaderConfig", *given)


def path(*given: str) -> dict[str, Any]:
    return values("path-pattern", "PathPatternConfig", *given)


def header(name: str, *given: str) -> dict[str, Any]:
    return values("http-header", "HttpHeaderConfig", *given, HttpHeaderName=name)


def query(*pairs: tuple[str, str]) -> dict[str, Any]:
    given = [{"Key": key, "Value": value} if key else {"Value": value} for key, value in pairs]
    return {"Field": "query-string", "QueryStringConfig": {"Values": given}}


def source(*given: str) -> dict[str, Any]:
    return values("source-ip", "SourceIpConfig", *given)


def method(*given: str) -> dict[str, Any]:
    return values("http-request-method", "HttpRequestMethodConfig", *given)


def expression(field: str, config: str, given: str, **more: Any) -> dict[str, Any]:
    return {"Field": field, config: {"RegexValues": [given], **more}}


def request(**asked: Any) -> Seen:
    given: dict[str, Any] = {"method": "GET", "path": "/", "headers": {}, "query": {}, "client": "127.0.0.1"}
    return Seen(**given | asked)


TO_WEB = request(headers={"host": ["Web.Example.com:8443"]})
CASES = [
    (host("web.example.com"), TO_WEB, True),
    (host("*.EXAMPLE.com"), TO_WEB, True),
    (host("example.com", "we?.example.*"), TO_WEB, True),
    (host("*.example.com"), request(headers={"host": ["example.com"]}), False),
    (host("w[a-z]b.example.com"), TO_WEB, False),
    (host("*.com"), request(), False),
    (path("/img/*"), request(path="/img/a/b.png"), True),
    (path("/IMG/*"), request(path="/img/a.png"), False),
    (path("/v[12]/x"), request(path="/v1/x"), False),
    (path("/v?/x"), request(path="/v1/x"), True),
    (header("X-Slot", "GR*N"), request(headers={"x-slot": ["green"]}), True),
    (header("x-slot", "green"), request(headers={"x-slot": ["blue", "green"]}), True),
    (header("x-slot", "gree?"), request(headers={"x-slot": ["green, blue"]}), False),
    (header("x-slot", "*"), request(), False),
    (query(("slot", "gr*n"), ("", "any")), request(query={"slot": ["Green"]}), True),
    (query(("slot", "gr*n"), ("", "any")), request(query={"x": ["any"]}), True),
    (query(("slot", "gr*n"), ("", "any")), request(query={"slot": ["blue"]}), False),
    (query(("a", "\\*")), request(query={"a": ["b"]}), False),
    (query(("a", "\\*")), request(query={"a": ["*"]}), True),
    (source("10.0.0.0/8", "127.0.0.1/32"), request(), True),
    (source("10.0.0.0/8"), request(headers={"x-forwarded-for": ["10.1.1.1"]}), False),
    (source("::1/128"), request(), False),
    (method("POST", "GET"), request(), True),
    (method("get"), request(), False),
    (expression("path-pattern", "PathPatternConfig", "^/v[12]/"), request(path="/v2/x"), True),
    (expression("path-pattern", "PathPatternConfig", "^/v[12]/"), request(path="/v3/x"), False),
    (expression("host-header", "HostHeaderConfig", ":8443$"), TO_WEB, True),
    (
        expression("http-header", "HttpHeaderConfig", "^b", HttpHeaderName="X"),
        request(headers={"x": ["blue"]}),
        True,
    ),
]


@pytest.mark.parametrize(("given", "seen", "meets"), CASES)
def test_a_request_meets_a_condition(elbv2, listener, groups, given, seen, meets):
    """As botocore's model says of each; the same for a rule of the API and of a stack."""
    rule = create(elbv2, listener, forward((groups[0], 1)), conditions=[given])["RuleArn"]
    of_a_stack, _ = provision(
        "ListenerRule",
        ListenerArn=listener,
        Priority=11,
        Conditions=[given],
        Actions=[{"Type": "forward", "TargetGroupArn": groups[0]}],
    )

    stored = [alb._rules[arn]["Conditions"][0] for arn in (rule, of_a_stack)]

    assert [met(condition, seen) for condition in stored] == [meets, meets]


@pytest.mark.parametrize(
    "given",
    [
        host("*.example.com"),
        header("X-Slot", "a&b"),
        query(("slot", "gr*n"), ("", "<any>")),
        source("10.0.0.0/8"),
        expression("path-pattern", "PathPatternConfig", "^/(a|b)<&>"),
        expression("host-header", "HostHeaderConfig", r"^web\."),
        expression("http-header", "HttpHeaderConfig", "^b", HttpHeaderName="X"),
    ],
)
def test_a_condition_reads_back(elbv2, listener, groups, given):
    """In the structure of its field, expressions and what XML has to escape included."""
    rule = create(elbv2, listener, forward((groups[0], 1)), conditions=[given])
    shown = elbv2("DescribeRules", RuleArns=[rule["RuleArn"]])["Rules"][0]["Conditions"][0]
    config = next(name for name in given if name != "Field")
    assert {name: shown[config].get(name) for name in given[config]} == given[config]
    assert shown.get("RegexValues", []) == given[config].get("RegexValues", [])


def test_an_expression_may_stand_beside_its_field(elbv2, listener, groups):
    """RegexValues of a condition itself, as botocore's RuleCondition has them."""
    given = {"Field": "path-pattern", "RegexValues": ["^/a"]}
    rule = create(elbv2, listener, forward((groups[0], 1)), conditions=[given])
    assert rule["Conditions"][0]["PathPatternConfig"]["RegexValues"] == ["^/a"]
    assert met(alb._rules[rule["RuleArn"]]["Conditions"][0], request(path="/abc"))


FIVE = [host("a.example.com", "b.example.com"), header("x", "1", "2"), query(("k", "v"))]


def test_five_values_are_all_that_a_rule_can_have(elbv2, listener, groups, refused):
    """Of all its conditions together, made or changed, by the API or by a stack."""
    action = forward((groups[0], 1))
    rule = create(elbv2, listener, action, conditions=FIVE)["RuleArn"]
    six = [*FIVE, source("10.0.0.0/8")]
    with pytest.raises(refused, match="ValidationError"):
        create(elbv2, listener, action, priority=11, conditions=six)
    with pytest.raises(refused, match="ValidationError"):
        elbv2("ModifyRule", RuleArn=rule, Conditions=six)
    with pytest.raises(ValueError, match="A rule can only have '5' condition values"):
        provision("ListenerRule", ListenerArn=listener, Priority=12, Conditions=six, Actions=action)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param([header("x", "v" * 129)], id="long"),
        pytest.param([path()], id="none"),
        pytest.param([path("/a"), path("/b")], id="two-of-one-field"),
        pytest.param([{"Field": "path", "Values": ["/a"]}], id="unknown-field"),
        pytest.param([source("10.0.0.0/33")], id="no-network"),
        pytest.param([source("10.0.0.1")], id="address"),
        pytest.param([expression("path-pattern", "PathPatternConfig", "^/(a")], id="no-expression"),
    ],
)
def test_what_no_request_can_be_compared_with_is_refused(elbv2, listener, groups, refused, given):
    """ValidationError, from CreateRule and from ModifyRule; a stack fails."""
    action = forward((groups[0], 1))
    rule = create(elbv2, listener, action, conditions=[header("x", "v" * 128), header("y", "1")])["RuleArn"]
    with pytest.raises(refused, match="ValidationError"):
        create(elbv2, listener, action, priority=11, conditions=given)
    with pytest.raises(refused, match="ValidationError"):
        elbv2("ModifyRule", RuleArn=rule, Conditions=given)
    with pytest.raises(ValueError, match="'"):
        provision("ListenerRule", ListenerArn=listener, Priority=12, Conditions=given, Actions=action)
