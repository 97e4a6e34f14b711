"""Cases that share their beginning go as each of them does alone."""

import pytest

from faults.cases.case import Result, named, pairs, run, scenario_of, singles
from faults.cases.parting import together
from faults.cases.scenarios import SCENARIOS
from faults.runner import batches, cases, results, sample
from faults.telling import lines


def story(result: Result) -> list[str]:
    """All that happened in a case."""
    return list(lines(result))


@pytest.mark.parametrize("scenario", ["worse", "unreported"])
def test_a_case_goes_as_it_does_alone(scenario: str) -> None:
    """From its first moment to its last, whatever its faults, and with faults that strike each time."""
    names = [*sample([case.name for case in singles(scenario)], 4), *pairs(scenario, 1, 2)]
    told = together([named(name) for name in names], story)
    assert sorted(told) == sorted(story(run(named(name))) for name in names)


def test_a_case_that_cannot_tell_does_not_pass_for_a_good_one() -> None:
    """Its process is gone."""

    def fail(result: Result) -> None:
        raise RuntimeError("broken")

    with pytest.raises(EOFError):
        together([named("worse/throttled@shift_traffic:ModifyRule#1")], fail)


def test_a_case_is_judged_by_what_is_known_of_its_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scenario is not run once more in each process, only to see how it ends unharmed."""
    passing = named("worse/throttled@shift_traffic:ModifyRule#1")

    def twice(*_: object) -> None:
        raise AssertionError("run once more")

    monkeypatch.setattr("faults.cases.case.begun", twice)
    assert together([passing], lambda result: result.violations) == [()]


def test_every_case_is_in_one_batch() -> None:
    """Those of one scenario that have faults together, the scenario unharmed by itself."""
    names = cases(SCENARIOS, count=2)
    found = batches(names)
    assert sorted(name for batch in found for name in batch) == sorted(names)
    for batch in found:
        assert len({scenario_of(name) for name in batch}) == 1
        assert len(batch) == 1 or not SCENARIOS.keys() & {*batch}


def test_the_results_of_a_few_cases() -> None:
    """One for each name, unharmed and with faults."""
    names = ["worse", "worse/throttled@shift_traffic:ModifyRule#1", "pair:worse:seed=1:1"]
    assert sorted(results(names)) == sorted((name, run(named(name)).violations) for name in names)
