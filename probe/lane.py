"""A lane: requests to one address at a steady rate, each counted exactly once.

A lane is in one of two states. While *polling*, it sends a request each second until the application
answers. Those requests are not counted, but the ledger reports what they met. While *sending*, it sends
requests at its rate, and every request is a record.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from probe.asking import Answer, Asker
from probe.record import LaneRecord, LaneTotals, RequestRecord, UnansweredRecord, utc
from probe.schedule import Schedule
from probe.turns import OtherPath, sequence
from probe.version import BY_DEFAULT, VersionFrom
from probe.workers import Workers

POLL_SECONDS = 1.0
REPORT_SECONDS = 5.0
"""How often a polling lane reports what it meets; a change is reported at once."""
MOST_WORKERS = 64
"""Requests of one lane that can wait for their answer at the same time; more than that are missed ticks."""


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """Where a lane asks and how.

    `rate` is in requests per second. `waits_for_answer`: begin by polling. `pauses`: when the load balancer
    itself answers 503 there is no target, so poll again instead of counting failures. `version_from` and
    `connect_to` are those of an `Asker`. `ok` are the statuses that are good, from the first to the last of
    each pair. `others` are asked too, in turn with `url` by their weights; a lane polls at `url`.
    """

    name: str
    url: str
    rate: float
    headers: Mapping[str, str]
    waits_for_answer: bool = False
    pauses: bool = False
    version_from: VersionFrom = BY_DEFAULT
    connect_to: str | None = None
    ok: tuple[tuple[int, int], ...] = ((200, 299),)
    weight: int = 1
    others: tuple[OtherPath, ...] = ()

    def accepts(self, status: int | None) -> bool:
        """Whether an answer with this status is good; None for no answer."""
        return status is not None and any(low <= status <= high for low, high in self.ok)


class Lane:
    """Runs in its own threads from `start` to `finish`.

    Parameters
    ----------
    settings
        Where to ask and how.
    timeout
        Seconds that one request may take.
    write
        Receives the records, one at a time and in order.
    ticks
        End after this many; None: run until stopped.
    """

    def __init__(
        self,
        settings: LaneSettings,
        timeout: float,
        write: Callable[[RequestRecord | LaneRecord | UnansweredRecord], None],
        ticks: int | None = None,
    ) -> None:
        self.settings = settings
        self.broken: BaseException | None = None
        """What ended the lane against its will, for instance a disk that is full."""
        self._write = write
        self._ticks = ticks
        self._asker = Asker(
            settings.url, settings.headers, timeout, settings.version_from, settings.connect_to
        )
        self._turns = sequence([settings.weight, *(other.weight for other in settings.others)])
        self._asked = 0  # where in the sequence the next request stands
        self._workers = Workers(min(MOST_WORKERS, math.ceil(settings.rate * timeout) + 4), settings.name)
        self._thread = threading.Thread(target=self._guarded(self._run), name=settings.name, daemon=True)
        # Guards everything below; notified whenever a request has been settled.
        self._settled = threading.Condition()
        self._polling = settings.waits_for_answer
        self._polls = 0  # since polling began
        self._reported_at = 0.0  # monotonic seconds
        self._reported = ""
        self._sending_run = 0  # counts the runs of sending: an answer may belong to an earlier one
        # Request → when it was handed to a worker, in epoch seconds, and what it asks.
        self._in_flight: dict[object, tuple[float, OtherPath | None]] = {}
        self._closed = False
        self._ok = self._failed = self._missed = 0
        # Set when the state has changed and the lane's thread should look.
        self._changed = threading.Event()
        self._stopping = False

    def start(self) -> None:
        """Begin to poll or to send."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether more requests are to be sent."""
        return self._thread.is_alive() and self.broken is None

    def stop(self) -> None:
        """Send nothing from now on. Answers under way are still counted, until `finish`."""
        self._stopping = True
        self._changed.set()

    def finish(self, within: float) -> None:
        """Stop, and wait at most `within` seconds for the answers under way; those still out have failed."""
        self.stop()
        with self._settled:
            self._settled.wait_for(lambda: not self._in_flight, timeout=within)
            for sent_at, other in self._in_flight.values():
                ms = round((time.time() - sent_at) * 1000, 1)
                self._count(Answer(utc(sent_at), None, None, ms, "no answer before the probe stopped"), other)
            self._in_flight.clear()
            self._closed = True

    def totals(self) -> LaneTotals:
        """Return the counts up to now; final after `finish`."""
        with self._settled:
            return LaneTotals(self._ok + self._failed, self._ok, self._failed, self._missed)

    def _run(self) -> None:
        while not self._stopping:
            if self._polling:
                self._poll()
            else:
                self._send_by_schedule()
                if not self._polling:
                    return

    def _poll(self) -> None:
        began = time.monotonic()
        answer = self._asker.ask()
        with self._settled:
            if self._stopping:
                return
            if answer.by_application:
                self._polling = False
                self._sending_run += 1
                self._write(LaneRecord(self.settings.name, "resumed", utc(time.time())))
                return
            self._report(answer, began)
        self._sleep_until(began + POLL_SECONDS)

    def _report(self, answer: Answer, now: float) -> None:
        self._polls += 1
        met = f"{answer.status} {answer.error}"
        if self._polls == 1 or met != self._reported or now >= self._reported_at + REPORT_SECONDS:
            self._reported, self._reported_at = met, now
            name, asked = self.settings.name, self._polls
            self._write(
                UnansweredRecord(
                    name, answer.at, asked, answer.status, answer.version, answer.error, answer.note
                )
            )

    def _send_by_schedule(self) -> None:
        schedule = Schedule(self.settings.rate, time.monotonic(), self._ticks)
        while (next_at := schedule.next_at) is not None:
            self._sleep_until(next_at)
            if self._stopping or self._polling:
                return
            due = schedule.due(time.monotonic())
            with self._settled:
                self._missed += due.missed
            for _ in range(due.send):
                self._send()

    def _send(self) -> None:
        request = object()
        with self._settled:
            if self._polling or self._stopping:
                return
            sending_run, other = self._sending_run, self._next()
            self._in_flight[request] = time.time(), other
        url = other.url if other else None
        if not self._workers.start(
            self._guarded(lambda: self._settle(request, sending_run, self._asker.ask(url)))
        ):
            with self._settled:
                del self._in_flight[request]
                self._missed += 1

    def _next(self) -> OtherPath | None:
        """The path that is next in the sequence; None for the lane's own address."""
        place = self._turns[self._asked % len(self._turns)]
        self._asked += 1
        return self.settings.others[place - 1] if place else None

    def _settle(self, request: object, sending_run: int, answer: Answer) -> None:
        with self._settled:
            if self._closed:
                return
            _, other = self._in_flight.pop(request)
            if answer.no_target and self.settings.pauses:
                self._pause(sending_run)
            else:
                self._count(answer, other)
            self._settled.notify_all()

    def _pause(self, sending_run: int) -> None:
        # Several requests in flight get this answer; only the first changes anything, and none is counted.
        if sending_run == self._sending_run and not self._polling:
            self._polling, self._polls = True, 0
            self._write(LaneRecord(self.settings.name, "paused", utc(time.time())))
            self._changed.set()

    def _count(self, answer: Answer, other: OtherPath | None) -> None:
        n = self._ok + self._failed + 1
        record = RequestRecord(
            self.settings.name,
            n,
            answer.at,
            answer.status,
            answer.version,
            answer.ms,
            answer.error,
            answer.note,
            self.settings.accepts(answer.status),
            other.path if other else None,
        )
        if record.ok:
            self._ok += 1
        else:
            self._failed += 1
        self._write(record)

    def _sleep_until(self, moment: float) -> None:
        if (seconds := moment - time.monotonic()) > 0:
            self._changed.wait(seconds)
        self._changed.clear()

    def _guarded(self, job: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                job()
            except BaseException as error:
                self.broken = error
                self.stop()

        return run
