"""A release through all its stages: how long a healthy one takes, and how far a bad one gets."""

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from benchmarks.gate.contender import EPOCH, LEDGER_DELAY
from benchmarks.gate.traffic import PROBE_RATE, Moment, tally
from crossfade.domain.gate.analysis import take_probe, take_users
from crossfade.domain.gate.blocks.block import MINUTE, SECONDS, Block, Tally, together
from crossfade.domain.gate.blocks.from_ledger import Lanes, Seen
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.gate.verdicts import verdict_of
from crossfade.domain.spec.gate import GateSettings
from crossfade.domain.spec.service import Stage
from crossfade.domain.verdict import Verdict

STAGES = tuple(
    Stage(weight=weight, min_seconds=least, max_seconds=most)
    for weight, least, most in (
        (0, 15, 600),
        (2, 15, 600),
        (10, 15, 600),
        (50, 15, 600),
        (90, 15, 600),
        (100, 30, 600),
    )
)
"""Weights in percent, minimum and deadline in seconds: the defaults that are proposed for AWS."""
OVERHEAD_SECONDS = 3
"""Between two stages: the workflow's own time until the load balancer has the next weights."""


@dataclass(frozen=True)
class Release:
    """How a release went: each stage's weight, seconds and verdict."""

    stages: tuple[tuple[int, float, Verdict], ...]
    failed: int
    """The users' requests that the candidate failed."""

    @property
    def seconds(self) -> float:
        """From the first stage's beginning to the last one's end, the workflow's own time included."""
        return sum(seconds for _, seconds, _ in self.stages) + OVERHEAD_SECONDS * (len(self.stages) - 1)

    @property
    def promoted(self) -> bool:
        """Whether all stages were passed."""
        return self.stages[-1][2].action == "advance"


class Rollout:
    """The simulated service while its release goes on; times in seconds since 1970."""

    def __init__(self, now: Moment, settings: GateSettings, random: Random) -> None:
        self._now, self._settings, self._random = now, settings, random
        self._clock = EPOCH + random.randrange(MINUTE)
        self._since = self._clock - 15
        self._weight = 0
        self._open: dict[str, list[Tally]] = {}
        self._known: list[tuple[float, str, Block]] = []
        self._state = GateState()
        self._failed = 0

    def run(self) -> Release:
        """Stage after stage, until the last or until one rolls back."""
        done = []
        for place, stage in enumerate(STAGES):
            following = STAGES[place + 1].weight if place + 1 < len(STAGES) else None
            seconds, verdict = self._watch(stage, following)
            done.append((stage.weight, seconds, verdict))
            if verdict.action != "advance":
                break
            for _ in range(OVERHEAD_SECONDS):
                self._second()
        return Release(tuple(done), self._failed)

    def _watch(self, stage: Stage, following: int | None) -> tuple[int, Verdict]:
        self._weight, began = stage.weight, self._clock
        watch = Watch(
            stage=stage,
            next_weight=following,
            began=moment(began),
            deadline=moment(began + stage.max_seconds),
            candidate="green",
            candidate_since=moment(self._since),
            expected="2",
            previous="1",
        )
        while True:
            self._second()
            fresh: dict[str, list[Block]] = {"probe": [], "users": []}
            for known in [known for known in self._known if known[0] <= self._clock]:
                self._known.remove(known)
                fresh[known[1]].append(known[2])
            answering = Seen(answered_at=self._clock, good_at=self._clock)
            self._state = GateState(
                lanes=Lanes(answering, answering, answering),
                probe=take_probe(self._state.probe, fresh["probe"], settings=self._settings, watch=watch),
                users=take_users(self._state.users, fresh["users"], settings=self._settings, watch=watch),
            )
            verdict = verdict_of(self._state, settings=self._settings, watch=watch, now=moment(self._clock))
            if verdict.action != "hold":
                return self._clock - began, verdict

    def _second(self) -> None:
        """Let a second pass; blocks end with the clock's."""
        now, share = self._now, self._weight / 100
        for name, green, blue, failing in (
            ("probe", PROBE_RATE, PROBE_RATE, now.probed),
            ("users", share * now.rate, (1 - share) * now.rate, now.candidate),
        ):
            candidate = tally(self._random, green, failing, now.slowness)
            stable = tally(self._random, blue, now.stable, now.stable_slowness)
            self._open.setdefault(name, []).extend((candidate, stable))
            if name == "users":
                self._failed += candidate.failures
        self._clock += 1
        self._close("probe", SECONDS, self._random.uniform(*LEDGER_DELAY))
        by_minute = self._settings.users == "metrics"
        self._close("users", MINUTE if by_minute else SECONDS, self._settings.settle)

    def _close(self, name: str, seconds: int, delay: float) -> None:
        if self._clock % seconds:
            return
        tallies = self._open.pop(name)
        green, blue = together(tallies[::2]), together(tallies[1::2])
        if seconds == MINUTE:
            # CloudWatch has no point for a minute without requests, and no histograms.
            sides = [Tally(*side[:2]) if side.requests else None for side in (green, blue)]
        else:
            sides = [green, blue]
        self._known.append(
            (self._clock + delay, name, Block(self._clock - seconds, seconds, sides[0], sides[1]))
        )


def moment(clock: float) -> datetime:
    """A time of the simulation as the domain writes it."""
    return datetime.fromtimestamp(clock, UTC)
