"""CloudWatch's metric data, where MiniStack stores or answers them otherwise than AWS does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch

from sandbox.patching import replaces

MINUTE = 60
DELAY_SECONDS = 5.0
"""A minute's points are there this long after its end. On AWS it takes from seconds to some minutes."""

Response = tuple[int, dict[str, str], bytes]
Call = Callable[..., Response]

_storing = threading.Lock()


def store(namespace: str, name: str, dimensions: dict[str, str], at: float, count: int) -> None:
    """A point of `count` events, each of value 1, in the current account and region; from any thread."""
    with _storing:
        cloudwatch._store_datum(namespace, name, dimensions, at, "Count", None, [1.0], [float(count)], None)


@replaces(cloudwatch, "_evict_old_metrics", version="1.5.33")
def keep_what_comes_meanwhile(emulator: Callable[[], None]) -> None:
    """MiniStack copies all points at every call, and loses what another thread stores meanwhile."""
    with _storing:
        emulator()


@replaces(cloudwatch, "_get_metric_data", version="1.5.33")
def round_to_minutes(
    emulator: Call, params: dict[str, Any], data: dict[str, Any], cbor: bool, is_json: bool = False
) -> Response:
    """MiniStack takes StartTime to the second and answers oldest first. AWS rounds StartTime down to the
    minute, and unless ScanBy says otherwise answers newest first. In the JSON protocol, boto3's, only.
    """
    if not is_json:
        return emulator(params, data, cbor, is_json)
    start = cloudwatch._parse_ts(data.get("StartTime"))
    if start is not None:
        data = data | {"StartTime": start // MINUTE * MINUTE}
    status, headers, body = emulator(params, data, cbor, is_json)
    if status == 200 and data.get("ScanBy") != "TimestampAscending":
        answer = json.loads(body)
        for result in answer["MetricDataResults"]:
            result["Timestamps"].reverse()
            result["Values"].reverse()
        body = json.dumps(answer).encode()
    return status, headers, body
