"""Runs cases on several processes, and says what does not hold."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from faults import telling
from faults.cases import deliveries
from faults.cases.case import Result, UnknownCase, named, pairs, points, run, scenario_of, singles
from faults.cases.parting import together
from faults.cases.scenarios import SCENARIOS

SEED, PAIRS = 1, 12
"""The seed, and how many pairs it draws for each scenario."""

TOGETHER = 200
"""So many cases begin together."""


def main(arguments: Sequence[str]) -> int:
    """The command line. 0: everything holds in every case; 1: something does not; 2: no such case."""
    given = _parser().parse_args(arguments)
    if given.case:
        return _replay(given.case)
    began = time.monotonic()
    names = cases(given.scenario or SCENARIOS, seed=given.seed, count=given.pairs, thorough=given.thorough)
    if given.sample:
        names = sample(names, given.sample)
    violated = 0
    for scenario, found in groupby(results(names), key=lambda result: scenario_of(result[0])):
        outcomes = list(found)
        bad = [(name, violations) for name, violations in outcomes if violations]
        violated += len(bad)
        print(f"{scenario}: {len(outcomes)} cases, {len(bad)} with violations", flush=True)
        for name, violations in bad:
            print("\n".join([f"  {name}", *(f"    {violation}" for violation in violations)]), flush=True)
    if not (given.scenario or given.sample):
        violated += _deliveries()
    print("\n".join(f"{kind}: {count} cases" for kind, count in sorted(kinds(names).items())))
    print(f"{len(names)} cases in {time.monotonic() - began:.0f} s, {violated} with violations")
    return int(violated > 0)


def kinds(names: Iterable[str]) -> Counter[str]:
    """How many of the cases have each kind of fault; pairs are a kind of their own, and so is no fault."""
    return Counter(_kind(name) for name in names)


def _kind(name: str) -> str:
    if name.startswith("pair:"):
        return "pairs of faults"
    fault = name.partition("/")[2]
    return fault.partition("@")[0].partition(":")[0] or "unharmed"


def cases(
    scenarios: Iterable[str], *, seed: int = SEED, count: int = PAIRS, thorough: bool = False
) -> list[str]:
    """The names of the cases of scenarios: each unharmed, with single faults, and with pairs of faults."""
    names: list[str] = []
    for scenario in scenarios:
        names += [scenario, *(case.name for case in singles(scenario, thorough=thorough))]
        names += pairs(scenario, seed, count)
    return names


def sample(names: list[str], count: int) -> list[str]:
    """So many of the names, spread evenly."""
    return [names[n * len(names) // count] for n in range(min(count, len(names)))]


def results(names: list[str]) -> Iterable[tuple[str, tuple[str, ...]]]:
    """Run cases, and give each one's name and violations, one scenario after the other."""
    for scenario in {scenario_of(name): None for name in names}:
        points(scenario)  # what all cases need is made before the processes part
    gc.freeze()  # and stays in memory that they share
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        for told in pool.imap(_violations, batches(names)):
            yield from told


def batches(names: list[str]) -> list[list[str]]:
    """The names by scenario, in parts: cases with faults, which are run together, apart from it unharmed."""
    found = []
    for _, of_one in groupby(names, key=scenario_of):
        apart: dict[bool, list[str]] = {True: [], False: []}
        for name in of_one:
            apart[name not in SCENARIOS].append(name)
        for some in apart.values():
            found += [some[n : n + TOGETHER] for n in range(0, len(some), TOGETHER)]
    return found


def _violations(names: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    if names[0] in SCENARIOS:
        return [_told(run(named(name))) for name in names]
    return together([named(name) for name in names], _told)


def _told(result: Result) -> tuple[str, tuple[str, ...]]:
    return result.case.name, result.violations


def _deliveries() -> int:
    """Deliver what scenarios have written, under every trouble; how many of these have violations."""
    found = {name: deliveries.violations(name) for name in deliveries.names()}
    bad = {name: violations for name, violations in found.items() if violations}
    print(f"deliveries: {len(found)} cases, {len(bad)} with violations", flush=True)
    for name, violations in bad.items():
        print("\n".join([f"  {name}", *(f"    {violation}" for violation in violations)]), flush=True)
    return len(bad)


def _replay(name: str) -> int:
    if name.startswith(deliveries.PREFIX):
        violations = deliveries.violations(name)
        print("\n".join(violations) or "everything holds")
        return int(bool(violations))
    try:
        result = run(named(name))
    except UnknownCase as error:
        print(error)
        return 2
    print("\n".join(telling.lines(result)))
    return int(bool(result.violations))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m faults",
        description="Deployments in virtual time with a fault at every call and transition, and with pairs "
        "of faults; prints what does not hold afterwards. Exit status 1 if anything does not.",
    )
    parser.add_argument("--case", metavar="NAME", help="run one case, and tell what happened in it")
    parser.add_argument(
        "--scenario", action="append", choices=list(SCENARIOS), help="only this one; may be repeated"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="draws the pairs (default %(default)s)")
    parser.add_argument(
        "--pairs", type=int, default=PAIRS, help="pairs for each scenario (default %(default)s)"
    )
    parser.add_argument(
        "--sample", type=int, metavar="N", help="only so many of the cases, always the same ones"
    )
    parser.add_argument(
        "--thorough", action="store_true", help="every kind of fault at every point of every scenario"
    )
    return parser
