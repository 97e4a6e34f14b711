"""A release through all its stages: how long a healthy one takes, and what a bad one costs the users."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from heapq import heappop, heappush
from random import Random

from benchmarks.gate.contender import EPOCH, LEDGER_DELAY
from benchmarks.gate.lanes import ProbeLanes
from benchmarks.gate.sampling import binomial, poisson
from benchmarks.gate.traffic import tally
from benchmarks.gate.weather import Pieces, Weather, Wild
from crossfade.domain.gate.analysis import state_after
from crossfade.domain.gate.blocks.block import MINUTE, SECONDS, Block, Tally, together
from crossfade.domain.gate.blocks.from_ledger import Lanes, LedgerBlocks
from crossfade.domain.gate.caution import decided
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.gate.verdicts import verdict_of
from crossfade.domain.spec.gate import GateSettings
from crossfade.domain.spec.service import Stage
from crossfade.domain.verdict import Verdict


def stages(*weights: int) -> tuple[Stage, ...]:
    """Stages of these weights in percent, each with the minimum and the deadline of the defaults for AWS."""
    return tuple(
        Stage(weight=weight, min_seconds=30 if weight == 100 else 15, max_seconds=600) for weight in weights
    )


STAGES = stages(0, 2, 10, 50, 90, 100)
"""The defaults that are proposed for AWS."""
LAUNCH_SECONDS = 15
"""From when the candidate's targets are healthy until its first stage begins."""
OVERHEAD_SECONDS = 3
"""Between two stages: the workflow's own time until the load balancer has the next weights."""
SPREAD_SECONDS = 10
"""Until clients meet the load balancer's new weights it takes up to so long, drawn at each change."""
HOUR = 3600
MOST_SECONDS = 4 * 3600
"""A release that takes longer has no end: the gate's fault."""
HALF_A_SECOND = 0.5
LOOK_SECONDS = 15
"""The verdict is asked for when something has become known, and every so often for what only takes time."""


@dataclass(frozen=True)
class Watched:
    """A stage that was watched; ``bad``: the candidate was bad from its beginning to its end.

    ``retry``: it was a short stage at a small weight, after a step back.
    """

    weight: int
    seconds: int
    verdict: Verdict
    bad: bool
    retry: bool = False


@dataclass(frozen=True)
class Release:
    """How a release went.

    ``seconds``: from the first stage's beginning until it was promoted or rolled back, the workflow's own
    time included. ``failed``: the users' requests that the candidate failed since it turned bad (of a healthy
    one: all), until no client met it any more. ``slow``: those that it served slowly. ``harmed``: seconds
    from when a client first met a bad candidate until the load balancer had the weight 0 for the first time;
    None where none met it, and where it was promoted without.
    """

    stages: tuple[Watched, ...]
    seconds: int
    failed: int
    slow: float
    harmed: int | None = None

    @property
    def promoted(self) -> bool:
        """Whether all stages were passed."""
        return self.stages[-1].verdict.action == "advance"


@dataclass
class Users:
    """The users' requests of the open block: expected ones and failures by slowness, of both sides."""

    by_minute: bool
    candidate: dict[float, list[float]] = field(default_factory=dict)
    stable: dict[float, list[float]] = field(default_factory=dict)

    def second(self, candidate: Pieces, stable: Pieces, rate: float, weight: int) -> None:
        """Expect a second's requests; ``weight``: the candidate's share in percent."""
        _expect(self.candidate, candidate, rate * weight / 100)
        _expect(self.stable, stable, rate * (100 - weight) / 100)

    def close(self, random: Random) -> tuple[Tally, Tally]:
        """Draw the tallies of both sides; CloudWatch has no histograms of latency."""
        sides = self._drawn(random, self.candidate), self._drawn(random, self.stable)
        self.candidate, self.stable = {}, {}
        return sides

    def _drawn(self, random: Random, side: dict[float, list[float]]) -> Tally:
        found = []
        for slowness, (mean, failures) in side.items():
            share = failures / mean
            if self.by_minute:
                requests = poisson(random, mean)
                found.append(Tally(requests, binomial(random, requests, share)))
            else:
                found.append(tally(random, mean, share, slowness))
        return found[0] if len(found) == 1 else together(found)


def _expect(side: dict[float, list[float]], pieces: Pieces, rate: float) -> None:
    if not rate:
        return
    for piece in pieces:
        requests = round(rate * (piece.ended - piece.began), 3)
        expected = side.setdefault(piece.slowness, [0.0, 0.0])
        expected[0] += requests
        expected[1] += requests * piece.users


class Weights:
    """The candidate's weight in percent, as clients meet it: some time after the load balancer has it."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._coming: list[tuple[int, int]] = []
        self.met = 0

    def change(self, clock: int, weight: int) -> None:
        """Give the load balancer a weight; no change overtakes an earlier one."""
        at = clock + self._random.randint(0, SPREAD_SECONDS)
        self._coming.append((max([at, *(earlier for earlier, _ in self._coming)]), weight))

    def pass_to(self, clock: int) -> int:
        """The weight that clients meet by now."""
        while self._coming and self._coming[0][0] <= clock:
            self.met = self._coming.pop(0)[1]
        return self.met

    @property
    def gone(self) -> bool:
        """Whether no client meets the candidate, nor will."""
        return not self.met and not self._coming


class Rollout:
    """The simulated service while its release goes on; times in seconds since 1970."""

    def __init__(
        self,
        world: Wild,
        settings: GateSettings,
        seed: str,
        plan: Sequence[Stage] = STAGES,
        state: GateState | None = None,
    ) -> None:
        self._world, self._settings, self._plan = world, settings, plan
        self._random = random = Random(f"{seed} requests")
        self._weather = Weather(world, Random(f"{seed} weather"))
        self._launched = self._clock = EPOCH + random.randrange(MINUTE)
        self._weights = Weights(Random(f"{seed} weights"))
        self._users_at: float | None = None
        self._probe, self._users = ProbeLanes(random, settings), Users(settings.users == "metrics")
        self._minute: list[tuple[Tally, Tally]] = []
        self._coming: list[tuple[float, int, Lanes | LedgerBlocks | Block]] = []
        self._number = 0
        self._lanes = Lanes()
        self._state = state or GateState()
        self._bad_since: int | None = None
        self._failed, self._slow = 0, 0.0
        self._harmed_since: int | None = None
        self._harmed: int | None = None
        if settings.users == "metrics":
            for block in hour_before(world, Random(f"{seed} hour before"), self._launched):
                self._learn(0, block)

    def run(self) -> Release:
        """Stage after stage, until the last is passed or one is rolled back."""
        self._pass(LAUNCH_SECONDS)
        first, done, place = self._clock, [], 0
        stage: Stage | None = self._plan[0]
        retry = False
        while stage is not None:
            watched = self._watch(stage, place, retry)
            done.append(watched)
            place, stage = self._following(place, watched.verdict)
            retry = watched.verdict.climb is not None and watched.verdict.climb.weight is not None
            if stage is not None:
                self._pass(OVERHEAD_SECONDS)
                self._change(stage.weight)
        ended = self._clock
        if watched.verdict.action == "roll_back":
            self._pass(OVERHEAD_SECONDS)
            self._change(0)
            while not self._weights.gone:
                self._pass(1)
        self._close_users()
        return Release(tuple(done), ended - first, self._failed, self._slow, self._harmed)

    def _change(self, weight: int) -> None:
        self._weights.change(self._clock, weight)
        if not weight and self._harmed is None and self._harmed_since is not None:
            self._harmed = self._clock - self._harmed_since

    def _following(self, place: int, verdict: Verdict) -> tuple[int, Stage | None]:
        """The stage after this verdict and its place in the plan; None where the release is over."""
        if verdict.action == "roll_back":
            return place, None
        if verdict.action == "step_back":
            return 0, self._plan[0]
        climb = verdict.climb
        if climb is not None:
            stage = self._plan[climb.stage]
            return climb.stage, stage if climb.weight is None else _retry(self._plan, climb.weight)
        place = max(place + 1, len(self._plan) - 1 if verdict.emergency else 0)
        return place, self._plan[place] if place < len(self._plan) else None

    def _watch(self, stage: Stage, place: int, retry: bool) -> Watched:
        began = self._clock
        following = self._plan[place + 1].weight if place + 1 < len(self._plan) else None
        watch = Watch(
            stage=stage,
            next_weight=following,
            began=moment(began),
            deadline=moment(began + stage.max_seconds),
            candidate="green",
            candidate_since=moment(self._launched),
            expected="2",
            previous="1",
            place=place,
            weights=tuple(stage.weight for stage in self._plan),
        )
        bad = self._bad_since is not None
        while True:
            self._pass(1)
            lasted = self._clock - began
            if not (self._take_in(watch) or lasted == stage.min_seconds or lasted % LOOK_SECONDS == 0):
                continue
            verdict = verdict_of(self._state, settings=self._settings, watch=watch, now=moment(self._clock))
            if verdict.action != "hold":
                self._state = decided(self._state, verdict, watch, moment(self._clock))
                return Watched(stage.weight, lasted, verdict, bad, retry)

    def _take_in(self, watch: Watch) -> bool:
        """All that has become known by now; whether it is anything."""
        probe, production, users, lanes = [], [], [], self._lanes
        while self._coming and self._coming[0][0] <= self._clock:
            news = heappop(self._coming)[2]
            if isinstance(news, Lanes):
                lanes = news
            elif isinstance(news, LedgerBlocks):
                lanes = max(lanes, news.lanes, key=lambda known: known.candidate.at)
                probe += news.blocks
                production += news.production
            else:
                users.append(news)
        if probe or users or self._state.probe.stage != watch.began.timestamp():
            ledger = LedgerBlocks(lanes, probe, production, [])
            self._state = state_after(self._state, ledger, users, settings=self._settings, watch=watch)
        elif lanes is not self._lanes:
            self._state = self._state.model_copy(update={"lanes": lanes})
        else:
            return False
        self._lanes = lanes
        return True

    def _pass(self, seconds: int) -> None:
        for _ in range(seconds):
            self._second()
        if self._clock > self._launched + MOST_SECONDS:
            raise RuntimeError(f"no end after {MOST_SECONDS} s: {self._world.name}")

    def _second(self) -> None:
        """Let a second pass; blocks end with the clock's."""
        weight, rate = self._weights.pass_to(self._clock), self._world.rate
        at = self._clock - self._launched
        if weight and self._users_at is None:
            self._users_at = at
        now = self._weather.second(at, self._users_at)
        if now.bad and self._bad_since is None:
            self._bad_since = self._clock
        if weight and now.bad and self._harmed_since is None:
            self._harmed_since = self._clock
        self._probe.second(self._clock, now, weight)
        self._users.second(now.candidate, now.stable, rate, weight)
        self._slow += rate * weight / 100 if now.slow else 0.0
        self._clock += 1
        delay = self._random.uniform(*LEDGER_DELAY)
        if self._probe.eventful:
            # The second's records are half a second old on average when it ends.
            self._learn(delay - HALF_A_SECOND, self._probe.lanes)
        if self._clock % SECONDS == 0:
            block, production = self._probe.close(self._clock)
            self._learn(delay, LedgerBlocks(self._probe.lanes, [block], [production], []))
            self._close_users()

    def _close_users(self) -> None:
        """Draw what users met since the last time, and report it when it is due."""
        green, blue = self._users.close(self._random)
        if self._world.fault is None or self._bad_since is not None:
            self._failed += green.failures
        at = self._clock - SECONDS
        if not self._users.by_minute:
            self._learn(self._settings.settle, Block(at, SECONDS, green, blue))
            return
        self._minute.append((green, blue))
        if self._clock % MINUTE == 0:
            # CloudWatch has no point for a minute without requests.
            sides = [together(side) for side in zip(*self._minute, strict=True)]
            green_seen, blue_seen = (side if side.requests else None for side in sides)
            self._learn(self._settings.settle, Block(self._clock - MINUTE, MINUTE, green_seen, blue_seen))
            self._minute = []

    def _learn(self, delay: float, news: Lanes | LedgerBlocks | Block) -> None:
        self._number += 1
        heappush(self._coming, (self._clock + delay, self._number, news))


def hour_before(world: Wild, random: Random, launched: int) -> list[Block]:
    """The stable side's minutes of the hour before a launch, in seconds since 1970."""
    weather = Weather(replace(world, fault=None), random)
    users, steady, found = Users(by_minute=True), world.steady, []
    ended = launched - launched % MINUTE
    for at in range(ended - HOUR, ended, MINUTE):
        for second in range(0, MINUTE, MINUTE if steady else 1):
            now = weather.second(at + second - ended + HOUR, None)
            users.second((), now.stable, world.rate * (MINUTE if steady else 1), 0)
        found.append(Block(at, MINUTE, None, users.close(random)[1]))
    return found


def _retry(plan: Sequence[Stage], weight: int) -> Stage:
    """The plan's first stage with users, at another weight."""
    return next(stage for stage in plan if stage.weight).model_copy(update={"weight": weight})


def moment(clock: float) -> datetime:
    """A time of the simulation as the domain writes it."""
    return datetime.fromtimestamp(clock, UTC)
