"""What the load balancer counts, and its way into CloudWatch: AWS/ApplicationELB, a point a minute.

MiniStack has no metrics of load balancers. A minute is the clock's; a request belongs, with its
result, to the minute in which it was answered. A point stands at its minute's beginning, is published
DELAY_SECONDS after the minute's end, and there is none of what did not happen. Health checks do not count.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable

from ministack.core.responses import request_scope

from sandbox.cloudwatch import alarms
from sandbox.cloudwatch.metric_data import DELAY_SECONDS, MINUTE, store

logger = logging.getLogger("sandbox.load_balancer")

NAMESPACE = "AWS/ApplicationELB"
REQUESTS = "RequestCount"
CONNECTION_ERRORS = "TargetConnectionErrorCount"
OWN_ERRORS = "HTTPCode_ELB_5XX_Count"


def target_code(status: int) -> str:
    """The metric of a target's answers of that kind, HTTPCode_Target_2XX_Count for one."""
    return f"HTTPCode_Target_{status // 100}XX_Count"


class RequestMetrics:
    """Counts in the data plane's event loop; a thread publishes. The clock is the time of day in seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._minutes: dict[int, Counter[tuple[str, str, str]]] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def count(self, names: Iterable[str], balancer: str, group: str = "") -> None:
        """Each metric once more, of a load balancer and mostly of one of its target groups (ARNs)."""
        counted = self._minutes.setdefault(int(self._clock() // MINUTE), Counter())
        for name in names:
            counted[name, balancer, group] += 1

    def publish(self) -> None:
        """Publish the minutes that ended DELAY_SECONDS ago, then let every alarm look at its metric."""
        for minute in sorted(list(self._minutes)):
            if (minute + 1) * MINUTE + DELAY_SECONDS <= self._clock():
                _publish(minute * MINUTE, self._minutes.pop(minute))
        alarms.evaluate_everywhere()

    def start(self) -> None:
        """Publish once a minute from now on; returns at once."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="load-balancer-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; may be called twice."""
        self._stopping.set()
        if self._thread:
            self._thread.join(timeout=5)
        self._thread = None

    def _run(self) -> None:
        while not self._stopping.wait(MINUTE - (self._clock() - DELAY_SECONDS) % MINUTE):
            try:
                self.publish()
            except Exception:  # the next minute's points are not lost with this one's
                logger.exception("load balancer: the metrics of a minute were not published")


def _publish(at: int, counted: Counter[tuple[str, str, str]]) -> None:
    """One point for each target group, and one for the load balancer over all of them."""
    sums: Counter[tuple[str, str, str]] = Counter()
    for (name, balancer, group), number in counted.items():
        sums[name, balancer, ""] += number
        if group:
            sums[name, balancer, group] += number
    for (name, balancer, group), number in sums.items():
        _, _, _, region, account, resource = balancer.split(":", 5)
        dimensions = {"LoadBalancer": resource.removeprefix("loadbalancer/")}
        if group:
            dimensions["TargetGroup"] = group.rsplit(":", 1)[-1]
        with request_scope(account, region):
            store(NAMESPACE, name, dimensions, at, number)


request_metrics = RequestMetrics()
