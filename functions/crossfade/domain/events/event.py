"""One thing that has happened. ``docs/event.schema.json`` describes it to those who receive it."""

from typing import Literal

from pydantic import Field

from crossfade.domain.model import Model, Timestamp, iso
from crossfade.domain.page.address import console_of, region_of

Kind = Literal[
    "waiting",
    "superseded",
    "begun",
    "launched",
    "healthy",
    "stage",
    "verdict",
    "judged",
    "restored",
    "promoted",
    "ended",
]
Outcome = Literal["promoted", "rolled_back", "failed", "dropped", "refused"]
MOST_CHARACTERS = 4_000
"""Of a reason. Step Functions admits causes of 32,768, and a person reads this in a message."""


class Release(Model):
    """A release; its digest may not be known, nor its version where only a digest was asked for."""

    version: str | None
    digest: str | None


class EnteredStage(Model):
    """Which stage of the deployment; see ``StageRecord``."""

    weight: int
    retry: bool = False
    step_backs: int = 0


class Document(Model):
    """Where a document is in S3."""

    bucket: str
    key: str


class Happening(Model):
    """One thing that has happened to a deployment.

    ``at`` is when it happened, by the journal; not when it was sent. ``execution`` is the ARN of the one that
    was asked for the deployment. ``service`` and ``to`` are None only where a release was refused that names
    none, or was dropped by an earlier version of Crossfade.

    Not sent: ``part`` is the stage's name in the journal, ``goes_back`` that the deployment goes back to what
    is warm, ``leaves`` that it hands the service back to its owner, ``advice`` which words say what to do,
    where kind and outcome alone do not (see ``words.py``).
    """

    kind: Kind
    at: Timestamp
    service: str | None
    deployment: str
    execution: str | None
    from_: Release | None = Field(serialization_alias="from")
    to: Release | None
    stage: EnteredStage | None = None
    verdict: str | None = None
    reason: str | None = None
    outcome: Outcome | None = None
    certificate: Document | None = None
    report: Document | None = None
    part: str = Field(default="", exclude=True)
    goes_back: bool = Field(default=False, exclude=True)
    leaves: bool = Field(default=False, exclude=True)
    advice: str = Field(default="", exclude=True)

    @property
    def id(self) -> str:
        """The same each time that the change is read, and no other change has it."""
        named = (self.service or "-", self.deployment, self.kind, *([self.part] if self.part else []))
        return "/".join((*named, iso(self.at)))

    @property
    def console(self) -> str | None:
        """The page of the execution in AWS's console."""
        if self.execution is None:
            return None
        page = f"{console_of(self.execution)}/states/home?region={region_of(self.execution)}"
        return f"{page}#/v2/executions/details/{self.execution}"


def cut(reason: str | None) -> str | None:
    """A reason that is not too long for a message."""
    if reason is None or len(reason) <= MOST_CHARACTERS:
        return reason
    return f"{reason[: MOST_CHARACTERS - 1]}…"
