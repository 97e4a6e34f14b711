"""How the command shows what it found: for a person, or as JSON."""

import json
import shlex
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

from cli.findings import Finding
from crossfade.domain.preparation import Call, Step

MARKS = {"ok": ("ok     ", "green"), "warning": ("warning", "yellow"), "wrong": ("wrong  ", "red bold")}


class Screen:
    """Writes to the terminal; a text is not broken, so that it can be copied."""

    def __init__(self) -> None:
        self._console = Console(soft_wrap=True, highlight=False)

    def heading(self, text: str) -> None:
        """Begin a part."""
        self._console.print(Text(f"\n{text}", style="bold"))

    def line(self, text: str = "", style: str = "") -> None:
        """One line, as it is."""
        self._console.print(Text(text, style=style))

    def finding(self, finding: Finding) -> None:
        """A finding in one line."""
        mark, style = MARKS[finding.level]
        name = f"{finding.name}: " if finding.name else ""
        self._console.print(Text(mark, style=style), Text(f"{finding.what}: {name}{finding.text}"))

    def steps(self, steps: Iterable[Step]) -> None:
        """Calls, each with its inverse."""
        for step in steps:
            self.line(f"# {step.what}", "dim")
            self.line(f"  {command(step.call)}")
            self.line(f"  undone by: {command(step.inverse)}", "dim")


def command(call: Call) -> str:
    """A call as the AWS command line takes it; what Crossfade does by itself is a command of its own."""
    if call.service == "crossfade":
        return f"crossfade {call.operation}"
    arguments = shlex.quote(json.dumps(call.arguments))
    return f"aws {call.service} {call.operation.replace('_', '-')} --cli-input-json {arguments}"


def findings_json(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Findings for a machine."""
    return [finding._asdict() for finding in findings]


def steps_json(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """Calls for a machine, by boto3's names."""
    return [
        {"what": step.what, "call": step.call._asdict(), "inverse": step.inverse._asdict()} for step in steps
    ]
