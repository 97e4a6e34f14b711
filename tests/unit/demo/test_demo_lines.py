"""What the demo shows: which looks at a deployment become lines, and what they and the tables say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from demo import report
from demo.claims import Claim
from demo.follow import Pace, last_second
from demo.memory import MemorySampler, Usage, usage_of, with_descendants
from demo.workflow import Standing
from tests.unit.demo.exercise_records import Exercise

RUNNING = Standing("RUNNING", "WatchStage", None, None, None)
WHOLE, SPLIT = {"blue": 100, "green": 0}, {"blue": 90, "green": 10}


def test_last_second(exercise: Exercise) -> None:
    """Shares are of the client's last second; failures are of all its requests."""
    early = exercise.with_answer(3, status=502).client[:100]
    assert last_second(early) == "0.0.1  50 %, 0.0.2  50 %; 1 failed so far"
    assert last_second([]) == "nothing yet"


@pytest.mark.parametrize(
    ("standing", "weights", "seconds", "due"),
    [
        pytest.param(RUNNING, WHOLE, 5.0, False, id="nothing-new"),
        pytest.param(RUNNING, WHOLE, 10.0, True, id="nothing-new-for-long"),
        pytest.param(RUNNING, SPLIT, 0.5, True, id="weights-at-once"),
        pytest.param(
            Standing("RUNNING", "StopProbe", None, None, None), WHOLE, 0.5, False, id="passing-state"
        ),
        pytest.param(Standing("RUNNING", "StopProbe", None, None, None), WHOLE, 3.0, True, id="new-state"),
        pytest.param(Standing("FAILED", "WatchStage", None, "E", "c"), WHOLE, 0.5, True, id="the-end"),
    ],
)
def test_pace(standing: Standing, weights: dict[str, int], seconds: float, due: bool) -> None:
    """Lines are for what changes, and now and then for what does not."""
    pace = Pace()
    assert pace.is_due(RUNNING, WHOLE, 100.0)
    assert pace.is_due(standing, weights, 100.0 + seconds) == due


def test_pace_while_traffic_is_split() -> None:
    """While two versions share the traffic, lines come sooner."""
    pace = Pace()
    assert pace.is_due(RUNNING, SPLIT, 100.0)
    assert not pace.is_due(RUNNING, SPLIT, 102.9)
    assert pace.is_due(RUNNING, SPLIT, 103.0)


def test_client_table(exercise: Exercise) -> None:
    """Each version stands with its answers and its first and last time."""
    title, _, old, new = report.client_table(exercise.client)
    assert title.startswith("The client: 300 requests, 0 failed")
    assert old.split() == ["0.0.1", "75", "04:00:00.100", "04:00:09.900"]
    assert new.split() == ["0.0.2", "225", "04:00:05.200", "04:00:30.000"]


def test_claim_lines() -> None:
    """A claim that does not hold cannot be taken for one that does."""
    lines = report.claim_lines([Claim("a", True, "x"), Claim("b", False, "y")])
    assert lines == ["✔ a: x", "✘ b: y"]


def test_file_lines() -> None:
    """Files stand by folder, relative to the project."""
    files = [Path("/project/results/client.txt"), Path("/project/results/1/a"), Path("/project/results/1/b")]
    assert report.file_lines(files, Path("/project")) == ["  results/  client.txt", "  results/1/  a  b"]


def test_memory() -> None:
    """This process has memory where the system tells of it, and one that is gone has none."""
    own = usage_of([os.getpid()])
    if Path("/proc/self/smaps_rollup").exists():
        assert own.rss >= own.pss > 0
        assert own.processes == 1
    assert usage_of([]) == Usage()
    assert os.getpid() in with_descendants([os.getpid()])


def test_memory_line() -> None:
    """What was not measured is left out."""
    assert report.memory_line(Usage()) == []
    assert "2 MB resident" in report.memory_line(Usage(2_000_000, 1_000_000, 3))[0]


def test_memory_sampler_ends() -> None:
    """Leaving the sampler ends its thread, also when it never looked."""
    with MemorySampler(list) as memory:
        pass
    assert memory.peak == Usage()
