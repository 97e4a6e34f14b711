"""The load balancer: the production rule is set and read back."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from crossfade.aws.listener_rules import Traffic, rules
from crossfade.domain.errors import ForeignChange, NotYetVisible
from crossfade.domain.traffic.weights import Weights
from tests.unit.account import Account, rule_of, weights_of

BLUE, HALF = Weights(blue=100, green=0), Weights(blue=50, green=50)


@pytest.fixture
def traffic(account: Account) -> Traffic:
    """Return the service's traffic."""
    return Traffic(account.elbv2, account.spec)


def _count(account: Account) -> int:
    return len(account.elbv2.describe_rules(ListenerArn=account.spec.listener)["Rules"])


def test_before_the_first_release_the_owner_has_all_traffic(account: Account) -> None:
    """By the rule that is there, its owner's or Crossfade's."""
    assert weights_of(Traffic(account.elbv2, account.origin)) == Weights(blue=0, green=100)


@pytest.mark.parametrize("weights", [BLUE, HALF, Weights(blue=0, green=100)])
def test_weights_are_read_as_they_were_written(traffic: Traffic, weights: Weights) -> None:
    """Absolute values, from whatever was there."""
    traffic.write(BLUE)
    assert traffic.write(weights) == [rule_of(traffic)]
    assert weights_of(traffic) == weights


def test_the_workflow_makes_no_rule(account: Account, traffic: Traffic) -> None:
    """Every handler may run twice; one that finds no rule says who has deleted it."""
    before = _count(account)
    traffic.write(HALF)
    traffic.write(HALF)
    assert _count(account) == before
    account.elbv2.delete_rule(RuleArn=account.spec.rule)
    with pytest.raises(ForeignChange, match=r"does not exist any more\. It was deleted outside Crossfade"):
        traffic.write(HALF)
    assert (rule_of(traffic), weights_of(traffic)) == (None, None)


def test_the_load_balancers_own_answer_counts(account: Account, traffic: Traffic) -> None:
    """What is read right after a write may be what was there before."""
    written = [traffic.write(BLUE), traffic.write(HALF)]
    assert [rule.weights(account.spec.target_groups) for (rule,) in written] == [BLUE, HALF]


@pytest.mark.parametrize(
    ("code", "raised"), [("RuleNotFound", NotYetVisible), ("TooManyActions", ClientError)]
)
def test_a_rule_that_goes_meanwhile_is_read_again(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch, code: str, raised: type[Exception]
) -> None:
    """Only errors that are understood are translated."""

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "ModifyRule")

    monkeypatch.setattr(traffic._elbv2, "modify_rule", refuse)
    with pytest.raises(raised):
        traffic.write(BLUE)


def test_a_write_leaves_all_but_the_weights(account: Account, traffic: Traffic) -> None:
    """A login before the forward, its order, stickiness that is off, and the rule's conditions."""
    traffic.write(BLUE)
    enriched = account.enrich_rule()
    traffic.write(HALF)
    rule = account.production_rule()
    assert rule["Conditions"] == enriched["Conditions"]
    kept = [{**action, "Order": int(action["Order"])} for action in rule["Actions"]]
    secret = kept[0]["AuthenticateOidcConfig"].pop("UseExistingClientSecret")
    groups = kept[1]["ForwardConfig"].pop("TargetGroups")
    enriched["Actions"][1]["ForwardConfig"].pop("TargetGroups")
    assert (kept, secret) == (enriched["Actions"], True)
    assert [group["Weight"] for group in groups] == [50, 50]


@pytest.mark.parametrize("bypass", [True, False])
def test_the_rule_past_a_login_leads_where_users_get_to(account: Account, bypass: bool) -> None:
    """That of the service alone, without the login, and only where the spec asks for it."""
    groups = account.spec.target_groups
    twins = {
        name: account.elbv2.create_rule(
            ListenerArn=account.spec.listener,
            Priority=priority,
            Conditions=[_by_header(f"{name}-live")],
            Actions=[{"Type": "forward", "TargetGroupArn": group}],
        )["Rules"][0]["RuleArn"]
        for priority, (name, group) in enumerate(
            {"web": groups.pattern, "shop": account.others_rule(50, _by_header("shop"))}.items(), start=10
        )
    }
    traffic = Traffic(account.elbv2, account.spec.model_copy(update={"login_bypass": bypass}))
    Traffic(account.elbv2, account.spec).write(BLUE)
    account.enrich_rule()
    traffic.write(HALF)
    found = {rule.arn: rule for rule in rules(account.elbv2, account.spec.listener)}
    half = {groups.blue: 50, groups.green: 50}
    assert found[twins["web"]].forwards == (half if bypass else {groups.pattern: 1})
    assert [action["Type"] for action in found[twins["web"]].actions] == ["forward"]
    assert not set(found[twins["shop"]].forwards) & set(half)


def _by_header(value: str) -> dict[str, Any]:
    header = {"HttpHeaderName": "x-crossfade-slot", "Values": [value]}
    return {"Field": "http-header", "HttpHeaderConfig": header}


def test_a_rule_is_written_as_it_is_known_best(account: Account, traffic: Traffic) -> None:
    """Where a handler knows more than the load balancer tells."""
    known = traffic.write(BLUE)
    account.enrich_rule()
    traffic.write(HALF, known)
    assert [action["Type"] for action in account.production_rule()["Actions"]] == ["forward"]


def test_the_forward_is_the_last_one_in_order(account: Account, traffic: Traffic) -> None:
    """Wherever it stands in the list."""
    traffic.write(BLUE)
    account.enrich_rule(backwards=True)
    assert weights_of(traffic) == BLUE
    traffic.write(HALF)
    assert weights_of(traffic) == HALF
    assert [action["Type"] for action in account.production_rule()["Actions"]] == [
        "authenticate-oidc",
        "forward",
    ]


def test_a_rule_that_is_there_is_changed_whatever_stands_behind_it(
    account: Account, traffic: Traffic
) -> None:
    """Whoever put a rule behind it did so knowingly; a rollback must never be refused for it."""
    traffic.write(BLUE)
    account.others_rule(200, {"Field": "host-header", "Values": ["api.example"]})
    traffic.write(HALF)
    assert weights_of(traffic) == HALF


def test_a_sticky_rule_is_seen(account: Account, traffic: Traffic) -> None:
    """Its weights mean nothing for clients that come back."""
    traffic.write(BLUE)
    groups = [{"TargetGroupArn": account.spec.target_groups.blue, "Weight": 1}]
    forward = {
        "TargetGroups": groups,
        "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60},
    }
    account.elbv2.modify_rule(
        RuleArn=rule_of(traffic).arn,  # type: ignore[union-attr]
        Actions=[{"Type": "forward", "ForwardConfig": forward}],
    )
    rule = rule_of(traffic)
    assert rule is not None
    assert rule.sticky


def test_sticky_groups_are_seen(account: Account, traffic: Traffic) -> None:
    """By the attribute of the group."""
    assert traffic.sticky_groups() == []
    green = account.spec.target_groups.green
    account.elbv2.modify_target_group_attributes(
        TargetGroupArn=green, Attributes=[{"Key": "stickiness.enabled", "Value": "true"}]
    )
    assert [green] == traffic.sticky_groups()


def test_health_counts_what_takes_requests(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draining targets do not count; the others that are not healthy say why."""
    states = [
        {"State": "healthy"},
        {"State": "draining"},
        {"State": "unhealthy", "Description": "Health checks failed with these codes: [503]"},
        {"State": "initial"},
    ]
    found = [{"Target": {"Id": f"10.0.0.{n}"}, "TargetHealth": state} for n, state in enumerate(states)]
    monkeypatch.setattr(
        traffic._elbv2, "describe_target_health", lambda **_: {"TargetHealthDescriptions": found}
    )
    health = traffic.health("blue")
    assert (health.healthy, health.registered) == (1, 3)
    assert health.unhealthy == (
        "10.0.0.2: Health checks failed with these codes: [503]",
        "10.0.0.3: initial",
    )


def test_health_of_real_targets(account: Account, traffic: Traffic) -> None:
    """The envelope is AWS's."""
    account.register_targets("blue", "10.0.0.10", "10.0.0.11")
    assert traffic.health("blue").healthy == 2
    assert traffic.health("green").registered == 0
