"""The gate as a handler uses it: a look every second, the feed read again and again, the state as JSON."""

from datetime import timedelta

import pytest

from crossfade.domain.gate.analysis import analyse
from crossfade.domain.gate.blocks.from_feed import Line, feed_blocks
from crossfade.domain.gate.state import GateState, Watch
from crossfade.domain.ledger import Record
from crossfade.domain.slots import Slot
from crossfade.domain.verdict import Verdict
from tests.unit.domain.gate.watching import SETTINGS, feed_line, ledger, watch
from tests.unit.examples import at


def _watch(records: list[Record], lines: list[Line], shown: Watch) -> tuple[int, Verdict]:
    """Look until the verdict is not to hold; the feed's lines come 3 s after their spans."""
    text, taken = "{}", 0
    for second in range(1, 130):
        now = at(second)
        known = sum(record.at <= now for record in records if hasattr(record, "at"))
        state = GateState.model_validate_json(text)
        came = [line for line in lines if line.outcomes.ended + timedelta(seconds=3) <= now]
        heard = feed_blocks(
            came,
            state.feed_counted,
            candidate="green",
            after=state.users.until,
            now=now,
            settle=SETTINGS.settle,
        )
        state = state.model_copy(update={"feed_counted": heard.counted})
        state, verdict = analyse(
            state, records[taken:known], heard.blocks, settings=SETTINGS, watch=shown, now=now
        )
        text, taken = state.model_dump_json(), known
        if verdict.action != "hold":
            return second, verdict
    raise AssertionError("held for ever")


def _feed(green: int, failing: int, *, seconds: int = 125, tasks: int = 2) -> list[Line]:
    """Lines of two tasks a slot that write at different moments; blue has nine times green's requests."""

    def line(slot: Slot, task: int, ended: int) -> Line:
        requests, failures = (green, failing) if slot == "green" else (9 * green, 0)
        return feed_line(
            slot,
            f"{slot}-{task}",
            ended + task,
            requests=requests,
            failures=failures,
            latencies=((35, requests),),
        )

    slots: tuple[Slot, Slot] = ("green", "blue")
    return [
        line(slot, task, ended) for ended in range(5, seconds, 5) for task in range(tasks) for slot in slots
    ]


GOOD = "." * 2400


@pytest.mark.parametrize(
    ("green", "users", "action", "first", "last"),
    [
        pytest.param(GOOD, (250, 0), "advance", 20, 40, id="healthy"),
        pytest.param("x" * 2400, (250, 250), "step_back", 4, 4, id="dead"),
        pytest.param(("x" + "." * 9) * 240, (25, 3), "step_back", 10, 12, id="a-tenth-fails"),
        pytest.param(GOOD, (25, 3), "step_back", 15, 21, id="only-users-see-it"),
        pytest.param(GOOD, (1, 0), "advance", 120, 120, id="few-users"),
        pytest.param("", (250, 0), "roll_back", 120, 120, id="silent-lane"),
    ],
)
def test_when_it_decides(green: str, users: tuple[int, int], action: str, first: int, last: int) -> None:
    """As soon as it may, and the right way; ``users`` are requests and failures of each of green's lines."""
    second, verdict = _watch(ledger(green, GOOD), _feed(*users), watch())
    assert verdict.action == action, verdict.reason
    assert first <= second <= last, verdict.reason
