"""What all messages between states have in common."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, PlainSerializer


def iso(moment: datetime) -> str:
    """Write a moment as UTC with milliseconds, e.g. ``2026-11-23T04:00:00.123Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[AwareDatetime, PlainSerializer(iso, return_type=str, when_used="json")]
"""A point in time; in JSON an ISO 8601 string in UTC with milliseconds."""


class Message(BaseModel):
    """A value that travels between states or is stored: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
