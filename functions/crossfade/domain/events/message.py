"""The event's detail, as it is sent."""

from typing import Literal

from crossfade.domain.events.event import Happening
from crossfade.domain.events.words import text_of, title_of

FORM: Literal["event/1"] = "event/1"
SOURCE = "crossfade"
DETAIL_TYPE = "Crossfade Deployment State Change"


def detail_of(happening: Happening) -> dict[str, object]:
    """What ``docs/event.schema.json`` describes."""
    return {
        "crossfade": FORM,
        "id": happening.id,
        **happening.model_dump(mode="json", by_alias=True),
        "console": happening.console,
        "title": title_of(happening),
        "text": text_of(happening),
    }
