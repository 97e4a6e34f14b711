"""Users' outcomes as blocks: the lines of the outcome feed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from crossfade.domain.gate.blocks.block import Block, Tally, together
from crossfade.domain.gate.blocks.from_feed import LATE_SECONDS, FeedBlocks, Line, feed_blocks, read_outcomes
from tests.unit.domain.gate.watching import feed_line
from tests.unit.examples import at

START = int(at(0).timestamp())


def _hear(*lines: Line, heard: FeedBlocks | None = None, now: float = 100) -> FeedBlocks:
    """Read the feed, after an earlier reading that took blocks; tasks are told apart in test_by_task.py."""
    counted, after = (heard.counted, heard.blocks[-1].end) if heard else ((), 0)
    found = feed_blocks(lines, counted, candidate="green", after=after, now=at(now), settle=6)
    return found._replace(blocks=[block._replace(tasks=()) for block in found.blocks])


def _feed(*lines: Line, now: float = 100) -> list[Block]:
    return _hear(*lines, now=now).blocks


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
    once = _hear(feed_line())
    assert _hear(feed_line(), heard=once).blocks == []
    assert _hear(feed_line(), feed_line(ended=10), heard=once).blocks == _feed(feed_line(ended=10))


def test_a_line_that_comes_late_counts_in_the_next_block() -> None:
    """CloudWatch Logs may show one task's line long after another's; each side gets its own."""
    early, late = feed_line(), [feed_line(stream="app/b"), feed_line("blue", stream="app/c")]
    first = _hear(early, now=11)
    following = feed_line(ended=10)
    second = _hear(early, *late, following, heard=first, now=16)
    assert second.blocks == [
        Block(START + 5, 5, Tally(100, 2, ((30, 98), (60, 2))), Tally(50, 1, ((30, 49), (60, 1))))
    ]
    third = _hear(early, *late, following, feed_line(ended=15), heard=second, now=21)
    assert third.blocks == [Block(START + 10, 5, Tally(50, 1, ((30, 49), (60, 1))), None)]


def test_a_late_line_waits_for_a_block() -> None:
    """It makes none by itself: nothing is lost until the next one is complete."""
    first = _hear(feed_line(), now=11)
    waiting = _hear(feed_line(), feed_line(stream="app/b"), heard=first, now=12)
    assert waiting == FeedBlocks([], first.counted)


def test_a_line_that_is_missing_for_once_does_not_count_again() -> None:
    """A stale read may hide what an earlier one has shown."""
    both = [feed_line(), feed_line(stream="app/b", latencies=((31, 50),))]
    first = _hear(*both, now=11)
    stale = _hear(both[1], feed_line(ended=10), heard=first, now=16)
    fresh = _hear(*both, feed_line(ended=10), feed_line(ended=15), heard=stale, now=21)
    assert [block.candidate for block in stale.blocks + fresh.blocks] == [feed_tally(), feed_tally()]


def test_a_line_that_is_far_too_late_does_not_count() -> None:
    """What is remembered is bounded, and so is how far the feed is read back."""
    first = _hear(feed_line(), now=11)
    ended = LATE_SECONDS + 10
    second = _hear(feed_line(), feed_line(ended=ended), heard=first, now=ended + 6)
    third = _hear(feed_line(stream="app/b"), feed_line(ended=ended + 5), heard=second, now=ended + 11)
    assert third.blocks == _feed(feed_line(ended=ended + 5))


def feed_tally() -> Tally:
    """What a line counts."""
    return Tally(50, 1, ((30, 49), (60, 1)))


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


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3), st.integers(0, 25)), max_size=20),
    st.lists(st.integers(1, 40), min_size=1, max_size=8),
)
def test_whenever_it_is_read_every_line_counts_once(
    spans: list[tuple[int, int, int]], readings: list[int]
) -> None:
    """Law: lines become visible in any order, and readings come at any time; the sums are the same."""
    shown = {(ended, str(task)): ended + delay for ended, task, delay in spans}
    # A last line makes a block after all of them, so that nothing waits.
    shown[100, "last"] = 100
    heard, last, green = None, 0, Tally()
    for now in [*sorted(readings), 120]:
        lines = [feed_line(ended=ended, stream=task) for (ended, task), seen in shown.items() if seen <= now]
        counted, after = (heard.counted, last) if heard else ((), 0)
        heard = feed_blocks(lines, counted, candidate="green", after=after, now=at(now), settle=6)
        last = heard.blocks[-1].end if heard.blocks else last
        green = together([green, *(block.candidate or Tally() for block in heard.blocks)])
    whole = _feed(*(feed_line(ended=ended, stream=task) for ended, task in shown), now=120)
    assert green == together([block.candidate or Tally() for block in whole])


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
