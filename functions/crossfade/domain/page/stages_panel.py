"""The picture of the course of a deployment: its phases, and its stages with their verdicts."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from crossfade.domain.page.axis import TimeAxis, lasting
from crossfade.domain.page.markup import Html, element
from crossfade.domain.page.panel import panel
from crossfade.domain.proof.certificate import History, StageRecord

ROW = 34
SIGNS = {"advance": "✓", "step_back": "↩", "roll_back": "✕"}
VERDICTS = {
    "advance": "advanced",
    "step_back": "stepped back",
    "roll_back": "rolled back",
    "hold": "cut off",
    None: "cut off",
}
WIDE, NARROW = 0.75, 2.2
"""How wide a letter of a label is, in percent of a wide page, and of a phone's."""


class Phase(NamedTuple):
    """A part of the deployment: when, its label, what it was, and the class that gives it its colour."""

    began: float
    ended: float
    label: str
    says: str
    name: str


def stages_panel(axis: TimeAxis, phases: Sequence[Phase]) -> Html:
    """The phases on one line."""
    return panel(
        axis,
        "stages",
        "What Crossfade did",
        *(_block(axis, phase) for phase in phases),
        says=f"{'; '.join(f'{phase.says}, {lasting(phase.ended - phase.began)}' for phase in phases)}",
        height=ROW,
        note="Weight of the candidate in each stage. ✓ advanced  ↩ stepped back  ✕ rolled back",
    )


def phases_of(history: History, ended: float) -> Iterator[Phase]:
    """The start of the tasks, the stages, and what came after them."""
    launched, healthy = (
        moment.timestamp() if moment else None for moment in (history.launched, history.healthy)
    )
    if launched and healthy:
        yield Phase(launched, healthy, "start", "the candidate's tasks start", "quiet")
    elif launched:
        yield Phase(launched, ended, "start", "the candidate's tasks did not all become healthy", "quiet")
    for stage, after in pairwise((*history.stages, None)):
        if stage:
            yield _stage(stage, after, ended)
    last = max((stage.ended.timestamp() for stage in history.stages if stage.ended), default=None)
    if last and last < ended:
        yield Phase(last, ended, *_rest(history))


def _rest(history: History) -> tuple[str, str, str]:
    if history.promoted:
        return "retire", "clients leave the old slot, which is stopped; the report", "quiet"
    return "put back", "the stable slot gets all traffic, the other one is stopped; the report", "quiet"


def _stage(stage: StageRecord, after: StageRecord | None, ended: float) -> Phase:
    began = stage.began.timestamp()
    until = stage.ended or (after.began if after else None)
    sign = SIGNS.get(stage.verdict or "", "…")
    return Phase(
        began,
        until.timestamp() if until else ended,
        f"{stage.weight} % {sign}",
        f"{stage_name(stage)}: {VERDICTS.get(stage.verdict, stage.verdict)}",
        f"stage {stage.verdict or 'hold'}",
    )


def stage_name(stage: StageRecord) -> str:
    """E.g. ``10 %, retried after 1 step back``."""
    again = ", retried" if stage.retry else ""
    times = f" after {stage.step_backs} step back{'s' * (stage.step_backs > 1)}" if stage.step_backs else ""
    return f"{stage.weight} %{again}{times}"


def _block(axis: TimeAxis, phase: Phase) -> Html:
    left, right = axis.place(phase.began), axis.place(phase.ended)
    wide, says = right - left, f"{phase.says}, {lasting(phase.ended - phase.began)}"
    text = element(
        "text",
        phase.label,
        x=f"{(left + right) / 2:g}%",
        y=ROW / 2 + 5,
        text_anchor="middle",
        class_="wide" if wide < NARROW * len(phase.label) else None,
    )
    block = element(
        "rect", element("title", says), x=f"{left:g}%", y=3, width=f"{max(wide, 0.1):.4g}%", height=ROW - 6
    )
    return element(
        "g", block, text if wide >= WIDE * len(phase.label) else None, class_=f"phase {phase.name}"
    )
