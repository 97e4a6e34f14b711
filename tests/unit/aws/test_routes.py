"""Listeners with their rules, and whose these are."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from crossfade.aws.routes import tags_of, with_tags
from tests.unit.examples import live_rule


class Tagged:
    """DescribeTags: one resource that is gone fails the call for all of them, which moto does not do."""

    def __init__(self, *there: str, code: str = "RuleNotFound") -> None:
        self._there, self._code = there, code

    def describe_tags(self, *, ResourceArns: list[str]) -> dict[str, Any]:
        """The tags of at most 20 resources."""
        assert len(ResourceArns) <= 20
        for arn in ResourceArns:
            if arn not in self._there:
                raise ClientError({"Error": {"Code": self._code, "Message": arn}}, "DescribeTags")
        tags = [{"Key": "name"}, {"Key": "of", "Value": "web"}]
        return {"TagDescriptions": [{"ResourceArn": arn, "Tags": tags} for arn in ResourceArns]}


def test_a_rule_that_is_shown_after_its_deletion_is_left_out() -> None:
    """DescribeRules may show it for minutes; the tags of all others are known all the same."""
    arns = [f"rule-{n}" for n in range(45)]
    elbv2 = Tagged(*(arn for arn in arns if arn != "rule-7"))
    rules = [*(live_rule(arn=arn) for arn in arns), live_rule(arn="default", priority="default")]
    shown, tags = with_tags(elbv2, rules)
    assert [rule.arn for rule in shown] == [arn for arn in [*arns, "default"] if arn != "rule-7"]
    assert tags == {arn: {"name": "", "of": "web"} for arn in arns if arn != "rule-7"}


def test_other_refusals_are_passed_on() -> None:
    """They say nothing about what is there."""
    with pytest.raises(ClientError, match="AccessDenied"):
        tags_of(Tagged(code="AccessDenied"), ["rule-1"])
