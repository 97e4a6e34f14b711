"""Laws of a look: it does not matter how it was shown the data, and failures never help."""

from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.domain.gate.blocks.block import Block
from crossfade.domain.gate.state import GateState
from crossfade.domain.ledger import Record
from tests.unit.domain.gate.watching import glance, ledger, users, watch
from tests.unit.examples import lane_event, request

RANK = {"roll_back": 0, "step_back": 0, "hold": 1, "advance": 2}
"""How many clients a verdict leaves with the candidate. In a spell a block may count less than one with fewer
failures, so it may be stepped back where it would have been rolled back."""
marks = st.text(alphabet="....xv", max_size=300)
counts = st.tuples(st.integers(0, 60), st.integers(0, 9), st.integers(0, 400), st.integers(0, 9)).map(
    lambda found: (found[0], min(found[:2]), found[2], min(found[2:]))
)
traffic = st.lists(counts, max_size=12).map(lambda found: users(*found))


@given(marks, marks, traffic, st.lists(st.tuples(st.integers(0, 600), st.integers(0, 12)), max_size=5))
@settings(max_examples=60)
def test_splits_do_not_matter(
    green: str, blue: str, blocks: list[Block], cuts: list[tuple[int, int]]
) -> None:
    """Law: the same data in any split over looks end in the same state and verdict."""
    records = ledger(green, blue, rate=7)
    whole = glance(records, blocks)
    state, first, second = GateState(), 0, 0
    for record_cut, block_cut in [*sorted(cuts), (len(records), len(blocks))]:
        state, verdict = glance(records[first:record_cut], blocks[second:block_cut], state=state)
        first, second = max(first, record_cut), max(second, block_cut)
    assert (state, verdict) == whole


@given(marks, marks, traffic, st.integers(0, 600), st.integers(0, 12))
@settings(max_examples=60)
def test_nothing_counts_twice(green: str, blue: str, blocks: list[Block], seen: int, known: int) -> None:
    """Law: a handler that runs again, with some or all of what it was shown before, changes nothing."""
    records = ledger(green, blue, rate=7)
    once = glance(records, blocks)
    assert once == glance(records[seen:] or records, blocks[known:], state=once[0])


@given(marks, marks, traffic)
@settings(max_examples=30)
def test_a_look_leaves_what_it_was_given(green: str, blue: str, blocks: list[Block]) -> None:
    """Law: the state before a look is the same after it, so the look can be taken again."""
    records = ledger(green, blue, rate=7)
    half = len(records) // 2
    state, _ = glance(records[:half], blocks[:6])
    before = state.model_dump_json()
    glance(records[half:], blocks, state=state)
    assert state.model_dump_json() == before


@given(marks, marks, traffic)
@settings(max_examples=60)
def test_the_state_travels_as_json(green: str, blue: str, blocks: list[Block]) -> None:
    """Law: reading what was written gives the same state, and the next look the same verdict."""
    records = ledger(green, blue, rate=7)
    half = len(records) // 2
    state, _ = glance(records[:half], blocks[:6])
    read = GateState.model_validate_json(state.model_dump_json())
    assert read == state
    assert glance(records[half:], blocks, state=read) == glance(records[half:], blocks, state=state)
    assert len(state.model_dump_json()) < 12_000


@given(marks, marks, traffic, st.data(), st.floats(0, 130))
@settings(max_examples=100)
def test_more_failures_never_improve_the_verdict(
    green: str, blue: str, blocks: list[Block], data: st.DataObject, seconds: float
) -> None:
    """Law: turning right answers of the candidate into failures can only lower the verdict."""
    place = data.draw(st.integers(0, max(len(green) - 1, 0)))
    length = data.draw(st.integers(1, 80))
    worse = green[:place] + "x" * len(green[place : place + length]) + green[place + length :]
    more = [_fail(block, data.draw(st.integers(0, 5))) for block in blocks]
    before = glance(ledger(green, blue, rate=7), blocks, seconds=seconds)[1].action
    after = glance(ledger(worse, blue, rate=7), more, seconds=seconds)[1].action
    assert RANK[after] <= RANK[before]


@given(marks, marks, marks, st.data(), st.floats(0, 130))
@settings(max_examples=60)
def test_nor_do_failures_of_the_production_lane(
    green: str, blue: str, production: str, data: st.DataObject, seconds: float
) -> None:
    """Law: they can hold a stage, and help nobody."""
    place = data.draw(st.integers(0, max(len(production) - 1, 0)))
    length = data.draw(st.integers(1, 80))
    worse = production[:place] + "x" * len(production[place : place + length]) + production[place + length :]
    before, after = (
        glance(_with_production(green, blue, lane), seconds=seconds, shown=watch(0, 10))[1].action
        for lane in (production, worse)
    )
    assert RANK[after] <= RANK[before]


def _with_production(green: str, blue: str, production: str) -> list[Record]:
    lane: list[Record] = [
        request("production", n, n / 7, status=500 if mark == "x" else 200, version="0.0.1")
        for n, mark in enumerate(production, start=1)
    ]
    return sorted([*ledger(green, blue, rate=7), *lane], key=lambda record: record.at)


events = st.builds(lane_event, st.sampled_from(["paused", "resumed"]), st.sampled_from(["green", "blue"]))


@given(marks, marks, marks, st.lists(events, max_size=3), traffic, st.floats(1800, 2400), st.data())
@settings(max_examples=60)
def test_no_stage_is_held_for_ever(
    green: str,
    blue: str,
    production: str,
    notices: list[Record],
    blocks: list[Block],
    seconds: float,
    data: st.DataObject,
) -> None:
    """Law: in the end there is a verdict, whatever was seen, in whatever order."""
    records = data.draw(st.permutations([*_with_production(green, blue, production), *notices]))
    weight = data.draw(st.sampled_from([0, 10, 100]))
    shown = watch(weight, {0: 10, 10: 50}.get(weight))
    assert glance(records, blocks, seconds=seconds, shown=shown)[1].action != "hold"


def _fail(block: Block, failures: int) -> Block:
    assert block.candidate
    total = min(block.candidate.failures + failures, block.candidate.requests)
    return block._replace(candidate=block.candidate._replace(failures=total))
