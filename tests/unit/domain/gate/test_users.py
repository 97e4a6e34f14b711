"""Users' outcomes as blocks: the feed's lines, and the target groups' minutes without the probe."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from crossfade.domain.gate.blocks import Block, Tally
from crossfade.domain.gate.users import Minute, Outcomes, count_probe, feed_blocks, minute_blocks
from crossfade.domain.spec import Slot
from tests.unit.examples import at, request

START = int(at(0).timestamp())
VERSIONS: dict[str, Slot] = {"0.0.2": "green", "0.0.1": "blue"}


def _line(slot: Slot = "green", ended: float = 5, task: str = "a", **changes: Any) -> Outcomes:
    values = {"requests": 50, "failures": 1, "latencies": ((30, 49), (60, 1)), **changes}
    return Outcomes(slot=slot, task=task, ended=at(ended), **values)


def _feed(*lines: Outcomes, after: int = 0, now: float = 100) -> list[Block]:
    return feed_blocks(lines, candidate="green", after=after, now=at(now), settle=6)


def test_tasks_are_summed() -> None:
    """All tasks of a slot make one side of the block in which their spans ended."""
    lines = [_line(), _line(task="b", ended=3.2, latencies=((30, 50),)), _line("blue", requests=900)]
    assert _feed(*lines) == [
        Block(START, 5, Tally(100, 2, ((30, 99), (60, 1))), Tally(900, 1, ((30, 49), (60, 1))))
    ]


@pytest.mark.parametrize(
    ("ended", "begins"),
    [(5, 0), (5.001, 5), (9.9, 5), (0.001, 0)],
    ids=["on-the-edge", "after", "in", "first"],
)
def test_a_line_belongs_where_its_span_ended(ended: float, begins: int) -> None:
    """Tasks write by their own clocks."""
    assert [block.at - START for block in _feed(_line(ended=ended))] == [begins]


def test_only_what_is_complete_is_read() -> None:
    """A block is complete some seconds after its end, when every task's line has come."""
    assert _feed(_line(), now=10.9) == []
    assert len(_feed(_line(), now=11)) == 1


def test_lines_that_come_twice_count_once() -> None:
    """Looks read the same time again, for lines that came late; what was judged is left out."""
    assert _feed(_line(), _line()) == _feed(_line())
    assert _feed(_line(), after=START + 5) == []


def test_a_silent_side_is_none() -> None:
    """It is not a side without requests."""
    assert _feed(_line(requests=0, failures=0, latencies=())) == [Block(START, 5, Tally(), None)]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"requests": -1}, id="negative"),
        pytest.param({"failures": 51}, id="more-failures-than-requests"),
        pytest.param({"latencies": ((30, 1), (30, 2))}, id="a-bucket-twice"),
        pytest.param({"latencies": ((122, 1),)}, id="beyond-the-last-bucket"),
        pytest.param({"latencies": ((-1, 1),)}, id="before-the-first"),
        pytest.param({"latencies": ((30, -1),)}, id="a-negative-count"),
    ],
)
def test_what_cannot_be_is_refused(fault: dict[str, Any]) -> None:
    """Applications write the feed."""
    with pytest.raises(ValidationError):
        _line(**fault)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=20), st.integers(0, 60))
def test_any_time_of_reading_gives_the_same_blocks(spans: list[tuple[int, int]], first: float) -> None:
    """Law: reading early and again later gives what reading once gives."""
    lines = [_line(ended=ended, task=str(task)) for ended, task in spans]
    early = _feed(*lines, now=first)
    late = _feed(*lines, after=early[-1].end if early else 0)
    assert early + late == _feed(*lines)


def _minutes(*points: Minute, **changes: Any) -> list[Block]:
    probe = count_probe((), changes.pop("records", []), VERSIONS)
    values = {"candidate": "green", "after": 0, "now": at(300), "settle": 60, **changes}
    return minute_blocks(points, probe, **values)


def _minute(slot: Slot, requests: int, failures: int, seconds: float = 0) -> Minute:
    return Minute(slot=slot, at=at(seconds), requests=requests, failures=failures)


def test_the_probe_is_taken_out() -> None:
    """Its lanes' requests, and those of the production lane by the version that answered."""
    records = [
        *[request("green", n) for n in range(1, 11)],
        request("green", 11, status=500, version=None),
        request("green", 12, status=None, version=None),
        request("production", 1),
        request("production", 2, version="0.0.1"),
        request("production", 3, seconds=60),
    ]
    points = [_minute("green", 100, 3), _minute("blue", 500, 0)]
    assert _minutes(*points, records=records) == [Block(START, 60, Tally(88, 2), Tally(499, 0))]


def test_the_probe_alone_makes_a_minute_without_users() -> None:
    """A point, and nothing left of it: no users, known to be none."""
    records = [request("green", 1)]
    assert _minutes(_minute("green", 1, 0), _minute("blue", 9, 0), records=records)[0].candidate == Tally()


def test_a_missing_point_is_not_zero() -> None:
    """CloudWatch has no point for a minute without requests, nor for one that it lost."""
    assert _minutes(_minute("blue", 9, 0)) == [Block(START, 60, None, Tally(9, 0))]


def test_an_unfinished_minute_is_left_out() -> None:
    """Its numbers still grow."""
    points = [_minute("green", 1, 0), _minute("green", 1, 1, seconds=60)]
    assert [block.at - START for block in _minutes(*points, now=at(179.9))] == [0]
    assert [block.at - START for block in _minutes(*points, now=at(180), after=START + 60)] == [60]


def test_the_probe_is_remembered_for_some_minutes() -> None:
    """As long as metrics may be late; the state stays small."""
    counts = count_probe((), [request(n=n, seconds=60 * n) for n in range(1, 20)], VERSIONS)
    assert len(counts) == 6
    assert counts[-1] == (START + 19 * 60, (0, 0), (1, 0))
