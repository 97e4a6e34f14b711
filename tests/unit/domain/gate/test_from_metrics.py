"""Users' outcomes as blocks: the target groups' minutes, without the probe's own requests."""

from typing import Any

from crossfade.domain.gate.blocks.block import Block, Tally
from crossfade.domain.gate.blocks.from_metrics import Glance, Minute, ProbeMinute, count_probe, minute_blocks
from crossfade.domain.slots import Slot
from tests.unit.examples import at, request

START = int(at(0).timestamp())
VERSIONS: dict[str, Slot] = {"0.0.2": "green", "0.0.1": "blue"}


def _minutes(*points: Minute, earlier: tuple[Minute, ...] | None = None, **changes: Any) -> list[Block]:
    """Look at the metrics; ``earlier`` is what the look before it found, the same if it is not given."""
    probe = count_probe((), changes.pop("records", []), VERSIONS)
    values = {"candidate": "green", "after": 0, "now": at(300), "settle": 60, **changes}
    glance = Glance(START, points if earlier is None else earlier)
    return minute_blocks(points, glance, probe, **values)


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


def test_an_answer_that_may_be_of_either_slot() -> None:
    """All of the production lane stay in that minute: without the good ones, failures would be left."""
    records = [
        request("green", 1, status=500, version=None),
        request("production", 1),
        request("production", 2, status=502, version=None),
        *[request("production", n, seconds=60) for n in range(3, 6)],
    ]
    points = [_minute("green", 10, 2), _minute("green", 10, 0, seconds=60)]
    assert [block.candidate for block in _minutes(*points, records=records)] == [Tally(9, 1), Tally(7, 0)]


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


def test_a_minute_is_taken_when_two_looks_agree() -> None:
    """CloudWatch may show it before all of it has arrived: more requests, a failure, the other side."""
    whole = (_minute("green", 10, 1), _minute("blue", 90, 0))
    for partial in [
        (),
        whole[:1],
        (_minute("green", 10, 0), whole[1]),
        (_minute("green", 9, 1), whole[1]),
    ]:
        assert _minutes(*whole, earlier=partial, now=at(120)) == []
    assert _minutes(*whole, earlier=whole, now=at(120)) == [Block(START, 60, Tally(10, 1), Tally(90, 0))]


def test_a_minute_that_never_agrees_is_taken_at_last() -> None:
    """A minute after it should have settled."""
    assert _minutes(_minute("green", 10, 1), earlier=(), now=at(179)) == []
    assert _minutes(_minute("green", 10, 1), earlier=(), now=at(180)) == [
        Block(START, 60, Tally(10, 1), None)
    ]


def test_a_minute_waits_for_the_one_before() -> None:
    """Blocks come in order of time: what is passed over would never be taken."""
    earlier = (_minute("green", 9, 0), _minute("green", 20, 0, seconds=60))
    points = [_minute("green", 10, 0), _minute("green", 20, 0, seconds=60)]
    assert _minutes(*points, earlier=earlier, now=at(180), settle=120) == []


def test_the_probe_is_remembered_for_some_minutes() -> None:
    """As long as metrics may be late; the state stays small."""
    counts = count_probe((), [request(n=n, seconds=60 * n) for n in range(1, 20)], VERSIONS)
    assert len(counts) == 6
    assert counts[-1] == ProbeMinute(START + 19 * 60, green=(1, 0))
