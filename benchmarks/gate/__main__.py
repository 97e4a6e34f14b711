"""Measure the gate: ``python -m benchmarks.gate [--full | --before | --world NAME]``."""

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.gate import cpu, more_spells, report, wild, wild_measure, wild_report
from benchmarks.gate.kept import Kept
from benchmarks.gate.measure import Scores, run
from benchmarks.gate.traffic import World
from benchmarks.gate.worlds import FAULTY, HEALTHY

RESULTS = Path(__file__).parents[1] / "results" / "gate.md"
CHUNK = 25
"""Deployments that are simulated together."""
BATCH = 250
"""Deployments of a wild world that are kept together: all worlds have as many before the next batch."""


@dataclass(frozen=True)
class Size:
    """How many deployments are simulated of each kind; ``quick``: of healthy wild worlds that cost little."""

    healthy: int
    faulty: int
    wild: int
    quick: int
    wild_faulty: int
    others: int
    tried: int

    def of(self, name: str) -> int:
        """Deployments of a wild world, with each source of users' outcomes."""
        if wild.WORLDS[name].fault:
            return self.wild_faulty
        return self.quick if name in wild.QUICK else self.wild


SHORT = Size(healthy=10, faulty=50, wild=2, quick=2, wild_faulty=2, others=2, tried=0)
FULL = Size(healthy=1000, faulty=300, wild=1000, quick=3000, wild_faulty=300, others=100, tried=200)
BEFORE = 200
"""Deployments of each wild world whose figures are kept."""

NOTES = """\
In the first two tables each deployment lasts 30 minutes at a weight of 10 %, set at a random second of the
clock's minute: no stage ends, and no deadline comes. Worlds and faults are in `benchmarks/gate/worlds.py`,
everybody's settings in `peers.py` and in `functions/crossfade/domain/spec/gate.py`. A cell gives the median
time from when the candidate turned bad until the decision to take the clients from it, and the median number
of users' requests that it had failed by then; a share stands before it where that did not happen in every
deployment, and alone where it did not in most. The gate takes the clients away by its first step back; what
a candidate costs that climbs again is in the tables of the wild worlds.

The gate is charged with its delays: 0.3 to 1.5 s until a record of the ledger is looked at, 10 s until a line
of the feed is, 60 s until a minute of metrics is. The others read their metrics at once; the alarm's come
60 s late. "Alone" is the gate without its probe. The samples of Flagger and Argo have no check that a
candidate of 30 to 60 ms would fail. Kayenta-like: failure rate and median latency by the minute,
Mann-Whitney with 98 % confidence and a tolerance of 0.25, judged after 10, 20 and 30 minutes."""
WILD_NOTES = """\
Services as they are: latencies that fall while a candidate warms up, failures in spells, glitches of the
probe's own way to the candidate. Each release goes through all stages of the defaults, start-up not counted.
Clients meet new weights up to 10 s after the load balancer has them, in both directions. Lengths and moments
of spells are drawn (exponential; the name gives the means). "Before" is the code that rolled back at the
first suspicion (`gate-before.json`, 200 deployments of each). The others see the same weather for half an
hour at a weight of 10 %. In brackets: the share that is not exceeded, with 95 % confidence. An advance is
false where the candidate fails more than the stage's margin. Worlds: `benchmarks/gate/wild.py`."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, and print the tables; a full run also writes them to ``benchmarks/results/gate.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=__doc__)
    parser.add_argument(
        "--full",
        action="store_true",
        help="1,000 healthy deployments of each world and more; an hour on two cores; writes gate.md",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="processes (one a core); the result is the same"
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FILE",
        help="keep what is simulated there, by world: a run that was cut short goes on from it",
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
    parser.add_argument("--deployments", type=int, help="how many of each wild world, at most")
    asked = parser.parse_args(arguments)
    with ProcessPoolExecutor(asked.jobs) as pool:
        bench = Bench(pool, Kept(asked.keep), asked.seed)
        if asked.before:
            measured, deployments = wild_measure.commit(), asked.deployments or BEFORE
            cells = bench.cells({name: deployments for name in asked.world or wild.WORLDS})
            wild_measure.write(cells, measured, deployments, asked.seed)
        elif asked.world:
            number = {name: asked.deployments or SHORT.of(name) for name in asked.world}
            print("\n".join(bench.in_the_wild(number, SHORT).text))
        else:
            publish(_text(bench, FULL if asked.full else SHORT, asked), full=asked.full)


def publish(text: str, *, full: bool, path: Path = RESULTS) -> None:
    """Print the tables, and keep those of a full run: a short one proves too little."""
    print(text)
    if full:
        path.write_text(text + "\n")


def _text(bench: "Bench", size: Size, asked: argparse.Namespace) -> str:
    faulty = {world.name: bench.scores(world, size.faulty) for world in FAULTY}
    healthy = {world.name: bench.scores(world, size.healthy) for world in HEALTHY}
    most = asked.deployments or max(size.wild, size.quick, size.wild_faulty)
    in_the_wild = bench.in_the_wild({name: min(size.of(name), most) for name in wild.WORLDS}, size)
    look = cpu.one_look(asked.seed)
    command = f"python -m benchmarks.gate{' --full' if asked.full else ''} --seed {asked.seed}"
    return "\n".join(
        [
            "# The gate, measured",
            "",
            f"`{command}`, the gate of commit {wild_measure.commit()[:7]}. The last table has the targets.",
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
            f"## One look: {look.milliseconds:.2f} ms of CPU, a state of {look.state:,} bytes",
            "",
            "# In the wild",
            "",
            WILD_NOTES,
            "",
            *in_the_wild.text,
            "",
            "# Targets",
            "",
            *report.targets([*report.steady(faulty, healthy, look), *in_the_wild.targets]),
        ]
    )


class Bench:
    """Simulates on several processes, but for what is kept from an earlier run."""

    def __init__(self, pool: ProcessPoolExecutor, kept: Kept, seed: int) -> None:
        self._pool, self._kept, self._seed = pool, kept, seed

    def scores(self, world: World, deployments: int) -> Scores:
        """Everybody's scores in a steady world."""
        found = [self._some_scores(world, numbers) for numbers in _batches(deployments)]
        total = found[0]
        for scores in found[1:]:
            for name, score in scores.items():
                total[name].add(score)
        return total

    def _some_scores(self, world: World, numbers: range) -> Scores:
        def work() -> Scores:
            chunks = [numbers[first : first + CHUNK] for first in range(0, len(numbers), CHUNK)]
            total, *more = self._pool.map(_run, [(world.name, chunk, self._seed) for chunk in chunks])
            for scores in more:
                for name, score in scores.items():
                    total[name].add(score)
            return total

        return self._kept.part(f"{self._seed} steady {world.name} {numbers}", work)

    def in_the_wild(self, deployments: Mapping[str, int], size: Size) -> wild_report.Report:
        """The tables of these wild worlds."""
        cells = self.cells(deployments)
        others = {name: self._others(name, min(size.others, number)) for name, number in deployments.items()}
        tried = self._tried(size.tried) if size.tried else {}
        return wild_report.Report(cells, wild_measure.read(), others, tried)

    def cells(self, deployments: Mapping[str, int]) -> wild_measure.Cells:
        """Sums of wild worlds' releases, batch after batch."""
        found: dict[str, dict[str, list[wild_measure.Outcome]]] = {
            name: {source: [] for source in wild_measure.SOURCES} for name in deployments
        }
        for batch in _batches(max(deployments.values())):
            for name, number in deployments.items():
                numbers = range(batch.start, min(batch.stop, number))
                for source, outcomes in found[name].items():
                    outcomes += self._releases(name, source, numbers) if numbers else []
        return {
            name: {source: wild_measure.Cell.of(outcomes) for source, outcomes in by_source.items()}
            for name, by_source in found.items()
        }

    def _releases(
        self,
        name: str,
        source: str,
        numbers: range,
        choice: wild_measure.Choice = wild_measure.DEFAULTS,
    ) -> list[wild_measure.Outcome]:
        work = partial(
            wild_measure.releases, self._pool, wild.WORLDS[name], source, numbers, self._seed, choice
        )
        chosen = "" if choice == wild_measure.DEFAULTS else f" {choice}"
        print(f"{name}, {source}, {numbers}{chosen}", file=sys.stderr)
        return self._kept.part(f"{self._seed} wild {name} {source} {numbers}{chosen}", work)

    def _others(self, name: str, number: int) -> dict[str, wild_measure.PeerCell]:
        work = partial(wild_measure.peers, self._pool, wild.WORLDS[name], number, self._seed)
        return self._kept.part(f"{self._seed} others {name} {number}", work)

    def _tried(self, number: int) -> more_spells.Tried:
        return {
            choice: {
                name: wild_measure.Cell.of(self._releases(name, "feed", range(number), choice))
                for name in (wild.OFTEN_BOTH, wild.OFTEN_CANDIDATE)
            }
            for choice in more_spells.CHOICES
        }


def _batches(deployments: int) -> Iterable[range]:
    numbers = range(deployments)
    return [numbers[first : first + BATCH] for first in range(0, deployments, BATCH)]


def _run(chunk: tuple[str, range, int]) -> Scores:
    """By the world's name: what it does at a moment cannot be handed to another process."""
    name, deployments, seed = chunk
    world = next(world for world in (*HEALTHY, *FAULTY) if world.name == name)
    return run(world, deployments, seed)


if __name__ == "__main__":
    main()
