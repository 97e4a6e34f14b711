"""A service with two ports, each behind a rule on a listener of its own: all weights move together."""

from collections.abc import Callable
from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.domain import errors
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.slots import SLOTS, Slot, TargetGroups
from crossfade.domain.spec.names import target_group_name
from crossfade.domain.spec.placed import Pattern, Placed, Route, Target
from crossfade.domain.spec.service import ExistingRule, OwnRule
from crossfade.domain.traffic.place import balancer_of
from crossfade.domain.traffic.weights import RULE_SECONDS, Weights
from faults.cases.service import login
from tests.unit.account import SPECS, Account, weights_of
from tests.unit.examples import EXECUTION, FIRST_TRY, ROLLBACKS, at
from tests.unit.handlers.conftest import Aws, Clock, Invoke

BLUE, SOME, GREEN = (Weights.share("green", weight) for weight in (0, 10, 100))
THEIRS = Weights(blue=70, green=30)
ANSWER = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
TARGETS = [{"Id": "10.0.0.10"}, {"Id": "10.0.0.11"}]


@pytest.fixture
def account(account: Account) -> Account:
    """Return an account whose service has a second port, of which a rule of its owner's is the way."""
    account.spec = _with_admin(account)
    return account


def _with_admin(account: Account) -> Placed:
    elbv2, spec = account.elbv2, account.spec
    admin = Target(target_group=_group(account, "admin"), container="app", port=9090)
    definition = account.definition(portMappings=[{"containerPort": port} for port in (8080, 9090)])
    pattern = spec.pattern.model_copy(update={"also": (admin,), "task_definition": definition})
    own = {
        target.port: TargetGroups(
            **{slot: _group(account, target_group_name(SPECS, "web", slot, port)) for slot in SLOTS},
            pattern=target.target_group,
        )
        for target, port in zip(pattern.targets, pattern.port_names, strict=True)
    }
    forward = {"Type": "forward", "TargetGroupArn": admin.target_group}
    listener = elbv2.create_listener(
        LoadBalancerArn=balancer_of(spec.listener), Protocol="HTTP", Port=9090, DefaultActions=[ANSWER]
    )["Listeners"][0]["ListenerArn"]
    condition = {"Field": "path-pattern", "Values": ["/admin/*"]}
    rule = elbv2.create_rule(ListenerArn=listener, Priority=7, Conditions=[condition], Actions=[forward])[
        "Rules"
    ][0]["RuleArn"]
    _serve(account, pattern)
    return spec.model_copy(
        update={
            "traffic": (
                OwnRule(listener=spec.listener, priority=100, target_group=pattern.target_group),
                ExistingRule(rule=rule),
            ),
            "pattern": pattern,
            "target_groups": own[8080],
            "also": (Route(rule=rule, listener=listener, target_groups=own[9090]),),
        }
    )


def _group(account: Account, name: str) -> str:
    elbv2 = account.elbv2
    groups = elbv2.describe_target_groups(TargetGroupArns=[account.spec.target_groups.blue])["TargetGroups"]
    made = elbv2.create_target_group(
        Name=name, Protocol="HTTP", Port=80, VpcId=groups[0]["VpcId"], TargetType="ip"
    )
    return str(made["TargetGroups"][0]["TargetGroupArn"])


def _serve(account: Account, pattern: Pattern) -> None:
    """Let the owner's service be reached by all its ports."""
    network = pattern.network
    account.ecs.delete_service(cluster="web", service="web", force=True)
    account.ecs.create_service(
        cluster="web",
        serviceName="web",
        taskDefinition=pattern.task_definition,
        desiredCount=0,
        launchType="FARGATE",
        platformVersion="LATEST",
        schedulingStrategy="REPLICA",
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": list(network.subnets),
                "securityGroups": list(network.security_groups),
                "assignPublicIp": "ENABLED",
            }
        },
        loadBalancers=[
            {
                "targetGroupArn": target.target_group,
                "containerName": target.container,
                "containerPort": target.port,
            }
            for target in pattern.targets
        ],
    )


@pytest.fixture
def traffic(account: Account) -> Traffic:
    """Return the service's traffic."""
    return Traffic(account.elbv2, account.spec)


@pytest.fixture
def held(account: Account, journal: Journal, blue_live: None) -> HeldPlan:
    """Return a deployment into green that is about to shift traffic for the first time."""
    for slot in SLOTS:
        _register(account, slot)
    plan = account.plan()
    journal.holding.claim(plan)
    return plan


def _register(account: Account, slot: Slot) -> None:
    """Put targets into all groups of a slot."""
    for group in account.spec.slot_groups(slot):
        account.elbv2.register_targets(TargetGroupArn=group, Targets=TARGETS)


def _shift(invoke: Invoke, plan: HeldPlan, stage: int = 1, **given: Any) -> dict[str, Any]:
    return invoke("shift_traffic", plan=plan, **{"stage": stage, "deadline": at(60), "written": None} | given)


def _taken(journal: Journal, plan: HeldPlan) -> HeldPlan:
    return plan.held_by(journal.holding.take_over(plan.hold, f"{ROLLBACKS}:mine", FIRST_TRY))


def _restore(invoke: Invoke, plan: HeldPlan, written: str | None = None) -> dict[str, Any]:
    return invoke(
        "restore_weights", plan=plan, deadline=at(300), tasks_deadline=at(120), rounds=0, written=written
    )


def _lives(account: Account) -> list[Weights | None]:
    return [one.weights for one in Traffic(account.elbv2, account.spec).shown().routes]


def _set(account: Account, place: int, weights: Weights) -> None:
    """Let one of the rules have other weights: by its owner, or by a write that was late."""
    traffic = Traffic(account.elbv2, account.spec)
    traffic.write(weights, [traffic.shown().rules[place]])


def _written(aws: Aws, rules: list[str]) -> list[int]:
    """The places of the rules that were written, in that order."""
    return [rules.index(given["RuleArn"]) for name, given in aws.asked if name == "ModifyRule"]


def _rules(plan: HeldPlan) -> list[str]:
    return [route.rule for route in plan.spec.routes]


def _fails_for(aws: Aws, rule: str, code: str) -> None:
    """Let ELB refuse to change one of the rules."""
    make = aws.call

    def call(client_make: Any, client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        if operation == "ModifyRule" and arguments["RuleArn"] == rule:
            aws.refuse(operation, code)
            try:
                return make(client_make, client, operation, arguments)
            finally:
                aws.allow(operation)
        return make(client_make, client, operation, arguments)

    aws.call = call  # type: ignore[method-assign]


class Killed(Exception):
    """What ends a handler from outside."""


def _dies_after(writes: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    left = [writes]

    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return answer

    return edit


# ---- a plan ------------------------------------------------------------------------------------------------


@pytest.fixture
def live(account: Account, journal: Journal) -> None:
    """Make 0.0.1 live in blue, and push 0.0.2."""
    account.publish(account.spec)
    release = account.release("0.0.1")
    before = account.plan(deployment="d0", execution=f"{EXECUTION}:d0", stable=None, candidate="blue")
    journal.holding.claim(before)
    account.run("blue", TaskDefinitions(account.ecs).register(account.spec, release))
    _register(account, "blue")
    answers = Traffic(account.elbv2, account.spec).write(BLUE)
    journal.live.wrote(before, BLUE, at(-900), answers)
    journal.holding.release(before.hold, at(-600))
    account.push("0.0.2")


@pytest.fixture
def promoted(account: Account, journal: Journal, live: None) -> None:
    """Let the journal know of 0.0.1 as the live release."""
    plan = account.plan(
        deployment="d00",
        execution=f"{EXECUTION}:d00",
        stable="blue",
        candidate="green",
        began=at(-300),
    )
    journal.holding.claim(plan)
    journal.live.promote(plan.model_copy(update={"candidate": "blue"}), at(-200))
    journal.holding.release(plan.hold, at(-100))


def _plan(invoke: Invoke) -> dict[str, Any]:
    ask = {"service": "web", "image_tag": "0.0.2"}
    return invoke("plan_release", input=ask, execution=f"{EXECUTION}:d1", deployment="d1")


def test_a_plan_has_a_route_for_each_rule(account: Account, invoke: Invoke, live: None) -> None:
    """Each with the groups of the port that it leads to."""
    planned = HeldPlan.model_validate(_plan(invoke)["plan"])
    assert planned.spec.routes == account.spec.routes
    assert [target.name for target in planned.spec.pattern.targets] == ["app:8080", "app:9090"]


@pytest.mark.parametrize("place", [0, 1])
def test_half_done_is_no_state_to_plan_from(account: Account, invoke: Invoke, live: None, place: int) -> None:
    """No deployment is known that has left it so: the sentence names the rule."""
    _set(account, place, SOME)
    rule = account.spec.routes[place].rule
    found = rf"last wrote blue 100, green 0, but found blue 90, green 10 in the production rule {rule}\."
    with pytest.raises(errors.ForeignChange, match=rf"{found} .*To put a changed rule right"):
        _plan(invoke)
    _set(account, 1 - place, SOME)
    with pytest.raises(errors.ForeignChange, match=rf"{found} .*Crossfade last wrote|last wrote .*{found}"):
        _plan(invoke)


def test_a_rule_more_for_a_live_service_is_a_move(account: Account, invoke: Invoke, live: None) -> None:
    """Where it led while the journal did not know of it nobody can tell."""
    forward = {"Type": "forward", "TargetGroupArn": account.spec.target_groups.blue}
    condition = {"Field": "host-header", "Values": ["api.example"]}
    (made,) = account.elbv2.create_rule(
        ListenerArn=account.spec.listener, Priority=9, Conditions=[condition], Actions=[forward]
    )["Rules"]
    more = ExistingRule(rule=made["RuleArn"])
    account.publish(account.spec.model_copy(update={"traffic": (*account.spec.traffic, more)}))
    rules = [route.rule for route in account.spec.routes]
    moved = f"rule from {', '.join(rules)} to {', '.join([*rules, more.rule])}"
    with pytest.raises(errors.ServiceMoved, match=moved):
        _plan(invoke)


def test_a_port_less_of_a_live_service_is_a_move(account: Account, invoke: Invoke, promoted: None) -> None:
    """What is live has the groups of before: nothing is to be prepared."""
    _serve(account, account.spec.pattern.model_copy(update={"also": ()}))
    account.publish(account.spec.model_copy(update={"traffic": account.spec.traffic[:1]}))
    app, admin = (target.target_group for target in account.spec.pattern.targets)
    said = f"its pattern was changed since: target groups of web from {app}, {admin} to {app}"
    with pytest.raises(errors.ServiceMoved, match=said):
        _plan(invoke)


def test_a_port_without_a_rule_is_refused(account: Account, invoke: Invoke, live: None) -> None:
    """Its clients would stay where they are."""
    account.publish(account.spec.model_copy(update={"traffic": account.spec.traffic[:1]}))
    with pytest.raises(errors.PatternUnusable, match="No rule in traffic of web leads to app:9090"):
        _plan(invoke)


def test_before_a_first_release_each_rule_is_its_owners(account: Account, invoke: Invoke) -> None:
    """The one that is not is named."""
    account.publish(account.spec)
    account.push("0.0.2")
    assert _plan(invoke)["action"] == "deploy"
    admin = account.spec.also[0]
    account.elbv2.modify_rule(
        RuleArn=admin.rule, Actions=[{"Type": "forward", "TargetGroupArn": admin.target_groups.blue}]
    )
    with pytest.raises(errors.ForeignChange, match=f"its production rule {admin.rule} stands at blue 100"):
        _plan(invoke)


# ---- a shift -----------------------------------------------------------------------------------------------


def test_a_shift_moves_the_weights_of_all_rules(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, held: HeldPlan, traffic: Traffic
) -> None:
    """In the order of the spec; the journal knows each of them."""
    assert _shift(invoke, held)["status"] == "shifted"
    assert weights_of(traffic) == SOME
    assert _written(aws, _rules(held)) == [0, 1]
    state = journal.state("web")
    assert (state.weights, state.intended) == (SOME, None)
    assert [rule.arn for rule in state.last_rules] == _rules(held)
    assert [rule.target_groups for rule in state.last_rules] == [
        route.target_groups for route in held.spec.routes
    ]


@pytest.mark.parametrize("writes", [1, 2])
def test_a_shift_that_dies_between_two_rules_goes_on(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, held: HeldPlan, writes: int
) -> None:
    """Half-done is no foreign change: each rule stands as Crossfade left it."""
    aws.edit("ModifyRule", _dies_after(writes))
    with pytest.raises(Killed):
        _shift(invoke, held)
    assert _lives(account) == [SOME, SOME if writes == 2 else BLUE]
    assert (journal.state("web").weights, journal.state("web").intended) == (BLUE, SOME)
    aws.edit("ModifyRule", lambda answer: answer)
    assert _shift(invoke, held)["status"] == "shifted"
    assert _lives(account) == [SOME, SOME]


@pytest.mark.parametrize("place", [0, 1])
def test_a_throttled_write_of_one_rule_leaves_no_other_one_out(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, held: HeldPlan, place: int
) -> None:
    """The retry of the state writes all of them again."""
    with pytest.MonkeyPatch.context():
        before = aws.call
        _fails_for(aws, _rules(held)[place], "Throttling")
        with pytest.raises(Exception, match="Throttling"):
            _shift(invoke, held)
        aws.call = before  # type: ignore[method-assign]
    expected = [SOME, SOME]
    expected[place] = BLUE
    assert _lives(account) == expected
    assert journal.state("web").weights == BLUE
    assert _shift(invoke, held)["status"] == "shifted"
    assert _lives(account) == [SOME, SOME]


@pytest.mark.parametrize("place", [0, 1])
def test_weights_that_were_changed_in_one_rule_are_left_alone(
    account: Account, invoke: Invoke, held: HeldPlan, place: int
) -> None:
    """And none is written: the sentence names the rule."""
    _set(account, place, THEIRS)
    before = _lives(account)
    found = rf"found blue 70, green 30 in the production rule {_rules(held)[place]}\."
    with pytest.raises(errors.ForeignChange, match=found):
        _shift(invoke, held)
    assert _lives(account) == before


def test_a_rule_that_was_deleted_is_named(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """The other one stays as it is, and gets no candidate."""
    account.elbv2.delete_rule(RuleArn=_rules(held)[1])
    clock.seconds = RULE_SECONDS
    found = rf"found no rule in the production rule {_rules(held)[1]}\."
    with pytest.raises(errors.ForeignChange, match=found):
        _shift(invoke, held, deadline=at(RULE_SECONDS + 60))
    assert _lives(account) == [BLUE, None]


def test_one_rule_that_does_not_show_its_weights_yet_is_waited_for(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, held: HeldPlan
) -> None:
    """The stage begins to count once all of them do."""
    account.elbv2.describe_rules(ListenerArn=held.spec.listener)
    stale = account.elbv2.describe_rules(ListenerArn=held.spec.routes[1].listener)
    now = [False]

    def late(answer: dict[str, Any]) -> dict[str, Any]:
        shows_admin = any(rule["RuleArn"] == _rules(held)[1] for rule in answer["Rules"])
        return stale if shows_admin and not now[0] else answer

    aws.edit("DescribeRules", late)
    first = _shift(invoke, held)
    assert (first["status"], clock.seconds) == ("waiting", 15)
    now[0] = True
    clock.seconds = 40
    second = _shift(invoke, held, written=first["written"])
    assert (second["status"], second["shown"]) == ("shifted", "2026-11-23T04:00:40.000Z")


def test_one_rule_that_never_shows_its_weights_is_a_change_from_outside(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """A write that ELB lost looks so; the sentence names the rule."""
    first = _shift(invoke, held)
    _set(account, 1, BLUE)
    clock.seconds = RULE_SECONDS
    with pytest.raises(errors.ForeignChange, match=rf"found blue 100, green 0 in .*{_rules(held)[1]}"):
        _shift(invoke, held, written=first["began"])


def test_a_step_back_takes_the_candidates_side_down_first(
    account: Account, invoke: Invoke, aws: Aws, held: HeldPlan
) -> None:
    """Where a shift was cut off, that is the rule that it had come to."""
    _shift(invoke, held)
    _set(account, 0, BLUE)
    aws.asked.clear()
    assert _shift(invoke, held, stage=0)["status"] == "shifted"
    assert _written(aws, _rules(held)) == [1, 0]
    assert _lives(account) == [BLUE, BLUE]


def test_what_each_owner_puts_into_a_rule_is_kept(
    account: Account, invoke: Invoke, held: HeldPlan, clock: Clock
) -> None:
    """The actions before the forward are those of that rule."""
    _shift(invoke, held)
    (shown,) = account.elbv2.describe_rules(RuleArns=[_rules(held)[1]])["Rules"]
    account.elbv2.modify_rule(
        RuleArn=_rules(held)[1], Actions=[login(), {**shown["Actions"][-1], "Order": 2}]
    )
    clock.seconds = 2 * RULE_SECONDS
    assert _shift(invoke, held, stage=2, deadline=at(900))["status"] == "shifted"
    rules = Traffic(account.elbv2, account.spec).shown().rules
    assert [[action["Type"] for action in rule.actions] for rule in rules] == [
        ["forward"],
        ["authenticate-oidc", "forward"],
    ]


# ---- a rollback --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("intended", [SOME, GREEN])
def test_half_done_is_mended_by_a_rollback(
    account: Account,
    invoke: Invoke,
    aws: Aws,
    journal: Journal,
    held: HeldPlan,
    place: int,
    intended: Weights,
) -> None:
    """First in the rule where the candidate has most."""
    journal.live.intend(held.hold, intended)
    _set(account, place, intended)
    mine = _taken(journal, held)
    answer = _restore(invoke, mine)
    assert (answer["status"], answer["outcome"], answer["loser"]) == ("moved", "rolled_back", "green")
    assert _lives(account) == [BLUE, BLUE]
    assert _written(aws, _rules(held)) == [place, 1 - place]
    assert journal.state("web").weights == BLUE


@pytest.mark.parametrize("place", [0, 1])
def test_a_rollback_that_cannot_write_one_rule_puts_the_other_one_back(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, held: HeldPlan, place: int
) -> None:
    """Its retry does the rest."""
    _shift(invoke, held)
    mine, before = _taken(journal, held), aws.call
    _fails_for(aws, _rules(held)[place], "Throttling")
    with pytest.raises(Exception, match="Throttling"):
        _restore(invoke, mine)
    aws.call = before  # type: ignore[method-assign]
    expected = [BLUE, BLUE]
    expected[place] = SOME
    assert _lives(account) == expected
    assert _restore(invoke, mine)["status"] == "moved"
    assert _lives(account) == [BLUE, BLUE]


@pytest.mark.parametrize("place", [0, 1])
def test_a_foreign_rule_keeps_no_other_one_from_being_put_back(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan, place: int
) -> None:
    """Both slots keep running, since the foreign one may need either; the sentence says which is which."""
    _shift(invoke, held)
    _set(account, place, THEIRS)
    mine, clock.seconds = _taken(journal, held), 30
    answer = _restore(invoke, mine)
    assert (answer["status"], answer["outcome"], answer["loser"]) == ("barred", "failed", None)
    own, foreign = _rules(held)[1 - place], _rules(held)[place]
    assert answer["reason"].startswith(f"{own} was set to blue 100, green 0. Crossfade last wrote blue 100")
    assert f"but found blue 70, green 30 in the production rule {foreign}. It was changed" in answer["reason"]
    lives = [BLUE, BLUE]
    lives[place] = THEIRS
    assert _lives(account) == lives
    state = journal.state("web")
    assert (state.weights, state.stable) == (BLUE, "blue")
    assert [rule.arn for rule in state.last_rules] == _rules(held)  # neither is taken for a new one
    assert state.written_to(foreign) is None


def test_a_rule_that_leads_elsewhere_keeps_no_other_one_from_being_put_back(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """It has no weights at all."""
    _shift(invoke, held)
    account.elbv2.modify_rule(RuleArn=held.spec.rule, Actions=[ANSWER])
    answer = _restore(invoke, _taken(journal, held))
    assert answer["status"] == "barred"
    assert f"The production rule {held.spec.rule} answers by fixed-response" in answer["reason"]
    assert Traffic(account.elbv2, account.spec).shown().routes[1].weights == BLUE


@pytest.mark.parametrize("place", [0, 1])
def test_a_first_release_is_tried_again_once_a_foreign_rule_was_put_right(
    account: Account, invoke: Invoke, journal: Journal, place: int
) -> None:
    """The rollback before has written the other rule alone: that makes the service no other one."""
    account.publish(account.spec)
    account.push("0.0.2")
    plan = HeldPlan.model_validate(_plan(invoke)["plan"])
    journal.holding.claim(plan)
    route = plan.spec.routes[place]
    before = account.elbv2.describe_rules(RuleArns=[route.rule])["Rules"][0]["Actions"]
    account.elbv2.modify_rule(RuleArn=route.rule, Actions=[ANSWER])
    mine = _taken(journal, plan)
    assert _restore(invoke, mine)["status"] == "barred"
    journal.holding.release(mine.hold, at(60))
    account.elbv2.modify_rule(RuleArn=route.rule, Actions=before)
    assert _plan(invoke)["action"] == "deploy"


@pytest.mark.parametrize("place", [0, 1])
def test_a_deleted_rule_keeps_no_other_one_from_being_put_back(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan, place: int
) -> None:
    """It is not made again."""
    _shift(invoke, held)
    account.elbv2.delete_rule(RuleArn=_rules(held)[place])
    clock.seconds = RULE_SECONDS
    answer = _restore(invoke, _taken(journal, held))
    assert (answer["status"], answer["outcome"]) == ("barred", "failed")
    assert f"found no rule in the production rule {_rules(held)[place]}" in answer["reason"]
    lives: list[Weights | None] = [BLUE, BLUE]
    lives[place] = None
    assert _lives(account) == lives


def test_a_listener_that_is_gone_keeps_no_other_rule_from_being_put_back(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, held: HeldPlan
) -> None:
    """Whether it is gone is believed at the deadline."""
    _shift(invoke, held)
    account.elbv2.delete_listener(ListenerArn=held.spec.routes[1].listener)
    mine = _taken(journal, held)
    answer = _restore(invoke, mine)
    assert (answer["status"], held.spec.routes[1].listener in answer["reason"]) == ("waiting", True)
    assert Traffic(account.elbv2, account.spec).shown().routes[0].weights == BLUE
    aws.asked.clear()
    assert _restore(invoke, mine, answer["written"])["status"] == "waiting"
    assert _written(aws, _rules(held)) == []  # once is enough


def test_a_rule_that_is_shown_again_is_put_back_as_well(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal
) -> None:
    """In a first deployment a rule may be so new that it is not shown to each function."""
    account.run("blue", account.spec.pattern.task_definition)
    _register(account, "blue")
    routes = [
        route.model_copy(
            update={
                "target_groups": route.target_groups.model_copy(
                    update={
                        "green": route.target_groups.pattern,
                        "replaced": route.target_groups.green,
                    }
                )
            }
        )
        for route in account.spec.routes
    ]
    account.spec = account.spec.model_copy(
        update={"origin": "green", "target_groups": routes[0].target_groups, "also": (routes[1],)}
    )
    plan = account.plan(stable=None, candidate="blue", previous=None)
    journal.holding.claim(plan)
    Traffic(account.elbv2, plan.spec).write(BLUE)
    journal.live.wrote(plan, BLUE, at(-1))
    hidden = _rules(plan)[1]
    aws.edit(
        "DescribeRules", lambda answer: {"Rules": [r for r in answer["Rules"] if r["RuleArn"] != hidden]}
    )
    mine = _taken(journal, plan)
    first = _restore(invoke, mine)
    assert first["status"] == "waiting"
    assert _lives(account) == [GREEN, BLUE]
    aws.edit("DescribeRules", lambda answer: answer)
    assert _restore(invoke, mine, first["written"])["status"] == "moved"
    assert _lives(account) == [GREEN, GREEN]


# ---- what is stopped ---------------------------------------------------------------------------------------


def test_no_slot_is_stopped_that_one_rule_leads_to(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """However little it gives there."""
    _set(account, 1, SOME)
    mine = _taken(journal, held)
    with pytest.raises(errors.SlotHasTraffic, match=rf"still has weight 10 in the .* {_rules(held)[1]} \("):
        invoke("stop_loser", plan=mine, slot="green", deadline=at(0), undecided=False)
    _set(account, 1, BLUE)
    assert (
        invoke("stop_loser", plan=mine, slot="green", deadline=at(0), undecided=False)["status"] == "stopped"
    )


@pytest.mark.parametrize("place", [0, 1])
def test_a_slot_is_as_healthy_as_the_port_that_serves_least(
    account: Account, held: HeldPlan, traffic: Traffic, place: int
) -> None:
    """Each task has to serve them all; what is unhealthy is named with its port."""
    group = held.spec.slot_groups("green")[place]
    assert traffic.health("green").healthy == 2
    account.elbv2.deregister_targets(TargetGroupArn=group, Targets=TARGETS[:1])
    found = traffic.health("green")
    assert (found.healthy, found.registered) == (1, 2)


def test_stickiness_of_any_group_or_rule_is_refused(
    account: Account, invoke: Invoke, held: HeldPlan, traffic: Traffic
) -> None:
    """It overrides weights there."""
    admin = held.spec.slot_groups("green")[1]
    account.elbv2.modify_target_group_attributes(
        TargetGroupArn=admin, Attributes=[{"Key": "stickiness.enabled", "Value": "true"}]
    )
    assert traffic.sticky_groups() == [admin]
    rule = traffic.shown().rules[1]
    forward = dict(rule.actions[-1])
    forward["ForwardConfig"]["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": 60}
    account.elbv2.modify_rule(RuleArn=rule.arn, Actions=[forward])
    with pytest.raises(errors.StickyTraffic, match=rule.arn):
        _shift(invoke, held)
