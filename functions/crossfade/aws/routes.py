"""A load balancer's listeners with all their rules, and which of these Crossfade made."""

from collections.abc import Sequence
from typing import Any

from crossfade.aws.listener_rules import rules
from crossfade.domain.preparation import Names, is_made
from crossfade.domain.traffic.routes import Listener
from crossfade.domain.traffic.rule import DEFAULT

MOST_TAGGED = 20
"""Resources that DescribeTags takes at once (botocore elbv2 2015-12-01)."""


def balancer_listeners(elbv2: Any, balancer: str, names: Names) -> list[Listener]:
    """All listeners of a load balancer; ``names`` tell which rules are of this service and Crossfade."""
    pages = elbv2.get_paginator("describe_listeners").paginate(LoadBalancerArn=balancer)
    found = []
    for shown in [one for page in pages for one in page["Listeners"]]:
        live = rules(elbv2, shown["ListenerArn"])
        tags = tags_of(elbv2, [rule.arn for rule in live if rule.priority != DEFAULT])
        own = frozenset(arn for arn, given in tags.items() if is_made(names, given))
        found.append(Listener(shown, tuple(live), own))
    return found


def tags_of(elbv2: Any, arns: Sequence[str]) -> dict[str, dict[str, str]]:
    """The tags of resources of the load balancer, by their ARNs."""
    found: dict[str, dict[str, str]] = {arn: {} for arn in arns}
    for first in range(0, len(arns), MOST_TAGGED):
        some = list(arns[first : first + MOST_TAGGED])
        for shown in elbv2.describe_tags(ResourceArns=some)["TagDescriptions"]:
            found[shown["ResourceArn"]] = {tag["Key"]: tag.get("Value", "") for tag in shown["Tags"]}
    return found
