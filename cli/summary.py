"""A release's end in Markdown, for the page of a pipeline's job."""

from collections.abc import Mapping
from typing import Any

from cli.following import STILL_RUNS, Sight

MARKS = {0: "✅", 1: "❌", STILL_RUNS: "⏳", 4: "⏭️"}


def markdown(said: Mapping[str, Any], sight: Sight, certificate: Mapping[str, Any] | None) -> str:
    """What the command prints as JSON (``said``), with what the certificate proves, where there is one."""
    before = f"{said['from']} → " if said["from"] else ""
    lines = [
        f"## {MARKS.get(said['status'], '')} {said['service']} {before}{said['version']}: {said['outcome']}",
        "",
        _cell(said["reason"]),
        "",
        "| | |",
        "|---|---|",
    ]
    rows = {
        "error": f"`{said['error']}`" if said["error"] else "",
        "image": f"`{said['digest']}`" if said["digest"] else "",
        "deployment": f"[`{said['deployment']}`]({said['console']})",
        "certificate": f"`{said['certificate']}`" if said["certificate"] else "",
    }
    if certificate:
        rows |= _proved(certificate)
    lines += [f"| {name} | {_cell(value)} |" for name, value in rows.items() if value]
    if sight.recorded and sight.recorded.stages:
        lines += ["", "| weight | seconds | verdict | it rests on |", "|---:|---:|---|---|"]
        for stage in sight.recorded.stages:
            lasted = f"{(stage.ended - stage.began).total_seconds():.0f}" if stage.ended else ""
            lines.append(
                f"| {stage.weight} | {lasted} | {stage.verdict or ''} | {_cell(stage.reason or '')} |"
            )
    return "\n".join([*lines, ""])


def _proved(certificate: Mapping[str, Any]) -> dict[str, str]:
    production, timing = certificate["requests"]["production"], certificate["timing"]
    seen = ", ".join(str(one["version"]) for one in certificate["versions"].get("production", []))
    return {
        "requests on production": f"{production['sent']}, {production['failed']} failed, "
        f"{production['missing']} missing",
        "versions that clients got": seen,
        "time": f"{timing['total']:.0f} s",
        "step backs": ", ".join(f"from weight {one['weight']}" for one in certificate.get("step_backs", [])),
        "bad version detected in": _seconds(timing["detected"]),
        "clients rid of it in": _seconds(timing["restored"]),
        "not proved": " ".join(certificate.get("not_proved", [])),
    }


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def _cell(text: str) -> str:
    """A text in one line of a table, as it is."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
