"""Run releases in the wild worlds, and the rules of others on the same traffic; sum up each world."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from statistics import mean, median
from typing import Literal, NamedTuple

from benchmarks.gate.contender import FEED, METRICS
from benchmarks.gate.measure import failed_until
from benchmarks.gate.peers import Alarm, Peer, argo, flagger
from benchmarks.gate.stages import STAGES, Rollout, Users
from benchmarks.gate.traffic import DEPLOYMENT_SECONDS, WEIGHT, Span
from benchmarks.gate.weather import Weather, Wild
from benchmarks.gate.wild import WORLDS
from crossfade.domain.gate.blocks.block import MINUTE, SECONDS, Tally
from crossfade.domain.gate.past import Caution
from crossfade.domain.gate.state import GateState
from crossfade.domain.verdict import Verdict


class Choice(NamedTuple):
    """What is chosen for a candidate with more spells: the first bar, and until when it may be held."""

    bar: float
    give_up_seconds: float


DEFAULTS = Choice(Caution().bar, FEED.give_up_seconds)
BEFORE = Path(__file__).parents[1] / "results" / "gate-before.json"
"""The figures of the code before the gate learnt to step back."""
SOURCES = {"feed": FEED, "metrics": METRICS}
CHUNK = 5
PEERS = ("Flagger", "Argo", "alarm 1 of 1", "alarm 2 of 3")
NO_REQUESTS = Tally()
End = Literal["back", "proved", "waited"]
"""How a stage ended: the candidate left it; it advanced by the proof; or though the users' was missing."""


class Outcome(NamedTuple):
    """A release in short.

    ``stages``: of each that the candidate began bad, no retries among them: the weight, and how it ended.
    ``harmed`` is the release's.
    """

    error: str | None
    seconds: int
    failed: int
    slow: float
    stages: tuple[tuple[int, End], ...]
    harmed: int | None = None


@dataclass(frozen=True)
class Cell:
    """A world's releases with one source of users' outcomes.

    ``errors``: rollbacks by their error. ``promoted_seconds``: the median of those that were promoted;
    ``seconds``: of all. ``failed``: the mean of the users' requests that the candidate failed, ``slow``: the
    median of those that it served slowly. ``advances``: by weight, how many stages advanced that the
    candidate had begun as a bad one, and how many there were; ``waited``: how many of these advanced though
    the users' proof was missing. ``harmed``: the median of the releases'. ``within``: the seconds within
    which nine of ten were promoted.
    """

    deployments: int
    errors: dict[str, int]
    promoted_seconds: float | None
    seconds: float
    failed: float
    slow: float
    advances: dict[str, list[int]]
    waited: dict[str, int] = field(default_factory=dict)
    harmed: float | None = None
    within: float | None = None

    @classmethod
    def of(cls, outcomes: list[Outcome]) -> "Cell":
        """The sum of all."""
        promoted = [outcome.seconds for outcome in outcomes if outcome.error is None]
        ends = Counter(stage for outcome in outcomes for stage in outcome.stages)
        begun = Counter(weight for outcome in outcomes for weight, _ in outcome.stages)
        harmed = [outcome.harmed for outcome in outcomes if outcome.harmed is not None]
        return cls(
            len(outcomes),
            dict(sorted(Counter(outcome.error for outcome in outcomes if outcome.error).items())),
            median(promoted) if promoted else None,
            median(outcome.seconds for outcome in outcomes),
            round(mean(outcome.failed for outcome in outcomes), 1),
            round(median(outcome.slow for outcome in outcomes), 1),
            {str(at): [begun[at] - ends[at, "back"], begun[at]] for at in sorted(begun)},
            {str(at): ends[at, "waited"] for at in sorted(begun) if ends[at, "waited"]},
            median(harmed) if harmed else None,
            sorted(promoted)[nine] if (nine := len(outcomes) * 9 // 10) < len(promoted) else None,
        )

    @property
    def rolled_back(self) -> int:
        """How many were."""
        return sum(self.errors.values())


Cells = dict[str, dict[str, Cell]]
"""By world and source."""


@dataclass(frozen=True)
class PeerCell:
    """How another's rule did in a world: rollbacks, and the mean of users' requests that failed by then."""

    deployments: int
    rolled_back: int
    failed: float


def releases(
    pool: ProcessPoolExecutor, world: Wild, source: str, numbers: range, seed: int, choice: Choice = DEFAULTS
) -> list[Outcome]:
    """Some of a world's releases with a source of users' outcomes."""
    found = pool.map(partial(_some, world.name, source, seed, choice), _chunks(numbers))
    return [one for some in found for one in some]


def _chunks(numbers: range) -> list[range]:
    return [numbers[first : first + CHUNK] for first in range(0, len(numbers), CHUNK)]


def _some(name: str, source: str, seed: int, choice: Choice, numbers: Iterable[int]) -> list[Outcome]:
    return [release(WORLDS[name], source, seed, number, choice) for number in numbers]


def release(world: Wild, source: str, seed: int, number: int, choice: Choice = DEFAULTS) -> Outcome:
    """One release; the weather is the same for each source and for the rules of others."""
    settings = SOURCES[source].model_copy(update={"give_up_seconds": choice.give_up_seconds})
    state = GateState(caution=Caution(bar=choice.bar))
    done = Rollout(world, settings, _seed(world, seed, number), state=state).run()
    return Outcome(
        None if done.promoted else done.stages[-1].verdict.error,
        done.seconds,
        done.failed,
        done.slow,
        tuple((stage.weight, _end(stage.verdict)) for stage in done.stages if stage.bad and not stage.retry),
        done.harmed,
    )


def _end(verdict: Verdict) -> End:
    if verdict.action != "advance":
        return "back"
    return "waited" if "user evidence" in verdict.reason else "proved"


def _seed(world: Wild, seed: int, number: int) -> str:
    return f"{seed} {world.name} {number}"


def peers(pool: ProcessPoolExecutor, world: Wild, deployments: int, seed: int) -> dict[str, PeerCell]:
    """The rules of others, each for half an hour at a weight of 10 %."""
    chunks = _chunks(range(deployments))
    found = [one for some in pool.map(partial(_met, world.name, seed), chunks) for one in some]
    return {
        name: PeerCell(
            len(found),
            sum(one[place][0] for one in found),
            mean(one[place][1] for one in found),
        )
        for place, name in enumerate(PEERS)
    }


def _met(name: str, seed: int, numbers: Iterable[int]) -> list[list[tuple[bool, float]]]:
    return [peers_in(WORLDS[name], seed, number) for number in numbers]


def peers_in(world: Wild, seed: int, number: int) -> list[tuple[bool, float]]:
    """Whether each rule rolled this deployment back, and the users' requests that had failed by then."""
    random, weather = (
        Random(_seed(world, seed, number)),
        Weather(world, Random(f"{_seed(world, seed, number)} weather")),
    )
    phase = random.randrange(MINUTE) // SECONDS * SECONDS
    everybody: tuple[Peer, ...] = (flagger(), argo(), Alarm(1, 1, phase), Alarm(2, 3, phase))
    users, turned = Users(by_minute=True), None
    failures: list[tuple[float, float, int]] = []
    for at in range(int(DEPLOYMENT_SECONDS)):
        now = weather.second(at, 0)
        turned = at if now.bad and turned is None else turned
        users.second(now.candidate, now.stable, world.rate, int(WEIGHT * 100))
        if (at + 1) % SECONDS == 0:
            green, blue = users.close(random)
            failures.append((at + 1 - SECONDS, at + 1, green.failures))
            for peer in everybody:
                peer.see(Span(at + 1 - SECONDS, at + 1, (NO_REQUESTS, NO_REQUESTS), (green, blue)))
    ends = [peer.decided if peer.decided is not None else DEPLOYMENT_SECONDS for peer in everybody]
    return [
        (peer.decided is not None, failed_until(failures, ended, turned or 0))
        for peer, ended in zip(everybody, ends, strict=True)
    ]


def commit() -> str:
    """The commit that is measured: the last one that changed the gate."""
    return subprocess.run(
        ["git", "rev-list", "-1", "HEAD", "--", "functions/crossfade/domain/gate"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def write(cells: Cells, of_commit: str, deployments: int, seed: int, path: Path = BEFORE) -> None:
    """Keep the figures of a commit."""
    text = {
        "commit": of_commit,
        "seed": seed,
        "deployments": deployments,
        "weights": [stage.weight for stage in STAGES],
        "worlds": {
            world: {source: asdict(cell) for source, cell in of_world.items()}
            for world, of_world in cells.items()
        },
    }
    path.write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n")


def read(path: Path = BEFORE) -> Cells:
    """The figures that were kept; none where none were."""
    if not path.exists():
        return {}
    worlds = json.loads(path.read_text())["worlds"]
    return {
        world: {source: Cell(**cell) for source, cell in of_world.items()}
        for world, of_world in worlds.items()
    }
