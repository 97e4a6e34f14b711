"""Adapters that tell of users and alarms: the outcome feed, the target groups' metrics, alarms by name."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from crossfade.aws.alarms import Alarms
from crossfade.aws.ledger import Ledger
from crossfade.aws.outcome_feed import FeedLog
from crossfade.aws.target_metrics import TargetMetrics
from crossfade.domain.gate.blocks.from_metrics import Minute
from crossfade.domain.planning.plan import LogStreams
from crossfade.domain.rollout.alarms import Alarm
from tests.unit.account import LEDGER_GROUP, SESSION, Account
from tests.unit.domain.gate.watching import feed_line
from tests.unit.examples import at, of_two_ports, request

STREAMS = LogStreams(group="/crossfade/web", prefix="ecs/0.0.2-222222222222-1/app/")
OTHERS = LogStreams(group="/crossfade/web", prefix="ecs/0.0.2-222222222222-10/app/")


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


# ---- the outcome feed -----------------------------------------------------------------------------------


def test_a_feed_is_all_streams_of_a_release(account: Account) -> None:
    """Each task has one; another release's begin otherwise."""
    lines = [feed_line(stream="a"), feed_line(stream="b"), feed_line(stream="a", ended=10)]
    for line in lines:
        account.write_feed(STREAMS, line)
    account.write_feed(OTHERS, feed_line(stream="a"))
    found, faults = FeedLog(account.logs).lines("green", STREAMS, at(0))
    expected = [line._replace(stream=STREAMS.prefix + line.stream) for line in lines]
    assert (sorted(found, key=str), faults) == (sorted(expected, key=str), {})


def test_a_feed_is_read_from_a_moment_on(account: Account) -> None:
    """What came before was taken in already."""
    for ended in (5, 10, 15):
        account.write_feed(STREAMS, feed_line(ended=ended))
    found, _ = FeedLog(account.logs).lines("green", STREAMS, at(10))
    assert [line.outcomes.ended for line in found] == [at(10), at(15)]


def test_a_line_that_cannot_be_read_is_told_and_left_out(account: Account) -> None:
    """With the task's stream, so that it can be found."""
    account.write_feed(STREAMS, feed_line(stream="a"))
    told = feed_line().outcomes.model_dump_json().replace('"failures":1', '"failures":99')
    account.write_log(STREAMS.group, f"{STREAMS.prefix}b", told, at(5))
    found, faults = FeedLog(account.logs).lines("green", STREAMS, at(0))
    assert len(found) == 1
    assert list(faults.values()) == [f"{STREAMS.prefix}b: line: Value error, more failures than requests"]


def test_a_release_that_has_not_written_yet_has_no_lines(account: Account) -> None:
    """Its tasks' streams do not exist yet, and that is no error."""
    account.logs.create_log_group(logGroupName=STREAMS.group)
    assert FeedLog(account.logs).lines("green", STREAMS, at(0)) == ([], {})


@pytest.fixture
def logs() -> Iterator[Stubber]:
    """Return a logs client that answers as it is told."""
    with Stubber(SESSION.client("logs")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_all_pages_of_a_feed_are_read(logs: Stubber) -> None:
    """An empty page is not the end; only the feed's own lines are asked for."""
    asked: dict[str, Any] = {
        "logGroupName": STREAMS.group,
        "logStreamNamePrefix": STREAMS.prefix,
        "startTime": _milliseconds(at(0)),
        "filterPattern": '{ $.crossfade = "outcomes/1" }',
    }
    pages = [[feed_line(ended=5)], [], [feed_line(ended=10)]]
    for place, page in enumerate(pages):
        events = [
            {"logStreamName": STREAMS.prefix + line.stream, "message": line.outcomes.model_dump_json()}
            for line in page
        ]
        more = {"nextToken": str(place + 1)} if place < len(pages) - 1 else {}
        given = asked | ({"nextToken": str(place)} if place else {})
        logs.add_response("filter_log_events", {"events": events, **more}, given)
    found, _ = FeedLog(logs.client).lines("green", STREAMS, at(0))
    assert [line.outcomes.ended for line in found] == [at(5), at(10)]


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_why_a_log_cannot_be_read_is_cloudwatchs_word(logs: Stubber, code: str) -> None:
    """Of a group that Crossfade may not read, and of one that is not there."""
    asked = {"logGroupName": STREAMS.group, "logStreamNamePrefix": STREAMS.prefix, "limit": 1}
    logs.add_client_error("filter_log_events", code, "no", http_status_code=400, expected_params=asked)
    assert code in FeedLog(logs.client).unreadable(STREAMS)


def test_a_log_without_a_line_can_be_read(account: Account) -> None:
    """The release's streams come with its tasks."""
    account.logs.create_log_group(logGroupName=STREAMS.group)
    assert FeedLog(account.logs).unreadable(STREAMS) == ""


def test_another_refusal_of_the_look_is_passed_on(logs: Stubber) -> None:
    """It says nothing of the log."""
    logs.add_client_error("filter_log_events", "LimitExceededException", http_status_code=400)
    with pytest.raises(logs.client.exceptions.ClientError, match="LimitExceeded"):
        FeedLog(logs.client).unreadable(STREAMS)


# ---- the ledger's beginning -----------------------------------------------------------------------------


def test_a_ledger_has_begun_with_its_first_line(account: Account) -> None:
    """A stream that does not exist, or is still empty, has not."""
    ledger = Ledger(account.logs, LEDGER_GROUP)
    assert ledger.begun("web/d1") is False
    account.logs.create_log_stream(logGroupName=LEDGER_GROUP, logStreamName="web/d1")
    assert ledger.begun("web/d1") is False
    account.write_ledger("web/d1", request())
    assert ledger.begun("web/d1") is True


def test_a_refused_look_for_the_beginning_is_passed_on(logs: Stubber) -> None:
    """It does not mean that the probe has not begun."""
    logs.add_client_error("get_log_events", "AccessDeniedException", http_status_code=400)
    with pytest.raises(logs.client.exceptions.ClientError, match="AccessDenied"):
        Ledger(logs.client, LEDGER_GROUP).begun("web/d1")


# ---- metrics --------------------------------------------------------------------------------------------


def test_minutes_of_both_slots_are_read(account: Account) -> None:
    """Failures are answers with 5xx and connections that failed; none of them is no point, and means none."""
    account.count("green", "RequestCount", at(0), 100)
    account.count("green", "HTTPCode_Target_5XX_Count", at(0), 3)
    account.count("green", "TargetConnectionErrorCount", at(0), 2)
    account.count("green", "RequestCount", at(60), 90)
    account.count("blue", "RequestCount", at(0), 900)
    found = TargetMetrics(account.cloudwatch, account.spec).minutes(at(0), at(120))
    assert sorted(found, key=lambda minute: (minute.slot, minute.at)) == [
        Minute(slot="blue", at=at(0), requests=900, failures=0),
        Minute(slot="green", at=at(0), requests=100, failures=5),
        Minute(slot="green", at=at(60), requests=90, failures=0),
    ]


def test_a_minute_without_a_point_is_left_out(account: Account) -> None:
    """Nor is one made of failures without requests: a missing point is not zero."""
    account.count("green", "HTTPCode_Target_5XX_Count", at(0), 3)
    assert TargetMetrics(account.cloudwatch, account.spec).minutes(at(0), at(120)) == []


def test_all_ports_of_a_slot_count_together(account: Account) -> None:
    """Also where one of them had no request; to which rules lead there, each counts once."""
    spec = of_two_ports(account.spec)
    for group, at_first, later in (
        (account.spec.target_groups, 100, None),
        (spec.also[0].target_groups, 7, 5),
    ):
        account.spec = account.spec.model_copy(update={"target_groups": group})
        account.count("green", "RequestCount", at(0), at_first)
        account.count("green", "HTTPCode_Target_5XX_Count", at(0), 2)
        if later:
            account.count("green", "RequestCount", at(60), later)
    found = TargetMetrics(account.cloudwatch, spec).minutes(at(0), at(120))
    assert sorted(found, key=lambda minute: minute.at) == [
        Minute(slot="green", at=at(0), requests=107, failures=4),
        Minute(slot="green", at=at(60), requests=5, failures=0),
    ]


def test_other_target_groups_do_not_count(account: Account) -> None:
    """Nor do other times."""
    for seconds in (-60, 120):
        account.count("green", "RequestCount", at(seconds), 7)
    account.spec = account.spec.model_copy(
        update={
            "target_groups": account.spec.target_groups.model_copy(update={"green": "arn:x:targetgroup/z/9"})
        }
    )
    account.count("green", "RequestCount", at(0), 7)
    mine = account.spec.model_copy(
        update={
            "target_groups": account.spec.target_groups.model_copy(update={"green": "arn:x:targetgroup/y/1"})
        }
    )
    assert TargetMetrics(account.cloudwatch, mine).minutes(at(0), at(120)) == []


@pytest.fixture
def cloudwatch() -> Iterator[Stubber]:
    """Return a CloudWatch client that answers as it is told."""
    with Stubber(SESSION.client("cloudwatch")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_all_pages_of_metrics_are_read(account: Account, cloudwatch: Stubber) -> None:
    """A metric's points may be on several of them, in any order."""

    def page(name: str, *points: tuple[float, float]) -> dict[str, Any]:
        times, values = [at(seconds) for seconds, _ in points], [value for _, value in points]
        return {"Id": name, "Timestamps": times, "Values": values, "StatusCode": "PartialData"}

    pages = [
        [page("green_RequestCount_0", (60, 90.0)), page("green_HTTPCode_Target_5XX_Count_0", (0, 3.0))],
        [page("green_RequestCount_0", (0, 100.0))],
    ]
    for place, results in enumerate(pages):
        more = {"NextToken": "1"} if not place else {}
        cloudwatch.add_response("get_metric_data", {"MetricDataResults": results, **more})
    found = TargetMetrics(cloudwatch.client, account.spec).minutes(at(0), at(120))
    assert sorted((minute.at, minute.requests, minute.failures) for minute in found) == [
        (at(0), 100, 3),
        (at(60), 90, 0),
    ]


# ---- alarms ---------------------------------------------------------------------------------------------


def test_alarms_are_read_by_name(account: Account) -> None:
    """Those that do not exist are not among them, nor those that were not asked for."""
    account.alarm("errors", "ALARM")
    account.alarm("latency")
    account.alarm("another")
    found = Alarms(account.cloudwatch).states(("errors", "latency", "gone"))
    assert {name: alarm.state for name, alarm in found.items()} == {"errors": "ALARM", "latency": "OK"}


def test_no_alarms_are_not_asked_for(cloudwatch: Stubber) -> None:
    """Without names DescribeAlarms would answer with every alarm of the account."""
    assert Alarms(cloudwatch.client).states(()) == {}


def test_an_alarm_is_as_old_as_its_state(cloudwatch: Stubber) -> None:
    """An update that leaves the state alone is no transition; composite alarms are alarms too."""
    cloudwatch.add_response(
        "describe_alarms",
        {
            "MetricAlarms": [
                {
                    "AlarmName": "errors",
                    "StateValue": "ALARM",
                    "StateUpdatedTimestamp": at(50),
                    "StateTransitionedTimestamp": at(10),
                }
            ],
            "CompositeAlarms": [
                {"AlarmName": "all", "StateValue": "INSUFFICIENT_DATA", "StateUpdatedTimestamp": at(20)}
            ],
        },
        {
            "AlarmNames": ["errors", "all"],
            "AlarmTypes": ["MetricAlarm", "CompositeAlarm"],
            "MaxRecords": 100,
        },
    )
    assert Alarms(cloudwatch.client).states(("errors", "all")) == {
        "errors": Alarm(name="errors", state="ALARM", since=at(10)),
        "all": Alarm(name="all", state="INSUFFICIENT_DATA", since=at(20)),
    }
