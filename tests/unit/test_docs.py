"""The documents name what the code has: every error, every field, every metric, every target."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from cli.__main__ import main
from crossfade.domain import errors
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.tasks.reasons import CAUSES, Cause
from crossfade.metrics import UNITS

ROOT = Path(__file__).parents[2]
OPERATIONS = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
NAMES = sorted(
    name
    for name, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, errors.CrossfadeError) and error is not errors.CrossfadeError
)


def models(annotation: Any, mark: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    """The models that a field may hold, with what is written behind its name: ``[]`` for those of a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, mark
    for part in get_args(annotation):
        yield from models(part, "[]" if get_origin(annotation) is tuple else mark)


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The dotted names of a model's fields, as they are written; those of a list's elements behind ``[]``."""
    for known_as, field in model.model_fields.items():
        name = f"{prefix}{field.alias or known_as}"
        nested = list(models(field.annotation))
        for inner, mark in nested:
            yield from fields(inner, f"{name}{mark}.")
        if not nested:
            yield name


FIELDS = sorted(fields(ServiceSpec))
TABLES = [
    CONFIGURATION.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    for heading in ("The service spec", "The gate")
]


@pytest.mark.parametrize("name", NAMES)
def test_every_error_has_a_row_in_operations(name: str) -> None:
    """Who reads an error's name in the console finds it in docs/operations.md."""
    assert re.search(rf"^\| .*`{name}`.* \|", OPERATIONS, re.MULTILINE)


def test_operations_names_no_error_that_is_gone() -> None:
    """A row of an error that the code no longer has misleads."""
    rows = re.findall(r"^\| (`[A-Z][^|]*)\|", OPERATIONS, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([A-Z]\w+)`", row)}
    assert set(NAMES) == named


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.words)
def test_whatever_ecs_may_say_has_a_row_in_operations(cause: Cause) -> None:
    """With what Crossfade does about it: it waits, or it gives up."""
    (row,) = re.findall(rf"^\| .*{re.escape(cause.words)}.*$", OPERATIONS, re.MULTILINE)
    rows = OPERATIONS.split("| ECS says |")[1].split("\n\n")[0].splitlines()[2:]
    told = [line.split(" | ")[1] for line in rows[: rows.index(row) + 1]]
    does = next(what for what in reversed(told) if what != "the same")
    assert does.startswith("waits until" if cause.passes else "gives up")


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_of_the_spec_is_described(field: str) -> None:
    """docs/configuration.md describes each field that a spec may have."""
    assert f"`{field}`" in CONFIGURATION


def test_no_field_is_described_that_a_spec_has_not() -> None:
    """By the first column of its tables."""
    tables = "\n".join(re.findall(r"\| field \|.*?(?=\n\n)", "\n".join(TABLES), re.DOTALL))
    first = [cell for row in tables.splitlines() for cell in re.findall(r"^\| ([^|]*) \|", row)]
    named = {name for cell in first for name in re.findall(r"`([^`]+)`", cell)}
    assert named - {"gate.*"} <= set(FIELDS)


@pytest.mark.parametrize(
    "limit",
    [
        "Network", "sticky", "gRPC", "several target groups of one port", "ten rules", "default action",
        "mTLS", "service discovery",
        "Service Connect", "VPC Lattice", "on EC2", "DAEMON", "Express Mode", "short ARN", "workers",
        "account and region", "private CA", "Terraform", "web ACL", "Gateway", "deployment controller",
        "another strategy", "replicates", "Companions", "several load balancers", "another VPC",
        "take the requests of another",
    ],
)  # fmt: skip
def test_a_limit_stands_where_one_looks_before_adopting(limit: str) -> None:
    """What Crossfade cannot take over is named in README's section "When not to use it"."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert limit in readme.split("## When not to use it", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        *(
            ("PatternUnusable", refused)
            for refused in (
                "another controller than ECS", "strategy than ROLLING", "DAEMON", "Express Mode",
                "no Fargate", "Service Connect", "service discovery", "VPC Lattice", "sticky",
                "not of HTTP/1.1",
                "another load balancer", "old short ARN", "certificate", "image of the repository",
            )
        ),
        ("StickyTraffic", "sticky sessions"),
        ("RuleCovers", "all requests of another rule"),
        ("NotPrepared", "port, protocol or VPC"),
        ("SlotDrift", "another Crossfade's"),
    ],
)  # fmt: skip
def test_what_is_refused_stands_beside_its_error(error: str, refused: str) -> None:
    """Who has met the error finds the reason in docs/operations.md."""
    (row,) = re.findall(rf"^\| `{error}` \|.*$", OPERATIONS, re.MULTILINE)
    assert refused in row


MOST_COMMANDS, MOST_LINES = 8, 40


def test_a_service_is_taken_over_and_handed_back_with_few_commands() -> None:
    """And with few lines that are written by hand."""
    adopting = (ROOT / "docs/adopting.md").read_text(encoding="utf-8")
    steps = "".join(
        adopting.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
        for heading in ("Fifteen minutes", "How to leave")
    )
    blocks = re.findall(r"```(\w+)\n(.*?)```", steps, re.DOTALL)
    commands = "".join(text for kind, text in blocks if kind == "console")
    assert 1 < commands.count("$ ") <= MOST_COMMANDS
    assert all(line.startswith("$ ") for line in commands.splitlines())
    by_hand = "".join(text for kind, text in blocks if kind != "console")
    assert 1 <= len(by_hand.splitlines()) <= MOST_LINES


def test_every_metric_is_described() -> None:
    """With its unit; and none that is not published."""
    signals = (ROOT / "docs/signals.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| ((?:`\w+`(?:, )?)+) \| (\w+) \|", signals.split("\n## Metrics\n")[1], re.MULTILINE
    )
    described = {name: unit for names, unit in rows for name in re.findall(r"`(\w+)`", names)}
    assert described == {name: unit.value for name, unit in UNITS.items()}


def rows_of(heading: str) -> list[list[str]]:
    """The cells of the rows of the table under a heading of docs/operations.md."""
    section = OPERATIONS.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


DEATHS = rows_of("What dies → what happens → what clients see")


@pytest.mark.parametrize("row", DEATHS, ids=[row[0] for row in DEATHS])
def test_what_dies_is_shown_by_a_test(row: list[str]) -> None:
    """Each row names a test that shows it, and that test is there."""
    named = re.findall(r"`([a-z_0-9/]+\.py)::(test_\w+)`", row[-1])
    assert named
    for path, name in named:
        assert f"def {name}(" in (ROOT / "tests" / path).read_text(encoding="utf-8"), (path, name)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/adopting.md"])
def test_every_make_target_that_is_named_exists(document: str) -> None:
    """A command that a document gives is one that make knows."""
    targets = set(
        re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    named = set(re.findall(r"(?:\$ |`)make ([a-z-]+)", (ROOT / document).read_text(encoding="utf-8")))
    assert named - targets == set()


@pytest.mark.parametrize("document", ["README.md", "docs/adopting.md", "docs/ci.md", "docs/operations.md"])
def test_the_command_takes_what_a_document_gives_it(document: str) -> None:
    """Each subcommand and each option that is named after `crossfade` is there."""
    text = (ROOT / document).read_text(encoding="utf-8")
    named = re.findall(r"(?:^\$ |^ +- |run: |`|\()crossfade ([a-z]+)\b([^`\n|]*)", text, re.MULTILINE)
    assert named
    for name, rest in named:
        takes = {option for given in main.commands[name].params for option in given.opts} | {"--help"}
        assert set(re.findall(r"--[a-z-]+", rest)) <= takes, name


DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("document", sorted(str(path.relative_to(ROOT)) for path in DOCUMENTS))
def test_links_lead_to_files(document: str) -> None:
    """A relative link in a document leads to something that is there."""
    path = ROOT / document
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    found = [link for link in links if "://" not in link]
    assert [link for link in found if not (path.parent / link).exists()] == []
