"""Run deployments, and count who decided when, and what it cost the users until then."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from random import Random
from statistics import median

from benchmarks.gate.contender import NAMES, Gates, Variant
from benchmarks.gate.peers import Alarm, Judge, Peer, argo, flagger
from benchmarks.gate.traffic import DEPLOYMENT_SECONDS, World, spans

PEERS = ("Flagger", "Argo", "alarm 1 of 1", "alarm 2 of 3", "Kayenta")
CONTENDERS = (*NAMES, *PEERS)


@dataclass
class Score:
    """How a contender did in a world's deployments."""

    seconds: list[float] = field(default_factory=list)
    """From when the candidate turned bad; infinite where it was never rolled back."""
    failed: list[float] = field(default_factory=list)
    """The users' requests that the candidate failed until then."""

    @property
    def share(self) -> float:
        """Of the deployments that were rolled back."""
        return self.rolled_back / len(self.seconds)

    @property
    def rolled_back(self) -> int:
        """How many were."""
        return sum(seconds < inf for seconds in self.seconds)

    @property
    def median_seconds(self) -> float:
        """Infinite where most were never rolled back."""
        return median(self.seconds)

    @property
    def median_failed(self) -> float:
        """Failed requests of users."""
        return median(self.failed)

    def add(self, other: "Score") -> None:
        """Take in more deployments."""
        self.seconds += other.seconds
        self.failed += other.failed


Scores = dict[str, Score]


def run(world: World, deployments: range, seed: int) -> Scores:
    """Simulate deployments; the same numbers under the same seed give the same traffic."""
    scores = {name: Score() for name in CONTENDERS}
    for number in deployments:
        for name, seconds, failed in deploy(world, Random(f"{seed} {world.name} {number}")):
            scores[name].seconds.append(seconds)
            scores[name].failed.append(failed)
    return scores


def deploy(world: World, random: Random) -> Iterator[tuple[str, float, float]]:
    """One deployment: when each contender rolls back, and what had failed by then.

    Of a bad candidate the gate is asked when it takes the clients away, since a step back does that.
    """
    phase = random.randrange(60)
    turned = world.turns(phase)
    gates = Gates(random, phase, step_back=world.bad)
    peers: tuple[Peer, ...] = (flagger(), argo(), Alarm(1, 1, phase), Alarm(2, 3, phase), Judge())
    everybody: tuple[Variant | Peer, ...] = (*gates.variants, *peers)
    failures: list[tuple[float, float, int]] = []
    for span in spans(world, random, phase):
        failures.append((span.began, span.ended, span.users[0].failures))
        if gates.open:
            gates.see(span)
        for peer in peers:
            peer.see(span)
        if all(one.decided is not None and one.decided <= span.ended for one in everybody):
            break
    for name, one in zip(CONTENDERS, everybody, strict=True):
        decided = one.decided if one.decided is not None and one.decided <= DEPLOYMENT_SECONDS else inf
        yield name, decided - turned, failed_until(failures, decided, turned)


def failed_until(failures: list[tuple[float, float, int]], until: float, since: float) -> float:
    """Failures of users from when the candidate turned bad; a span that is cut counts by its share."""
    total = 0.0
    for began, ended, failed in failures:
        if began >= since and began < until:
            total += failed * min((until - began) / (ended - began), 1.0)
    return total
