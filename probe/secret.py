"""The secret of the preview rules: the task reads it by itself, so that it stands in no task's settings."""

import dataclasses
import re
import time
from collections.abc import Iterable
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from probe.lane import LaneSettings
from probe.ledger import passes
from probe.stopping import StopRequest

PLACE = "{secret}"
"""Where it goes in a lane's headers."""
WAIT_SECONDS = 1.0
_SECRET = re.compile(r"[0-9a-zA-Z]{16,100}")


class SecretsClient(Protocol):
    """What is needed of boto3's `ssm` client."""

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> Any: ...


class SecretUnavailable(Exception):
    """The secret cannot be read, so no slot would be met; the text says why."""


def read_secret(client: SecretsClient, parameter: str, within: float, stop: StopRequest) -> str | None:
    """Return the secret; None if asked to stop before.

    Passing faults are waited out for `within` seconds; raises SecretUnavailable.
    """
    ends_at = time.monotonic() + within
    while not stop.asked:
        try:
            value = str(client.get_parameter(Name=parameter, WithDecryption=True)["Parameter"]["Value"])
        except (ClientError, BotoCoreError) as error:
            if not passes(error) or time.monotonic() > ends_at:
                raise SecretUnavailable(f"the parameter {parameter} cannot be read: {error}") from error
            stop.wait(WAIT_SECONDS)
            continue
        if not _SECRET.fullmatch(value):
            # Without the value: a log is no place for it.
            raise SecretUnavailable(
                f"the parameter {parameter} holds no secret of 16 to 100 letters and digits"
            )
        return value
    return None


def with_secret(lanes: Iterable[LaneSettings], secret: str) -> tuple[LaneSettings, ...]:
    """Put the secret into the headers of the lanes that need it."""
    return tuple(
        dataclasses.replace(
            lane, headers={name: value.replace(PLACE, secret) for name, value in lane.headers.items()}
        )
        for lane in lanes
    )
