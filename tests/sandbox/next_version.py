"""Another version of Crossfade: this project, with messages and stored items of another shape.

It changes what ADR 20 lets its maintainers change. A message between states has a field more, which is
required; another one has a field less, which the definition of before needs. What is stored has a field more,
with a default, and one less.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.sandbox.shell import PROJECT

PARTS = ("template.yaml", "samconfig.toml", "statemachine", "functions", "sample_app")
DEPLOY, ROLLBACK = "statemachine/deploy.asl.yaml", "statemachine/rollback.asl.yaml"
WATCH, SHIFT = "functions/crossfade/handlers/watch_stage.py", "functions/crossfade/handlers/shift_traffic.py"
RESTORE, ASSESSMENT = (
    "functions/crossfade/handlers/restore_weights.py",
    "functions/crossfade/domain/rollback/assessment.py",
)
PLAN, STORED = (
    "functions/crossfade/domain/planning/plan.py",
    "functions/crossfade/domain/proof/certificate.py",
)
PAGE, EVENTS = (
    "functions/crossfade/domain/page/of_deployment.py",
    "functions/crossfade/domain/events/of_journal.py",
)

MARK = "looked"
"""What a rollback of this version has in its output, and one of the project's own version has not."""


def make(folder: Path) -> Path:
    """Copy what is deployed into a new folder, and change it there; returns the folder."""
    for part in PARTS:
        source, target = PROJECT / part, folder / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    _a_field_more(folder)
    _a_field_less(folder)
    _a_mark(folder)
    _other_items(folder)
    return folder


def _a_field_more(folder: Path) -> None:
    """Watch counts its looks in the first stage: it must be told how many there were."""
    _edit(folder / WATCH, "    stage: int,\n", "    stage: int,\n    looks: int,\n")
    _edit(folder / WATCH, "    next_stage: int\n", "    next_stage: int\n    looks: int\n")
    _edit(
        folder / WATCH,
        "        probe_died=tail.probe_died,\n    )\n",
        "        probe_died=tail.probe_died,\n        looks=looks + 1,\n    )\n",
    )
    sent = '        stage: "{% $stage %}"\n        began: "{% $began %}"\n'
    _edit(folder / DEPLOY, sent, f'{sent}        looks: "{{% $looks %}}"\n', times=2)
    _edit(folder / DEPLOY, "      probes: 1\n", "      probes: 1\n      looks: 0\n")
    answered = '      plan: "{% $states.result.Payload.plan %}"\n'
    _edit(folder / DEPLOY, answered, f'{answered}      looks: "{{% $states.result.Payload.looks %}}"\n')


def _a_field_less(folder: Path) -> None:
    """Shift does not say any more when the stage must have ended: the definition works it out."""
    _edit(folder / SHIFT, "    deadline: Timestamp | None = None\n", "")
    _edit(
        folder / DEPLOY,
        '"{% $states.result.Payload.deadline %}"',
        '"{% $states.result.Payload.shown ? $fromMillis($toMillis($states.result.Payload.shown)'
        ' + 1000 * $plan.stages[$stage].max_seconds) : null %}"',
    )


def _a_mark(folder: Path) -> None:
    """Assess says that it has looked, and RestoreWeights insists on it."""
    _edit(
        folder / ASSESSMENT,
        "    settle: bool = False\n",
        f"    settle: bool = False\n    {MARK}: bool = True\n",
    )
    _edit(folder / RESTORE, "    rounds: int,\n", f"    rounds: int,\n    {MARK}: bool,\n")
    sent = '        rounds: "{% $rounds %}"\n'
    _edit(folder / ROLLBACK, sent, f'{sent}        {MARK}: "{{% $found.{MARK} %}}"\n')
    said = '      certificate: "{% $certificate %}"\n'
    _edit(folder / ROLLBACK, said, f'{said}      {MARK}: "{{% $found.{MARK} %}}"\n')


def _other_items(folder: Path) -> None:
    """In the journal a plan says more, and a stage less."""
    kept = "    feed: Feed | None = None\n"
    _edit(folder / PLAN, kept, f'{kept}    approved_by: str = "nobody"\n')
    _edit(
        folder / STORED,
        "    verdict: str | None = None\n    reason: str | None = None\n",
        "    verdict: str | None = None\n",
    )
    _edit(folder / STORED, 'reason=stage.reason or "",', 'reason="",')
    _edit(folder / PAGE, 'stage.reason or "–"', '"–"')
    _edit(folder / EVENTS, "reason=cut(record.reason)", "reason=None")


def _edit(file: Path, old: str, new: str, times: int = 1) -> None:
    """Replace a text that is there so many times; AssertionError when the project has changed."""
    text = file.read_text()
    assert text.count(old) == times, f"{old!r} is {text.count(old)} times in {file}, not {times} times"
    file.write_text(text.replace(old, new))
