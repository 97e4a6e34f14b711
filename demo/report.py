"""The end of the demo as text: what was measured, which claims hold, where the records are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from demo.claims import Claim, Deployment, clock, left_this_machine, sightings
from demo.memory import Usage
from probe.record import RequestRecord

_MEGABYTE = 1_000_000


def client_table(client: Sequence[RequestRecord]) -> list[str]:
    """The client's requests, and each version with its first and last time (UTC)."""
    own = sum(not left_this_machine(record) for record in client)
    failed = sum(not record.ok for record in client) - own
    apart = f", {own} never left this machine" if own else ""
    rows = [[s.version, str(s.count), clock(s.first), clock(s.last)] for s in sightings(client)]
    return [
        f"The client: {len(client)} requests, {failed} failed{apart}; by the version that answered:",
        *_table(["version", "answers", "first seen", "last seen (UTC)"], rows),
    ]


def deployment_table(deployments: Iterable[Deployment]) -> list[str]:
    """Each deployment by its certificate; times in seconds."""
    headings = ["deployment", "outcome", "total", "bake", "evidence", "containers", "overhead"]
    headings += ["detected", "weights back", "restored", "transitions", "production", "failed"]
    rows = []
    for deployment in deployments:
        said = deployment.certificate
        harm: dict[str, Any] = next((harm for harm in said["harm"] if harm["by"] == "roll_back"), {})
        timing, production = said["reported"]["timing"] | harm, said["requests"]["production"]
        names = ["total", "bake", "evidence", "container_start", "overhead"]
        names += ["detected", "restored_api", "restored"]
        rows.append(
            [deployment.version, said["outcome"]]
            + ["–" if timing.get(name) is None else f"{timing[name]:.1f} s" for name in names]
            + [str(said["reported"]["transitions"]), f"{production['sent']} sent", str(production["failed"])]
        )
    return ["The deployments, by their certificates:", *_table(headings, rows)]


def memory_line(peak: Usage) -> list[str]:
    """The peak of resident memory; nothing where it was not measured."""
    if not peak.processes:
        return []
    return [
        f"Memory at its peak, {peak.processes} processes: {peak.rss / _MEGABYTE:.0f} MB resident, "
        f"{peak.pss / _MEGABYTE:.0f} MB with shared pages counted once"
    ]


def claim_lines(claims: Iterable[Claim]) -> list[str]:
    """Each claim with its mark and what was found."""
    return [f"{'✔' if claim.holds else '✘'} {claim.statement}: {claim.found}" for claim in claims]


def page_lines(files: Iterable[Path], root: Path) -> list[str]:
    """The pages to open in a browser, relative to the project."""
    pages = [file.relative_to(root) for file in files if file.suffix == ".html"]
    return ["The reports, for a browser:", *(f"  {page}" for page in pages)]


def file_lines(files: Iterable[Path], root: Path) -> list[str]:
    """The records' files, one folder per line, relative to the project."""
    folders: dict[Path, list[str]] = {}
    for file in files:
        folders.setdefault(file.parent.relative_to(root), []).append(file.name)
    return [f"  {folder}/  {'  '.join(names)}" for folder, names in folders.items()]


def _table(headings: list[str], rows: list[list[str]]) -> list[str]:
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    # The first two columns are names, the rest are numbers.
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
