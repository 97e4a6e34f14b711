"""Log lines as they come on AWS: from a container in batches, and found some time after they were written.

MiniStack forwards each line by itself, and finds it at once.
"""

from __future__ import annotations

import contextvars
import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import cloudwatch_logs, ecs

from sandbox.delays import Delay, delays
from sandbox.patching import replaces

Response = tuple[int, dict[str, str], bytes]
Put = Callable[[dict[str, Any]], Response]


class Agenda:
    """Does things when they are due, one after the other, in a thread of its own."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._number = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def at(self, moment: float, do: Callable[[], object]) -> None:
        """Do something at a moment of the monotonic clock, in the scope of the request under way."""
        scope = contextvars.copy_context()
        with self._changed:
            heapq.heappush(self._due, (moment, next(self._number), lambda: scope.run(do)))
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log-delays", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > time.monotonic():
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                _, _, do = heapq.heappop(self._due)
            do()


_agenda = Agenda()


_found: dict[tuple[str, str], float] = {}
"""When the last events of a group's stream are found, by the monotonic clock."""


@replaces(cloudwatch_logs, "_put_log_events", version="1.5.33")
def find_later(emulator: Put, data: dict[str, Any]) -> Response:
    """PutLogEvents answers at once. Its events are found later, those of one stream in their order; those of
    another stream that were written after them may be found before them.
    """
    answer = emulator(data | {"logEvents": []})  # what is wrong with the call is said at once
    if answer[0] != 200:
        return answer
    group, stream = str(data.get("logGroupName")), str(data.get("logStreamName"))
    events = [{"timestamp": int(time.time() * 1000), **event} for event in data.get("logEvents", [])]
    moment = time.monotonic() + delays.seconds(Delay.LOG_READ, group)
    _found[group, stream] = moment = max(moment, _found.get((group, stream), 0.0))
    _agenda.at(moment, lambda: emulator(data | {"logEvents": events}))
    return answer


class _Batch:
    """Lines of a container that wait to be shipped together."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._events: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def add(self, line: str) -> None:
        """Take a line in; the first one of a batch says when it is shipped."""
        with self._lock:
            self._events.append({"timestamp": int(time.time() * 1000), "message": line})
            if len(self._events) > 1:
                return
        group = str(self._config["group"])
        _agenda.at(time.monotonic() + delays.seconds(Delay.LOG_SHIPPED, group), self.ship)

    def ship(self) -> None:
        """Send what waits."""
        with self._lock:
            events, self._events = self._events, []
        if events:
            cloudwatch_logs._put_log_events(
                {
                    "logGroupName": self._config["group"],
                    "logStreamName": self._config["stream"],
                    "logEvents": events,
                }
            )


@replaces(ecs, "_forward_awslogs", version="1.5.33")
def forward_in_batches(
    emulator: Callable[..., None], container: Any, config: dict[str, Any], account_id: str, region: str
) -> None:
    """What the awslogs driver does: lines are kept for a while and sent together, with their own times."""
    with request_scope(account_id, region):
        if not ecs._ensure_awslogs_stream(config):
            return
        batch = _Batch(config)
        for chunk in container.logs(stream=True, follow=True, stdout=True, stderr=True):
            for line in chunk.decode("utf-8", errors="replace").splitlines():
                batch.add(line)
        batch.ship()
