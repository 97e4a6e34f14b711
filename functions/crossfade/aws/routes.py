"""A load balancer's listeners with all their rules, and which of these Crossfade made."""

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.errors import error_code
from crossfade.aws.listener_rules import rules
from crossfade.domain.preparation import Names, is_made
from crossfade.domain.traffic.routes import Listener
from crossfade.domain.traffic.rule import DEFAULT, LiveRule

GONE = {"RuleNotFound", "TargetGroupNotFound"}
"""What DescribeTags says of what was deleted (botocore elbv2 2015-12-01)."""
MOST_TAGGED = 20
"""Resources that DescribeTags takes at once (botocore elbv2 2015-12-01)."""


def balancer_listeners(elbv2: Any, balancer: str, names: Names) -> list[Listener]:
    """All listeners of a load balancer; ``names`` tell which rules are of this service and Crossfade."""
    found = []
    for shown in listeners_of(elbv2, balancer):
        live, tags = with_tags(elbv2, rules(elbv2, shown["ListenerArn"]))
        own = frozenset(arn for arn, given in tags.items() if is_made(names, given))
        found.append(Listener(shown, tuple(live), own))
    return found


def listeners_of(elbv2: Any, balancer: str) -> list[dict[str, Any]]:
    """The listeners of a load balancer as DescribeListeners shows them."""
    pages = elbv2.get_paginator("describe_listeners").paginate(LoadBalancerArn=balancer)
    return [shown for page in pages for shown in page["Listeners"]]


def with_tags(elbv2: Any, shown: Sequence[LiveRule]) -> tuple[list[LiveRule], dict[str, dict[str, str]]]:
    """The rules that are there, and their tags; a listener's default rule is always its owner's.

    A rule that was just deleted may be shown for minutes, and is not there for DescribeTags.
    """
    tags = tags_of(elbv2, [rule.arn for rule in shown if rule.priority != DEFAULT])
    return [rule for rule in shown if rule.priority == DEFAULT or rule.arn in tags], tags


def tags_of(elbv2: Any, arns: Sequence[str]) -> dict[str, dict[str, str]]:
    """The tags of resources of the load balancer, by their ARNs; those that are gone are left out."""
    found: dict[str, dict[str, str]] = {}
    for first in range(0, len(arns), MOST_TAGGED):
        some = list(arns[first : first + MOST_TAGGED])
        try:
            found |= _tags(elbv2, some)
        except ClientError as error:
            if error_code(error) not in GONE:
                raise
            # One that is gone fails the call for all of them.
            for arn in some if len(some) > 1 else []:
                found |= tags_of(elbv2, [arn])
    return found


def _tags(elbv2: Any, arns: list[str]) -> dict[str, dict[str, str]]:
    return {
        shown["ResourceArn"]: {tag["Key"]: tag.get("Value", "") for tag in shown["Tags"]}
        for shown in elbv2.describe_tags(ResourceArns=arns)["TagDescriptions"]
    }
