"""Each invariant is violated by a workflow that leaves one thing undone: the checker is able to fail."""

from collections.abc import Callable
from typing import Any

import pytest

from crossfade.aws.ecs_services import Slots
from crossfade.aws.executions import Executions
from crossfade.aws.history import DeploymentHistory
from crossfade.aws.holding import Holding
from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.aws.live import Live
from crossfade.aws.probe_tasks import ProbeTasks
from crossfade.aws.scalable_targets import Scaling
from crossfade.domain.errors import TargetsBelowFloor
from crossfade.domain.gate.state import GateState
from crossfade.domain.planning.plan import HeldPlan, Plan
from crossfade.domain.rollback.target import RestoreTarget
from crossfade.domain.slots import TargetGroups, other
from crossfade.domain.tasks.capacity import Capacity
from crossfade.domain.traffic.rule import LiveRule, weighted_forward
from crossfade.domain.traffic.weights import Weights
from crossfade.domain.verdict import Verdict
from crossfade.handlers import (
    assess,
    plan_release,
    restore_weights,
    shift_traffic,
    stop_loser,
    suspend_scaling,
    verify_restored,
)
from crossfade.watching import capacity, gate
from faults.aws import machines, stack
from faults.aws.functions import Invocation
from faults.cases.case import Result, named, run, scenario_of
from faults.cases.invariants import INVARIANTS
from faults.cases.scenarios import SCENARIOS, before
from faults.workflow.execution import Execution

Break = Callable[[pytest.MonkeyPatch], None]


def instead(owner: Any, name: str, does: Callable[..., Any] = lambda *given, **named: None) -> Break:
    """Something else is done in place of a function; nothing, where it is not said what."""
    return lambda monkeypatch: monkeypatch.setattr(owner, name, does)


def launch_and_stop_the_live_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The candidate is launched, and the slot that has all the clients is stopped."""
    launch = Slots.launch

    def broken(self: Slots, slot: Any, definition: str, count: int, **given: Any) -> str | None:
        rollout = launch(self, slot, definition, count, **given)
        self.stop(other(slot))
        return rollout

    monkeypatch.setattr(Slots, "launch", broken)


def end_well_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A definition whose failures look like successes."""
    deploy = stack.definition("deploy")
    broken = deploy | {"States": deploy["States"] | {"DeploymentFailed": {"Type": "Succeed"}}}
    known = {"deploy": broken, "rollback": stack.definition("rollback")}
    monkeypatch.setattr(machines, "definition", known.__getitem__)


def never_hear(monkeypatch: pytest.MonkeyPatch) -> None:
    """No function's answer comes, and no state's time is ever up."""
    monkeypatch.setattr(Invocation, "_tell", lambda *given: None)
    monkeypatch.setattr(Execution, "_give_up", lambda *given: None)


def never_keep_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The candidate keeps the count that it was launched with, and nobody compares."""
    monkeypatch.setattr(Capacity, "to_ask", None)
    monkeypatch.setattr(Capacity, "short_for", lambda *given, **named: None)


def climb_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has taken the candidate's clients away gives it some again."""
    seen = shift_traffic.visible

    def broken(plan: HeldPlan, traffic: Traffic, journal: Journal) -> bool:
        shown, state = seen(plan, traffic, journal), journal.refuse_lost(plan.hold)
        if state.weights and state.weights.of("green") == 0:
            traffic.write(Weights.share("green", 10))
        return shown

    monkeypatch.setattr(shift_traffic, "visible", broken)


def never_win_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slot that is gone back to is asked for no tasks."""
    for module in (capacity, stop_loser, suspend_scaling):
        monkeypatch.setattr(module, "win_back", lambda *given, **named: None)


def let_pass(state: GateState, *given: Any, **named: Any) -> tuple[GateState, Verdict]:
    """A gate that is open to everyone."""
    return state, Verdict(action="advance", reason="broken")


def never_step_up(plan: HeldPlan, journal: Journal, *given: Any, emergency: bool, **named: Any) -> None:
    """No candidate takes over from a stable slot that serves nothing."""
    if emergency:
        raise TargetsBelowFloor("broken")


WEIGHTED = LiveRule.weighted


def forward_stickily(rule: LiveRule, groups: TargetGroups, weights: Weights) -> list[dict[str, Any]]:
    """Weights are set, and a setting beside them that is the owner's."""
    *before, forward = WEIGHTED(rule, groups, weights)
    sticky = {"TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 9}}
    return [*before, forward | {"ForwardConfig": forward["ForwardConfig"] | sticky}]


def never_restore(*given: Any, **named: Any) -> None:
    """A rollback that cannot do its work."""
    raise RuntimeError("broken")


def always_to_stable(live: Any, plan: Plan, **given: Any) -> RestoreTarget:
    """A way back to the stable slot, whoever is there to answer."""
    return RestoreTarget(action="go", winner=plan.stable, reason="broken")


def leave_the_better_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollback that looks at no target."""
    monkeypatch.setattr(restore_weights, "restore_target", always_to_stable)
    for handler in (verify_restored, stop_loser):
        monkeypatch.setattr(handler, "still_needed", lambda *given, **named: None)


def rest_on_the_dead_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollback that looks at no target, and stops nothing either."""
    leave_the_better_side(monkeypatch)
    monkeypatch.setattr(Slots, "stop", lambda *given, **named: 0)


def stop_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollback that stops the loser whatever the winner lacks."""
    monkeypatch.setattr(stop_loser, "still_needed", lambda *given, **named: None)


def wait_first(live: Any, plan: Plan, *, late: bool, **given: Any) -> RestoreTarget:
    """A way back to the side that serves, when all the time there is has passed."""
    if late:
        return RestoreTarget(action="go", winner=plan.candidate, reason="broken")
    return RestoreTarget(action="wait", reason="broken")


def forward_alone(rule: LiveRule, groups: TargetGroups, weights: Weights) -> list[dict[str, Any]]:
    """All that the first version of Crossfade wrote."""
    return [weighted_forward({"Type": "forward"}, groups, weights)]


DEAD_AFTER = "spell-late/stable-dead@deploy.LetStableGrow#1"
"""All of the stable slot's tasks die when it has got all the traffic back by a step back."""
DEAD = "by-hand/stable-dead@rollback.RestoreWeights#1"
"""A good release is rolled back by hand, and all of the stable slot's tasks die."""
SHRUNK_LATE = "four-by-hand/owner-down@rollback.StopLoser#1"
"""A good release is rolled back by hand, and at the end the stable slot is scaled from four to one."""
SHRUNK = "four-worse/owner-down@deploy.WatchStage#1"
"""A bad release has clients when the stable slot is scaled from four to one."""
BROKEN: list[tuple[str, str, Break]] = [
    ("everything has ended", "healthy", never_hear),
    ("the service is free", "healthy", instead(Holding, "release")),
    ("one slot has all the traffic", "by-hand", instead(Live, "reinstate")),
    ("the winner can carry the load", "grows", never_keep_up),
    ("the better side serves", DEAD, leave_the_better_side),
    ("no bad release is live", "fed-unfit", instead(gate, "analyse", let_pass)),
    ("the other slot stands still", "healthy", instead(Slots, "stop")),
    ("clients always had somebody", "healthy", launch_and_stop_the_live_slot),
    ("nothing is stopped that has traffic", "takeover", launch_and_stop_the_live_slot),
    ("only the gate lets a candidate climb", "alarm-over", climb_at_once),
    ("no probe runs", "healthy", instead(ProbeTasks, "stop")),
    ("scaling is as before", "grows", instead(Scaling, "suspend")),
    ("the rule is its owners but for the weights", "login", instead(LiveRule, "weighted", forward_alone)),
    ("history is true", "healthy", instead(DeploymentHistory, "close")),
    ("no request is lost", "asked-again", instead(plan_release, "is_given_up", lambda *given: False)),
    ("no request is lost", "queued", instead(Executions, "start", lambda *given: True)),
    ("recovery is one chain", "denied", instead(assess, "too_early")),
    ("statuses are honest", "worse", end_well_whatever_happens),
    ("nothing else changes", "healthy", instead(LiveRule, "weighted", forward_stickily)),
    (
        "a fault that passes changes nothing",
        "healthy",
        instead(Capacity, "short_for", lambda *given, **named: "no"),
    ),
    ("NeverSettles", "worse", instead(restore_weights, "restore_target", never_restore)),
]


def broken_run(scenario: str, break_it: Break, monkeypatch: pytest.MonkeyPatch) -> Result:
    """A scenario by a workflow that was good until it began, and is broken from then on."""
    before(SCENARIOS[scenario_of(scenario)])
    break_it(monkeypatch)
    return run(named(scenario))


@pytest.mark.parametrize(
    ("invariant", "scenario", "break_it"), BROKEN, ids=[f"{name}-{by}" for name, by, _ in BROKEN]
)
def test_a_broken_workflow_is_found(
    invariant: str, scenario: str, break_it: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The violation names the invariant."""
    found = broken_run(scenario, break_it, monkeypatch).violations
    assert invariant in {violation.partition(":")[0] for violation in found}


@pytest.mark.parametrize(
    ("told", "scenario", "break_it"),
    [
        ("was promoted with 4 healthy targets of 6", "four/owner-up@deploy.WatchStage#1", never_keep_up),
        ("blue was asked for 1 tasks after a rollback, not for 4", SHRUNK, never_win_back),
        ("green was stopped with 2 healthy targets", DEAD, leave_the_better_side),
        ("blue has clients and serves nothing", DEAD, rest_on_the_dead_side),
        ("blue had 1 healthy targets after a rollback, and green 4", SHRUNK_LATE, stop_at_once),
        ("clients of blue met nobody for", DEAD, instead(restore_weights, "restore_target", wait_first)),
        (
            "deployments end with ['TargetsBelowFloor'], not []",
            DEAD_AFTER,
            instead(shift_traffic, "_missing_ahead", never_step_up),
        ),
    ],
    ids=[
        *("promoted-short", "gone-back-to-short", "the-better-side-is-stopped", "the-dead-side-is-left-live"),
        *("a-task-is-not-waited-for", "nobody-answers-for-long"),
        "nobody-takes-over",
    ],
)
def test_what_a_law_says_of_it(
    told: str, scenario: str, break_it: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part of the laws on capacity and on the better side, by its own words."""
    assert any(told in found for found in broken_run(scenario, break_it, monkeypatch).violations)


def test_every_invariant_is_seen_violated() -> None:
    """The list above has all of them."""
    assert INVARIANTS.keys() <= {name for name, *_ in BROKEN}
