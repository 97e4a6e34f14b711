"""Whole deployments: a sample of the cases of `make faults`, their names, and what is told of them."""

from functools import cache

import pytest

from tests.simulation.cases import UnknownCase, named, pairs, points, run, singles
from tests.simulation.faults import KINDS
from tests.simulation.paths import collapsed, paths
from tests.simulation.runner import cases, main, sample
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.telling import lines

SAMPLE = 60


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
    """At least a thousand, with every kind of fault, each under a name of its own."""
    names = cases(SCENARIOS)
    assert len(names) == len(set(names)) > 1000
    kinds = {kind for known in KINDS.values() for kind in known}
    assert {name.partition("/")[2].partition("@")[0] for name in names} == kinds | {""}


def test_every_place_has_every_kind() -> None:
    """The first scenario has every kind of fault at every call, every run and every state of it."""
    placed = {(case.faults[0].kind, case.faults[0].point) for case in singles("healthy")}
    first = {point.place: point for point in reversed(points("healthy"))}
    assert placed >= {(kind, point.name) for point in first.values() for kind in KINDS[point.kind]}


@pytest.mark.parametrize(
    "name", ["healthy", "worse/killed-after@shift:ModifyRule#1", "pair:queued:seed=17:3"]
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
        "healthy/nothing@shift:ModifyRule#1",
        "healthy/throttled@shift:ModifyRule#99",
        "healthy/twice@shift:ModifyRule#1",
        "pair:nothing:seed=1:1",
        "pair:healthy:1",
    ],
)
def test_a_name_that_is_none(name: str) -> None:
    """No such scenario, kind, point; or a kind that there is not at that point."""
    with pytest.raises(UnknownCase):
        named(name)


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
