"""Users' outcomes as blocks: the lines of the outcome feed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from crossfade.domain.gate.blocks import Block, Tally
from crossfade.domain.gate.feed import Line, feed_blocks, read_outcomes
from tests.unit.domain.gate.watching import feed_line
from tests.unit.examples import at

START = int(at(0).timestamp())


def _feed(*lines: Line, after: int = 0, now: float = 100) -> list[Block]:
    return feed_blocks(lines, candidate="green", after=after, now=at(now), settle=6)


def test_tasks_are_summed() -> None:
    """All tasks of a slot make one side of the block in which their spans ended."""
    lines = [
        feed_line(),
        feed_line(stream="app/b", ended=3.2, latencies=((30, 50),)),
        feed_line("blue", requests=900, latencies=((30, 900),)),
    ]
    assert _feed(*lines) == [Block(START, 5, Tally(100, 2, ((30, 99), (60, 1))), Tally(900, 1, ((30, 900),)))]


@pytest.mark.parametrize(
    ("ended", "begins"),
    [(5, 0), (5.001, 5), (9.9, 5), (0.001, 0)],
    ids=["on-the-edge", "after", "in", "first"],
)
def test_a_line_belongs_where_its_span_ended(ended: float, begins: int) -> None:
    """Tasks write by their own clocks."""
    assert [block.at - START for block in _feed(feed_line(ended=ended))] == [begins]


def test_only_what_is_complete_is_read() -> None:
    """A block is complete some seconds after its end, when every task's line has come."""
    assert _feed(feed_line(), now=10.9) == []
    assert len(_feed(feed_line(), now=11)) == 1


def test_lines_that_come_twice_count_once() -> None:
    """Looks read the same time again, for lines that came late; what was judged is left out."""
    assert _feed(feed_line(), feed_line()) == _feed(feed_line())
    assert _feed(feed_line(), after=START + 5) == []


def test_a_silent_side_is_none() -> None:
    """It is not a side without requests."""
    assert _feed(feed_line(requests=0, failures=0, latencies=())) == [Block(START, 5, Tally(), None)]


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
        feed_line(**fault)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=20), st.integers(0, 60))
def test_any_time_of_reading_gives_the_same_blocks(spans: list[tuple[int, int]], first: float) -> None:
    """Law: reading early and again later gives what reading once gives."""
    lines = [feed_line(ended=ended, stream=str(task)) for ended, task in spans]
    early = _feed(*lines, now=first)
    late = _feed(*lines, after=early[-1].end if early else 0)
    assert early + late == _feed(*lines)


LINE = (
    '{"crossfade": "outcomes/1", "began": "2026-11-23T10:00:00.000Z", "ended": "2026-11-23T10:00:05.000Z", '
    '"process": 7, "requests": 2, "failures": 1, "latencies": [[12, 1], [13, 1]]}'
)


def test_a_line_is_read() -> None:
    """As ``docs/outcome-feed.md`` has it; what a later format adds is left alone."""
    told = read_outcomes(LINE)
    assert (told.requests, told.failures, told.latencies) == (2, 1, ((12, 1), (13, 1)))
    assert read_outcomes(LINE.replace('"process"', '"added": [], "process"')) == told


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("GET / 200", "Invalid JSON", id="another-line"),
        pytest.param(LINE.replace("outcomes/1", "outcomes/9"), "crossfade", id="another-format"),
        pytest.param(LINE.replace('"failures": 1', '"failures": 3'), "more failures", id="does-not-add-up"),
        pytest.param(LINE.replace('"requests": 2', '"requests": 3'), "every request", id="uncounted"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, says: str) -> None:
    """It is logged: a feed that is never read must not be a riddle."""
    with pytest.raises(ValueError, match=says):
        read_outcomes(text)


def test_processes_of_a_task_are_summed() -> None:
    """They write to one log stream, at the same moments."""
    lines = [feed_line(process=1), feed_line(process=2)]
    assert _feed(*lines)[0].candidate == Tally(100, 2, ((30, 98), (60, 2)))
