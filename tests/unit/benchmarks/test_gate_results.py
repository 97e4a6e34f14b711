"""The committed figures of the gate are a full run's, and what the documents claim follows from them."""

import re
from pathlib import Path

import pytest

from benchmarks.gate.__main__ import RESULTS
from benchmarks.gate.wild import BUSY, CALM, HEALTHY, QUIET, REGRESSIONS
from benchmarks.gate.wild_report import TWENTY

ROOT = Path(__file__).parents[3]
TEXT = RESULTS.read_text(encoding="utf-8")
SOURCES = ("feed", "metrics")


def _document(path: str) -> str:
    return " ".join((ROOT / path).read_text(encoding="utf-8").split())


def _table(heading: str) -> dict[str, list[str]]:
    """The rows of the table below a heading by their first cell."""
    below = TEXT.split(f"# {heading}", 1)[1].split("\n#", 1)[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in below.splitlines() if "|" in line]
    return {row[0]: row[1:] for row in rows[2:]}


def _minutes(world: str) -> list[int]:
    """How long it takes to promote a healthy candidate of a world, with a feed and with metrics."""
    row = _table("Healthy candidates")[world]
    return [round(int(row[place].split(" s")[0]) / 60) for place in (3, 7)]


def test_they_are_of_a_full_run() -> None:
    """In which each world has its row."""
    assert "`python -m benchmarks.gate --full --seed 1`" in TEXT
    assert set(_table("Healthy candidates")) == {world.name for world in HEALTHY}
    assert set(_table("Bad candidates (300 deployments of each): users")) == {
        world.name for world in REGRESSIONS
    }


def test_the_last_table_has_the_targets() -> None:
    """Reached or not."""
    targets = _table("Targets\n")
    assert TEXT.count("\n# Targets\n") == 1
    assert "\n#" not in TEXT.split("\n# Targets\n")[1]
    assert {reached for _, reached in targets.values()} <= {"yes", "NO"}
    for source in SOURCES:
        assert f"healthy, {source}: at most 0.1 % rolled back in each world" in targets
        assert f"bad, {source}: false advances by proof, at most 5%" in targets
        assert f"all fail, users only, {source}: weight 0 as soon as by a rollback before" in targets


def test_the_time_of_a_release() -> None:
    """What docs/configuration.md says of the stages for AWS."""
    busy, calm, quiet = (_minutes(world) for world in (BUSY, CALM, QUIET))
    assert (
        f"{busy[0]} minutes at 1,000 requests/s with a feed and {busy[1]} with metrics; "
        f"at 100 requests/s {calm[0]} and {calm[1]} minutes, "
        f"and {quiet[0]} and {quiet[1]} where users are few"
    ) in _document("docs/configuration.md")


def test_others_roll_back_at_a_base_rate_of_one_percent() -> None:
    """README.md says so, and that the gate does not."""
    assert "roll healthy versions back at a base rate of 1 %" in _document("README.md")
    deployments, *rolled_back = _table("False rollbacks")["1 % fail, 100 requests/s"]
    numbers = [int(cell.replace(",", "")) for cell in rolled_back[:-1]]
    assert numbers[:4] == [0] * 4
    assert min(numbers[4:6]) > 0.95 * int(deployments.replace(",", ""))


@pytest.mark.parametrize(("place", "words"), [(1, "is rolled back after"), (0, "instead of")])
def test_the_price_of_being_sure(place: int, words: str) -> None:
    """ADR 44 says how long a candidate that fails a fifth waits for its verdict, to ten seconds."""
    adr = _document("docs/adr/0044-step-back-first-roll-back-when-sure.md")
    costs = adr.split("a candidate that fails a fifth from launch on")[1]
    found = re.search(rf"{words} (\d+) s", costs)
    assert found
    seconds = int(_table("Bad candidates: median time")[TWENTY][place].split(" s")[0])
    assert abs(int(found.group(1)) - seconds) <= 10
