"""The ELBv2 API as patched: what AWS accepts, refuses and shows."""

from __future__ import annotations

from typing import Any

import pytest
from ministack.services import alb

EVERYTHING = [{"Field": "path-pattern", "Values": ["/*"]}]


def forward(*weights: tuple[str, int], **stickiness: Any) -> list[dict[str, Any]]:
    config: dict[str, Any] = {"TargetGroups": [{"TargetGroupArn": arn, "Weight": w} for arn, w in weights]}
    if stickiness:
        config["TargetGroupStickinessConfig"] = stickiness
    return [{"Type": "forward", "ForwardConfig": config}]


def create(elbv2, listener, actions, priority=10, conditions=None):
    rule = elbv2(
        "CreateRule",
        ListenerArn=listener,
        Priority=priority,
        Conditions=conditions or EVERYTHING,
        Actions=actions,
    )
    return rule["Rules"][0]


def test_weights_come_back_as_written(elbv2, listener, groups):
    """A weighted rule reads back with its weights, 0 included, and names no single target group."""
    rule = create(elbv2, listener, forward((groups[0], 100), (groups[1], 0)))
    read = elbv2("DescribeRules", RuleArns=[rule["RuleArn"]])["Rules"][0]["Actions"][0]
    assert read["ForwardConfig"] == {
        "TargetGroups": [
            {"TargetGroupArn": groups[0], "Weight": 100},
            {"TargetGroupArn": groups[1], "Weight": 0},
        ],
        "TargetGroupStickinessConfig": {"Enabled": False},
    }
    assert "TargetGroupArn" not in read


def test_modify_rule_replaces_the_weights(elbv2, listener, groups):
    """ModifyRule replaces the whole action and answers with it."""
    rule = create(elbv2, listener, forward((groups[0], 100), (groups[1], 0)))
    modified = elbv2("ModifyRule", RuleArn=rule["RuleArn"], Actions=forward((groups[0], 1), (groups[1], 99)))
    shown = modified["Rules"][0]["Actions"][0]["ForwardConfig"]["TargetGroups"]
    assert [(groups[0], 1), (groups[1], 99)] == [(g["TargetGroupArn"], g["Weight"]) for g in shown]


def test_one_group_is_shown_both_ways(elbv2, balancer, groups):
    """A forward to one group, however written, shows TargetGroupArn and ForwardConfig."""
    for port, action in enumerate(
        ({"Type": "forward", "TargetGroupArn": groups[0]}, forward((groups[0], 1))[0]), start=8080
    ):
        created = elbv2("CreateListener", LoadBalancerArn=balancer, Port=port, DefaultActions=[action])
        arn = created["Listeners"][0]["ListenerArn"]
        shown = elbv2("DescribeListeners", ListenerArns=[arn])["Listeners"][0]["DefaultActions"][0]
        assert shown["TargetGroupArn"] == groups[0]
        assert shown["ForwardConfig"]["TargetGroups"] == [{"TargetGroupArn": groups[0], "Weight": 1}]


def test_stickiness_comes_back(elbv2, listener, groups):
    """Stickiness of a rule is shown, so that a deployment can refuse it."""
    rule = create(elbv2, listener, forward((groups[0], 1), Enabled=True, DurationSeconds=60))
    shown = rule["Actions"][0]["ForwardConfig"]["TargetGroupStickinessConfig"]
    assert shown == {"Enabled": True, "DurationSeconds": 60}


@pytest.mark.parametrize(
    ("weights", "code"),
    [
        pytest.param([("{blue}", 1000)], "ValidationError", id="weight-above-999"),
        pytest.param([("{blue}", 1)] * 6, "InvalidLoadBalancerAction", id="six-groups"),
        pytest.param([("arn:of:nothing", 1)], "TargetGroupNotFound", id="unknown-group"),
        pytest.param([], "ValidationError", id="no-group"),
    ],
)
def test_bad_actions_are_refused(elbv2, listener, groups, refused, weights, code):
    """A bad forward action is refused on create and on modify, and changes nothing."""
    bad = forward(*[(arn.format(blue=groups[0]), weight) for arn, weight in weights])
    rule = create(elbv2, listener, forward((groups[0], 1)))
    with pytest.raises(refused, match=code):
        create(elbv2, listener, bad, priority=11)
    with pytest.raises(refused, match=code):
        elbv2("ModifyRule", RuleArn=rule["RuleArn"], Actions=bad)
    assert elbv2("DescribeRules", RuleArns=[rule["RuleArn"]])["Rules"][0]["Actions"] == rule["Actions"]


def test_a_taken_priority_is_refused(elbv2, listener, groups, refused):
    """PriorityInUse, from CreateRule and from SetRulePriorities."""
    create(elbv2, listener, forward((groups[0], 1)), priority=10)
    other = create(elbv2, listener, forward((groups[1], 1)), priority=20)
    with pytest.raises(refused, match="PriorityInUse"):
        create(elbv2, listener, forward((groups[1], 1)), priority=10)
    with pytest.raises(refused, match="PriorityInUse"):
        elbv2("SetRulePriorities", RulePriorities=[{"RuleArn": other["RuleArn"], "Priority": 10}])


def test_two_rules_may_swap_priorities(elbv2, listener, groups):
    """SetRulePriorities judges the outcome, not the order of the list."""
    arns = [create(elbv2, listener, forward((groups[0], 1)), priority=p)["RuleArn"] for p in (1, 2)]
    swapped = [{"RuleArn": arns[0], "Priority": 2}, {"RuleArn": arns[1], "Priority": 1}]
    elbv2("SetRulePriorities", RulePriorities=swapped)
    shown = elbv2("DescribeRules", ListenerArn=listener)["Rules"]
    assert [rule["RuleArn"] for rule in shown[:2]] == arns[::-1]


def test_rules_are_shown_by_priority_default_last(elbv2, listener, groups):
    """DescribeRules of a listener sorts numerically and ends with the default rule."""
    for priority in (20, 3):
        create(elbv2, listener, forward((groups[0], 1)), priority=priority)
    shown = elbv2("DescribeRules", ListenerArn=listener)["Rules"]
    assert [rule["Priority"] for rule in shown] == ["3", "20", "default"]
    fixed = shown[-1]["Actions"][0]["FixedResponseConfig"]
    assert fixed["MessageBody"] == "no <rule> & no target"
    assert elbv2("DescribeRules", RuleArns=[shown[-1]["RuleArn"]])["Rules"] == shown[-1:]


@pytest.mark.parametrize(
    ("operation", "field", "code"),
    [
        ("DescribeRules", "RuleArns", "RuleNotFound"),
        ("ModifyRule", "RuleArn", "RuleNotFound"),
        ("DeleteRule", "RuleArn", "RuleNotFound"),
        ("DescribeRules", "ListenerArn", "ListenerNotFound"),
        ("DescribeListeners", "ListenerArns", "ListenerNotFound"),
        ("DescribeTargetGroups", "Names", "TargetGroupNotFound"),
        ("DescribeTargetHealth", "TargetGroupArn", "TargetGroupNotFound"),
    ],
)
def test_what_does_not_exist_is_not_found(elbv2, refused, operation, field, code):
    """Unknown names are errors, not empty answers."""
    with pytest.raises(refused, match=code):
        elbv2(operation, **{field: ["nothing"] if field.endswith("s") else "nothing"})


def test_a_group_knows_its_load_balancer_while_a_rule_refers_to_it(elbv2, balancer, listener, groups):
    """LoadBalancerArns counts any forward, weight 0 too, and empties when the rule goes."""
    rule = create(elbv2, listener, forward((groups[0], 1), (groups[1], 0)))
    shown = elbv2("DescribeTargetGroups", LoadBalancerArn=balancer)["TargetGroups"]
    assert [group["LoadBalancerArns"] for group in shown] == [[balancer], [balancer]]
    elbv2("DeleteRule", RuleArn=rule["RuleArn"])
    assert elbv2("DescribeTargetGroups", Names=["green"])["TargetGroups"][0]["LoadBalancerArns"] == []


def test_a_group_in_use_cannot_be_deleted(elbv2, listener, groups, refused):
    """ResourceInUse until the last rule that refers to the group is gone."""
    rule = create(elbv2, listener, forward((groups[0], 1)))
    with pytest.raises(refused, match="ResourceInUse"):
        elbv2("DeleteTargetGroup", TargetGroupArn=groups[0])
    elbv2("DeleteRule", RuleArn=rule["RuleArn"])
    elbv2("DeleteTargetGroup", TargetGroupArn=groups[0])


def test_attributes_have_their_defaults(elbv2, groups):
    """A group that was made with one attribute still shows AWS's defaults of the others."""
    alb._tg_attrs[groups[0]] = [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]
    listed = elbv2("DescribeTargetGroupAttributes", TargetGroupArn=groups[0])["Attributes"]
    shown = {attribute["Key"]: attribute["Value"] for attribute in listed}
    assert shown["deregistration_delay.timeout_seconds"] == "30"
    assert shown["stickiness.enabled"] == "false"


def test_the_load_balancer_is_on_localhost(elbv2, balancer):
    """DNSName is localhost, and the gateway's own host is still no load balancer."""
    assert elbv2("DescribeLoadBalancers")["LoadBalancers"][0]["DNSName"] == "localhost"
    assert alb.find_lb_for_host("localhost:4566") is None


def test_a_second_listener_on_a_port_is_refused(elbv2, balancer, listener, refused):
    """DuplicateListener on one load balancer; another one shares the laptop's ports and is told so."""
    fixed = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]
    with pytest.raises(refused, match="DuplicateListener"):
        elbv2("CreateListener", LoadBalancerArn=balancer, Port=8080, DefaultActions=fixed)
    other = elbv2("CreateLoadBalancer", Name="other")["LoadBalancers"][0]["LoadBalancerArn"]
    with pytest.raises(refused, match="ValidationError"):
        elbv2("CreateListener", LoadBalancerArn=other, Port=8080, DefaultActions=fixed)


def test_deleting_a_load_balancer_deletes_its_listeners(elbv2, balancer, listener):
    """Listeners and rules go with their load balancer."""
    elbv2("DeleteLoadBalancer", LoadBalancerArn=balancer)
    assert elbv2("DescribeListeners")["Listeners"] == []
    assert not alb._rules


def login(order: int = 1, **config: Any) -> dict[str, Any]:
    endpoints = ("Issuer", "AuthorizationEndpoint", "TokenEndpoint", "UserInfoEndpoint")
    given = {name: f"https://login.example/{name}" for name in endpoints} | {"ClientId": "web"} | config
    return {"Type": "authenticate-oidc", "Order": order, "AuthenticateOidcConfig": given}


SECRET, KEEP = {"ClientSecret": "s"}, {"UseExistingClientSecret": True}


def test_a_login_never_tells_its_secret(elbv2, listener, groups):
    """It reads back without, before its forward, and goes on knowing it when it is changed without."""
    last = {**forward((groups[0], 1))[0], "Order": 2}
    rule = create(elbv2, listener, [login(**SECRET, OnUnauthenticatedRequest="allow"), last])["RuleArn"]
    for weight in (1, 2):
        shown, shown_last = elbv2("DescribeRules", RuleArns=[rule])["Rules"][0]["Actions"]
        assert "ClientSecret" not in shown["AuthenticateOidcConfig"]
        assert "UseExistingClientSecret" not in shown["AuthenticateOidcConfig"]
        assert shown["AuthenticateOidcConfig"]["OnUnauthenticatedRequest"] == "allow"
        assert (shown["Order"], shown_last["Order"]) == (1, 2)
        assert alb._rules[rule]["Actions"][0]["AuthenticateOidcConfig"]["ClientSecret"] == "s"
        kept = login(**KEEP, OnUnauthenticatedRequest="allow")
        elbv2("ModifyRule", RuleArn=rule, Actions=[kept, {**forward((groups[0], weight))[0], "Order": 2}])


@pytest.mark.parametrize(
    ("had", "given"),
    [
        pytest.param(None, {}, id="made-without"),
        pytest.param(None, KEEP, id="made-with-one-that-is-not-there"),
        pytest.param(SECRET, {}, id="changed-without"),
        pytest.param(SECRET, SECRET | KEEP, id="changed-with-both"),
    ],
)
def test_a_login_without_a_secret_is_refused(elbv2, listener, groups, refused, had, given):
    """Neither or both, and one to keep where there is none."""
    last = {**forward((groups[0], 1))[0], "Order": 2}
    if had is None:
        with pytest.raises(refused, match="InvalidLoadBalancerAction"):
            create(elbv2, listener, [login(**given), last])
        return
    rule = create(elbv2, listener, [login(**had), last])["RuleArn"]
    with pytest.raises(refused, match="InvalidLoadBalancerAction"):
        elbv2("ModifyRule", RuleArn=rule, Actions=[login(**given), last])
