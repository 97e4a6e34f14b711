"""The gate as a contender: the product's own streams, fed as the watch handler would feed them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import heappop, heappush
from random import Random

from benchmarks.gate.traffic import PROBE_RATE, Span
from crossfade.domain.gate.blocks.block import MINUTE, SECONDS, Block, Tally
from crossfade.domain.gate.evidence.streams import Margin, Streams
from crossfade.domain.gate.state import GateState, Watch, evidence
from crossfade.domain.gate.stepping import why_step_back
from crossfade.domain.spec.gate import GateSettings
from crossfade.domain.spec.service import Stage

FEED = GateSettings(users="feed")
METRICS = GateSettings(users="metrics")
LEDGER_DELAY = (0.3, 1.5)
"""Seconds until a record is looked at: the probe writes four times a second, a look is made three times."""
EPOCH = 1_800_000_000
"""A full minute, in seconds since 1970."""
MARGIN = Margin(0.004, of_rate=0.5)
"""Of the evidence to go on, which is gathered here too, as it costs time; nobody goes on."""
WATCH = Watch(
    stage=Stage(weight=10, min_seconds=15, max_seconds=1800),
    next_weight=50,
    began=datetime.fromtimestamp(EPOCH, UTC),
    deadline=datetime.fromtimestamp(EPOCH + 1800, UTC),
    candidate="green",
    candidate_since=datetime.fromtimestamp(EPOCH, UTC),
    expected="2",
    previous="1",
)
NOTHING_KNOWN = GateState()
NAMES = ("gate, feed", "gate, metrics", "gate, feed alone", "gate, metrics alone")


@dataclass
class Variant:
    """A gate that hears the probe or not, and the users by the feed or by metrics.

    ``decided``: when it rolled back; where a step back counts, when it took the clients away.
    """

    probe: bool
    users: str
    decided: float | None = None


class Gates:
    """The gate with the probe and the feed, the probe and metrics, the feed alone, and metrics alone.

    They share their sources, since each source is the same in all of them. ``step_back``: whether that
    decides already.
    """

    def __init__(self, random: Random, phase: int, *, step_back: bool) -> None:
        self._step_back = step_back
        self.variants = (
            Variant(True, "feed"),
            Variant(True, "metrics"),
            Variant(False, "feed"),
            Variant(False, "metrics"),
        )
        self._random, self._phase = random, phase
        self._sources = {"probe": Streams(), "feed": Streams(), "metrics": Streams()}
        self._coming: list[tuple[float, str, Block]] = []
        self._minute: list[Span] = []
        self._dead_at: float | None = None

    @property
    def open(self) -> bool:
        """Whether one of them has not decided yet."""
        return any(variant.decided is None for variant in self.variants)

    def see(self, span: Span) -> None:
        """Take in a span, and look at all that has become known by its end."""
        at = EPOCH + self._phase + int(span.began)
        at -= at % SECONDS
        ledger = span.ended + self._random.uniform(*LEDGER_DELAY)
        heappush(self._coming, (ledger, "probe", Block(at, SECONDS, *span.probe)))
        heappush(self._coming, (span.ended + FEED.settle, "feed", Block(at, SECONDS, *span.users)))
        self._minute.append(span)
        if (at + SECONDS) % MINUTE == 0:
            block = Block(at + SECONDS - MINUTE, MINUTE, self._sum(0), self._sum(1))
            heappush(self._coming, (span.ended + METRICS.settle, "metrics", block))
            self._minute = []
        self._fail_fast(span)
        while self._coming and self._coming[0][0] <= span.ended:
            self._look(*heappop(self._coming))

    def _sum(self, side: int) -> Tally:
        tallies = [span.users[side] for span in self._minute]
        return Tally(sum(tally.requests for tally in tallies), sum(tally.failures for tally in tallies))

    def _look(self, now: float, name: str, block: Block) -> None:
        settings = METRICS if name == "metrics" else FEED
        self._sources[name] = self._sources[name].after(block, settings, warm=0, margin=MARGIN)
        for variant in self.variants:
            if variant.decided is None and name in ("probe" if variant.probe else "", variant.users):
                probe = self._sources["probe"] if variant.probe else Streams()
                users = self._sources[variant.users]
                if evidence(probe, users) >= 1 / settings.alpha or (
                    self._step_back and _stepped_back(probe, users, settings)
                ):
                    variant.decided = now

    def _fail_fast(self, span: Span) -> None:
        """The rule of ``Lanes.dead`` on spans: the candidate's lane only fails, the other does not.

        With clients on the candidate the gate steps back by it; it does not roll back.
        """
        if not self._step_back:
            return
        green, blue = span.probe
        if green.failures < green.requests or not green.requests or blue.failures > blue.requests / 2:
            self._dead_at = None
            return
        if self._dead_at is None:
            enough = max(FEED.dead_seconds, FEED.dead_requests / PROBE_RATE) + 1 / PROBE_RATE
            self._dead_at = span.began + enough
        if span.began <= self._dead_at <= span.ended:
            now = self._dead_at + self._random.uniform(*LEDGER_DELAY)
            for variant in self.variants:
                if variant.probe and (variant.decided is None or variant.decided > now):
                    variant.decided = now


def _stepped_back(probe: Streams, users: Streams, settings: GateSettings) -> bool:
    state = NOTHING_KNOWN.model_copy(update={"probe": probe, "users": users})
    return why_step_back(state, settings, WATCH) is not None
