"""The ledger: a CloudWatch Logs stream that receives every record, at least once a second.

Nothing is dropped. What could not be written is held and sent again until it is accepted; after a time-out
the first attempt may have been accepted too, so a record can be there twice, which its number shows.
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Protocol, TypedDict

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

from probe.record import Record, to_json
from probe.stopping import StopRequest

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.25
MOST_BYTES = 1_048_576
MOST_EVENTS = 10_000
EVENT_OVERHEAD_BYTES = 26
MOST_SPAN_MS = 23 * 3600 * 1000
"""A batch must span less than 24 hours; it comes to that only after a long time without network."""
LONGEST_BACKOFF_SECONDS = 5.0


class Event(TypedDict):
    """One log event as PutLogEvents takes it; the timestamp is in milliseconds since 1970."""

    timestamp: int
    message: str


class LogsClient(Protocol):
    """What the ledger needs of boto3's `logs` client."""

    def create_log_stream(self, *, logGroupName: str, logStreamName: str) -> Any: ...

    def put_log_events(
        self,
        *,
        logGroupName: str,
        logStreamName: str,
        logEvents: Sequence[Event],
    ) -> Any: ...


class LedgerUnavailable(Exception):
    """The stream cannot be written to. A probe without a ledger proves nothing, so it should not run."""


class Ledger:
    """Writes records to one stream from a thread of its own.

    Use: `open`, then `write` from any thread, then `drain` and `stop`.
    """

    def __init__(
        self,
        client: LogsClient,
        group: str,
        stream: str,
        *,
        now: Callable[[], float] = time.time,
        first_backoff: float = 0.2,
    ) -> None:
        self.rejected = 0
        """Events that CloudWatch Logs refused."""
        self._client = client
        self._group = group
        self._stream = stream
        self._now = now
        self._first_backoff = first_backoff
        self._failures = 0
        self._held: deque[Event] = deque()
        self._last_timestamp = 0
        # Guards what is held; notified when some of it was accepted.
        self._accepted = threading.Condition()
        self._hurry = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    def open(self, within: float, stop: StopRequest) -> bool:
        """Create the stream if it is not there and begin to write; return whether that was done.

        Passing faults are waited out for `within` seconds, or until asked to stop; raises LedgerUnavailable.
        """
        ends_at = time.monotonic() + within
        while not stop.asked:
            try:
                self._create_stream()
                self._failures = 0
                self._thread.start()
                return True
            except (ClientError, BotoCoreError) as error:
                if not passes(error) or time.monotonic() > ends_at:
                    raise LedgerUnavailable(
                        f"log stream {self._stream} of {self._group} cannot be created: {error}"
                    ) from error
                self._failures += 1
                stop.wait(self._backoff())
        return False

    def write(self, record: Record) -> None:
        """Take a record; it is on its way within a quarter of a second."""
        message = to_json(record)
        with self._accepted:
            # In time order even when the system's clock is set back.
            self._last_timestamp = max(self._last_timestamp, int(self._now() * 1000))
            self._held.append({"timestamp": self._last_timestamp, "message": message})

    def drain(self, within: float) -> int:
        """Write now what is held; return how many records are still held after `within` seconds."""
        ends_at = time.monotonic() + within
        with self._accepted:
            while self._held and (left := ends_at - time.monotonic()) > 0:
                self._hurry.set()
                self._accepted.wait(min(left, FLUSH_SECONDS))
            return len(self._held)

    def stop(self) -> None:
        """End the thread; what is held by now stays unwritten."""
        self._stopping = True
        self._hurry.set()

    @property
    def running(self) -> bool:
        """Whether records are still being written."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping:
            if self._failures:
                time.sleep(self._backoff())
            else:
                self._hurry.wait(FLUSH_SECONDS)
            self._hurry.clear()
            # Only what is held now: what comes meanwhile can wait, or each record would become its own call.
            left = len(self._held)
            while left > 0 and not self._stopping and (done := self._put_one_batch()):
                left -= done

    def _put_one_batch(self) -> int:
        """Return how many events are done with, be they accepted or refused for good; 0: to be sent again."""
        with self._accepted:
            batch = first_batch(self._held)
        try:
            answer = self._client.put_log_events(
                logGroupName=self._group, logStreamName=self._stream, logEvents=batch
            )
            rejected = count_rejected(answer.get("rejectedLogEventsInfo") or {}, len(batch))
        except ClientError as error:
            code = _code(error)
            if code == "ResourceNotFoundException":
                self._recreate_stream()
            if code == "InvalidParameterException":
                # The same batch would be refused for ever, and hold up all that come after it.
                rejected = len(batch)
                log.error("batch refused: %s", error)
            elif code == "DataAlreadyAcceptedException":
                rejected = 0
            else:
                return self._failed(error)
        except BotoCoreError as error:
            return self._failed(error)
        if rejected:
            log.error("%d of %d log events rejected: %s", rejected, len(batch), self._stream)
        self._failures = 0
        with self._accepted:
            self.rejected += rejected
            for _ in batch:
                self._held.popleft()
            self._accepted.notify_all()
        return len(batch)

    def _failed(self, error: Exception) -> int:
        self._failures += 1
        log.warning(
            "ledger not written, %d records held, attempt %d: %s", len(self._held), self._failures, error
        )
        return 0

    def _create_stream(self) -> None:
        try:
            self._client.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        except ClientError as error:
            if _code(error) != "ResourceAlreadyExistsException":
                raise

    def _recreate_stream(self) -> None:
        try:
            self._create_stream()
        except (ClientError, BotoCoreError) as error:
            log.warning("log stream %s cannot be created again: %s", self._stream, error)

    def _backoff(self) -> float:
        longest = min(LONGEST_BACKOFF_SECONDS, self._first_backoff * 2.0 ** min(self._failures - 1, 10))
        # Half of it by chance, so that several probes that were throttled together do not return together.
        return longest * random.uniform(0.5, 1.0)


def first_batch(held: deque[Event]) -> list[Event]:
    """Return as many of the oldest events as one PutLogEvents call may carry."""
    batch: list[Event] = []
    size = 0
    for event in islice(held, MOST_EVENTS):
        size += len(event["message"].encode()) + EVENT_OVERHEAD_BYTES
        if batch and (size > MOST_BYTES or event["timestamp"] - batch[0]["timestamp"] > MOST_SPAN_MS):
            break
        batch.append(event)
    return batch


def count_rejected(info: dict[str, int], size: int) -> int:
    """Count the events of a batch of `size` that the answer's rejectedLogEventsInfo says were refused.

    Too old and expired are the first ones, up to an exclusive index; too new are the last ones, from an
    inclusive index.
    """
    too_old = max(info.get("tooOldLogEventEndIndex", 0), info.get("expiredLogEventEndIndex", 0))
    too_new = size - info.get("tooNewLogEventStartIndex", size)
    return min(size, too_old + too_new)


def passes(error: ClientError | BotoCoreError) -> bool:
    """Tell whether a fault of AWS passes by itself: throttling, the service's own, the network's."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status == 429 or "Throttl" in _code(error)
    return isinstance(
        error, HTTPClientError | BotoConnectionError | CredentialRetrievalError | MetadataRetrievalError
    )


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
