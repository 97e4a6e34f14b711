"""AWS clients with time-outs that fit into a Lambda's life, made once for each execution environment."""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from crossfade.aws.unknown_fields import tell_unknown_fields

CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})


@cache
def client(service: str) -> Any:
    """The boto3 client of an AWS service, e.g. ``ecs``."""
    made = boto3.client(service, config=CONFIG)  # type: ignore[call-overload]
    if service == "ecs":
        tell_unknown_fields(made)
    return made
