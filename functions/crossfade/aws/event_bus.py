"""The account's default event bus."""

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from crossfade.domain.events.event import Happening
from crossfade.domain.events.message import DETAIL_TYPE, SOURCE, detail_of

WRONG = frozenset({"InvalidArgument", "MalformedDetail"})
"""Codes by which an entry is refused for what it is: another try would be refused as well."""


class EventNotSent(Exception):
    """The bus did not take an event; it may take it later."""


class EventRefused(Exception):
    """The bus does not take an event, and never will."""


class EventBus:
    """Sends events through a boto3 ``events`` client."""

    def __init__(self, events: Any) -> None:
        self._events = events

    def put(self, happening: Happening) -> None:
        """Send one event.

        One in each call: of several some may be refused, and what comes later would be sent before what came
        first. An entry may have 1 MB, a call ten of them (botocore's model of PutEvents).

        Raises
        ------
        EventNotSent
            The call failed, or its answer says that the entry did.
        EventRefused
            The entry itself is wrong.
        """
        entry = {
            "Source": SOURCE,
            "DetailType": DETAIL_TYPE,
            "Detail": json.dumps(detail_of(happening), ensure_ascii=False),
            "Resources": [happening.execution] if happening.execution else [],
            "Time": happening.at,
        }
        try:
            answer = self._events.put_events(Entries=[entry])
        except (ClientError, BotoCoreError) as error:
            raise EventNotSent(str(error)) from error
        if answer["FailedEntryCount"]:
            (result,) = answer["Entries"]
            code, said = result.get("ErrorCode", ""), result.get("ErrorMessage", "")
            raise (EventRefused if code in WRONG else EventNotSent)(f"{code}: {said}")
