"""A release's end in Markdown, for the page of a pipeline's job."""

from collections.abc import Mapping
from typing import Any

from cli.following import STILL_RUNS, Sight

FORM = "certificate/6"
"""A deployment that began before an update has a certificate of the form of then."""
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
    if certificate and certificate.get("crossfade") == FORM:
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
    production, reported = certificate["requests"]["production"], certificate["reported"]
    harm: Mapping[str, Any] = next((one for one in certificate["harm"] if one["by"] == "roll_back"), {})
    seen = ", ".join(str(one["version"]) for one in certificate["versions"].get("production", []))
    return {
        "requests on production": f"{production['sent']}, {production['failed']} failed"
        f"{_bound(production['at_most'])}",
        "versions that clients got": seen,
        "time": f"{reported['timing']['total']:.0f} s",
        "step backs": ", ".join(f"from weight {one['weight']}" for one in reported["step_backs"]),
        "bad version detected in": _seconds(harm.get("detected")),
        "clients rid of it in": _seconds(harm.get("restored")),
        "not proved": " ".join(certificate["not_proved"]),
    }


def _bound(at_most: float | None) -> str:
    """What so few failures say of the share that fails, at 95 %."""
    return "" if at_most is None else f"; at most {100 * at_most:.3g} % fail"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def _cell(text: str) -> str:
    """A text in one line of a table, as it is."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
