"""Stacks write the same state as the API does."""

from __future__ import annotations

import pytest
from ministack.services.cloudformation import provisioners


def provision(kind, **properties):
    return provisioners._RESOURCE_HANDLERS[f"AWS::ElasticLoadBalancingV2::{kind}"]["create"](
        "Logical", properties, "stack"
    )


def test_a_stack_gets_localhost(elbv2):
    """GetAtt DNSName is localhost."""
    assert provision("LoadBalancer", Name="lb")[1]["DNSName"] == "localhost"


def test_a_rule_keeps_its_condition_and_weights(elbv2, listener, groups):
    """A header rule with a weighted forward, numbers written as strings, reads back through the API."""
    arn, _ = provision(
        "ListenerRule",
        ListenerArn=listener,
        Priority=1,
        Conditions=[
            {
                "Field": "http-header",
                "HttpHeaderConfig": {"HttpHeaderName": "x-crossfade-slot", "Values": ["green"]},
            }
        ],
        Actions=[
            {
                "Type": "forward",
                "ForwardConfig": {
                    "TargetGroups": [
                        {"TargetGroupArn": groups[0], "Weight": "0"},
                        {"TargetGroupArn": groups[1], "Weight": "1"},
                    ]
                },
            }
        ],
    )
    rule = elbv2("DescribeRules", RuleArns=[arn])["Rules"][0]
    assert rule["Conditions"][0]["HttpHeaderConfig"]["Values"] == ["green"]
    shown = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
    assert [(groups[0], 0), (groups[1], 1)] == [(g["TargetGroupArn"], g["Weight"]) for g in shown]
    assert "TargetGroupArn" not in rule["Actions"][0]


def test_a_taken_priority_fails_the_stack(elbv2, listener, groups):
    """A rule of a stack cannot take a priority that is held, with AWS's words as the reason."""
    forward = [{"Type": "forward", "TargetGroupArn": groups[0]}]
    provision("ListenerRule", ListenerArn=listener, Priority=1, Conditions=[], Actions=forward)
    with pytest.raises(ValueError, match="Priority '1' is currently in use"):
        provision("ListenerRule", ListenerArn=listener, Priority=1, Conditions=[], Actions=forward)


def test_a_taken_port_fails_the_stack(elbv2, balancer, listener):
    """A listener of a stack cannot take a port that is held."""
    with pytest.raises(ValueError, match="already exists on this port"):
        provision("Listener", LoadBalancerArn=balancer, Port=8080, DefaultActions=[])


def test_a_rule_of_a_stack_has_its_tags(elbv2, listener, groups):
    """An update changes those of the template, and leaves what others have put there."""
    asked = {
        "ListenerArn": listener,
        "Priority": 1,
        "Conditions": [{"Field": "path-pattern", "Values": ["/*"]}],
        "Actions": [{"Type": "forward", "TargetGroupArn": groups[0]}],
    }
    before = {**asked, "Tags": [{"Key": "team", "Value": "a"}, {"Key": "old", "Value": "x"}]}
    arn, _ = provision("ListenerRule", **before)
    elbv2("AddTags", ResourceArns=[arn], Tags=[{"Key": "crossfade:service", "Value": "web"}])

    update = provisioners._RESOURCE_HANDLERS["AWS::ElasticLoadBalancingV2::ListenerRule"]["update"]
    update(arn, before, {**asked, "Tags": [{"Key": "team", "Value": "b"}]}, "stack")

    shown = elbv2("DescribeTags", ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in shown} == {"team": "b", "crossfade:service": "web"}
