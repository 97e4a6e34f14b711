"""A step back and the climb after it, unharmed and with faults on the way."""

import json
import re
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.verdict import Climb, Verdict
from crossfade.watching import gate
from faults.cases.case import named, points, run
from faults.cases.invariants import items_of, violations
from faults.cases.scenarios import SCENARIOS, before, begun, break_down
from faults.inhabit import inhabited
from faults.world import World

CLIMBING = ("spell", "spell-late")


def _deployed(world: World) -> list[str]:
    """The states that the last deployment came by, each once in a row."""
    path = [state for _, state in world.executions("deploy")[-1].path]
    return [state for before, state in zip(["", *path], path, strict=False) if state != before]


@cache
def _on_the_way(scenario: str) -> tuple[str, ...]:
    """From the step back on: each state stopped, each write of the weights killed, handlers run twice."""
    found = points(scenario)
    back = [point.name for point in found].index("deploy.StepBack#1")
    names = []
    for point in found[back:]:
        if point.kind == "state" and point.place[0] == "deploy":
            names.append(f"{scenario}/stopped@{point.name}")
        if point.kind == "write" and point.place[-1] == "ModifyRule":
            names += [f"{scenario}/{kind}@{point.name}" for kind in ("killed-before", "killed-after")]
        if point.kind == "run" and point.place[-1] in ("shift_traffic", "suspend_scaling"):
            names.append(f"{scenario}/twice@{point.name}")
    return tuple(names)


@pytest.mark.parametrize(
    ("scenario", "way"),
    [
        ("spell", ["WatchStage", "StageWatched", "StepBack", "ShiftTraffic", "TrafficShifted"]),
        ("spell-late", ["RetireStable", "StableRetired", "StepBack", "ShiftTraffic", "TrafficShifted"]),
        ("alarm-over", ["WatchStage", "StageWatched", "StepBack", "ShiftTraffic", "TrafficShifted"]),
        ("alarm-over-late", ["RetireStable", "StableRetired", "StepBack", "ShiftTraffic", "TrafficShifted"]),
    ],
)
def test_it_steps_back_climbs_and_is_promoted(scenario: str, way: list[str]) -> None:
    """With its old evidence, straight to the weight that it had; the certificate has both ways."""
    result = run(named(scenario))
    assert result.violations == ()
    path = " ".join(_deployed(result.world))
    slot = ["LetStableGrow"] if scenario.endswith("-late") else []
    assert " ".join([*way, *slot, "VerifyCandidate"]) in path
    assert path.endswith("Promoted")
    *_, item = sorted(items_of(result.world).values(), key=lambda item: str(item["ended"]))
    certificate = json.loads(result.world.buckets.objects[item["certificate"]])
    (back,) = certificate["reported"]["step_backs"]
    assert back["weight"] == (100 if slot else 10)
    assert back["decided"] < back["restored"]
    cause = "failed the last" if scenario.startswith("spell") else "was raised during the deployment"
    assert cause in back["reason"]
    assert certificate["reported"]["timing"]["held"] > 0
    weights = [(stage["weight"], stage["step_backs"]) for stage in certificate["reported"]["stages"]]
    from_all = [(0, 0), (10, 0), (100, 0), (0, 1), (100, 1)]
    assert weights == (from_all if slot else [(0, 0), (10, 0), (0, 1), (10, 1), (100, 1)])


@pytest.mark.parametrize("n", range(20))
@pytest.mark.parametrize("scenario", CLIMBING)
def test_everything_holds_on_the_way_back_and_up(scenario: str, n: int) -> None:
    """A sample of the faults from the step back on."""
    every = _on_the_way(scenario)
    name = every[n * len(every) // 20]
    assert (name, run(named(name)).violations) == (name, ())


@pytest.mark.parametrize("state", ["StepBack#1", "ShiftTraffic#3"])
def test_the_stable_slot_dies_just_when_it_is_to_be_stepped_back_to(state: str) -> None:
    """It has failed, and its release keeps all the clients: there is nobody else to answer them (ADR 45)."""
    result = run(named(f"spell-late/stable-dead@deploy.{state}"))
    assert result.violations == ()
    assert result.world.live() == {"blue": ("0.0.4", "0.0.4"), "green": ()}
    assert result.world.weight("blue") == 100
    assert result.world.executions("deploy")[-1].error == "TargetsBelowFloor"


def test_a_retry_leads_to_the_stage_that_it_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stepped back from the first weight, it is tried at a small one, and climbs on to the first again."""
    judge = gate.analyse

    def analyse(state: GateState, *given: Any, watch: Watch, **known: Any) -> tuple[GateState, Verdict]:
        state, verdict = judge(state, *given, watch=watch, **known)
        weight, back = watch.stage.weight, state.caution.step_backs
        if verdict.action == "advance" and weight == 10 and not back:
            return state, Verdict(action="step_back", reason="users fail", cause="strike")
        if verdict.action == "advance" and back and weight in (0, 3):
            climb = Climb(stage=1, weight=None if weight else 3)
            return state, Verdict(action="advance", reason="well", climb=climb)
        return state, verdict

    before(SCENARIOS["healthy"])
    monkeypatch.setattr(gate, "analyse", analyse)
    result = run(named("healthy"))
    assert result.violations == ()
    item = items_of(result.world)["release-0.0.2"]
    stages = sorted(item["stages"].values(), key=lambda stage: str(stage["began"]))
    went = [(int(stage["weight"]), stage["retry"], stage["verdict"]) for stage in stages]
    assert went == [
        (0, False, "advance"),
        (10, False, "step_back"),
        (0, False, "advance"),
        (3, True, "advance"),
        (10, False, "advance"),
        (100, False, "advance"),
    ]


def test_one_that_fails_only_with_clients_is_stepped_back_until_it_is_given_up() -> None:
    """Half of what clients ask fails, and nothing at weight 0: each climb costs them little."""
    fails, is_well = break_down("green", 500, every=2), break_down("green", None)
    then = {f"deploy.WatchStage#{n}": fails for n in range(1, 100)}
    then |= {f"deploy.StepBack#{n}": is_well for n in range(1, 21)}
    scenario = replace(SCENARIOS["healthy"], serves="0.0.1", then=then)
    world = begun(scenario)
    with inhabited(world):
        world.run()
    assert violations(scenario, world) == []
    deploy = world.executions("deploy")[-1]
    assert deploy.error == "EvidenceMissing"
    # Which of the two is seen first depends on how the failures fall into the gate's blocks.
    found = r"candidate \(green\) (fails \d+ of|has more spells of failures than) "
    assert re.match(rf"300 s after the launch: .*{found}", deploy.cause or "")
    assert 3 <= [state for _, state in deploy.path].count("StepBack") < 20
    assert world.live() == {"blue": ("0.0.1",) * 2, "green": ()}
