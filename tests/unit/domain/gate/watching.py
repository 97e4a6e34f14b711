"""Small examples of what the gate is shown: a stage, ledgers, and blocks of users' outcomes."""

from typing import Any

from crossfade.domain.gate.analysis import analyse
from crossfade.domain.gate.blocks.block import Block, Tally
from crossfade.domain.gate.blocks.from_feed import FORMAT, Line, Outcomes
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.ledger import Record
from crossfade.domain.slots import Slot
from crossfade.domain.spec.gate import GateSettings
from crossfade.domain.verdict import Verdict
from tests.unit.examples import at, request, stage

SETTINGS = GateSettings(warm_up_seconds=0, users="feed")


def watch(weight: int = 10, next_weight: int | None = 50, **changes: Any) -> Watch:
    """A stage of a deployment of 0.0.2 into green while blue is stable; it may last from 10 to 120 s."""
    began, seconds = changes.pop("began", 0), changes.pop("max_seconds", 120)
    values: dict[str, Any] = {
        "stage": stage(weight, min_seconds=10, max_seconds=seconds),
        "next_weight": next_weight,
        "began": at(began),
        "deadline": at(began + seconds),
        "candidate": "green",
        "candidate_since": at(0),
        "expected": "0.0.2",
        "previous": "0.0.1",
        **changes,
    }
    return Watch(**values)


def ledger(
    green: str, blue: str = "", production: str | None = None, *, rate: float = 20, ms: float = 3.0
) -> list[Record]:
    """All lanes, in order of time: ``.`` answered well, ``x`` failed, ``v`` of a wrong version.

    Production answers well as long as a slot's lane does, if nothing is said.
    """
    well = "." * max(len(green), len(blue))
    lanes = {"green": green, "blue": blue, "production": well if production is None else production}
    marks = [(lane, n, mark) for lane, of_lane in lanes.items() for n, mark in enumerate(of_lane, start=1)]
    records: list[Record] = []
    for lane, n, mark in sorted(marks, key=lambda found: found[1]):
        version = "0.0.1" if lane == "blue" or mark == "v" else "0.0.2"
        values: dict[str, Any] = {"ms": ms, "version": version}
        if mark == "x":
            values |= {"status": 500, "version": None}
        records.append(request(lane, n, n / rate, **values))
    return records


def feed_line(slot: Slot = "green", stream: str = "app/a", ended: float = 5, **changes: Any) -> Line:
    """A line of the outcome feed."""
    values = {"process": 7, "requests": 50, "failures": 1, "latencies": ((30, 49), (60, 1)), **changes}
    return Line(slot, stream, Outcomes(crossfade=FORMAT, began=at(ended - 5), ended=at(ended), **values))


def users(*counts: tuple[int, int, int, int], seconds: int = 5, began: float = 0) -> list[Block]:
    """Blocks of users' outcomes: requests and failures of green, then of blue."""
    first = int(at(began).timestamp())
    return [
        Block(first + place * seconds, seconds, Tally(n_c, x_c), Tally(n_s, x_s))
        for place, (n_c, x_c, n_s, x_s) in enumerate(counts)
    ]


def glance(
    records: list[Record],
    blocks: list[Block] | None = None,
    *,
    seconds: float = 80,
    state: GateState | None = None,
    shown: Watch | None = None,
    gate: GateSettings = SETTINGS,
) -> tuple[GateState, Verdict]:
    """One look, so many seconds after the start, with what was there before it."""
    return analyse(
        state or GateState(),
        records,
        blocks or [],
        settings=gate,
        watch=shown or watch(),
        now=at(seconds),
    )
