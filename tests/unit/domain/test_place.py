"""The production rule's place among the listener's rules, and in the spec."""

from typing import Any

import pytest

from crossfade.domain.errors import (
    ForeignChange,
    NotPrepared,
    PatternUnusable,
    PriorityTaken,
    RuleCovers,
    ServiceMoved,
)
from crossfade.domain.slots import TargetGroups
from crossfade.domain.spec.service import OwnRule, ServiceSpec
from crossfade.domain.traffic.place import (
    found_rule,
    free_priority,
    groups_of,
    leads_here,
    listener,
    production_rule,
    refuse_covering,
    refuse_moved,
)
from crossfade.domain.traffic.rule import LastRule, LiveRule
from faults.cases.service import LISTENER, RULE
from tests.unit.examples import at, forward, live_rule, of_two_ports, placed, spec

DEFAULT = live_rule({"Type": "fixed-response"}, arn="the-default", priority="default", conditions=())
HOST = ({"Field": "host-header", "HostHeaderConfig": {"Values": ["api.example"]}},)
HEADER = ({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "x", "Values": ["secret"]}},)
OTHERS = forward(shop=100)
GROUPS = [placed().target_groups]
OWN = spec().route
ADMIN = placed().pattern.target_group.replace("/web/", "/admin/")
LAST = LastRule.of(placed(), live_rule(), at(0))
LASTING = spec(traffic=[{"listener": LISTENER, "priority": "last"}])
THEIRS = spec(traffic=[{"rule": RULE}])


def _own(written: ServiceSpec) -> OwnRule:
    assert isinstance(written.route, OwnRule)
    return written.route


def test_a_rule_of_crossfades_own_is_known_by_its_priority() -> None:
    """Among the listener's rules there may be none."""
    rules = [live_rule(OTHERS, priority="99"), live_rule(), DEFAULT]
    assert production_rule(spec(), OWN, rules, GROUPS) == live_rule()
    other = spec(traffic=[{"listener": LISTENER, "priority": 98}])
    with pytest.raises(NotPrepared, match=r"shows no rule of priority 98 for web\. Prepare the service"):
        production_rule(other, other.route, rules, GROUPS)


def test_an_owners_rule_is_known_by_its_arn() -> None:
    """Wherever it stands; its listener is part of its ARN."""
    mine = live_rule(priority="7")
    rules = [live_rule(OTHERS, arn="a", priority="100"), mine, DEFAULT]
    assert found_rule(THEIRS.route, rules, GROUPS) == mine
    assert (listener(THEIRS.route), listener(OWN)) == (LISTENER, LISTENER)
    with pytest.raises(NotPrepared, match=f"shows no rule {RULE} for web"):
        production_rule(THEIRS, THEIRS.route, [DEFAULT], GROUPS)


def test_a_rule_leads_to_one_port_of_the_service() -> None:
    """To which is seen in the rule, or said in its entry where Crossfade makes it."""
    entry, admin = THEIRS.route, TargetGroups(blue="b", green="g", pattern=ADMIN)
    both = [*GROUPS, admin]
    assert groups_of(entry, live_rule(forward(blue=0, green=100)), both) == GROUPS[0]
    assert groups_of(entry, live_rule(forward(**{ADMIN: 1})), both) == admin
    assert groups_of(entry, live_rule(OTHERS), GROUPS) == GROUPS[0]  # there is no other
    for stray in (OTHERS, forward(blue=1, g=0), {"Type": "redirect"}):
        with pytest.raises(ForeignChange, match=rf"{RULE} .*leads to .*target groups of one port"):
            groups_of(entry, live_rule(stray), both)
    made = OwnRule(listener=LISTENER, priority=7, target_group=ADMIN)
    assert groups_of(made, live_rule(OTHERS), both) == admin
    with pytest.raises(PatternUnusable, match=f"leads to the target group {ADMIN}, and the pattern has only"):
        groups_of(made, live_rule(), GROUPS)
    with pytest.raises(PatternUnusable, match=f"priority 100 of .* leads to .* has .*, {ADMIN}. Say in"):
        groups_of(OWN, live_rule(), both)
    assert groups_of(OWN, live_rule(), GROUPS) == GROUPS[0]


def test_the_last_rule_is_the_one_that_takes_every_request_for_this_service() -> None:
    """Not a rule of a slot's preview, nor one of another service."""
    preview = live_rule(arn="p", priority="3", conditions=HEADER)
    rules = [preview, live_rule(OTHERS, arn="o", priority="50000"), live_rule(priority="49999"), DEFAULT]
    assert found_rule(LASTING.route, rules, GROUPS) == live_rule(priority="49999")
    assert found_rule(LASTING.route, [preview, DEFAULT], GROUPS) is None


@pytest.mark.parametrize(("taken", "free"), [((), 50_000), ((50_000, 49_998), 49_999)])
def test_last_is_the_highest_priority_that_is_free(taken: tuple[int, ...], free: int) -> None:
    """And a number is that number."""
    rules = [*(live_rule(OTHERS, priority=str(number)) for number in taken), DEFAULT]
    assert free_priority(_own(LASTING), rules) == free
    assert free_priority(_own(spec()), rules) == 100


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
    assert leads_here(GROUPS, live_rule(*actions)) is here


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        pytest.param(
            [live_rule(OTHERS, priority="101", conditions=HOST)],
            r"would get no request any more: .*\(priority 101, host-header api.example\). For the production "
            r"rule of web \(priority 100\) would",
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
        refuse_covering(spec(), _own(spec()), [*rules, DEFAULT], GROUPS)


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
    refuse_covering(spec(), _own(spec()), [*rules, DEFAULT], GROUPS)


def test_a_rule_with_conditions_takes_no_others_requests() -> None:
    """But it gets none behind a rule that takes every request."""
    conditioned = spec(traffic=[{"listener": LISTENER, "priority": 100, "conditions": list(HOST)}])
    refuse_covering(conditioned, _own(conditioned), [live_rule(OTHERS, priority="101"), DEFAULT], GROUPS)
    with pytest.raises(RuleCovers, match="would get none behind it"):
        refuse_covering(conditioned, _own(conditioned), [live_rule(OTHERS, priority="99"), DEFAULT], GROUPS)


@pytest.mark.parametrize("action", [OTHERS, {"Type": "redirect"}])
def test_a_priority_that_another_rule_has(action: dict[str, Any]) -> None:
    """It was never this service's, so nobody changed anything."""
    with pytest.raises(PriorityTaken, match=r"priority 100.* not of this service: .*left alone"):
        production_rule(spec(), OWN, [live_rule(action)], GROUPS)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"like": "arn:aws:ecs:us-east-1:123456789012:service/other/web"}, "cluster from .*/web to .*/other"),
        ({"rule": "elsewhere"}, "rule from .* to elsewhere"),
        ({"target_groups": TargetGroups(blue="b", green="g")}, "target group of blue from .* to b"),
    ],
)
def test_a_live_service_is_not_moved(changed: dict[str, Any], said: str) -> None:
    """What was in the spec, what is there now, and what to do. Where nothing is live, nothing stays."""
    moved = placed().model_copy(update=changed)
    with pytest.raises(ServiceMoved, match=f"its spec was changed since: {said}.*Change that back"):
        refuse_moved(moved, [LAST], "blue")
    refuse_moved(moved, [], "blue")
    refuse_moved(placed(), [LAST], "blue")


def test_the_port_that_the_probe_asks_stays() -> None:
    """Its rules by the secret header lead there; which of several rules to it comes first is nothing."""
    spec = of_two_ports()
    last = [
        LastRule(
            arn=route.rule, cluster=spec.cluster, target_groups=route.target_groups, actions="[]", at=at(0)
        )
        for route in spec.routes
    ]
    first, *also = spec.routes
    refuse_moved(spec, last, "blue")
    refuse_moved(spec.model_copy(update={"also": tuple(reversed(also))}), last, "blue")
    turned = spec.model_copy(
        update={**also[0].model_dump(), "target_groups": also[0].target_groups, "also": (first, also[1])}
    )
    with pytest.raises(ServiceMoved, match=r"first port from .*/web/3 to .*/pattern-admin/9"):
        refuse_moved(turned, last, "blue")


def test_the_idle_slots_group_may_be_another_one() -> None:
    """After the first release the origin makes room for Crossfade's own."""
    bound = placed(target_groups=GROUPS[0].model_copy(update={"green": GROUPS[0].pattern}).model_dump())
    refuse_moved(placed(), [LastRule.of(bound, live_rule(), at(0))], "blue")
