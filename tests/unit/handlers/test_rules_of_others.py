"""The production rule has an owner besides Crossfade, and its listener other rules: they stay as they are."""

from collections.abc import Callable
from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.domain import errors
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.spec.service import ExistingRule, OwnRule
from crossfade.domain.traffic.place import balancer_of
from crossfade.domain.traffic.weights import RULE_SECONDS, Weights
from faults.cases.service import login
from tests.unit.account import Account, rule_of, weights_of
from tests.unit.examples import EXECUTION, FIRST_TRY, ROLLBACKS, at
from tests.unit.handlers.conftest import Aws, Clock, Invoke

ASK = {"service": "web", "image_tag": "0.0.2"}
BLUE, SOME, GREEN = (Weights.share("green", weight) for weight in (0, 10, 100))
HOST = {"Field": "host-header", "Values": ["api.example"]}


@pytest.fixture
def traffic(account: Account) -> Traffic:
    """Return the service's traffic."""
    return Traffic(account.elbv2, account.spec)


@pytest.fixture
def held(account: Account, journal: Journal, blue_live: None) -> HeldPlan:
    """Return a deployment that is about to shift traffic for the first time."""
    plan = account.plan()
    journal.holding.claim(plan)
    return plan


def _plan(account: Account, invoke: Invoke) -> dict[str, Any]:
    account.push("0.0.2")
    return invoke("plan_release", input=ASK, execution=f"{EXECUTION}:d1", deployment="d1")


def _shift(invoke: Invoke, plan: HeldPlan, stage: int = 1) -> dict[str, Any]:
    return invoke("shift_traffic", plan=plan, stage=stage, deadline=at(60), written=None)


def _restore(invoke: Invoke, journal: Journal, plan: HeldPlan) -> dict[str, Any]:
    mine = plan.held_by(journal.holding.take_over(plan.hold, f"{ROLLBACKS}:mine", FIRST_TRY))
    return invoke(
        "restore_weights", plan=mine, deadline=at(300), tasks_deadline=at(120), rounds=0, written=None
    )


def _logins(account: Account) -> list[dict[str, Any]]:
    """What the production rule's logins say, less what only a write says of the secret."""
    actions = account.production_rule()["Actions"]
    return [
        {
            key: value
            for key, value in action["AuthenticateOidcConfig"].items()
            if key != "UseExistingClientSecret"
        }
        for action in actions
        if action["Type"] == "authenticate-oidc"
    ]


LOGIN = login()["AuthenticateOidcConfig"]

# ---- what its owner has put before the forward ----------------------------------------------------------


def test_another_rule_that_leads_to_the_service_is_refused(
    account: Account, invoke: Invoke, blue_live: None
) -> None:
    """Its clients would stay on the release of before, and then meet no task at all."""
    group = account.spec.target_groups.blue
    account.elbv2.create_rule(
        ListenerArn=account.spec.listener,
        Priority=50,
        Conditions=[HOST],
        Actions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    with pytest.raises(errors.PatternUnusable, match=r"\(priority 50, host-header api.example\) leads to it"):
        _plan(account, invoke)


@pytest.mark.parametrize("group", ["blue", "pattern"])
def test_another_listener_that_leads_to_the_service_is_refused(
    account: Account, invoke: Invoke, aws: Aws, blue_live: None, group: str
) -> None:
    """It may have come since the service was prepared."""
    account.elbv2.create_listener(
        LoadBalancerArn=balancer_of(account.spec.listener),
        Protocol="HTTP",
        Port=8443,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": getattr(account.spec.target_groups, group)}],
    )
    with pytest.raises(errors.PatternUnusable, match=r"\(the default rule\) leads to it as well"):
        _plan(account, invoke)


def test_a_listener_that_has_come_to_ask_for_certificates_is_refused(
    account: Account, invoke: Invoke, aws: Aws, blue_live: None
) -> None:
    """The probe has none, and every one of its requests would fail."""

    def asks(answer: dict[str, Any]) -> dict[str, Any]:
        for shown in answer["Listeners"]:
            shown["MutualAuthentication"] = {"Mode": "verify"}
        return answer

    aws.edit("DescribeListeners", asks)
    with pytest.raises(errors.PatternUnusable, match=r"asks for a client's certificate \(verify\)"):
        _plan(account, invoke)


def test_a_login_that_the_probe_would_meet_is_refused(
    account: Account, invoke: Invoke, blue_live: None
) -> None:
    """One that turns unknown clients away; the spec does not say that the probe may pass it by."""
    rule = account.production_rule()
    actions = [login(OnUnauthenticatedRequest="authenticate"), {**rule["Actions"][-1], "Order": 2}]
    account.elbv2.modify_rule(RuleArn=rule["RuleArn"], Actions=actions)
    route = ExistingRule(rule=rule["RuleArn"])
    account.publish(account.spec.model_copy(update={"traffic": (route,)}))
    with pytest.raises(errors.PatternUnusable, match="asks for a login"):
        _plan(account, invoke)


def test_a_login_survives_a_shift(account: Account, invoke: Invoke, held: HeldPlan, traffic: Traffic) -> None:
    """Before, ModifyRule replaced the list of actions with a forward alone, and nobody was told."""
    enriched = account.enrich_rule()
    for stage, weights in ((1, SOME), (2, GREEN)):
        assert _shift(invoke, held, stage)["status"] == "shifted"
        assert (weights_of(traffic), _logins(account)) == (weights, [LOGIN])
    rule = account.production_rule()
    assert rule["Conditions"] == enriched["Conditions"]
    assert rule["Actions"][1]["ForwardConfig"]["TargetGroupStickinessConfig"]["DurationSeconds"] == 60


def test_a_login_survives_a_rollback(
    account: Account, invoke: Invoke, held: HeldPlan, traffic: Traffic, journal: Journal
) -> None:
    """Also one that came in the middle of the deployment."""
    _shift(invoke, held)
    account.enrich_rule()
    assert _restore(invoke, journal, held)["status"] == "moved"
    assert (weights_of(traffic), _logins(account)) == (BLUE, [LOGIN])


def test_a_forward_to_the_stable_group_alone_is_no_foreign_change(
    account: Account, invoke: Invoke, blue_live: None, traffic: Traffic
) -> None:
    """Written by the owner's stack, it reads back with weight 1: what counts is the share."""
    group = {"Type": "forward", "TargetGroupArn": account.spec.target_groups.blue}
    account.elbv2.modify_rule(RuleArn=account.production_rule()["RuleArn"], Actions=[group])
    assert weights_of(traffic) == BLUE


def test_stickiness_that_comes_in_the_middle_ends_the_deployment(
    account: Account, invoke: Invoke, held: HeldPlan, journal: Journal, traffic: Traffic
) -> None:
    """A shift would leave it on, and not reach the clients that stick; the rollback leaves it on too."""
    _shift(invoke, held)
    rule = account.production_rule()
    (forward,) = rule["Actions"]
    forward["ForwardConfig"]["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": 60}
    account.elbv2.modify_rule(RuleArn=rule["RuleArn"], Actions=[forward])
    with pytest.raises(errors.StickyTraffic, match=rule["RuleArn"]):
        _shift(invoke, held, stage=2)
    assert weights_of(traffic) == SOME
    assert _restore(invoke, journal, held)["status"] == "moved"
    found = rule_of(traffic)
    assert found
    assert (weights_of(traffic), found.sticky) == (BLUE, True)


def test_an_old_read_does_not_take_a_login_away_again(
    account: Account, invoke: Invoke, aws: Aws, held: HeldPlan, journal: Journal, traffic: Traffic
) -> None:
    """It shows overwritten weights, so it is older than the login that was there at the last write."""
    before = account.elbv2.describe_rules(ListenerArn=account.spec.listener)
    account.enrich_rule()
    _shift(invoke, held)
    aws.answer("DescribeRules", before)
    assert _restore(invoke, journal, held)["status"] == "moved"
    assert (weights_of(traffic), _logins(account)) == (BLUE, [LOGIN])


def test_an_old_read_does_not_put_a_login_back(
    account: Account, invoke: Invoke, aws: Aws, held: HeldPlan, journal: Journal, traffic: Traffic
) -> None:
    """Its owner has taken it away, and the last write was made without it."""
    account.enrich_rule()
    before = account.elbv2.describe_rules(ListenerArn=account.spec.listener)
    rule = account.production_rule()
    account.elbv2.modify_rule(RuleArn=rule["RuleArn"], Actions=[{**rule["Actions"][1], "Order": 1}])
    _shift(invoke, held)
    aws.answer("DescribeRules", before)
    aws.edit("ModifyRule", lambda answer: aws.allow("DescribeRules") or answer)
    assert _shift(invoke, held, stage=2)["status"] == "shifted"
    assert (weights_of(traffic), _logins(account)) == (GREEN, [])


def test_an_action_that_could_not_be_kept_bars_the_rollback(
    account: Account, invoke: Invoke, aws: Aws, held: HeldPlan, journal: Journal
) -> None:
    """Whatever it does, it is not undone silently: both slots keep their tasks."""
    _shift(invoke, held)
    found = account.elbv2.describe_rules(ListenerArn=account.spec.listener)
    found["Rules"][0]["Actions"].insert(0, {"Type": "authenticate-saml", "Order": 0})
    aws.answer("DescribeRules", found)
    answer = _restore(invoke, journal, held)
    assert (answer["status"], answer["loser"]) == ("barred", None)
    assert "does authenticate-saml before it forwards" in answer["reason"]


# ---- the listener's other rules -------------------------------------------------------------------------


def test_a_priority_that_another_rule_has_is_refused(account: Account, invoke: Invoke) -> None:
    """It said that somebody had changed the rule, and to put it back: it was another service's all along."""
    account.delete_rule()
    group = account.others_rule(100, HOST)
    with pytest.raises(errors.PriorityTaken, match=r"says priority 100.*host-header api.example"):
        _plan(account, invoke)
    rule = account.production_rule()
    assert rule["Actions"][0]["TargetGroupArn"] == group


# ---- a spec that puts a live service elsewhere ----------------------------------------------------------


@pytest.fixture
def live(account: Account, journal: Journal, blue_live: None, traffic: Traffic) -> None:
    """Make 0.0.1 live, as the journal has it from the deployment's own writes; green is idle."""
    plan = account.plan(deployment="d9", execution=f"{EXECUTION}:d9")
    journal.holding.claim(plan)
    journal.live.wrote(plan, BLUE, at(-900), traffic.write(BLUE))
    journal.live.reinstate(plan, "blue", at(-900), traffic.write(BLUE))
    journal.holding.release(plan.hold, at(-600))
    account.resize("green", 0)
    account.deregister_targets("green", "10.0.0.10", "10.0.0.11")


def _another_rule(account: Account, **forward: str) -> None:
    """Let the spec name another rule, which leads to some group."""
    made = account.elbv2.create_rule(
        ListenerArn=account.spec.listener,
        Priority=90,
        Conditions=[HOST],
        Actions=[{"Type": "forward", **forward}],
    )
    rule = ExistingRule(rule=made["Rules"][0]["RuleArn"])
    account.publish(account.spec.model_copy(update={"traffic": (rule,)}))


def _moved_to_the_owners_group(account: Account) -> None:
    _another_rule(account, TargetGroupArn=account.spec.pattern.target_group)


def _moved_with_its_traffic(account: Account) -> None:
    _another_rule(account, TargetGroupArn=account.spec.target_groups.blue)


def _another_cluster(account: Account) -> None:
    account.ecs.create_cluster(clusterName="shop")
    found = account.ecs.describe_services(cluster="web", services=["web"])["services"][0]
    copied = ("taskDefinition", "launchType", "networkConfiguration", "loadBalancers", "schedulingStrategy")
    made = account.ecs.create_service(
        cluster="shop", serviceName="web", desiredCount=0, **{key: found[key] for key in copied}
    )
    account.publish(account.spec.model_copy(update={"like": made["service"]["serviceArn"]}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(_moved_with_its_traffic, "rule from .*:listener-rule/.* to ", id="another-rule"),
        pytest.param(
            _moved_to_the_owners_group, "rule from .*:listener-rule/.* to ", id="prepared-in-another-place"
        ),
        pytest.param(_another_cluster, "cluster from .*/web to .*/shop", id="another-cluster"),
    ],
)
def test_a_spec_that_was_changed_is_named(
    account: Account, invoke: Invoke, live: None, change: Callable[[Account], None], said: str
) -> None:
    """It said that somebody else had changed the rule, and to correct the journal."""
    change(account)
    with pytest.raises(errors.ServiceMoved, match=said):
        _plan(account, invoke)


def test_a_rule_with_a_new_priority_is_deployed_to(account: Account, invoke: Invoke, live: None) -> None:
    """Its owner has given it the priority that the spec says."""
    account.elbv2.set_rule_priorities(RulePriorities=[{"RuleArn": account.spec.rule, "Priority": 7}])
    account.publish(
        account.spec.model_copy(update={"traffic": (OwnRule(listener=account.spec.listener, priority=7),)})
    )
    assert _plan(account, invoke)["reason"].endswith("0.0.2 in green")


# ---- reads that disagree --------------------------------------------------------------------------------


def _shown(account: Account) -> dict[str, Any]:
    """What DescribeRules answers by now."""
    found: dict[str, Any] = account.elbv2.describe_rules(ListenerArn=account.spec.listener)
    return found


def _planned(account: Account, invoke: Invoke, journal: Journal) -> HeldPlan:
    """A deployment as PlanRelease has planned it, which holds the service."""
    plan = HeldPlan.model_validate(_plan(account, invoke)["plan"])
    journal.holding.claim(plan)
    account.resize("green", 2)
    account.register_targets("green", "10.0.0.10", "10.0.0.11")
    return plan


def test_a_login_that_the_plan_has_seen_is_not_lost_to_an_older_read(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, journal: Journal, live: None, traffic: Traffic
) -> None:
    """Both reads show the same weights, which so do not tell which of them is older."""
    before = _shown(account)
    account.enrich_rule()
    plan = _planned(account, invoke, journal)
    aws.answer("DescribeRules", before)
    with pytest.raises(errors.NotYetVisible, match="may be older"):
        _shift(invoke, plan)
    clock.sleep(RULE_SECONDS - 60)
    aws.allow("DescribeRules")
    with pytest.raises(errors.NotYetVisible, match="may be older"):
        _shift(invoke, plan)  # it may as well be an old read, of before the login was taken away
    clock.sleep(RULE_SECONDS)
    assert _shift(invoke, plan)["status"] == "shifted"
    assert (weights_of(traffic), _logins(account)) == (SOME, [LOGIN])


def test_what_its_owner_took_away_is_believed_when_reads_have_agreed_on_it(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, live: None, traffic: Traffic
) -> None:
    """Of what is older than five minutes no read tells any more."""
    bare = account.production_rule()
    account.enrich_rule()
    plan = _planned(account, invoke, journal)
    account.elbv2.modify_rule(RuleArn=bare["RuleArn"], Actions=bare["Actions"])
    with pytest.raises(errors.NotYetVisible, match="may be older"):
        _shift(invoke, plan)
    clock.sleep(RULE_SECONDS)
    assert _shift(invoke, plan)["status"] == "shifted"
    assert (weights_of(traffic), _logins(account)) == (SOME, [])


def test_an_old_read_does_not_lose_a_login_that_came_after_the_last_write(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, journal: Journal, live: None, traffic: Traffic
) -> None:
    """By its weights it is older than that write; what was seen since is newer than both."""
    plan = _planned(account, invoke, journal)
    before = _shown(account)
    aws.edit("ModifyRule", lambda answer: account.enrich_rule() and answer)
    assert _shift(invoke, plan)["status"] == "shifted"  # and its read-back shows the login
    aws.edit("ModifyRule", lambda answer: aws.allow("DescribeRules") or answer)
    aws.answer("DescribeRules", before)
    assert _shift(invoke, plan, stage=2)["status"] == "shifted"
    assert (weights_of(traffic), _logins(account)) == (GREEN, [LOGIN])


def test_a_rollback_does_not_wait_for_reads_to_agree_and_keeps_the_login(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, live: None, traffic: Traffic
) -> None:
    """Clients may be meeting a bad release; a login that is put back is less than one that is lost."""
    before = _shown(account)
    account.enrich_rule()
    plan = _planned(account, invoke, journal)
    aws.answer("DescribeRules", before)
    assert _restore(invoke, journal, plan)["status"] == "unmoved"
    assert (weights_of(traffic), _logins(account)) == (BLUE, [LOGIN])


def test_an_emergency_does_not_wait_for_reads_to_agree(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, live: None, traffic: Traffic
) -> None:
    """The stable slot serves nothing."""
    before = _shown(account)
    account.enrich_rule()
    plan = _planned(account, invoke, journal)
    aws.answer("DescribeRules", before)
    aws.edit("ModifyRule", lambda answer: aws.allow("DescribeRules") or answer)
    shifted = invoke("shift_traffic", plan=plan, stage=2, deadline=at(60), written=None, emergency=True)
    assert shifted["status"] == "shifted"
    assert (weights_of(traffic), _logins(account)) == (GREEN, [LOGIN])


def test_a_second_restore_does_not_lose_the_login_of_the_first(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, live: None, traffic: Traffic
) -> None:
    """Both write the same weights, and so had the rule before the shift: the weights tell no order."""
    plan = _planned(account, invoke, journal)
    before = _shown(account)
    _shift(invoke, plan)
    account.enrich_rule()
    _restore(invoke, journal, plan)
    aws.answer("DescribeRules", before)
    assert _restore(invoke, journal, plan)["status"] == "moved"
    assert (weights_of(traffic), _logins(account)) == (BLUE, [LOGIN])
