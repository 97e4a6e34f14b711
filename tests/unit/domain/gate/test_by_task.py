"""Whether one task of the candidate fails its users or all of them do, in words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.domain.gate.blocks.by_task import MOST_TASKS, OfTask, Tasks, task_of
from crossfade.domain.gate.blocks.from_feed import feed_blocks
from crossfade.domain.gate.evidence.streams import Streams
from crossfade.domain.gate.reasons import strongest
from crossfade.domain.gate.state import GateState
from tests.unit.domain.gate.watching import SETTINGS, feed_line, glance, users
from tests.unit.examples import at

ID = "3f2a66b0c4d14e5f8a9b0c1d2e3f4a5b"


def _tasks(*failures: int) -> Tasks:
    return Tasks().after(
        OfTask(f"{place:02}{ID[2:12]}", 100, failed) for place, failed in enumerate(failures)
    )


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        pytest.param(_tasks(12, 0), "all 12 failures in task 002a66b0… of 2", id="one"),
        pytest.param(_tasks(0, 45, 1), "45 of 46 failures in task 012a66b0… of 3", id="nearly-one"),
        pytest.param(_tasks(7, 5), "12 failures in all 2 tasks", id="all"),
        pytest.param(_tasks(7, 5, 0), "12 failures in 2 of 3 tasks", id="some"),
        pytest.param(_tasks(12), "", id="there-is-one-task"),
        pytest.param(_tasks(1, 0), "", id="one-failure-tells-nothing"),
        pytest.param(_tasks(0, 0), "", id="nothing-failed"),
        pytest.param(Tasks(), "", id="no-feed"),
        pytest.param(
            _tasks(12, *[0] * MOST_TASKS),
            f"all 12 failures in task 002a66b0… of more than {MOST_TASKS}",
            id="many",
        ),
        pytest.param(_tasks(*[1] * 30), f"24 failures in 24 of more than {MOST_TASKS} tasks", id="many-fail"),
    ],
)
def test_words(tasks: Tasks, words: str) -> None:
    """Who is on call looks at one task, or at the release."""
    assert tasks.failing == words


@pytest.mark.parametrize(
    ("stream", "task"),
    [(f"app/app/{ID}", ID[:12]), (ID, ID[:12]), ("app/a", "a")],
    ids=["awslogs", "bare", "short"],
)
def test_a_log_stream_is_of_a_task(stream: str, task: str) -> None:
    """By what stands behind the last slash."""
    assert task_of(stream) == task


def test_the_candidates_lines_are_counted_by_task() -> None:
    """Once each, the processes of a task together, and nothing of the stable slot."""
    lines = [
        feed_line(stream=f"app/app/{ID}", process=1, failures=2),
        feed_line(stream=f"app/app/{ID}", process=2, failures=3),
        feed_line(stream=f"app/app/{ID}", process=2, failures=3),
        feed_line(stream="app/app/b", failures=0),
        feed_line("blue", stream="app/app/c", failures=7),
        feed_line(stream="app/app/b", ended=10, failures=1),
    ]
    read = feed_blocks(lines, (), candidate="green", after=0, now=at(11), settle=5)
    (block,) = read.blocks
    assert Tasks().after(block.tasks).counts == (OfTask(ID[:12], 100, 5), OfTask("b", 50, 0))
    later = feed_blocks(lines, read.counted, candidate="green", after=block.end, now=at(16), settle=5)
    assert [each.tasks for each in later.blocks] == [(OfTask("b", 50, 1),)]


def test_what_is_remembered_of_late_lines_does_not_grow_with_the_tasks() -> None:
    """It would not fit into the workflow."""
    lines = [feed_line(stream=f"app/app/{place}") for place in range(100)]
    read = feed_blocks(lines, (), candidate="green", after=0, now=at(11), settle=5)
    assert not any(block.tasks for block in read.counted)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12), st.lists(st.integers(0, 12)))
@settings(max_examples=30)
def test_splits_do_not_matter(failures: list[tuple[int, int]], cuts: list[int]) -> None:
    """Law: the same blocks in any split over looks, some of them twice, end in the same counts."""
    counts = [(100, a + b, 900, 0) for a, b in failures]
    blocks = [
        block._replace(tasks=(OfTask("a", 50, a), OfTask("b", 50, b)))
        for block, (a, b) in zip(users(*counts), failures, strict=True)
    ]
    whole, _ = glance([], blocks)
    state = GateState()
    for cut in [*sorted(cuts), len(blocks)]:
        state, _ = glance([], blocks[:cut], state=state)
    assert state == whole
    assert sum(of_task.failures for of_task in state.users.tasks.counts) == state.users.failing.counts.x_c


def test_a_verdict_against_the_candidate_names_the_task() -> None:
    """One of two fails half of its users' requests."""
    blocks = [
        block._replace(tasks=(OfTask("3f2a66b0c4d1", 50, 25), OfTask("9f86d081884c", 50, 0)))
        for block in users(*[(100, 25, 900, 0)] * 6)
    ]
    state, _ = glance([], blocks)
    text = strongest({"": state.probe, " of the users": state.users}, 5_000, SETTINGS, "green")[1]
    assert text == (
        "candidate (green) fails 150 of 600, stable (blue) 0 of 5,400 of the users (evidence 1 : 5,000); "
        "all 150 failures in task 3f2a66b0… of 2"
    )


def test_they_travel_in_little_room() -> None:
    """As JSON in the state, however many tasks there are."""
    tasks = Tasks().after(OfTask(f"{place:012}", 123_456, 12_345) for place in range(500))
    state = GateState(users=Streams(tasks=tasks))
    written = state.model_dump_json()
    assert GateState.model_validate_json(written) == state
    assert len(written) - len(GateState().model_dump_json()) < 1000
