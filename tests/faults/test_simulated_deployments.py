"""Whole deployments: a sample of the cases of `make faults`, their names, and what is told of them."""

import re
from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from crossfade.domain.journal import LONGEST_WAIT
from faults.aws.answer import AwsError
from faults.aws.functions import Invocation
from faults.aws.images import Image
from faults.cases.case import UnknownCase, named, pairs, points, run, singles
from faults.cases.disturbances import DISTURBANCES
from faults.cases.fault import KINDS, LASTING, RESPECS_AND_STOPS, Point
from faults.cases.invariants import items_of, recovery_is_one_chain, state_of, violations
from faults.cases.paths import collapsed, paths
from faults.cases.respecs import CHANGES, CUT_OFF, GONE, MALFORMED, RESPECS
from faults.cases.scenarios import (
    GOOD,
    MATCHING,
    SCENARIOS,
    WORSE,
    Scenario,
    ask,
    before,
    begun,
    roll_back,
    with_login,
)
from faults.cases.service import login
from faults.client import Client
from faults.inhabit import inhabited
from faults.runner import cases, main, sample
from faults.telling import lines

SAMPLE = 60
MOST_TRIES_AN_HOUR = 10
"""The first one, one after each wait of 30 s, 1, 2, 4, 8, 15 and 15 min, and one by hand; one to spare."""


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_an_unharmed_scenario_holds(scenario: str) -> None:
    """Everything holds where nothing goes wrong, and what should be live is."""
    assert run(named(scenario)).violations == ()


@cache
def sampled() -> list[str]:
    """Some of the names, always the same ones."""
    return sample(cases(SCENARIOS, count=5), SAMPLE)


@pytest.mark.parametrize("n", range(SAMPLE))
def test_everything_holds(n: int) -> None:
    """A sample of the cases, spread over all scenarios and kinds; `make faults` runs all of them."""
    name = sampled()[n]
    assert (name, run(named(name)).violations) == (name, ())


def test_there_are_enough_cases() -> None:
    """At least 8,000, with every kind of fault, each under a name of its own; many that last."""
    names = cases(SCENARIOS)
    assert len(names) == len(set(names)) >= 8000
    kinds = Counter(re.split("[:@]", name.partition("/")[2])[0] for name in names)
    known = {kind for kinds in KINDS.values() for kind in kinds}
    known |= {"", *LASTING, *RESPECS_AND_STOPS, *DISTURBANCES}
    assert kinds.keys() | {f"{kind}+stopped" for kind in (*CHANGES, MALFORMED)} == known
    assert min(kinds[kind] for kind in LASTING) >= 1500


def test_every_place_has_every_kind() -> None:
    """The first scenario has every kind of fault at every call, every run and every state of it."""
    placed = {(case.faults[0].kind, case.faults[0].point) for case in singles("healthy")}
    first = {point.place: point for point in reversed(points("healthy"))}
    assert placed >= {(kind, point.name) for point in first.values() for kind in KINDS[point.kind]}


def test_the_spec_is_changed_and_lost_at_every_state() -> None:
    """Of a deployment and of a rollback, in every way, and together with a stop of the execution."""
    entered = {
        point.name.partition("#")[0] for name in SCENARIOS for point in points(name) if is_state(point)
    }
    placed: dict[str, set[str]] = defaultdict(set)
    for name in cases(SCENARIOS, count=0):
        kind, _, point = name.partition("/")[2].partition("@")
        if kind.startswith(RESPECS):
            placed[point.partition("#")[0]].add(kind)
    assert placed.keys() == entered
    for kinds in placed.values():
        assert kinds >= {*RESPECS, f"{GONE}+stopped", f"{CUT_OFF}+stopped"}
        assert len(kinds) == len(RESPECS) + 3


def is_state(point: Point) -> bool:
    """Whether an execution enters a state there."""
    return point.kind == "state"


@pytest.mark.parametrize(("name", "slot"), [("forced", "green"), ("older", "blue")])
def test_what_is_live_and_what_was_are_deployed_once_more(name: str, slot: str) -> None:
    """By force, and by a release's number: into the other slot, as any release."""
    result = run(named(name))
    *_, deploy = result.world.executions("deploy")
    assert (deploy.name, deploy.status, result.violations) == ("by-hand", "SUCCEEDED", ())
    assert "RetireStable" in {state for _, state in deploy.path}
    assert state_of(result.world)["stable"] == slot


@pytest.mark.parametrize("kind", RESPECS)
@pytest.mark.parametrize("state", ["PlanRelease", "ClaimService", "WatchStage"])
def test_a_plan_is_made_of_one_spec(state: str, kind: str) -> None:
    """What becomes of it before counts, and is refused where it does not fit; later nothing of it counts."""
    result = run(named(f"healthy/{kind}@deploy.{state}#1"))
    (deploy,) = result.world.executions("deploy")[1:]
    assert result.violations == ()
    assert deploy.error == (REFUSED.get(kind) if state == "PlanRelease" else None)


REFUSED = {
    "spec-gone": "UnknownService",
    "spec-malformed": "InvalidServiceSpec",
    "spec-cut-off": "InvalidServiceSpec",
    "spec-rule": "NotPrepared",
    "spec-like": "PatternUnusable",
    "spec-cluster": "NotPrepared",
}


@pytest.mark.parametrize(
    "placed",
    [
        pytest.param({"deploy.CheckCandidate#1": "spec-gone+stopped"}, id="stopped"),
        pytest.param(
            {"register_task_definition:RegisterTaskDefinition#1": "refused", "assess:GetItem#1": "refused"},
            id="failed",
        ),
    ],
)
def test_a_service_that_the_index_does_not_show_yet_is_looked_for_again(placed: dict[str, str]) -> None:
    """Its first deployment has ended a moment after it began, and its own rollback has failed."""
    scenario = SCENARIOS["first"]
    world = begun(scenario, placed | {"assess:Query#1": "stale-read:59"})
    with inhabited(world):
        world.run()
    assert world.faults.struck.keys() == {*placed, "assess:Query#1"}
    assert violations(scenario, world) == []


@pytest.mark.parametrize(
    "name",
    [
        "healthy",
        "worse/killed-after@shift_traffic:ModifyRule#1",
        "healthy/late-effect:20@launch_candidate:CreateService#1",
        "healthy/spec-gone+stopped@deploy.WatchStage#1",
        "pair:queued:seed=17:3",
    ],
)
def test_a_name_is_enough_to_run_a_case_again(name: str) -> None:
    """The same name, the same case, the same story."""
    assert named(name).name == name
    assert list(lines(run(named(name)))) == list(lines(run(named(name))))


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "healthy/",
        "healthy/nothing@shift_traffic:ModifyRule#1",
        "healthy/throttled@shift_traffic:ModifyRule#99",
        "healthy/twice@shift_traffic:ModifyRule#1",
        "healthy/late-effect@shift_traffic:ModifyRule#1",
        "healthy/late-effect:301@shift_traffic:ModifyRule#1",
        "healthy/late-effect:long@shift_traffic:ModifyRule#1",
        "healthy/late-effect:5@claim_service:TransactWriteItems#1",
        "healthy/throttled:5@shift_traffic:ModifyRule#1",
        "healthy/stale-read:5@claim_service:GetItem#1",
        "healthy/spec-gone@claim_service:GetItem#1",
        "healthy/stopped+spec-gone@deploy.WatchStage#1",
        "pair:nothing:seed=1:1",
        "pair:healthy:1",
    ],
)
def test_a_name_that_is_none(name: str) -> None:
    """No such scenario, kind, point; or a kind that there is not at that point."""
    with pytest.raises(UnknownCase):
        named(name)


@pytest.mark.parametrize(
    ("scenario", "call"),
    [
        ("healthy", "watch_stage:GetMetricData#1"),
        ("fed", "watch_stage:FilterLogEvents#1"),
        ("alarmed", "plan_release:DescribeAlarms#1"),
        ("alarmed", "watch_stage:DescribeAlarms#1"),
    ],
)
def test_the_evidence_is_faulted(scenario: str, call: str) -> None:
    """Where users and alarms are read from has every kind of fault."""
    kinds = {case.faults[0].kind for case in singles(scenario) if case.faults[0].point == call}
    assert kinds == set(KINDS["read"])


@pytest.mark.parametrize(
    ("scenario", "error", "reason"),
    [
        (
            "worse",
            "CandidateWorse",
            r"candidate \(green\) failed the last (\d+) requests in a row, for \d\.\d s, while stable "
            r"\(blue\) answers; \1 of \d+: HTTP 500, expected 200\.",
        ),
        (
            "wrong",
            "CandidateWorse",
            r"in a row, for \d\.\d s, while stable \(blue\) answers; "
            r'\d+ of \d+: version "9.9.9", expected "0.0.3"\.',
        ),
        (
            "fed-unfit",
            "CandidateWorse",
            r"candidate \(green\) fails (\d+) of \1, stable \(blue\) 0 of \d+ of the users' requests",
        ),
        (
            "metered-unfit",
            "CandidateWorse",
            r"candidate \(green\) fails (\d+) of \1, stable \(blue\) 0 of \d+ of the users' requests",
        ),
        (
            "probes-die",
            "EvidenceMissing",
            r"after 150 s at weight 10: probe evidence missing: no answer from candidate \(green\), "
            r"stable \(blue\) and production for",
        ),
        (
            "first-unreached",
            "EvidenceMissing",
            r"at weight 100: probe evidence missing: production does not answer, (\d+) of \1 requests: "
            r"ConnectionRefusedError: Connection refused \(http://web\.example:80/version\)\. Nobody listens",
        ),
        ("alarmed", "AlarmRaised", "CloudWatch alarm web-errors .* was raised during the deployment"),
        ("alarmed-late", "AlarmRaised", "CloudWatch alarm web-errors .* was raised during the deployment"),
    ],
)
def test_a_deployment_fails_for_its_own_reason(scenario: str, error: str, reason: str) -> None:
    """Each way in which a candidate can be bad is found by what is there to find it."""
    (deploy, *_) = run(named(scenario)).world.executions("deploy")[len(SCENARIOS[scenario].released) :]
    assert deploy.error == error
    assert re.search(reason, deploy.cause or "")


@pytest.mark.parametrize(
    ("scenario", "function", "denied", "throttled"),
    [
        ("fed-unfit", "watch_stage", "FilterLogEvents", "EvidenceMissing"),
        ("metered-unfit", "watch_stage", "GetMetricData", "EvidenceMissing"),
        ("alarmed", "watch_stage", "DescribeAlarms", "AwsUnavailable"),
        ("alarmed", "plan_release", "DescribeAlarms", "AwsUnavailable"),
    ],
)
@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
def test_a_gate_that_cannot_hear_goes_back(
    scenario: str,
    function: str,
    denied: str,
    code: str,
    throttled: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Evidence that cannot be read at all: a failure with a name, and the old version is live.

    Users of whom nothing is heard are missing evidence; alarms of which nothing is known are no start.
    """
    before(SCENARIOS[scenario])
    make = Client._make

    def deaf(self: Client, method: str, operation: str, *given: Any) -> Any:
        invocation = self._world.clock.strand
        if isinstance(invocation, Invocation) and (invocation.function.name, operation) == (function, denied):
            raise AwsError(code)
        return make(self, method, operation, *given)

    monkeypatch.setattr(Client, "_make", deaf)
    result = run(named(scenario))
    assert result.violations == ()
    (deploy,) = result.world.executions("deploy")[1:]
    error = throttled if code == "ThrottlingException" else "AwsRefused"
    assert (deploy.status, deploy.error) == ("FAILED", error)


@pytest.mark.parametrize(
    ("kind", "error", "told"),
    [
        ("killed-before", "Runtime.ExitError", "exited with error"),
        ("killed-after", "Lambda.Unknown", "Task timed out after 60.06 seconds"),
        ("function-timed-out", "Sandbox.Timedout", r"Task timed out after \d+.00 seconds"),
    ],
)
def test_whatever_a_function_dies_of_is_told(kind: str, error: str, told: str) -> None:
    """Its cause may be JSON, a sentence that contains JSON, or cut off: the deployment ends with it."""
    scenario = replace(
        SCENARIOS["healthy"], serves="0.0.1", always={"launch_candidate:TransactWriteItems": kind}
    )
    world = begun(scenario)
    with inhabited(world):
        world.run()
    assert violations(scenario, world) == []
    (deploy,) = world.executions("deploy")[1:]
    (_, item) = items_of(world).values()
    assert deploy.error == error
    assert re.search(told, deploy.cause or "")
    assert re.search(told, str(item["reason"]))


@pytest.mark.parametrize(("image", "live"), [(GOOD, "0.0.2"), (WORSE, "0.0.1")])
def test_a_rule_with_a_login_is_only_weighed(image: Image, live: str) -> None:
    """Through a deployment, and a rollback: conditions, transforms and what precedes the forward stay."""
    scenario = Scenario("with a login", with_login(ask(image)), live)
    world = begun(scenario)
    with inhabited(world):
        world.run()
    assert violations(scenario, world) == []
    assert state_of(world)["version"] == live
    rule = world.balancer.production_rule()
    assert (rule["Conditions"], rule["Transforms"]) == MATCHING
    assert rule["Actions"][0] == login()
    assert [made.answer for made in world.calls if made.visit.point.startswith("shift_traffic:ModifyRule")]


def test_rollbacks_that_are_refused_come_ever_more_seldom() -> None:
    """For an hour the role lacks a right; each rollback fails, whoever asks for it. Then one gets through."""
    denied = {"restore_weights:ModifyRule": "refused"}
    world = begun(replace(SCENARIOS["worse"], always=denied))
    world.clock.after(1800, roll_back, world)
    with inhabited(world):
        world.clock.run_for(3600)
        tried = [made for made in world.calls if made.answer == "AccessDeniedException"]
        assert 6 <= len(tried) <= MOST_TRIES_AN_HOUR
        assert len(world.executions("rollback")) <= 2 * MOST_TRIES_AN_HOUR
        world.faults.allow("restore_weights:ModifyRule")
        since = world.clock.now
        world.run()
    assert violations(SCENARIOS["worse"], world) == []
    assert world.clock.now - since <= LONGEST_WAIT.total_seconds() + 300
    assert "tried" not in state_of(world)


@pytest.mark.parametrize("seconds", [480.50, 480.55, 480.60])
def test_a_persons_try_makes_no_further_chain_of_rollbacks(seconds: float) -> None:
    """It comes while one waits that wakes just as the time of the next has come, and it fails as well."""
    world = begun(replace(SCENARIOS["worse"], always={"restore_weights:ModifyRule": "refused"}))
    world.clock.after(seconds, roll_back, world)
    with inhabited(world):
        world.clock.run_for(1200)
    assert len(world.executions("rollback")) > 6
    assert list(recovery_is_one_chain(SCENARIOS["worse"], world)) == []


def test_a_holder_that_is_not_known_yet_is_asked_after_again() -> None:
    """A rollback fails before it takes over; the next does not see yet that the deployment has ended."""
    assert run(named("listed-late/refused@assess:GetItem#1")).violations == ()


def test_a_person_waits_for_no_rollback_that_waits() -> None:
    """The reason is gone, and the next rollback would come in minutes: a person has it at once."""
    world = begun(replace(SCENARIOS["worse"], always={"restore_weights:ModifyRule": "refused"}))
    with inhabited(world):
        world.clock.run_for(1200)
        world.faults.allow("restore_weights:ModifyRule")
        roll_back(world)
        world.clock.run_for(240)
        assert "holder" not in state_of(world)
        assert world.weight("blue") == 100
        world.run()
    assert violations(SCENARIOS["worse"], world) == []


def test_users_speak_for_a_good_release() -> None:
    """Their feed is part of what a stage is ended on."""
    world = run(named("fed")).world
    (_, item) = items_of(world).values()
    told = {
        weight: "; users: candidate (green) fails 0 of" in stage["reason"]
        for weight, stage in item["stages"].items()
    }
    assert told == {"0": False, "10": True, "100": False}


def test_both_faults_of_a_pair_strike() -> None:
    """The second one is drawn from what really comes after the first."""
    for name in pairs("worse", 3, 5):
        result = run(named(name))
        assert len(result.case.faults) == 2
        assert {fault.point for fault in result.case.faults} == set(result.world.faults.struck)


@pytest.mark.parametrize(("case", "status"), [("healthy", 0), ("nothing", 2)])
def test_the_command_tells_a_case(case: str, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Its exit status says how it went."""
    assert main(["--case", case]) == status
    assert ("everything holds" in capsys.readouterr().out) is (status == 0)


@pytest.mark.parametrize(
    ("states", "found"),
    [
        ("A B C", "A B C"),
        ("A A A B", "A B"),
        ("A B A B A B C", "A B C"),
        ("S W X W X S W X E", "S W X E"),
        ("C R W C R W C R V", "C R W C R V"),
    ],
)
def test_paths_are_collapsed(states: str, found: str) -> None:
    """How often a loop was run does not show."""
    assert collapsed(states.split()) == found.split()


def test_the_path_of_a_scenario() -> None:
    """Each execution with its machine; a deployment begins with its plan and ends in Promoted."""
    ((machine, states),) = paths("healthy")
    assert (machine, states[-1]) == ("deploy", "Promoted")
    assert "PlanRelease" in states
    assert [machine for machine, _ in paths("worse")] == ["deploy", "rollback", "rollback"]
