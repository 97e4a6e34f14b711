"""A lane: polling, sending, pausing, and counting."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from probe import lane as lane_module
from probe import schedule
from probe.lane import Lane, LaneSettings
from probe.record import LaneRecord, LaneTotals, RequestRecord, UnansweredRecord
from probe.turns import OtherPath
from tests.unit.probe.scripted_servers import Reply, Seen, WebServer, wait_until

pytestmark = pytest.mark.enable_socket
StartWeb = Callable[[Callable[[Seen], Reply]], WebServer]
NO_TARGET = Reply(status=503, body=b"", server="awselb/2.0")


class Notebook:
    """Takes the records of one lane."""

    def __init__(self) -> None:
        self.records: list[RequestRecord | LaneRecord | UnansweredRecord] = []

    @property
    def requests(self) -> list[RequestRecord]:
        """The requests written so far."""
        return [record for record in list(self.records) if isinstance(record, RequestRecord)]

    @property
    def events(self) -> list[str]:
        """The lane's events written so far."""
        return [record.event for record in list(self.records) if isinstance(record, LaneRecord)]

    @property
    def polls(self) -> list[UnansweredRecord]:
        """What was met while polling."""
        return [record for record in list(self.records) if isinstance(record, UnansweredRecord)]

    def assert_no_gaps(self) -> None:
        """Check the numbers: 1, 2, 3, …"""
        assert list(range(1, len(self.requests) + 1)) == [record.n for record in self.requests]


StartLane = Callable[..., tuple[Lane, Notebook]]


@pytest.fixture
def start_lane(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartLane]:
    """Return a function that starts a lane that is finished at the end; it polls quickly."""
    monkeypatch.setattr(lane_module, "POLL_SECONDS", 0.02)
    # A machine that is busy with other tests must not make ticks late.
    monkeypatch.setattr(schedule, "LEAST_TOLERANCE_SECONDS", 10.0)
    lanes: list[Lane] = []

    def start(url: str, rate: float = 50, **options: Any) -> tuple[Lane, Notebook]:
        notebook = Notebook()
        rest = {key: options.pop(key) for key in ("timeout", "ticks", "write") if key in options}
        write = rest.pop("write", notebook.records.append)
        settings = LaneSettings("green", url, rate, {}, **options)
        lanes.append(Lane(settings, write=write, **{"timeout": 5.0, **rest}))
        lanes[-1].start()
        return lanes[-1], notebook

    yield start
    for lane in lanes:
        lane.finish(within=0)


def test_numbers_without_gaps(web: StartWeb, start_lane: StartLane) -> None:
    """Requests that complete out of order are numbered as they complete, none left out, none twice."""
    first_held = threading.Event()
    server = web(
        lambda seen: Reply(hold=first_held if seen.number == 1 else None, status=200 + seen.number % 2 * 300)
    )
    lane, notebook = start_lane(server.url, rate=100, ticks=40)
    wait_until(lambda: len(notebook.requests) == 39, "all but the first")
    first_held.set()
    lane.finish(within=5)
    notebook.assert_no_gaps()
    assert lane.totals() == LaneTotals(sent=40, ok=20, failed=20, missed=0)
    assert notebook.requests[-1].at == min(record.at for record in notebook.requests)


def test_several_paths_are_asked_in_turn(web: StartWeb, start_lane: StartLane) -> None:
    """By weight, in an order that is the same each time; only the lane's own address names a version."""
    server = web(lambda _: Reply(body=b'{"version": "0.0.1"}'))
    others = OtherPath("/a", f"{server.url}/a", 2), OtherPath("/b?c=1", f"{server.url}/b?c=1")
    lane, notebook = start_lane(f"{server.url}/version", rate=50, ticks=40, others=others)
    wait_until(lambda: len(notebook.requests) == 40, "all answers")
    lane.finish(within=5)
    turn = ["/a", "/version", "/b?c=1", "/a"]
    assert sorted(seen.path for seen in server.seen) == sorted(turn * 10)
    assert {(record.path, record.version) for record in notebook.requests} == {
        (None, "0.0.1"),
        ("/a", None),
        ("/b?c=1", None),
    }
    notebook.assert_no_gaps()


def test_a_request_that_is_not_answered_names_its_path(web: StartWeb, start_lane: StartLane) -> None:
    """Also when the probe stops before."""
    hold = threading.Event()
    server = web(lambda _: Reply(hold=hold))
    lane, notebook = start_lane(server.url, ticks=2, others=(OtherPath("/a", f"{server.url}/a"),))
    wait_until(lambda: len(server.seen) == 2, "both requests")
    lane.finish(within=0)
    hold.set()
    assert sorted(record.path or "" for record in notebook.requests) == ["", "/a"]


def test_a_lane_polls_where_the_version_is(web: StartWeb, start_lane: StartLane) -> None:
    """Whether there is an application is asked at one address."""
    server = web(lambda seen: NO_TARGET if seen.number < 4 else Reply())
    others = (OtherPath("/a", f"{server.url}/a", 5),)
    _, notebook = start_lane(f"{server.url}/version", waits_for_answer=True, ticks=6, others=others)
    wait_until(lambda: len(notebook.requests) == 6, "all answers")
    assert {seen.path for seen in server.seen[:4]} == {"/version"}


def test_slow_answer_delays_no_other(web: StartWeb, start_lane: StartLane) -> None:
    """While one request waits for its answer, the others are sent on time."""
    hold = threading.Event()
    server = web(lambda seen: Reply(hold=hold if seen.number == 3 else None))
    lane, notebook = start_lane(server.url, rate=20, ticks=20)
    wait_until(lambda: len(notebook.requests) == 19, "all but the slow one")
    hold.set()
    lane.finish(within=5)
    times = [seen.at for seen in server.seen]
    assert max(later - earlier for earlier, later in pairwise(times)) < 2
    assert lane.totals().sent == 20


def test_missed_ticks_are_counted(
    web: StartWeb, start_lane: StartLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When every worker waits for an answer, the ticks that cannot be sent are counted as missed."""
    monkeypatch.setattr(lane_module, "MOST_WORKERS", 3)
    hold = threading.Event()
    lane, _ = start_lane(web(lambda _: Reply(hold=hold)).url, rate=100, ticks=30)
    wait_until(lambda: not lane.running, "the last tick")
    hold.set()
    lane.finish(within=5)
    assert LaneTotals(sent=3, ok=3, failed=0, missed=27) == lane.totals()


def test_polls_until_the_application_answers(web: StartWeb, start_lane: StartLane) -> None:
    """Before the first answer of the application nothing is counted; then the lane resumes."""
    server = web(lambda seen: NO_TARGET if seen.number <= 3 else Reply(status=500))
    lane, notebook = start_lane(server.url, waits_for_answer=True)
    wait_until(lambda: len(notebook.requests) >= 3, "requests after the polls")
    lane.finish(within=5)
    (resumed,) = [record for record in notebook.records if isinstance(record, LaneRecord)]
    assert resumed == LaneRecord("green", "resumed", resumed.at)
    assert len(server.seen) == 4 + len(notebook.requests)
    notebook.assert_no_gaps()


def test_polls_while_nobody_listens(start_lane: StartLane) -> None:
    """Connections that are refused while polling are counted nowhere; what is met is told, once."""
    lane, notebook = start_lane("http://127.0.0.1:1/", waits_for_answer=True)
    wait_until(lambda: notebook.records, "the first poll")
    assert lane.running
    lane.finish(within=5)
    assert lane.totals() == LaneTotals(0, 0, 0, 0)
    (poll,) = notebook.records
    assert poll == UnansweredRecord(
        "green", poll.at, 1, None, None, "ConnectionRefusedError: Connection refused", None
    )


def test_what_a_lane_meets_while_polling_is_told_when_it_changes(
    web: StartWeb, start_lane: StartLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And again after some seconds, with how often was asked: a reader must know that it goes on."""
    server = web(lambda seen: NO_TARGET if seen.number <= 3 else Reply(502, b"", "awselb/2.0"))
    _, notebook = start_lane(server.url, waits_for_answer=True)
    wait_until(lambda: len(server.seen) >= 6, "polls")
    told = [(record.status, record.asked) for record in notebook.polls]
    assert told == [(503, 1), (502, 4)]
    assert {record.note for record in notebook.polls} == {"by the load balancer"}
    monkeypatch.setattr(lane_module, "REPORT_SECONDS", 0)
    wait_until(lambda: len(notebook.polls) >= 4, "more of the same")


def test_pauses_and_resumes(web: StartWeb, start_lane: StartLane) -> None:
    """A pausing lane counts no 503 of the load balancer, says that it paused, and comes back by itself."""
    gone = threading.Event()
    server = web(lambda _: NO_TARGET if gone.is_set() else Reply())
    lane, notebook = start_lane(server.url, pauses=True)
    wait_until(lambda: len(notebook.requests) >= 3, "requests")
    gone.set()
    wait_until(lambda: notebook.events == ["paused"], "the pause")
    asked = len(server.seen)
    wait_until(lambda: len(server.seen) >= asked + 3, "polls")
    gone.clear()
    wait_until(lambda: notebook.events == ["paused", "resumed"], "the return")
    counted = len(notebook.requests)
    wait_until(lambda: len(notebook.requests) >= counted + 3, "requests again")
    lane.finish(within=5)
    notebook.assert_no_gaps()
    assert lane.totals().failed == 0
    assert lane.totals().missed == 0


def test_in_flight_when_paused(web: StartWeb, start_lane: StartLane) -> None:
    """Requests in flight when the lane pauses are polls if they get the same answer; else they count."""
    release = threading.Event()

    def script(seen: Seen) -> Reply:
        if seen.number <= 2:
            answer = NO_TARGET if seen.number == 1 else Reply()
            return replace(answer, hold=release)
        return NO_TARGET

    lane, notebook = start_lane(web(script).url, pauses=True)
    wait_until(lambda: notebook.events, "the pause")
    release.set()
    lane.finish(within=5)
    assert notebook.events == ["paused"]
    assert [(record.n, record.status) for record in notebook.requests] == [(1, 200)]


def test_without_pauses_a_503_has_failed(web: StartWeb, start_lane: StartLane) -> None:
    """A lane that does not pause counts the load balancer's 503 as any client would."""
    lane, notebook = start_lane(web(lambda _: NO_TARGET).url, ticks=5)
    wait_until(lambda: len(notebook.requests) == 5, "five failures")
    assert LaneTotals(sent=5, ok=0, failed=5, missed=0) == lane.totals()
    assert notebook.events == []


def test_the_lane_says_which_statuses_are_good(web: StartWeb, start_lane: StartLane) -> None:
    """A health path may answer 204, and a login's redirect may be what a service is to give."""
    statuses = {1: 302, 2: 200, 3: 204}
    server = web(lambda seen: Reply(statuses[seen.number], b""))
    lane, notebook = start_lane(server.url, ticks=3, ok=((204, 204), (300, 399)))
    wait_until(lambda: len(notebook.requests) == 3, "three answers")
    assert {record.status: record.ok for record in notebook.requests} == {302: True, 200: False, 204: True}
    assert LaneTotals(sent=3, ok=2, failed=1, missed=0) == lane.totals()
    assert len(server.seen) == 3, "no redirect is followed"


def test_502_of_the_load_balancer_has_failed(web: StartWeb, start_lane: StartLane) -> None:
    """Only 503 means that there is no target; another fault of the load balancer is a failed request."""
    lane, notebook = start_lane(web(lambda _: Reply(502, b"", "awselb/2.0")).url, ticks=3, pauses=True)
    wait_until(lambda: len(notebook.requests) == 3, "three failures")
    assert lane.totals().failed == 3
    assert notebook.events == []


def test_unanswered_at_the_end(web: StartWeb, start_lane: StartLane) -> None:
    """A request still out when the patience ends has failed, and nothing is written afterwards."""
    hold = threading.Event()
    lane, notebook = start_lane(web(lambda _: Reply(hold=hold)).url, ticks=1)
    wait_until(lambda: not lane.running, "the only tick")
    lane.finish(within=0.05)
    hold.set()
    assert [record.error for record in notebook.requests] == ["no answer before the probe stopped"]
    assert lane.totals() == LaneTotals(sent=1, ok=0, failed=1, missed=0)


def test_stop_is_quick_at_low_rates(web: StartWeb, start_lane: StartLane) -> None:
    """A lane that sends once in ten minutes ends as soon as it is asked to."""
    lane, notebook = start_lane(web(lambda _: Reply()).url, rate=1 / 600)
    wait_until(lambda: notebook.requests, "the first request")
    lane.stop()
    wait_until(lambda: not lane.running, "the end")


def test_records_that_cannot_be_written_end_the_lane(web: StartWeb, start_lane: StartLane) -> None:
    """A lane whose records cannot be written stops and says why, instead of going on unseen."""

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    # No second request may be under way: the end would try to write of it as well.
    lane, _ = start_lane(web(lambda _: Reply()).url, rate=1 / 600, write=full)
    wait_until(lambda: not lane.running, "the end")
    assert isinstance(lane.broken, OSError)
