"""CloudWatch's metric data, where MiniStack 1.5.33 stores or answers them otherwise than AWS does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch

MINUTE = 60
DELAY_SECONDS = 5.0
"""A minute's points are there this long after its end. On AWS it takes from seconds to some minutes."""

Response = tuple[int, dict[str, str], bytes]
Call = Callable[..., Response]

_storing = threading.Lock()


def install() -> None:
    """Put the patches in place; the emulator looks them up by name."""
    cloudwatch._evict_old_metrics = keep_what_comes_meanwhile(cloudwatch._evict_old_metrics)
    cloudwatch._get_metric_data = with_whole_minutes(cloudwatch._get_metric_data)


def store(namespace: str, name: str, dimensions: dict[str, str], at: float, count: int) -> None:
    """A point of `count` events, each of value 1, in the current account and region; from any thread."""
    with _storing:
        cloudwatch._store_datum(namespace, name, dimensions, at, "Count", None, [1.0], [float(count)], None)


def keep_what_comes_meanwhile(evict: Callable[[], None]) -> Callable[[], None]:
    """MiniStack 1.5.33 copies all points at every call, and loses what another thread stores meanwhile."""

    def evict_alone() -> None:
        with _storing:
            evict()

    return evict_alone


def with_whole_minutes(get: Call) -> Call:
    """MiniStack 1.5.33 takes StartTime to the second and answers oldest first. AWS rounds StartTime down to
    the minute, and unless ScanBy says otherwise answers newest first. In the JSON protocol, boto3's, only.
    """

    def get_rounded(
        params: dict[str, Any], data: dict[str, Any], cbor: bool, is_json: bool = False
    ) -> Response:
        if not is_json:
            return get(params, data, cbor, is_json)
        start = cloudwatch._parse_ts(data.get("StartTime"))
        if start is not None:
            data = data | {"StartTime": start // MINUTE * MINUTE}
        status, headers, body = get(params, data, cbor, is_json)
        if status == 200 and data.get("ScanBy") != "TimestampAscending":
            answer = json.loads(body)
            for result in answer["MetricDataResults"]:
                result["Timestamps"].reverse()
                result["Values"].reverse()
            body = json.dumps(answer).encode()
        return status, headers, body

    return get_rounded
