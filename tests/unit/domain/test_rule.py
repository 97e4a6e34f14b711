"""The production rule: what of it is read, and what is written back."""

import json
from typing import Any

import pytest

from crossfade.domain.errors import ForeignChange, StickyTraffic
from crossfade.domain.slots import TargetGroups
from crossfade.domain.traffic.rule import LastRule, LiveRule, refuse_stickiness
from crossfade.domain.traffic.weights import Weights
from faults.cases.service import login
from tests.unit.examples import at, forward, live_rule, placed

GROUPS = placed().target_groups
SOME = Weights(blue=90, green=10)


@pytest.mark.parametrize(
    ("forwarding", "expected"),
    [
        pytest.param(forward(blue=90, green=10), SOME, id="both"),
        pytest.param(forward(blue=9, green=1), SOME, id="the-same-shares"),
        pytest.param(forward(green=1), Weights(blue=0, green=100), id="one-group-only"),
        pytest.param(
            {"Type": "forward", "TargetGroupArn": GROUPS.blue}, Weights(blue=100, green=0), id="no-config"
        ),
        pytest.param(
            {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": GROUPS.blue}]}},
            Weights(blue=100, green=0),
            id="no-weight",
        ),
    ],
)
def test_a_rule_is_read_as_slots(forwarding: dict[str, Any], expected: Weights) -> None:
    """A group that the rule leaves out has weight 0; what stands before the forward is not looked at."""
    assert live_rule(forwarding).weights(GROUPS) == expected
    assert live_rule(login(), forwarding).weights(GROUPS) == expected


BOUND = GROUPS.model_copy(update={"green": GROUPS.pattern, "replaced": GROUPS.green})


@pytest.mark.parametrize(
    ("groups", "without", "with_traffic"),
    [
        pytest.param(
            GROUPS, forward(blue=100, pattern=0), forward(blue=90, pattern=10), id="after-a-takeover"
        ),
        pytest.param(BOUND, forward(blue=100, green=0), forward(blue=90, green=10), id="before-a-leave"),
    ],
)
def test_the_group_of_no_slot_is_told_apart(
    groups: TargetGroups, without: dict[str, Any], with_traffic: dict[str, Any]
) -> None:
    """It was a slot's in the deployment before: with traffic the rule is that of then, or was changed."""
    assert live_rule(without).weights(groups) == Weights(blue=100, green=0)
    assert live_rule(with_traffic).weights(groups) == Weights(blue=90, green=0, beside=10)


@pytest.mark.parametrize(
    ("actions", "found"),
    [
        pytest.param([forward(blue=50, canary=50)], "forwards to canary. It should forward to", id="a-third"),
        pytest.param(
            [login(), {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_302"}}],
            "answers by redirect and forwards to no group",
            id="a-redirect",
        ),
        pytest.param(
            [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}],
            "answers by fixed-response",
            id="a-fixed-answer",
        ),
        pytest.param(
            [{"Type": "authenticate-saml"}, forward(blue=1)],
            "does authenticate-saml before it forwards.*can keep authenticate-oidc",
            id="an-action-of-the-future",
        ),
    ],
)
def test_what_could_not_be_kept_is_refused(actions: list[dict[str, Any]], found: str) -> None:
    """It is named, and left alone."""
    with pytest.raises(ForeignChange, match=found):
        live_rule(*actions).weights(GROUPS)


def test_only_the_weights_are_changed() -> None:
    """All else is written back as it was read: order, actions before the forward, its own fields."""
    stickiness = {"Enabled": False, "DurationSeconds": 3600}
    cognito = {"Type": "authenticate-cognito", "AuthenticateCognitoConfig": {"Scope": "openid"}, "Order": 1}
    token = {"Type": "jwt-validation", "JwtValidationConfig": {"Issuer": "https://a"}, "Order": 2}
    read = forward(blue=100, green=0) | {"Order": 50_000}
    read["ForwardConfig"]["TargetGroupStickinessConfig"] = stickiness
    written = forward(blue=90, green=10) | {"Order": 50_000}
    written["ForwardConfig"]["TargetGroupStickinessConfig"] = stickiness
    assert live_rule(cognito, token, read).weighted(GROUPS, SOME) == [cognito, token, written]


def test_a_login_keeps_its_secret() -> None:
    """It is never told, and AWS takes the action back without it only where it is said to stay."""
    found = login(SessionTimeout=900)
    kept = login(SessionTimeout=900, UseExistingClientSecret=True)
    assert live_rule(found, forward(blue=1)).weighted(GROUPS, SOME) == [kept, forward(blue=90, green=10)]
    told = login(SessionTimeout=900, ClientSecret="of another emulator")
    assert live_rule(told, forward(blue=1)).weighted(GROUPS, SOME)[0] == kept


def test_a_forward_to_one_group_becomes_one_to_two() -> None:
    """A TargetGroupArn may not stand beside them."""
    alone = {"Type": "forward", "TargetGroupArn": GROUPS.blue, "Order": 1}
    assert live_rule(alone).weighted(GROUPS, SOME) == [forward(blue=90, green=10) | {"Order": 1}]


@pytest.mark.parametrize(
    ("rule", "groups", "named"),
    [
        pytest.param(live_rule(forward(blue=1, sticky=True)), [], "listener-rule", id="rule"),
        pytest.param(None, [GROUPS.green], GROUPS.green, id="group-before-the-first-release"),
        pytest.param(live_rule(), [GROUPS.blue, GROUPS.green], GROUPS.blue, id="groups"),
    ],
)
def test_sticky_sessions_are_refused(rule: LiveRule | None, groups: list[str], named: str) -> None:
    """They override weights; the sentence names where they are on."""
    with pytest.raises(StickyTraffic, match=named):
        refuse_stickiness([rule] if rule else [], groups)


@pytest.mark.parametrize("rule", [None, live_rule(), live_rule(forward(blue=1, sticky=False))])
def test_traffic_that_does_not_stick_is_fine(rule: LiveRule | None) -> None:
    """The usual case, with and without a rule; a duration alone makes nothing stick."""
    refuse_stickiness([rule] if rule else [])


CONDITIONS = [
    ({"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}, "path-pattern /*", True),
    ({"Field": "path-pattern", "Values": ["/a", "*"]}, "path-pattern /a or *", True),
    ({"Field": "host-header", "Values": ["*"], "HostHeaderConfig": {"Values": ["*"]}}, "host-header *", True),
    ({"Field": "host-header", "HostHeaderConfig": {"Values": ["a.b"]}}, "host-header a.b", False),
    ({"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["/*"]}}, "path-pattern regex /*", False),
    ({"Field": "path-pattern", "RegexValues": ["^/v"]}, "path-pattern regex ^/v", False),
    (
        {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "x-a", "Values": ["*"]}},
        "http-header x-a *",
        False,
    ),
    (
        {
            "Field": "query-string",
            "QueryStringConfig": {"Values": [{"Key": "k", "Value": "*"}, {"Value": "w"}]},
        },
        "query-string k=* or w",
        False,
    ),
    ({"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}, "source-ip 10.0.0.0/8", False),
    ({"Field": "host-header", "Values": ["a\nb"]}, r"host-header a\nb", False),
    (
        {
            "Field": "http-header",
            "HttpHeaderConfig": {"HttpHeaderName": "x-crossfade-slot", "Values": ["0a1b-blue"]},
        },
        "http-header x-crossfade-slot (secret)-blue",
        False,
    ),
]


@pytest.mark.parametrize(("condition", "words", "all_of_them"), CONDITIONS)
def test_a_condition_in_words(condition: dict[str, Any], words: str, all_of_them: bool) -> None:
    """In ELB's own terms, and whether every request fits it."""
    rule = live_rule(conditions=(condition,))
    assert str(rule) == f"{rule.arn} (priority 100, {words})"
    assert rule.covers_all() is all_of_them


def test_all_conditions_must_fit() -> None:
    """One that asks for something makes the rule one of some requests."""
    everything, host = CONDITIONS[0][0], CONDITIONS[3][0]
    assert not live_rule(conditions=(everything, host)).covers_all()
    assert live_rule(conditions=(everything, CONDITIONS[2][0])).covers_all()


def test_a_written_rule_is_remembered_as_it_was_answered() -> None:
    """In the journal, and back."""
    answer = live_rule(login(), forward(blue=90, green=10))
    last = LastRule.of(placed(), answer, at(5))
    assert LastRule.model_validate(json.loads(last.model_dump_json())) == last
    assert last.over(live_rule()) == answer


def test_the_owners_part_of_a_rule_is_all_but_where_it_leads() -> None:
    """Not the numbers of its actions, nor how ELB shows a forward to one group, nor what a write says."""
    bare = live_rule().of_owner
    alone = {"Type": "forward", "TargetGroupArn": GROUPS.blue, "Order": 1}
    assert live_rule(forward(green=7, sticky=None)).of_owner == live_rule(alone).of_owner == bare
    before, kept = login(), login(UseExistingClientSecret=True)
    enriched = live_rule({**before, "Order": 1}, {**forward(blue=1), "Order": 2}).of_owner
    assert live_rule(kept, forward(green=1)).of_owner == enriched != bare
    assert live_rule(login(Scope="openid"), forward(green=1)).of_owner != enriched
    assert live_rule(forward(blue=1, sticky=True)).of_owner != bare
