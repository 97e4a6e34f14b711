"""A service that was its owner's: the first release beside it, the ones after, and the way back to it."""

import json
from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.domain import errors
from crossfade.domain.planning.plan import HeldPlan, RunningRelease
from crossfade.domain.slots import Slot, other
from crossfade.domain.spec.service import ExistingRule, OwnRule
from crossfade.domain.traffic.weights import Weights
from tests.unit.account import Account
from tests.unit.examples import EXECUTION, at, warm_spec
from tests.unit.handlers.conftest import Aws, Invoke

ASK = {"service": "web", "image_tag": "0.0.2"}
LEAVE = {"service": "web", "leave": True}
TARGETS = ("10.0.0.50", "10.0.0.51")


@pytest.fixture
def owned(account: Account, aws: Aws) -> str:
    """Let the owner's service run two tasks of 0.0.0; returns the image's digest, which ECS tells as well."""
    digest = account.push("0.0.0")
    account.resize_pattern(2)
    account.register_pattern_targets(*TARGETS)
    revision = {
        "serviceRevisionArn": "arn:revision/1",
        "createdAt": at(-9_000),
        "taskDefinition": account.spec.pattern.task_definition,
        "containerImages": [{"containerName": "app", "image": "web:0.0.0", "imageDigest": digest}],
    }

    def tell(answer: dict[str, Any]) -> dict[str, Any]:
        for service in answer["services"]:
            if service["serviceName"] == "web":
                service["currentServiceRevisions"] = [{"arn": revision["serviceRevisionArn"]}]
        return answer

    aws.edit("DescribeServices", tell)
    aws.answer("DescribeServiceRevisions", {"serviceRevisions": [revision]})
    return digest


def _decide(invoke: Invoke, given: dict[str, Any], name: str = "d1") -> dict[str, Any]:
    return invoke("plan_release", input=given, execution=f"{EXECUTION}:{name}", deployment=name)


def _plan(invoke: Invoke, given: dict[str, Any], name: str = "d1") -> HeldPlan:
    return HeldPlan.model_validate(_decide(invoke, given, name)["plan"])


def _promote(account: Account, journal: Journal, plan: HeldPlan, moment: float = -600) -> None:
    """Carry a plan out: as many tasks as there were, all the traffic, and the old ones stopped."""
    journal.holding.claim(plan)
    slot, targets = plan.candidate, (f"10.0.{plan.deployment[-1]}.10", f"10.0.{plan.deployment[-1]}.11")
    definition = TaskDefinitions(account.ecs).register(plan.spec, plan.release)
    name = plan.spec.slot_service(slot)
    account.start_service(name, definition, 2)
    group = plan.spec.target_groups.of(slot)
    account.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": target} for target in targets])
    all_of_it = Weights.share(slot, 100)
    journal.live.wrote(plan, all_of_it, at(moment), Traffic(account.elbv2, plan.spec).write(all_of_it))
    journal.live.promote(plan, at(moment))
    if plan.stable and not plan.spec.retire.warm_seconds:
        account.stop_service(plan.spec.slot_service(plan.stable), plan.spec.target_groups.of(plan.stable))
    journal.holding.release(plan.hold, at(moment))


def _release(account: Account, invoke: Invoke, journal: Journal, tag: str, name: str) -> HeldPlan:
    account.push(tag)
    plan = _plan(invoke, ASK | {"image_tag": tag}, name)
    _promote(account, journal, plan)
    return plan


# ---- taken over -----------------------------------------------------------------------------------------


def test_what_its_owner_runs_is_stable(account: Account, invoke: Invoke, owned: str) -> None:
    """By the tag of its image, which it need not answer with; the candidate goes to the other slot."""
    account.push("0.0.2")
    answer = _decide(invoke, ASK)
    assert answer["reason"] == "0.0.0 → 0.0.2 in blue"
    plan = HeldPlan.model_validate(answer["plan"])
    pattern = account.spec.pattern
    assert (plan.stable, plan.candidate, plan.spec.origin) == ("green", "blue", "green")
    assert plan.stages == account.spec.stages
    assert plan.spec.slot_service("green") == "web"
    assert plan.spec.target_groups.green == pattern.target_group
    assert plan.previous == RunningRelease(
        version="0.0.0",
        digest=owned,
        pattern=pattern.task_definition,
        settings=pattern.fingerprint,
        verified=False,
    )
    assert plan.stable_answers == ""


@pytest.mark.parametrize("count", [0, 2])
def test_a_service_of_somebody_else_with_a_slots_name_is_left_alone(
    account: Account, invoke: Invoke, owned: str, count: int
) -> None:
    """Its owner has had a blue and a green one of his own, before Crossfade."""
    account.ecs.create_service(
        cluster="web",
        serviceName="web-blue",
        taskDefinition=account.spec.pattern.task_definition,
        desiredCount=count,
    )
    account.push("0.0.2")
    with pytest.raises(
        errors.SlotDrift, match=r"web-blue is not Crossfade's: .* Give service .* another name"
    ):
        _decide(invoke, ASK)


def test_an_image_of_another_repository_has_no_version(account: Account, invoke: Invoke, owned: str) -> None:
    """It is no release that could be named."""
    account.repattern(image="nginx:1")
    account.push("0.0.2")
    release = account.spec.release.model_copy(update={"containers": ("app",)})
    account.publish(account.spec.model_copy(update={"release": release}))
    plan = _plan(invoke, ASK)
    assert (plan.stable, plan.previous, plan.stable_answers) == ("green", None, "")


def test_the_image_that_its_owner_runs_is_no_release(account: Account, invoke: Invoke, owned: str) -> None:
    """It is live already."""
    answer = _decide(invoke, ASK | {"image_tag": "0.0.0"})
    assert (answer["action"], answer["plan"]) == ("nothing_to_do", None)


def test_a_tag_that_was_moved_since_its_owner_has_deployed_it_is_another_image(
    account: Account, invoke: Invoke, owned: str
) -> None:
    """The tasks run what the tag was of when they started, and the release by that tag is news to them."""
    moved = account.push("0.0.9")
    account.tag(moved, "0.0.0")
    plan = _plan(invoke, ASK | {"image_tag": "0.0.0"})
    assert plan.release.digest == moved
    assert plan.previous is not None
    assert (plan.previous.version, plan.previous.digest) == ("0.0.0", owned)


def test_where_ecs_does_not_say_which_image_its_owner_runs_none_is_taken_for_it(
    account: Account, invoke: Invoke, aws: Aws, owned: str
) -> None:
    """Its services of before October 25, 2024 have no revision, and an owner may let tags go unresolved."""
    aws.answer("DescribeServiceRevisions", {"serviceRevisions": []})
    plan = _plan(invoke, ASK | {"image_tag": "0.0.0"})
    assert plan.previous is not None
    assert (plan.previous.version, plan.previous.digest) == ("0.0.0", "")


def test_after_the_first_release_the_slots_are_crossfades_own(
    account: Account, invoke: Invoke, journal: Journal, owned: str
) -> None:
    """The owner's service is at 0, and stands in the rule with weight 0; green is made anew."""
    _release(account, invoke, journal, "0.0.1", "d1")
    assert journal.state("web").origin == "green"
    account.push("0.0.2")
    plan = _plan(invoke, ASK, "d2")
    assert (plan.stable, plan.candidate, plan.spec.origin) == ("blue", "green", None)
    assert plan.spec.target_groups.green == account.spec.target_groups.green
    assert plan.spec.slot_service("green") == "web-green"
    assert not plan.spec.leftover
    _promote(account, journal, plan)
    assert journal.state("web").origin is None


def test_tasks_of_the_owner_that_get_no_traffic_are_told(
    account: Account, invoke: Invoke, journal: Journal, owned: str
) -> None:
    """An update of his stack has started them again: they cost, and harm nobody."""
    _release(account, invoke, journal, "0.0.1", "d1")
    account.resize_pattern(2)
    account.push("0.0.2")
    assert _decide(invoke, ASK, "d2")["reason"] == "0.0.1 → 0.0.2 in green; web runs 2 tasks without traffic"


def test_a_warm_origin_is_stopped_by_the_next_launch(
    account: Account, invoke: Invoke, journal: Journal, owned: str
) -> None:
    """Its slot gets the candidate, and nobody else would stop it."""
    account.publish(account.spec.model_copy(update={"retire": warm_spec().retire}))
    _release(account, invoke, journal, "0.0.1", "d1")
    assert account.desired_pattern() == 2
    account.push("0.0.2")
    plan = _plan(invoke, ASK, "d2")
    assert plan.spec.leftover
    invoke("claim_service", plan=plan)
    definition = invoke("register_task_definition", plan=plan)["task_definition"]
    answer = invoke("launch_candidate", plan=plan, task_definition=definition, deadline=at(60))
    assert answer["status"] == "launched"
    assert (account.desired_pattern(), account.desired("green")) == (0, 2)


def test_a_warm_origin_is_stopped_by_a_rollback_that_comes_before_the_launch(
    account: Account, invoke: Invoke, journal: Journal, owned: str
) -> None:
    """The claim has taken its warm time away, so that nobody else would."""
    account.publish(account.spec.model_copy(update={"retire": warm_spec().retire}))
    _release(account, invoke, journal, "0.0.1", "d1")
    account.push("0.0.2")
    plan = _plan(invoke, ASK, "d2")
    invoke("claim_service", plan=plan)
    answer = invoke("stop_loser", plan=plan, slot=plan.candidate, deadline=at(60), undecided=False)
    assert answer["status"] == "stopped"
    assert (account.desired_pattern(), account.desired("blue")) == (0, 2)


# ---- by which rule --------------------------------------------------------------------------------------


def test_a_rule_of_the_owner_is_found_by_its_arn(account: Account, invoke: Invoke, owned: str) -> None:
    """Whatever its priority and its conditions are."""
    rule = ExistingRule(rule=account.spec.rule)
    account.publish(account.spec.model_copy(update={"traffic": (rule,)}))
    account.elbv2.set_rule_priorities(RulePriorities=[{"RuleArn": account.spec.rule, "Priority": 7}])
    account.push("0.0.2")
    plan = _plan(invoke, ASK)
    assert (plan.spec.rule, plan.spec.listener) == (account.spec.rule, account.spec.listener)


def test_the_last_rule_is_found_wherever_it_stands(account: Account, invoke: Invoke, owned: str) -> None:
    """Behind all others, in the place of the default action; the preview rules are none of it."""
    last = OwnRule(listener=account.spec.listener, priority="last")
    account.publish(account.spec.model_copy(update={"traffic": (last,)}))
    account.elbv2.set_rule_priorities(RulePriorities=[{"RuleArn": account.spec.rule, "Priority": 50_000}])
    account.push("0.0.2")
    assert _plan(invoke, ASK).spec.rule == account.spec.rule


def test_a_rule_that_shares_the_traffic_with_others_is_refused(
    account: Account, invoke: Invoke, aws: Aws, owned: str
) -> None:
    """Before a first release all of it is the owner's service's: Crossfade would take the others' away."""
    rule = ExistingRule(rule=account.spec.rule)
    account.publish(account.spec.model_copy(update={"traffic": (rule,)}))
    shop = account.others_rule(200, {"Field": "host-header", "Values": ["shop.example"]})
    groups = [{"TargetGroupArn": group, "Weight": 50} for group in (account.spec.pattern.target_group, shop)]
    forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    account.elbv2.modify_rule(RuleArn=account.spec.rule, Actions=[forward])
    account.push("0.0.2")
    with pytest.raises(errors.ForeignChange, match=f"forwards to {shop}"):
        _decide(invoke, ASK)


# ---- handed back ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("releases", [1, 2, 3])
def test_what_is_live_goes_back_to_its_owners_service(
    account: Account, invoke: Invoke, journal: Journal, owned: str, releases: int
) -> None:
    """As one more release, of what is live, into the place of the idle slot; also of its own rule."""
    for n in range(1, releases + 1):
        live = _release(account, invoke, journal, f"0.0.{n}", f"d{n}")
    answer = _decide(invoke, LEAVE, "d9")
    plan = HeldPlan.model_validate(answer["plan"])
    idle: Slot = other(live.candidate)
    assert answer["reason"] == f"0.0.{releases} → 0.0.{releases} in {idle} (back in web)"
    assert (plan.stable, plan.candidate, plan.spec.origin) == (live.candidate, idle, idle)
    assert plan.release.digest == live.release.digest
    _promote(account, journal, plan)
    assert account.desired_pattern() == 2
    groups = account.production_rule()["Actions"][0]["ForwardConfig"]["TargetGroups"]
    assert [group["TargetGroupArn"] for group in groups if group["Weight"]] == [
        account.spec.pattern.target_group
    ]
    assert journal.state("web").origin == idle


def test_a_warm_slot_in_whose_place_it_goes_back_is_stopped_by_the_launch(
    account: Account, invoke: Invoke, journal: Journal, owned: str
) -> None:
    """No slot's name leads to its service any more, so nobody else would stop it."""
    account.publish(account.spec.model_copy(update={"retire": warm_spec().retire}))
    _release(account, invoke, journal, "0.0.1", "d1")
    _release(account, invoke, journal, "0.0.2", "d2")
    account.stop_service("web", account.spec.pattern.target_group)
    assert account.desired("blue") == 2
    plan = _plan(invoke, LEAVE, "d3")
    assert (plan.candidate, plan.spec.origin) == ("blue", "blue")
    invoke("claim_service", plan=plan)
    definition = invoke("register_task_definition", plan=plan)["task_definition"]
    invoke("launch_candidate", plan=plan, task_definition=definition, deadline=at(60))
    assert (account.desired_pattern(), account.desired("blue"), account.desired("green")) == (2, 0, 2)


def test_a_service_that_was_handed_back_can_be_taken_over_again(
    account: Account, invoke: Invoke, journal: Journal, owned: str
) -> None:
    """Its owner has thought better of it."""
    _release(account, invoke, journal, "0.0.1", "d1")
    _promote(account, journal, _plan(invoke, LEAVE, "d2"))
    account.push("0.0.2")
    plan = _plan(invoke, ASK, "d3")
    assert (plan.stable, plan.spec.origin, plan.candidate) == ("green", "green", "blue")
    assert plan.previous is not None
    assert plan.previous.version == "0.0.1"


def test_a_busy_service_is_not_handed_back(
    account: Account, invoke: Invoke, journal: Journal, owned: str
) -> None:
    """Nor does that wait: what is live then is not what is live now."""
    _release(account, invoke, journal, "0.0.1", "d1")
    account.push("0.0.2")
    journal.holding.claim(_plan(invoke, ASK, "d2"))
    with pytest.raises(errors.ServiceBusy, match=f"{EXECUTION}:d2"):
        _decide(invoke, LEAVE, "d3")
    assert json.dumps(account.item("state").get("waiting")) == "null"


def test_what_never_came_cannot_leave(account: Account, invoke: Invoke, owned: str) -> None:
    """The sentence says how to remove what was prepared."""
    with pytest.raises(errors.NothingToLeave, match="No release of web is live by Crossfade"):
        _decide(invoke, LEAVE)


def test_what_has_left_cannot_leave_again(
    account: Account, invoke: Invoke, journal: Journal, owned: str
) -> None:
    """It is live in its owner's service."""
    _release(account, invoke, journal, "0.0.1", "d1")
    _promote(account, journal, _plan(invoke, LEAVE, "d2"))
    with pytest.raises(errors.NothingToLeave, match="is live in its owner's ECS service"):
        _decide(invoke, LEAVE, "d3")
