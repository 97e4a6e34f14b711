"""ARCHITECTURE.md names what is there, in the order in which a deployment passes through it."""

import re
from pathlib import Path

import pytest

from faults.files import ROOT, functions
from tests.statemachine.definitions import function_of, lambda_tasks

PRODUCT = ROOT / "functions/crossfade"
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
WALK = TEXT.split("**The walk.**", 1)[1].split("\n## ", 1)[0]
TABLE = TEXT.split("## What each state does\n", 1)[1].split("\n## ", 1)[0]
BRANCHES = {"QueueRelease", "RecordOutcome"}
"""States of the deployment that no promoted one passes, unless a report fails."""
MINUTES, WORDS_A_MINUTE = 15, 230
NAMES = sorted(
    set(re.findall(r"`([\w./]+\.(?:py|yaml|md|toml|sh))`", TEXT)) | set(re.findall(r"`([\w/]+/)`", TEXT))
)


def _place(name: str) -> Path | None:
    """Where a name of the document leads: below the root, or below a folder of the product."""
    folders = [ROOT, ROOT / "statemachine", PRODUCT, PRODUCT / "handlers", PRODUCT / "domain/gate"]
    return next((folder / name for folder in folders if (folder / name).exists()), None)


def _file_of(state: str) -> str:
    """The handler's file of a state of the deployment, e.g. ``claim_service.py``."""
    module = functions()[function_of("deploy", state)]["Handler"].rpartition(".")[0]
    return f"{module.rpartition('.')[2]}.py"


@pytest.mark.parametrize("name", NAMES)
def test_every_path_leads_to_a_file(name: str) -> None:
    """A path of the document is one of the repository."""
    assert _place(name)


def test_the_walk_passes_the_states_in_their_order() -> None:
    """The handlers that a promoted deployment calls, in the definition's order."""
    files = [_file_of(state) for state in lambda_tasks("deploy") if state not in BRANCHES]
    assert list(dict.fromkeys(re.findall(r"`handlers/(\w+\.py)`", WALK))) == list(dict.fromkeys(files))


def test_the_walk_names_its_states() -> None:
    """The bold names are states, in the definition's order."""
    named = re.findall(r"\*\*([A-Z][A-Za-z]+)\*\*", WALK)
    assert named == [state for state in lambda_tasks("deploy") if state in named]
    assert len(named) > len(lambda_tasks("deploy")) / 2


@pytest.mark.parametrize("machine", ["deploy", "rollback"])
def test_the_table_has_every_state_that_calls_a_function(machine: str) -> None:
    """With the file of its handler in the same row."""
    rows = [line.split(" | ") for line in TABLE.splitlines() if line.startswith("| ")]
    for state in lambda_tasks(machine):
        module = functions()[function_of(machine, state)]["Handler"].rpartition(".")[0]
        file = f"`{module.rpartition('.')[2]}.py`"
        found = [row for row in rows if re.search(rf"\b{state}\b", row[0])]
        assert any(file in row[1] for row in found), (state, file)


def test_it_is_read_in_a_quarter_of_an_hour() -> None:
    """By its words; the diagrams count as well."""
    assert len(TEXT.split()) <= MINUTES * WORDS_A_MINUTE
