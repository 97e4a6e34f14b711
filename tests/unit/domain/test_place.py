"""The production rule's place among the listener's rules, and in the spec."""

from typing import Any

import pytest

from crossfade.domain.errors import PriorityTaken, RuleCovers, ServiceMoved
from crossfade.domain.slots import TargetGroups
from crossfade.domain.traffic.place import (
    leads_here,
    production_rule,
    refuse_covering,
    refuse_moved,
    refuse_renumbered,
    refuse_taken,
)
from crossfade.domain.traffic.rule import LastRule, LiveRule
from tests.unit.examples import at, forward, live_rule, spec

DEFAULT = live_rule({"Type": "fixed-response"}, arn="the-default", priority="default", conditions=())
HOST = ({"Field": "host-header", "HostHeaderConfig": {"Values": ["api.example"]}},)
OTHERS = forward(shop=100)
LAST = LastRule.of(spec(), live_rule(), at(0))


def test_the_production_rule_is_known_by_its_priority() -> None:
    """Among the listener's rules there may be none."""
    rules = [live_rule(OTHERS, priority="99"), live_rule(), DEFAULT]
    assert production_rule(spec(), rules) == live_rule()
    assert production_rule(spec(rule_priority=98), rules) is None


@pytest.mark.parametrize(
    ("actions", "here"),
    [
        ([forward(blue=1)], True),
        ([forward(blue=1, green=0)], True),
        ([forward(blue=1, shop=1)], False),
        ([OTHERS], False),
        ([{"Type": "redirect"}], False),
    ],
)
def test_a_rule_that_leads_here(actions: list[dict[str, Any]], here: bool) -> None:
    """To this service's groups and no others."""
    assert leads_here(spec(), live_rule(*actions)) is here


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        pytest.param(
            [live_rule(OTHERS, priority="101", conditions=HOST)],
            r"would get no request any more: .*\(priority 101, host-header api.example\). For the production "
            r"rule of web \(priority 100, path-pattern /\*\) would",
            id="one-of-some-requests-behind",
        ),
        pytest.param([live_rule(OTHERS, priority="50000")], "would get no request any more", id="all-behind"),
        pytest.param(
            [live_rule({"Type": "redirect"}, priority="200", conditions=HOST)],
            "would get no request any more",
            id="a-redirect-behind",
        ),
        pytest.param(
            [live_rule(OTHERS, priority="99")],
            r"\(priority 99, path-pattern /\*\) takes every request, so that",
            id="all-before",
        ),
        pytest.param(
            [live_rule(OTHERS, priority="default", conditions=())],
            r"would get no request any more: .*\(the default rule\)",
            id="the-default-rule-of-somebody-else",
        ),
    ],
)
def test_one_rule_may_not_take_all_of_anothers_requests(rules: list[LiveRule], said: str) -> None:
    """The sentence names the rule, where it stands, and its conditions."""
    with pytest.raises(RuleCovers, match=f"{said}.*listener of its own"):
        refuse_covering(spec(), [*rules, DEFAULT])


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param([], id="alone"),
        pytest.param([live_rule(OTHERS, priority="99", conditions=HOST)], id="one-of-some-requests-before"),
        pytest.param([live_rule(forward(blue=1), priority="default", conditions=())], id="its-own-default"),
    ],
)
def test_a_rule_that_takes_nobodys_requests_may_be_made(rules: list[LiveRule]) -> None:
    """And the fixed answer of the default rule is nobody's."""
    refuse_covering(spec(), [*rules, DEFAULT])


@pytest.mark.parametrize(
    ("actions", "taken"), [([OTHERS], True), ([{"Type": "redirect"}], True), ([], False)]
)
def test_a_priority_that_another_rule_has(actions: list[dict[str, Any]], taken: bool) -> None:
    """It was never this service's, so nobody changed anything."""
    rule = live_rule(*actions)
    if not taken:
        refuse_taken(spec(), rule)
        refuse_taken(spec(), None)
        return
    with pytest.raises(PriorityTaken, match=r"rule_priority 100.* not of this service: .*left alone"):
        refuse_taken(spec(), rule)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/other"}, "cluster from .*/web to .*/other"),
        ({"listener": "elsewhere"}, "listener from .* to elsewhere"),
        (
            {"target_groups": TargetGroups(blue="b", green="g")},
            "target_groups from blue .* to blue b, green g",
        ),
    ],
)
def test_a_live_service_is_not_moved(changed: dict[str, Any], said: str) -> None:
    """What was in the spec, what is there now, and what to do. Where nothing is live, nothing stays."""
    moved = spec().model_copy(update=changed)
    with pytest.raises(ServiceMoved, match=f"its spec was changed since: {said}.*Change that back"):
        refuse_moved(moved, LAST)
    refuse_moved(moved, None)
    refuse_moved(spec(), LAST)


@pytest.mark.parametrize(
    ("rules", "found"),
    [([live_rule()], "still stands at 100"), ([DEFAULT], "is not seen at the listener")],
)
def test_a_live_rule_is_not_looked_for_at_another_priority(rules: list[LiveRule], found: str) -> None:
    """The sentence has the command that gives the rule its new priority."""
    with pytest.raises(ServiceMoved, match=f"rule_priority from 100 to 7.*{found}.*RuleArn=.*,Priority=7$"):
        refuse_renumbered(spec(rule_priority=7), LAST, rules)


def test_a_rule_that_was_given_its_new_priority_is_the_same() -> None:
    """The spec and the rule agree again."""
    refuse_renumbered(spec(rule_priority=7), LAST, [live_rule(priority="7")])
    refuse_renumbered(spec(), LAST, [])
    refuse_renumbered(spec(rule_priority=7), None, [])
