"""The ledger's writer: limits, faults and refusals of CloudWatch Logs."""

import json
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from moto import mock_aws

from probe.ledger import (
    EVENT_OVERHEAD_BYTES,
    MOST_BYTES,
    Event,
    Ledger,
    LedgerUnavailable,
    count_rejected,
    first_batch,
)
from probe.record import LaneRecord
from probe.stopping import StopRequest
from tests.unit.probe.scripted_servers import wait_until


def refusal(code: str, status: int = 400) -> ClientError:
    """Return the exception boto3 raises for an error answer."""
    answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "PutLogEvents")


class FakeLogs:
    """A logs client in memory; `put` and `create` hold what the next calls do instead: raise, or answer."""

    def __init__(self) -> None:
        self.put: list[Exception | dict[str, Any]] = []
        self.create: list[Exception] = []
        self.accepted: list[Event] = []
        self.batches: list[int] = []
        self.created = 0

    def create_log_stream(self, *, logGroupName: str, logStreamName: str) -> dict[str, Any]:
        """Create the stream."""
        if self.create:
            raise self.create.pop(0)
        self.created += 1
        return {}

    def put_log_events(
        self, *, logGroupName: str, logStreamName: str, logEvents: Sequence[Event]
    ) -> dict[str, Any]:
        """Accept the events, all or none."""
        instead = self.put.pop(0) if self.put else {}
        if isinstance(instead, Exception):
            raise instead
        self.accepted += logEvents
        self.batches.append(len(logEvents))
        return instead


Opener = Callable[..., Ledger]


@pytest.fixture
def fake() -> FakeLogs:
    """Return a logs client without faults."""
    return FakeLogs()


@pytest.fixture
def stop() -> Iterator[StopRequest]:
    """Return a request to stop that nobody has made; the test's own process gets its signals back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield StopRequest()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def open_ledger(stop: StopRequest) -> Iterator[Opener]:
    """Return a function that opens a ledger that is stopped at the end."""
    ledgers: list[Ledger] = []

    def open_one(client: Any, **options: Any) -> Ledger:
        ledgers.append(Ledger(client, "group", "stream", first_backoff=0.01, **options))
        assert ledgers[-1].open(within=5, stop=stop)
        return ledgers[-1]

    yield open_one
    for ledger in ledgers:
        ledger.stop()


def record(number: int) -> LaneRecord:
    """Return a record that can be told from others."""
    return LaneRecord(f"lane-{number}", "resumed", "2026-11-23T04:00:00.000Z")


def lanes_of(events: Sequence[Event]) -> list[str]:
    """Return the lanes named in the events."""
    return [json.loads(event["message"])["lane"] for event in events]


def test_batch_of_many_events() -> None:
    """A batch holds at most 10,000 events."""
    held: deque[Event] = deque({"timestamp": 1, "message": "x"} for _ in range(10_001))
    assert len(first_batch(held)) == 10_000


def test_batch_of_large_events() -> None:
    """A batch holds at most 1,048,576 bytes of UTF-8, counting 26 for each event."""
    exact = MOST_BYTES // 4 - EVENT_OVERHEAD_BYTES
    four: deque[Event] = deque({"timestamp": 1, "message": "é" * (exact // 2)} for _ in range(5))
    assert len(first_batch(four)) == 4
    four[0]["message"] += "x"
    assert len(first_batch(four)) == 3


def test_batch_over_a_day() -> None:
    """A batch spans less than 24 hours."""
    day = 24 * 3600 * 1000
    held: deque[Event] = deque({"timestamp": moment, "message": "x"} for moment in (0, 1, day))
    assert len(first_batch(held)) == 2


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        pytest.param({}, 0, id="none"),
        pytest.param({"tooOldLogEventEndIndex": 3}, 3, id="old-end-is-exclusive"),
        pytest.param({"tooNewLogEventStartIndex": 8}, 2, id="new-start-is-inclusive"),
        pytest.param({"tooNewLogEventStartIndex": 0}, 10, id="all-too-new"),
        pytest.param(
            {"tooOldLogEventEndIndex": 2, "expiredLogEventEndIndex": 1}, 2, id="expired-are-old-too"
        ),
        pytest.param({"expiredLogEventEndIndex": 2, "tooNewLogEventStartIndex": 9}, 3, id="both-ends"),
    ],
)
def test_counting_rejected_events(info: dict[str, int], expected: int) -> None:
    """The refused events of a batch of ten are counted from the answer's indexes."""
    assert expected == count_rejected(info, 10)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(refusal("ThrottlingException"), id="throttled"),
        pytest.param(refusal("ServiceUnavailableException", 503), id="unavailable"),
        pytest.param(refusal("InternalFailure", 500), id="fault-of-the-service"),
        pytest.param(refusal("ExpiredTokenException"), id="credentials-expired"),
        pytest.param(EndpointConnectionError(endpoint_url="http://logs"), id="no-connection"),
        pytest.param(ReadTimeoutError(endpoint_url="http://logs"), id="timed-out"),
    ],
)
def test_resends(fake: FakeLogs, open_ledger: Opener, fault: Exception) -> None:
    """What could not be written is sent again, in order, until it is accepted."""
    fake.put = [fault, fault, fault]
    ledger = open_ledger(fake)
    for number in range(5):
        ledger.write(record(number))
    assert ledger.drain(within=10) == 0
    assert lanes_of(fake.accepted) == [f"lane-{number}" for number in range(5)]
    assert ledger.rejected == 0


def test_writes_without_being_asked(fake: FakeLogs, open_ledger: Opener) -> None:
    """A record reaches the stream by itself."""
    open_ledger(fake).write(record(1))
    wait_until(lambda: fake.accepted, "the record")


def test_collects_batches(fake: FakeLogs, open_ledger: Opener) -> None:
    """Records that come together go together."""
    ledger = open_ledger(fake)
    for number in range(300):
        ledger.write(record(number))
    ledger.drain(within=10)
    assert len(fake.accepted) == 300
    assert len(fake.batches) <= 3


def test_rejected_events_are_noticed(fake: FakeLogs, open_ledger: Opener) -> None:
    """A 200 answer that holds rejectedLogEventsInfo adds to the count of rejected events."""
    fake.put = [refusal("ThrottlingException"), {"rejectedLogEventsInfo": {"tooOldLogEventEndIndex": 1}}]
    ledger = open_ledger(fake)
    ledger.write(record(1))
    assert ledger.drain(within=10) == 0
    assert ledger.rejected == 1


def test_poisoned_batch_holds_up_nothing(fake: FakeLogs, open_ledger: Opener) -> None:
    """A batch refused as invalid is counted as rejected, and what comes after it is written."""
    fake.put = [refusal("InvalidParameterException")]
    ledger = open_ledger(fake)
    ledger.write(record(1))
    ledger.drain(within=10)
    ledger.write(record(2))
    assert ledger.drain(within=10) == 0
    assert lanes_of(fake.accepted) == ["lane-2"]
    assert ledger.rejected == 1


def test_lost_stream_is_made_again(fake: FakeLogs, open_ledger: Opener) -> None:
    """When the stream has disappeared it is created again and the records follow."""
    fake.put = [refusal("ResourceNotFoundException")]
    ledger = open_ledger(fake)
    ledger.write(record(1))
    assert ledger.drain(within=10) == 0
    assert fake.created == 2


def test_time_order(fake: FakeLogs, open_ledger: Opener) -> None:
    """Timestamps never go back, even when the clock does."""
    clock = iter([100.0, 90.0, 110.0])
    ledger = open_ledger(fake, now=lambda: next(clock))
    for number in range(3):
        ledger.write(record(number))
    ledger.drain(within=10)
    assert [event["timestamp"] for event in fake.accepted] == [100_000, 100_000, 110_000]


def test_drain_gives_up(fake: FakeLogs, open_ledger: Opener) -> None:
    """Draining tells how many records are still held when its time is over."""
    fake.put = [refusal("AccessDeniedException")] * 1000
    ledger = open_ledger(fake)
    ledger.write(record(1))
    assert ledger.drain(within=0.2) == 1


def test_open_with_passing_fault(fake: FakeLogs, open_ledger: Opener) -> None:
    """Throttling while the stream is created is waited out; a stream that exists is fine."""
    fake.create = [refusal("ThrottlingException"), refusal("ResourceAlreadyExistsException")]
    assert open_ledger(fake).running


@pytest.mark.parametrize("fault", [refusal("AccessDeniedException"), NoCredentialsError()])
def test_open_without_permission(fake: FakeLogs, stop: StopRequest, fault: Exception) -> None:
    """A stream that cannot be created says so at once."""
    fake.create = [fault]
    with pytest.raises(LedgerUnavailable, match="stream of group cannot be created"):
        Ledger(fake, "group", "stream").open(within=5, stop=stop)


@mock_aws
def test_with_the_shape_of_cloudwatch_logs(open_ledger: Opener) -> None:
    """Against moto, boto3's own client accepts what is sent, and it can be read back in order."""
    client = boto3.client(
        "logs", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    client.create_log_group(logGroupName="group")
    ledger = open_ledger(client)
    for number in range(3):
        ledger.write(record(number))
    assert ledger.drain(within=10) == 0
    events = client.get_log_events(logGroupName="group", logStreamName="stream", startFromHead=True)["events"]
    assert [json.loads(event["message"])["lane"] for event in events] == ["lane-0", "lane-1", "lane-2"]
