"""The stream of the journal's table, as Lambda hands its records to a function."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from crossfade.aws.dynamodb import deserialized
from crossfade.aws.journal_table import STATE, item_of
from crossfade.domain.events.of_journal import Change
from crossfade.domain.model import Model


class Written(Model):
    """What a record tells of a write; ``ApproximateCreationDateTime`` is in seconds since 1970.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
    """

    Keys: dict[str, Any]
    SequenceNumber: str
    ApproximateCreationDateTime: float
    OldImage: dict[str, Any] = Field(default_factory=dict)
    NewImage: dict[str, Any] = Field(default_factory=dict)


class StreamRecord(Model):
    """A record of the stream."""

    eventName: Literal["INSERT", "MODIFY", "REMOVE"]
    dynamodb: Written

    @property
    def sequence(self) -> str:
        """Its place in its shard, which is how Lambda knows it."""
        return self.dynamodb.SequenceNumber

    @property
    def key(self) -> tuple[str, str]:
        """The service and the item's name."""
        key = deserialized(self.dynamodb.Keys)
        return key["service"], key["item"]

    @property
    def change(self) -> Change | None:
        """The change of the state or of a deployment's item; None where an item is removed."""
        service, item = self.key
        if self.eventName == "REMOVE":
            return None
        return Change(
            service=service,
            deployment=None if item == STATE else item.removeprefix(item_of("")),
            before=deserialized(self.dynamodb.OldImage),
            after=deserialized(self.dynamodb.NewImage),
            written=datetime.fromtimestamp(self.dynamodb.ApproximateCreationDateTime, UTC),
        )
