"""Measure the gate: ``python -m benchmarks.gate [--full | --before | --world NAME]``."""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gate import cpu, report, wild, wild_measure, wild_report
from benchmarks.gate.contender import FEED, METRICS
from benchmarks.gate.measure import Scores, run
from benchmarks.gate.stages import Release, Rollout
from benchmarks.gate.traffic import World
from benchmarks.gate.weather import Fault, Wild
from benchmarks.gate.worlds import FAULTY, HEALTHY

RESULTS = Path(__file__).parents[1] / "results" / "gate.md"
CHUNK = 25
"""Deployments that are simulated together."""


@dataclass(frozen=True)
class Size:
    """How many deployments are simulated of each kind."""

    healthy: int
    faulty: int
    releases: int
    wild: int
    wild_faulty: int
    others: int


SHORT = Size(healthy=25, faulty=100, releases=20, wild=2, wild_faulty=2, others=2)
FULL = Size(healthy=3000, faulty=1000, releases=200, wild=3000, wild_faulty=1000, others=300)
BEFORE = 500
"""Deployments of each wild world whose figures are kept."""


def _healthy(rate: float, base: float) -> Wild:
    return Wild("healthy", rate=rate, base=base)


def _worse(more: float, *, probed: bool = True) -> Wild:
    return Wild("worse", fault=Fault(more, probed=probed))


RELEASES = {
    "healthy, feed, 1,000 requests/s, 0.1 % fail": (FEED, _healthy(1000.0, 0.001)),
    "healthy, feed, 100 requests/s, 0.1 % fail": (FEED, _healthy(100.0, 0.001)),
    "healthy, feed, 2 requests/s, 0.1 % fail": (FEED, _healthy(2.0, 0.001)),
    "healthy, feed, 1,000 requests/s, 1 % fail": (FEED, _healthy(1000.0, 0.01)),
    "healthy, metrics, 1,000 requests/s, 0.1 % fail": (METRICS, _healthy(1000.0, 0.001)),
    "healthy, metrics, 100 requests/s, 0.1 % fail": (METRICS, _healthy(100.0, 0.001)),
    "+1 point, feed, 100 requests/s": (FEED, _worse(0.01)),
    "+1 point, users only, feed, 100 requests/s": (FEED, _worse(0.01, probed=False)),
    "+5 points, users only, feed, 100 requests/s": (FEED, _worse(0.05, probed=False)),
    "+5 points, users only, metrics, 100 requests/s": (METRICS, _worse(0.05, probed=False)),
}

NOTES = """\
In the first two tables each deployment lasts 30 minutes at a weight of 10 %, set at a random second of the
clock's minute, and the gate is its evidence and the rule for dead candidates: no stage ends, and no deadline
comes. In the third, all its rules lead through all stages. Worlds and faults are in
`benchmarks/gate/worlds.py`, everybody's settings in `peers.py` and in
`functions/crossfade/domain/spec/gate.py`. A cell gives the median time from when the candidate turned
bad to the decision, and the median number of users' requests that it had failed by then; a share stands
before it where not every deployment was rolled back, and alone where most were not.

The gate is charged with its delays: 0.3 to 1.5 s until a record of the ledger is looked at, 10 s until a line
of the feed is, 60 s until a minute of metrics is. The others read their metrics at once; the alarm's come
60 s late. "Alone" is the gate without its probe. The samples of Flagger and Argo have no check that a
candidate of 30 to 60 ms would fail. Kayenta-like: failure rate and median latency by the minute,
Mann-Whitney with 98 % confidence and a tolerance of 0.25, judged after 10, 20 and 30 minutes."""
WILD_NOTES = """\
Services as they are: latencies that fall while a candidate warms up, failures in spells, glitches of the
probe's own way to the candidate. Each release goes through all stages of the defaults. Clients meet new
weights up to 10 s after the load balancer has them, in both directions. Lengths and moments of spells are
drawn (exponential; the name gives the means). "Before" is the code that rolled back at the first suspicion
(`gate-before.json`, 200 deployments of each). The others see the same weather for half an hour at a weight
of 10 %. An advance is false where the candidate fails more than the stage's margin. Worlds:
`benchmarks/gate/wild.py`."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, and print the tables; a full run also writes them to ``benchmarks/results/gate.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=__doc__)
    parser.add_argument(
        "--full",
        action="store_true",
        help="3,000 healthy deployments of each world; two hours on two cores; writes gate.md",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="processes (one a core); the result is the same"
    )
    parser.add_argument(
        "--before",
        action="store_true",
        help=f"only the wild worlds, {BEFORE} deployments of each; writes {wild_measure.BEFORE.name}",
    )
    parser.add_argument(
        "--world",
        action="append",
        default=[],
        choices=list(wild.WORLDS),
        metavar="NAME",
        help="only this wild world; may be repeated",
    )
    parser.add_argument("--deployments", type=int, help="how many of each wild world")
    asked = parser.parse_args(arguments)
    size, began = FULL if asked.full else SHORT, time.monotonic()
    names = asked.world or list(wild.WORLDS)
    with ProcessPoolExecutor(asked.jobs) as pool:
        if asked.before:
            measured, deployments = wild_measure.commit(), asked.deployments or BEFORE
            cells = _cells(pool, {name: deployments for name in names}, asked.seed)
            wild_measure.write(cells, measured, deployments, asked.seed)
            return
        most = {
            name: asked.deployments or (size.wild_faulty if wild.WORLDS[name].fault else size.wild)
            for name in names
        }
        cells = _cells(pool, most, asked.seed)
        others = {
            name: wild_measure.peers(pool, wild.WORLDS[name], min(size.others, most[name]), asked.seed)
            for name in names
        }
        in_the_wild = wild_report.text(cells, wild_measure.read(), others)
        if asked.world:
            print("\n".join(in_the_wild))
            return
        faulty = {world.name: _scores(pool, world, size.faulty, asked.seed) for world in FAULTY}
        healthy = {world.name: _scores(pool, world, size.healthy, asked.seed) for world in HEALTHY}
        released = {name: _releases(name, size.releases, asked.seed) for name in RELEASES}
    milliseconds, size_of_state = cpu.one_look(asked.seed)
    command = f"python -m benchmarks.gate{' --full' if asked.full else ''} --seed {asked.seed}"
    text = "\n".join(
        [
            "# The gate, measured",
            "",
            f"`{command}`, {time.monotonic() - began:.0f} s.",
            "",
            NOTES,
            "",
            f"## Bad candidates ({size.faulty:,} deployments of each)",
            "",
            *report.detection(faulty),
            "",
            "## False rollbacks",
            "",
            *report.false_rollbacks(healthy),
            "",
            "## Releases through all stages, until promoted or rolled back, start-up not counted",
            "",
            *report.releases(released),
            "",
            f"## One look: {milliseconds:.2f} ms of CPU, a state of {size_of_state:,} bytes",
            "",
            "## Targets",
            "",
            *report.targets(faulty, healthy, released, milliseconds),
            "",
            "# In the wild",
            "",
            WILD_NOTES,
            "",
            *in_the_wild,
        ]
    )
    publish(text, full=asked.full)


def publish(text: str, *, full: bool, path: Path = RESULTS) -> None:
    """Print the tables, and keep those of a full run: a short one proves too little."""
    print(text)
    if full:
        path.write_text(text + "\n")


def _cells(pool: ProcessPoolExecutor, deployments: Mapping[str, int], seed: int) -> wild_measure.Cells:
    cells = {}
    for name, number in deployments.items():
        cells[name] = wild_measure.releases(pool, wild.WORLDS[name], number, seed)
        print(f"{name}: {cells[name]}", file=sys.stderr)
    return cells


def _scores(pool: ProcessPoolExecutor, world: World, deployments: int, seed: int) -> Scores:
    chunks = [range(first, min(first + CHUNK, deployments)) for first in range(0, deployments, CHUNK)]
    found = list(pool.map(_run, [(world.name, chunk, seed) for chunk in chunks]))
    total = found[0]
    for scores in found[1:]:
        for name, score in scores.items():
            total[name].add(score)
    return total


def _run(chunk: tuple[str, range, int]) -> Scores:
    """By the world's name: what it does at a moment cannot be handed to another process."""
    name, deployments, seed = chunk
    world = next(world for world in (*HEALTHY, *FAULTY) if world.name == name)
    return run(world, deployments, seed)


def _releases(name: str, number: int, seed: int) -> list[Release]:
    settings, world = RELEASES[name]
    return [Rollout(world, settings, f"{seed} {name} {place}").run() for place in range(number)]


if __name__ == "__main__":
    main()
