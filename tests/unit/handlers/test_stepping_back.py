"""A step back: the weight goes to 0, the candidate is watched on, and climbs where the gate says."""

from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.domain import errors
from crossfade.domain.gate.past import Caution
from crossfade.domain.gate.state import GateState
from crossfade.domain.ledger import Record
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.proof.certificate import StageRecord
from crossfade.domain.rollout.drain import DrainProgress
from crossfade.domain.spec.history_events import MOST_STEP_BACKS
from crossfade.domain.tasks.scaling import SUSPENDED
from crossfade.domain.traffic.weights import Weights
from crossfade.domain.verdict import Climb, Verdict
from crossfade.watching import gate
from crossfade.watching.gate import Watching
from tests.unit.account import Account, weights_of
from tests.unit.examples import at, both_lanes, every_lane, request
from tests.unit.handlers.conftest import Aws, Clock, Invoke

NONE, TINY, SOME, HALF, GREEN = (Weights.share("green", weight) for weight in (0, 3, 10, 50, 100))
BACK = Verdict(action="step_back", reason="46 of 46 requests failed for 2.1 s", cause="dead")
ONWARD = Verdict(action="advance", reason="well for 15 s", climb=Climb(stage=2))
RETRY = Verdict(action="advance", reason="well for 15 s", climb=Climb(stage=1, weight=3))
ADVANCED = StageRecord(weight=100, began=at(0), shown=at(2), ended=at(9), verdict="advance", reason="good")
ONCE = Watching(gate=GateState(caution=Caution(step_backs=1, place=2)), quiet=DrainProgress(requests=9))


@pytest.fixture
def held(account: Account, journal: Journal, aws: Aws, probe: str, blue_live: None) -> HeldPlan:
    """Return a deployment into green that holds the service; 0.0.1 is live in blue, and a probe runs."""
    plan = account.plan()
    *before, last = plan.stages
    plan = plan.model_copy(update={"stages": (*before, last.model_copy(update={"weight": 50}), last)})
    journal.holding.claim(plan)
    journal.history.milestone(plan.hold, "launched", iso(at(-20)))
    journal.history.probing(plan.hold, probe)
    return plan


@pytest.fixture
def halved(account: Account, journal: Journal, held: HeldPlan) -> HeldPlan:
    """Return one that half of the clients are sent to."""
    _stand_at(account, journal, held, HALF)
    return held


def _stand_at(account: Account, journal: Journal, plan: HeldPlan, weights: Weights) -> None:
    Traffic(account.elbv2, account.spec).write(weights)
    journal.live.wrote(plan, weights, at(0))


def _judge(monkeypatch: pytest.MonkeyPatch, verdict: Verdict) -> None:
    """Let the gate come to this verdict, whatever it is given."""
    monkeypatch.setattr(gate, "analyse", lambda state, *given, **known: (state, verdict))


def _watch(
    invoke: Invoke, plan: HeldPlan, stage: int, found: Watching | None = None, **given: Any
) -> dict[str, Any]:
    watching = (found or Watching()).model_dump_json()
    return invoke(
        "watch_stage",
        plan=plan,
        probe="task",
        stage=stage,
        began=at(0),
        shown=at(2),
        deadline=at(60),
        candidate_since=at(0),
        watching=watching,
        **given,
    )


def _back(invoke: Invoke, plan: HeldPlan, deadline: float = 30, **given: Any) -> dict[str, Any]:
    """Let ShiftTraffic do as StepBack says."""
    event = {"stage": 0, "weight": None, "step_backs": 1, "emergency": False, "written": None}
    return invoke("shift_traffic", plan=plan, deadline=at(deadline), **event | given)


def _live(account: Account) -> Weights | None:
    return weights_of(Traffic(account.elbv2, account.spec))


def _found(answer: dict[str, Any]) -> Watching:
    return Watching.model_validate_json(answer["watching"])


def test_a_verdict_to_step_back_leads_to_weight_0(
    invoke: Invoke, clock: Clock, journal: Journal, halved: HeldPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal has it with its reason, and what is handed on counts it."""
    _judge(monkeypatch, BACK)
    clock.seconds = 12
    answer = _watch(invoke, halved, 2)
    assert (answer["next_stage"], answer["next_weight"]) == (0, None)
    assert answer["verdict"]["cause"] == "dead"
    caution = _found(answer).gate.caution
    assert (caution.step_backs, caution.cause, caution.at, caution.place) == (1, "dead", at(12), 2)
    (stage,) = journal.history.of("web", "d1").stages
    assert (stage.weight, stage.verdict, stage.ended) == (50, "step_back", at(12))
    assert (stage.shown, stage.reason) == (at(2), BACK.reason)
    assert journal.history.of("web", "d1").judged is None


def test_what_clients_met_before_a_step_back_does_not_count_at_the_top_again(
    invoke: Invoke, halved: HeldPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They meet the old version once more."""
    _judge(monkeypatch, BACK)
    assert _found(_watch(invoke, halved, 2, ONCE)).quiet == DrainProgress()


def test_before_a_step_back_no_task_is_counted(
    invoke: Invoke, aws: Aws, halved: HeldPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ECS may be what fails, and clients are being hurt."""
    _judge(monkeypatch, BACK)
    aws.refuse("DescribeServices", "ThrottlingException")
    assert _watch(invoke, halved, 2)["verdict"]["action"] == "step_back"


@pytest.mark.parametrize(
    ("verdict", "onward"),
    [
        pytest.param(ONWARD, (2, None), id="straight-to-where-it-was"),
        pytest.param(RETRY, (1, 3), id="a-retry-first"),
        pytest.param(ONWARD.model_copy(update={"emergency": True}), (3, None), id="stable-serves-nothing"),
    ],
)
def test_from_weight_0_it_goes_on_where_the_gate_says(
    invoke: Invoke,
    journal: Journal,
    held: HeldPlan,
    monkeypatch: pytest.MonkeyPatch,
    verdict: Verdict,
    onward: tuple[int, int | None],
) -> None:
    """Not by the next stage; where the stable slot serves nothing, to all traffic as ever."""
    _judge(monkeypatch, verdict)
    answer = _watch(invoke, held, 0, ONCE)
    assert (answer["next_stage"], answer["next_weight"]) == onward
    (stage,) = journal.history.of("web", "d1").stages
    assert (stage.weight, stage.step_backs, stage.retry) == (0, 1, False)


def test_the_targets_of_the_weight_that_it_climbs_to_are_waited_for(
    account: Account, invoke: Invoke, held: HeldPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not those of the next stage: it is watched until they are there."""
    account.resize("blue", 10)
    _judge(monkeypatch, ONWARD)
    verdict = _watch(invoke, held, 0, ONCE)["verdict"]
    assert verdict["reason"] == (
        "well for 15 s; held back: green has 2 healthy targets of 10 tasks and needs 5 for weight 50"
    )
    _judge(monkeypatch, RETRY)
    assert _watch(invoke, held, 0, ONCE)["verdict"]["action"] == "advance"


def test_a_retry_is_a_short_stage_with_its_own_weight(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan
) -> None:
    """It is known apart from the stage itself, though it may have the same weight."""
    clock.seconds = 5
    answer = _back(invoke, held, stage=1, weight=3)
    assert (answer["status"], _live(account)) == ("shifted", TINY)
    for weight in (10, None):
        _back(invoke, held, stage=1, weight=weight)
    found = [
        (stage.weight, stage.retry, stage.step_backs) for stage in journal.history.of("web", "d1").stages
    ]
    assert found == [(3, True, 1), (10, True, 1), (10, False, 1)]


def test_a_retry_that_is_watched_has_the_retrys_weight(
    invoke: Invoke, journal: Journal, held: HeldPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate is told its weight and its seconds, and that the stage itself is next."""
    asked: list[Any] = []

    def analyse(state: GateState, *_: Any, watch: Any, **__: Any) -> tuple[GateState, Verdict]:
        asked.append(watch)
        return state, ONWARD

    monkeypatch.setattr(gate, "analyse", analyse)
    answer = _watch(invoke, held, 1, ONCE, weight=3)
    watch = asked[-1]
    assert (watch.stage.weight, watch.stage.min_seconds, watch.place) == (3, 2.5, 1)
    assert (watch.next_weight, watch.weights, watch.shown) == (10, (0, 10, 50, 100), at(2))
    assert (answer["next_stage"], answer["next_weight"]) == (2, None)
    (stage,) = journal.history.of("web", "d1").stages
    assert (stage.weight, stage.retry) == (3, True)


def test_one_step_back_too_many_is_a_rollback(
    invoke: Invoke, journal: Journal, halved: HeldPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment ends, whatever the gate makes of it."""
    _judge(monkeypatch, BACK)
    often = Watching(gate=GateState(caution=Caution(step_backs=MOST_STEP_BACKS)))
    verdict = _watch(invoke, halved, 2, often)["verdict"]
    assert (verdict["action"], verdict["error"]) == ("roll_back", "EvidenceMissing")
    assert verdict["reason"] == (
        "stepped back 20 times, and not well yet: 46 of 46 requests failed for 2.1 s"
    )
    assert journal.history.of("web", "d1").judged is not None


# ---- the write ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("found", "refused"), [(Watching(), 0), (ONCE, 50)], ids=["before", "after"])
def test_adr_13_one_refused_at_weight_0_may_have_had_clients(
    found: Watching,
    refused: int,
    invoke: Invoke,
    journal: Journal,
    held: HeldPlan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a step back it has: where the stable slot dies, it is the better side, as it was before."""
    _judge(monkeypatch, Verdict(action="roll_back", reason="fails", error="CandidateWorse"))
    _watch(invoke, held, 0, found)
    assert journal.history.of("web", "d1").refused == refused


def test_a_step_back_gives_stable_all_traffic(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, halved: HeldPlan
) -> None:
    """Live, in the journal and in the history; the first stage begins anew."""
    clock.seconds = 5
    answer = _back(invoke, halved)
    assert (answer["status"], answer["began"], answer["shown"]) == ("shifted", iso(at(5)), iso(at(5)))
    assert answer["deadline"] == iso(at(5 + halved.stages[0].max_seconds))
    assert _live(account) == NONE
    assert (journal.state("web").weights, journal.state("web").intended) == (NONE, None)
    assert [(stage.weight, stage.step_backs) for stage in journal.history.of("web", "d1").stages] == [(0, 1)]


def test_adr_04_a_step_back_that_dies_after_its_write_knows_its_own_weights(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, halved: HeldPlan
) -> None:
    """It stands in the journal before the write, and the next try goes on."""

    class Killed(Exception):
        pass

    def die(answer: dict[str, Any]) -> dict[str, Any]:
        raise Killed

    aws.edit("ModifyRule", die)
    with pytest.raises(Killed):
        _back(invoke, halved)
    assert (_live(account), journal.state("web").intended) == (NONE, NONE)
    aws.edit("ModifyRule", lambda answer: answer)
    assert _back(invoke, halved)["status"] == "shifted"
    assert journal.state("web").weights == NONE


def test_weights_that_somebody_else_set_are_no_way_back(
    account: Account, invoke: Invoke, halved: HeldPlan
) -> None:
    """Compare and set, as on the way up."""
    foreign = Weights(blue=70, green=30)
    Traffic(account.elbv2, account.spec).write(foreign)
    with pytest.raises(errors.ForeignChange, match="found blue 70, green 30"):
        _back(invoke, halved)
    assert _live(account) == foreign


def test_a_stable_slot_that_is_short_is_waited_for_and_not_for_long(
    account: Account, invoke: Invoke, clock: Clock, halved: HeldPlan
) -> None:
    """It is asked for its tasks; what it has by the deadline is better than a suspect."""
    account.resize("blue", 4)
    account.register_targets("green", "10.0.0.12", "10.0.0.13")
    answer = _back(invoke, halved)
    assert (answer["status"], answer["reason"]) == (
        "waiting",
        "blue has 2 healthy targets of 4 tasks and needs 4 for weight 100",
    )
    assert _live(account) == HALF
    clock.seconds = 30
    assert _back(invoke, halved)["status"] == "shifted"
    assert _live(account) == NONE


def test_a_stable_slot_gets_as_many_tasks_as_the_candidate_has_grown_to(
    account: Account, invoke: Invoke, halved: HeldPlan
) -> None:
    """By the load that it is to carry again."""
    account.resize("green", 3)
    account.register_targets("green", "10.0.0.12")
    assert _back(invoke, halved)["status"] == "waiting"
    assert account.desired("blue") == 3


def test_a_stable_slot_that_has_no_fewer_targets_is_not_waited_for(
    account: Account, invoke: Invoke, aws: Aws, halved: HeldPlan
) -> None:
    """It is the better side; ECS is not even asked."""
    account.resize("blue", 4)
    aws.refuse("DescribeServices", "ThrottlingException")
    assert _back(invoke, halved)["status"] == "shifted"


def test_where_ecs_does_not_answer_weights_go_back_all_the_same(
    account: Account, invoke: Invoke, aws: Aws, halved: HeldPlan
) -> None:
    """They do not depend on it."""
    account.deregister_targets("blue", "10.0.0.11")
    aws.refuse("DescribeServices", "ThrottlingException")
    assert _back(invoke, halved)["status"] == "shifted"


def test_adr_13_a_stable_slot_without_a_target_is_no_way_back(
    account: Account, invoke: Invoke, halved: HeldPlan
) -> None:
    """The rollback chooses the better side then, and clients stay where they are until it has."""
    account.deregister_targets("blue", "10.0.0.10", "10.0.0.11")
    with pytest.raises(errors.TargetsBelowFloor, match="blue has no healthy target"):
        _back(invoke, halved)
    assert _live(account) == HALF


def test_a_candidate_without_a_target_is_left_at_once(
    account: Account, invoke: Invoke, halved: HeldPlan
) -> None:
    """However few targets the stable slot has."""
    account.resize("blue", 4)
    account.deregister_targets("blue", "10.0.0.11")
    account.deregister_targets("green", "10.0.0.10", "10.0.0.11")
    assert _back(invoke, halved)["status"] == "shifted"


# ---- from all the traffic -------------------------------------------------------------------------------


@pytest.fixture
def shifted(account: Account, journal: Journal, held: HeldPlan) -> HeldPlan:
    """Return one that has all the traffic."""
    _stand_at(account, journal, held, GREEN)
    return held


def _retire(invoke: Invoke, plan: HeldPlan, found: Watching) -> dict[str, Any]:
    return invoke(
        "retire_stable",
        plan=plan,
        probe="task",
        shifted=at(0),
        shown=at(2),
        candidate_since=at(0),
        watching=found.model_dump_json(),
    )


def _clients_left(account: Account, plan: HeldPlan) -> None:
    records: list[Record] = [request("production", n, n) for n in range(1, 21)]
    found = sorted([*records, *both_lanes("." * 200)], key=lambda record: record.at)
    account.write_ledger(plan.ledger, *found)


def test_from_all_the_traffic_it_steps_back_while_blue_runs(
    account: Account,
    invoke: Invoke,
    clock: Clock,
    journal: Journal,
    shifted: HeldPlan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though clients had left blue: nothing is promoted or stopped. The last stage ended by it."""
    journal.history.watched(shifted.hold, ADVANCED)
    _clients_left(account, shifted)
    _judge(monkeypatch, BACK)
    clock.seconds = 20
    answer = _retire(invoke, shifted, Watching())
    assert answer["verdict"]["action"] == "step_back"
    assert (account.desired("blue"), journal.history.of("web", "d1").promoted) == (2, None)
    caution = _found(answer).gate.caution
    assert (caution.step_backs, caution.place) == (1, 3)
    (stage,) = journal.history.of("web", "d1").stages
    assert (stage.weight, stage.verdict, stage.ended) == (100, "step_back", at(20))


def test_once_promoted_there_is_no_step_back(
    account: Account,
    invoke: Invoke,
    clock: Clock,
    journal: Journal,
    shifted: HeldPlan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The old slot may be stopped by then."""
    journal.live.promote(shifted, at(10))
    _judge(monkeypatch, BACK)
    assert _retire(invoke, shifted, Watching())["verdict"]["action"] == "advance"


def test_a_slot_that_was_suspended_as_a_loser_may_grow_again(
    account: Account, invoke: Invoke, shifted: HeldPlan, journal: Journal
) -> None:
    """It has all the traffic once more, and is not shrunk while weights move."""
    account.scale("blue")
    invoke("suspend_scaling", plan=shifted, loser=None)
    invoke("suspend_scaling", plan=shifted, loser="blue")
    scaling = account.scaling("blue")
    assert scaling
    assert scaling["SuspendedState"]["DynamicScalingOutSuspended"] is SUSPENDED.scale_out
    invoke("suspend_scaling", plan=shifted, loser=None)
    scaling = account.scaling("blue")
    assert scaling
    assert scaling["SuspendedState"] == {
        "DynamicScalingInSuspended": True,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    }


# ---- an alarm, without the gate's help ------------------------------------------------------------------


def test_an_alarm_steps_back_and_lets_it_climb_when_it_is_over(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, halved: HeldPlan
) -> None:
    """It is raised with clients on the candidate, and holds it at weight 0 while it stays."""
    account.alarm("errors", "ALARM")

    def since(answer: dict[str, Any]) -> dict[str, Any]:
        answer["MetricAlarms"][0]["StateTransitionedTimestamp"] = at(10)
        return answer

    aws.edit("DescribeAlarms", since)
    plan = halved.model_copy(update={"spec": halved.spec.model_copy(update={"alarms": ("errors",)})})
    account.write_ledger(plan.ledger, *every_lane("." * 300))
    clock.seconds = 20
    first = _watch(invoke, plan, 2)
    assert (first["verdict"]["action"], first["verdict"]["cause"]) == ("step_back", "alarm")
    caution = Watching.model_validate_json(first["watching"])
    held_at_0 = _watch(invoke, plan, 0, caution)["verdict"]
    assert held_at_0["action"] == "hold"
    assert held_at_0["reason"].startswith(
        "CloudWatch alarm errors (since 04:00:10 UTC) was raised during the deployment; candidate held at "
        "0 % until it is over, rolled back if it stays for 18 s, "
    )
    account.alarm("errors", "OK")
    assert "errors" not in _watch(invoke, plan, 0, caution)["verdict"]["reason"]
    account.alarm("errors", "ALARM")
    again = _watch(invoke, plan, 1, caution)["verdict"]
    assert (again["action"], again["error"]) == ("roll_back", "AlarmRaised")
