"""The CPU time of one look: a block of every stream closes in it, and the state is read and written."""

import time
from datetime import timedelta
from random import Random
from statistics import median
from typing import NamedTuple

from benchmarks.gate.contender import EPOCH
from benchmarks.gate.stages import STAGES, moment
from benchmarks.gate.traffic import PROBE_RATE, tally
from crossfade.domain.gate.analysis import analyse
from crossfade.domain.gate.blocks.block import SECONDS, Block
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.ledger import Record, Request
from crossfade.domain.spec.gate import GateSettings

LOOKS = 200


class Look(NamedTuple):
    """The median CPU time in milliseconds, and the size of the state in bytes."""

    milliseconds: float
    state: int


def one_look(seed: int) -> Look:
    """What a look costs.

    Each look reads 5 s of the ledger (three lanes at 20 requests a second) and a block of the feed.
    """
    random = Random(f"{seed} cpu")
    watch = Watch(
        stage=STAGES[2],
        next_weight=50,
        began=moment(EPOCH),
        deadline=moment(EPOCH + LOOKS * SECONDS),
        candidate="green",
        candidate_since=moment(EPOCH - 60),
        expected="2",
        previous="1",
    )
    text, spent = GateState().model_dump_json(), []
    for number in range(LOOKS):
        at = EPOCH + number * SECONDS
        records, blocks = _ledger(number), [_users(random, at)]
        began = time.process_time()
        state = GateState.model_validate_json(text)
        state, _ = analyse(
            state, records, blocks, settings=GateSettings(users="feed"), watch=watch, now=moment(at + SECONDS)
        )
        text = state.model_dump_json()
        spent.append((time.process_time() - began) * 1000)
    return Look(median(spent), len(text.encode()))


def _ledger(number: int) -> list[Record]:
    each = int(PROBE_RATE * SECONDS)
    began = moment(EPOCH + number * SECONDS)
    return [
        Request(
            type="request",
            lane=lane,
            n=number * each + place + 1,
            at=began + timedelta(seconds=place / PROBE_RATE),
            status=200,
            version="1" if lane == "blue" else "2",
            ms=20.0 + place % 7,
            error=None,
        )
        for place in range(each)
        for lane in ("production", "blue", "green")
    ]


def _users(random: Random, at: int) -> Block:
    return Block(at, SECONDS, tally(random, 500, 0.001, 1.0), tally(random, 4500, 0.001, 1.0))
