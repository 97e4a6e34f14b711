"""DescribeRules as a role meets it right after a write; the account's own user sees what is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ministack.core import iam_evaluator

from sandbox.load_balancer import rules

Call = Callable[..., dict[str, Any]]

ROLE = "arn:aws:sts::000000000000:assumed-role/crossfade-Shift/crossfade-shift"


@pytest.fixture(autouse=True)
def as_role(elbv2: Call) -> Iterator[None]:
    """Whoever asks is a function's role; what earlier tests wrote is forgotten."""
    rules.read.forget()
    token = iam_evaluator._request_caller_arn.set(ROLE)
    yield
    iam_evaluator._request_caller_arn.reset(token)


def forward(groups: list[str], *weights: int) -> list[dict[str, Any]]:
    pairs = [{"TargetGroupArn": arn, "Weight": w} for arn, w in zip(groups, weights, strict=True)]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": pairs}}]


def create(elbv2: Call, listener: str, groups: list[str], *weights: int) -> dict[str, Any]:
    made = elbv2(
        "CreateRule",
        ListenerArn=listener,
        Priority=10,
        Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
        Actions=forward(groups, *weights),
    )
    return dict(made["Rules"][0])


def weights(rule: dict[str, Any]) -> list[int]:
    return [group["Weight"] for group in rule["Actions"][0]["ForwardConfig"]["TargetGroups"]]


def test_a_new_rule_is_missing(elbv2: Call, listener: str, groups: list[str]):
    """In the listing, and by its ARN; the write's own answer has it, and its priority is taken."""
    rule = create(elbv2, listener, groups, 100, 0)
    listed = elbv2("DescribeRules", ListenerArn=listener)["Rules"]

    assert weights(rule) == [100, 0]
    assert [each["Priority"] for each in listed] == ["default"]
    with pytest.raises(Exception, match="RuleNotFound"):
        elbv2("DescribeRules", RuleArns=[rule["RuleArn"]])
    with pytest.raises(Exception, match="PriorityInUse"):
        create(elbv2, listener, groups, 100, 0)


def test_a_changed_rule_is_the_old_one(elbv2: Call, listener: str, groups: list[str]):
    """The write's own answer has the new weights, and a second write meets them."""
    rule = create(elbv2, listener, groups, 100, 0)
    rules.read.forget()
    answer = elbv2("ModifyRule", RuleArn=rule["RuleArn"], Actions=forward(groups, 50, 50))["Rules"][0]
    shown = elbv2("DescribeRules", ListenerArn=listener)["Rules"][0]

    assert (weights(answer), weights(shown)) == ([50, 50], [100, 0])
    assert [weights(each) for each in rules.in_order(listener)[:1]] == [[50, 50]]


def test_a_deleted_rule_is_still_there(elbv2: Call, listener: str, groups: list[str]):
    """For those who look; it can not be deleted twice."""
    rule = create(elbv2, listener, groups, 100, 0)
    rules.read.forget()
    elbv2("DeleteRule", RuleArn=rule["RuleArn"])

    assert [r["Priority"] for r in elbv2("DescribeRules", ListenerArn=listener)["Rules"]] == ["10", "default"]
    with pytest.raises(Exception, match="RuleNotFound"):
        elbv2("DeleteRule", RuleArn=rule["RuleArn"])


def test_a_write_of_the_same_is_none(elbv2: Call, listener: str, groups: list[str]):
    """What has not changed cannot be stale."""
    rule = create(elbv2, listener, groups, 100, 0)
    rules.read.forget()
    elbv2("ModifyRule", RuleArn=rule["RuleArn"], Actions=forward(groups, 100, 0))

    assert weights(elbv2("DescribeRules", ListenerArn=listener)["Rules"][0]) == [100, 0]
    assert rules.read.lately() == []
