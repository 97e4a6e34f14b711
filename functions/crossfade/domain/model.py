"""What all messages between states have in common."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, PlainSerializer, ValidationError


def iso(moment: datetime) -> str:
    """Write a moment as UTC with milliseconds, e.g. ``2026-11-23T04:00:00.123Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Timestamp = Annotated[AwareDatetime, PlainSerializer(iso, return_type=str, when_used="json")]
"""A point in time; in JSON an ISO 8601 string in UTC with milliseconds."""


class Model(BaseModel):
    """A value that travels between states or is stored: frozen.

    Another version of Crossfade may have written it, before or after an update in the middle of a deployment:
    keys that this version does not know are ignored, and a field that is newer than the first release has a
    default. What people write is held to more: see ``unknown_keys``.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


def faults(error: ValidationError, whole: str) -> list[str]:
    """What is wrong with what a person gave, as ``field: fault``; ``whole`` names what is no field."""
    return [
        f"{'.'.join(str(part) for part in fault['loc']) or whole}: {fault['msg']}"
        for fault in error.errors(include_url=False)
    ]


def unknown_keys(given: Any, read: Model) -> list[str]:
    """The keys of what a person gave that ``read``, made of it, has no field for, e.g. ``["gate.alhpa"]``."""
    return list(_unknown(given, read.model_dump(mode="json"), ()))


def _unknown(given: Any, understood: Any, at: tuple[str, ...]) -> Iterator[str]:
    if isinstance(given, dict) and isinstance(understood, dict):
        for key, value in given.items():
            if key in understood:
                yield from _unknown(value, understood[key], (*at, key))
            else:
                yield ".".join((*at, key))
    elif isinstance(given, list) and isinstance(understood, list):
        for n, (value, known) in enumerate(zip(given, understood, strict=True)):
            yield from _unknown(value, known, (*at, str(n)))
