"""What the watch hears of users and alarms: the feed, the metrics, and what of them travels."""

from itertools import pairwise
from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.domain import errors
from crossfade.domain.gate.blocks.from_feed import FORMAT, Line, Outcomes
from crossfade.domain.gate.blocks.from_metrics import READ_SECONDS
from crossfade.domain.planning.plan import Feed, HeldPlan, LogStreams
from crossfade.domain.slots import Slot
from crossfade.domain.spec.gate import GateSettings
from crossfade.watching.filters import ALARM_SECONDS
from crossfade.watching.gate import Watching
from crossfade.watching.users import FEED_SECONDS
from tests.unit.account import Account
from tests.unit.examples import at, both_lanes, every_lane, request
from tests.unit.handlers.conftest import Aws, Clock, Invoke, Logged

FEED = Feed(
    candidate=LogStreams(group="/crossfade/web", prefix="app/0.0.2-222222222222-1/app/"),
    stable=LogStreams(group="/crossfade/web", prefix="app/0.0.1-111111111111-1/app/"),
)


def _plan(account: Account, journal: Journal, probe: str, users: str, **changes: Any) -> HeldPlan:
    gate = GateSettings.model_validate(
        {"users": users, "probe_margin": 0.05, "warm_up_seconds": 0, "clump_seconds": 3}
    )
    spec = account.spec.model_copy(update={"gate": gate})
    plan = account.plan(**changes).model_copy(update={"spec": spec})
    journal.holding.claim(plan)
    journal.history.probing(plan.hold, probe)
    return plan


@pytest.fixture
def fed(account: Account, journal: Journal, aws: Aws, probe: str, blue_live: None) -> HeldPlan:
    """Return a deployment into green whose application writes an outcome feed."""
    account.logs.create_log_group(logGroupName="/crossfade/web")
    return _plan(account, journal, probe, "feed", feed=FEED)


@pytest.fixture
def metered(account: Account, journal: Journal, aws: Aws, probe: str, blue_live: None) -> HeldPlan:
    """Return a deployment into green of whose users the target groups' metrics tell."""
    return _plan(account, journal, probe, "metrics")


@pytest.fixture
def alarmed(account: Account, metered: HeldPlan) -> HeldPlan:
    """Return a deployment that heeds an alarm, which is not raised."""
    account.alarm("errors")
    return metered.model_copy(update={"spec": metered.spec.model_copy(update={"alarms": ("errors",)})})


def _watch(invoke: Invoke, plan: HeldPlan, probe: str, /, *, stage: int = 1, **given: Any) -> dict[str, Any]:
    """Watch the stage in which both slots have users, with what an earlier watch handed on."""
    return invoke(
        "watch_stage",
        plan=plan,
        probe=probe,
        stage=stage,
        began=at(0),
        deadline=at(given.get("deadline", 300)),
        candidate_since=at(0),
        watching=given.get("watching", "{}"),
    )


def _line(slot: Slot, ended: float, requests: int, failures: int, task: str = "a") -> Line:
    told = {"requests": requests, "failures": failures, "latencies": ((30, requests),)}
    return Line(
        slot,
        task,
        Outcomes.model_validate(
            {"crossfade": FORMAT, "process": 1, "began": at(ended - 5), "ended": at(ended), **told}
        ),
    )


def _feed(account: Account, ends: range, failures: int = 0) -> None:
    """Write lines of two tasks of each slot; green has a tenth of the users."""
    for ended in ends:
        for task in "ab":
            account.write_feed(FEED.candidate, _line("green", ended, 500, failures, task))
            assert FEED.stable is not None
            account.write_feed(FEED.stable, _line("blue", ended, 4500, 0, task))


def _times(aws: Aws, clock: Clock, operation: str) -> list[float]:
    """When an operation was called; it grows."""
    times: list[float] = []

    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        times.append(clock.seconds)
        return answer

    aws.edit(operation, edit)
    return times


# ---- the outcome feed -----------------------------------------------------------------------------------


def test_users_prove_a_good_candidate_by_their_feed(
    account: Account, invoke: Invoke, clock: Clock, probe: str, fed: HeldPlan
) -> None:
    """The feeds of all tasks of both slots, told apart by their streams."""
    account.write_ledger(fed.ledger, *every_lane("." * 300))
    _feed(account, range(5, 31, 5))
    clock.seconds = 36
    verdict = _watch(invoke, fed, probe)["verdict"]
    assert (verdict["action"], verdict["reason"]) == (
        "advance",
        "candidate (green) fails 0 of 299, stable (blue) 0 of 299; users: candidate (green) fails 0 "
        "of 5,000, stable (blue) 0 of 45,000",
    )


def test_users_tell_of_a_bad_candidate_by_their_feed(
    account: Account, invoke: Invoke, clock: Clock, probe: str, fed: HeldPlan
) -> None:
    """Though it answers the probe well."""
    account.write_ledger(fed.ledger, *every_lane("." * 300))
    _feed(account, range(5, 31, 5), failures=50)
    clock.seconds = 36
    verdict = _watch(invoke, fed, probe)["verdict"]
    assert (verdict["action"], verdict["cause"]) == ("step_back", "strike")
    assert verdict["reason"].startswith(
        "candidate (green) fails 100 of 1,000, stable (blue) 0 of 9,000 of the users' requests within 5 s"
    )
    assert "; 500 failures in all 2 tasks" in verdict["reason"]


def test_without_word_of_users_the_stage_is_held(
    account: Account, invoke: Invoke, clock: Clock, probe: str, fed: HeldPlan
) -> None:
    """Silence is not success: not of the feed either."""
    account.write_ledger(fed.ledger, *every_lane("." * 520))
    clock.seconds = 31
    assert _watch(invoke, fed, probe)["verdict"] == {
        "action": "hold",
        "reason": "user evidence missing: no outcomes of the candidate's users in its outcome feed",
        "emergency": False,
        "error": None,
        "cause": None,
        "climb": None,
    }


def test_a_stable_slot_without_a_feed_compares_nothing(
    account: Account, invoke: Invoke, clock: Clock, probe: str, fed: HeldPlan
) -> None:
    """The release before may have logged elsewhere; the candidate's word is still heard."""
    account.write_ledger(fed.ledger, *every_lane("." * 520))
    _feed(account, range(5, 31, 5))
    clock.seconds = 31
    plan = fed.model_copy(update={"feed": FEED.model_copy(update={"stable": None})})
    verdict = _watch(invoke, plan, probe)["verdict"]
    assert verdict["action"] == "hold"
    assert verdict["reason"].startswith(
        "user evidence insufficient: candidate (green) fails 0 of 0, stable (blue) 0 of 0 in 30 s"
    )


def test_the_feed_is_read_no_oftener_than_it_brings_news(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, probe: str, fed: HeldPlan
) -> None:
    """The watch looks several times a second, and FilterLogEvents has a quota."""
    times = _times(aws, clock, "FilterLogEvents")
    _watch(invoke, fed, probe)
    readings = sorted(set(times))
    assert times == sorted(readings * 2)
    assert len(readings) >= 6
    assert all(later - earlier >= FEED_SECONDS for earlier, later in pairwise(readings))


def test_the_feed_is_not_read_before_a_block_can_be_complete(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, probe: str, fed: HeldPlan
) -> None:
    """The one after the last ends 5 s later, and settles for 10 s."""
    _feed(account, range(5, 6))
    times = _times(aws, clock, "FilterLogEvents")
    clock.seconds = 15
    _watch(invoke, fed, probe)
    assert times[0] == 15
    assert min(time for time in times if time > 15) >= 20


def test_a_line_that_cannot_be_read_stops_nobody(
    account: Account, invoke: Invoke, clock: Clock, probe: str, fed: HeldPlan, logged: Logged
) -> None:
    """It is told, once, however often it is read: a feed that is never read must not be a riddle."""
    account.write_ledger(fed.ledger, *every_lane("." * 90))
    _feed(account, range(5, 31, 5))
    account.write_log(FEED.candidate.group, f"{FEED.candidate.prefix}a", "GET / 200", at(7))
    clock.seconds = 31
    assert _watch(invoke, fed, probe)["verdict"]["action"] == "hold"
    (warning,) = [line for line in logged() if line["level"] == "WARNING"]
    assert warning["message"].startswith(
        f"1 lines of green's outcome feed cannot be read: {FEED.candidate.prefix}a: line: Invalid JSON"
    )
    assert warning["correlation_id"] == "d1"


def test_two_watches_of_a_feed_decide_as_one(
    account: Account, invoke: Invoke, clock: Clock, probe: str, fed: HeldPlan
) -> None:
    """The state hands on all that was heard; what is read twice counts once."""
    account.write_ledger(fed.ledger, *every_lane("." * 90))
    _feed(account, range(5, 11, 5))
    clock.seconds = 2
    first = _watch(invoke, fed, probe)
    assert (first["verdict"]["action"], clock.seconds >= 22) == ("hold", True)
    assert Watching.model_validate_json(first["watching"]).gate.users.until == int(at(10).timestamp())
    account.write_ledger(fed.ledger, *every_lane("." * 210, first=91))
    _feed(account, range(15, 31, 5))
    clock.seconds = 36
    second = _watch(invoke, fed, probe, watching=first["watching"])
    whole = _watch(invoke, fed, probe)
    assert second["verdict"] == whole["verdict"]
    found, at_once = (Watching.model_validate_json(answer["watching"]) for answer in (second, whole))
    assert found.model_copy(update={"course": at_once.course}) == at_once  # which says when it was looked
    assert second["verdict"]["action"] == "advance"


def test_a_line_that_comes_late_still_counts(
    account: Account, invoke: Invoke, clock: Clock, probe: str, fed: HeldPlan
) -> None:
    """A task's log may become visible long after another's: here its failures, half a minute late."""
    account.write_ledger(fed.ledger, *every_lane("." * 90))
    _feed(account, range(5, 11, 5))
    clock.seconds = 12
    first = _watch(invoke, fed, probe)
    assert Watching.model_validate_json(first["watching"]).gate.users.until == int(at(10).timestamp())
    account.write_feed(FEED.candidate, _line("green", 10, 500, 250, "slow"))
    _feed(account, range(15, 31, 5))
    clock.seconds = 36
    second = _watch(invoke, fed, probe, watching=first["watching"])
    assert _failures(second) == 250
    _feed(account, range(35, 46, 5))
    third = _watch(invoke, fed, probe, watching=second["watching"])
    assert _failures(third) == 250


def _failures(answer: dict[str, Any]) -> int:
    """How many failures of the candidate's users have been compared."""
    return Watching.model_validate_json(answer["watching"]).gate.users.proof.counts.x_c


def test_a_watch_of_a_feed_that_runs_again_says_the_same(
    account: Account, invoke: Invoke, clock: Clock, probe: str, fed: HeldPlan
) -> None:
    """Step Functions invokes again whatever it has no answer from."""
    account.write_ledger(fed.ledger, *every_lane("." * 150))
    _feed(account, range(5, 26, 5))
    answers = []
    for _ in range(2):
        clock.seconds = 5
        answers.append(_watch(invoke, fed, probe))
    assert answers[0] == answers[1]


# ---- metrics --------------------------------------------------------------------------------------------


def _meter(account: Account, failures: int = 0, seconds: float = 0) -> None:
    """Count a minute of many users and of the probe, which has one 5xx of green's among its own requests."""
    account.count("green", "RequestCount", at(seconds), 12_000 + 599 + 5)
    account.count("blue", "RequestCount", at(seconds), 108_000 + 599 + 20)
    account.count("green", "HTTPCode_Target_5XX_Count", at(seconds), failures + 1)


def _probed(account: Account, invoke: Invoke, clock: Clock, plan: HeldPlan, probe: str) -> dict[str, Any]:
    """Watch the probe's minute, so that its requests are known when the minute's metrics come."""
    lanes = both_lanes("." * 29 + "x" + "." * 570)
    production = [request("production", n, n, version="0.0.1") for n in range(1, 21)]
    production += [request("production", n, n) for n in range(21, 26)]
    account.write_ledger(plan.ledger, *sorted([*lanes, *production], key=lambda record: record.at))
    clock.seconds = 61
    return _watch(invoke, plan, probe)


def _goes_on(account: Account, plan: HeldPlan) -> None:
    """The probe goes on, from 110 s to 135 s: going on needs news."""
    lanes = both_lanes("." * 250, seconds=110, first=601)
    production = [request("production", n, 85 + n) for n in range(26, 51)]
    account.write_ledger(plan.ledger, *sorted([*lanes, *production], key=lambda record: record.at))


def test_users_prove_a_good_candidate_by_metrics(
    account: Account, invoke: Invoke, clock: Clock, probe: str, metered: HeldPlan
) -> None:
    """Without the probe's own requests, on whichever lane they were sent."""
    first = _probed(account, invoke, clock, metered, probe)
    assert first["verdict"]["action"] == "hold"
    _goes_on(account, metered)
    _meter(account)
    clock.seconds = 120
    verdict = _watch(invoke, metered, probe, **first)["verdict"]
    assert (verdict["action"], verdict["reason"]) == (
        "advance",
        "candidate (green) fails 1 of 849, stable (blue) 0 of 849; users: candidate (green) fails 0 "
        "of 12,000, stable (blue) 0 of 108,000",
    )


def test_users_tell_of_a_bad_candidate_by_metrics(
    account: Account, invoke: Invoke, clock: Clock, probe: str, metered: HeldPlan
) -> None:
    """Answers with 5xx and connections that failed; one minute takes its clients away."""
    before = _probed(account, invoke, clock, metered, probe)
    for seconds in (0, 60):
        _meter(account, failures=600, seconds=seconds)
        account.count("green", "TargetConnectionErrorCount", at(seconds), 600)
    clock.seconds = 120
    first = _watch(invoke, metered, probe, **before)
    assert (first["verdict"]["action"], first["verdict"]["cause"]) == ("step_back", "strike")
    assert first["verdict"]["reason"].startswith(
        "candidate (green) fails 1,200 of 12,000, stable (blue) 0 of 108,000 of the users' requests"
    )


def test_the_stable_slots_hour_before_is_read_once(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, probe: str, metered: HeldPlan
) -> None:
    """How often it had spells of failures; what was taken in is not carried along."""
    for minute in range(1, 59):
        account.count("blue", "RequestCount", at(-60 * minute), 6000)
    account.count("blue", "HTTPCode_Target_5XX_Count", at(-1800), 900)
    times = _times(aws, clock, "GetMetricData")
    first = _probed(account, invoke, clock, metered, probe)
    found = Watching.model_validate_json(first["watching"]).gate
    assert (found.users.until, found.users.spells.blocks) == (int(at(0).timestamp()), 58)
    assert (found.users.spells.stable, found.users.spells.earlier) == (1, 1)
    assert found.minutes_seen.points == ()
    assert len(times) <= 3


def test_an_unfinished_minute_is_waited_for(
    account: Account, invoke: Invoke, clock: Clock, probe: str, metered: HeldPlan
) -> None:
    """Its numbers still grow until a minute after its end."""
    _meter(account)
    _probed(account, invoke, clock, metered, probe)
    clock.seconds = 99
    answer = _watch(invoke, metered, probe)
    assert clock.seconds < 120
    assert Watching.model_validate_json(answer["watching"]).gate.users.until == 0


def test_a_minute_that_still_grows_is_not_taken(
    account: Account, invoke: Invoke, clock: Clock, probe: str, metered: HeldPlan
) -> None:
    """A minute after its end a part of it may be missing yet: here the failures."""
    first = _probed(account, invoke, clock, metered, probe)
    account.count("green", "RequestCount", at(0), 12_000 + 599 + 5)
    account.count("blue", "RequestCount", at(0), 108_000 + 599 + 20)
    clock.seconds = 120
    clock.meanwhile = [lambda: account.count("green", "HTTPCode_Target_5XX_Count", at(0), 1201)]
    second = _watch(invoke, metered, probe, **first)
    assert second["verdict"]["action"] == "hold"
    assert Watching.model_validate_json(second["watching"]).gate.users.until == 0
    third = _watch(invoke, metered, probe, **second)
    assert third["verdict"]["reason"].startswith("candidate (green) fails 1,200 of 12,000")


def test_metrics_are_read_no_oftener_than_they_bring_news(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, probe: str, metered: HeldPlan
) -> None:
    """Each reading is paid for."""
    times = _times(aws, clock, "GetMetricData")
    _watch(invoke, metered, probe)
    assert len(times) == 2
    assert times[1] - times[0] >= READ_SECONDS


# ---- alarms ---------------------------------------------------------------------------------------------


def _raise(account: Account, aws: Aws, seconds: float) -> None:
    """Raise the alarm at a moment of the tests' time."""

    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        for alarm in answer["MetricAlarms"]:
            alarm["StateTransitionedTimestamp"] = at(seconds)
        return answer

    account.alarm("errors", "ALARM")
    aws.edit("DescribeAlarms", edit)


def test_an_alarm_that_is_not_raised_changes_nothing(
    account: Account, invoke: Invoke, clock: Clock, probe: str, alarmed: HeldPlan
) -> None:
    """Nor is it told."""
    account.write_ledger(alarmed.ledger, *every_lane("." * 150))
    clock.seconds = 15
    verdict = _watch(invoke, alarmed, probe, stage=0)["verdict"]
    assert (verdict["action"], verdict["reason"]) == (
        "advance",
        "candidate (green) fails 0 of 149, stable (blue) 0 of 149",
    )


def test_an_alarm_that_is_raised_steps_back(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, journal: Journal, probe: str, alarmed: HeldPlan
) -> None:
    """In the middle of a watch, though all else is well."""
    clock.meanwhile = [lambda: _raise(account, aws, 0.2)]
    verdict = _watch(invoke, alarmed, probe, stage=1)["verdict"]
    assert (verdict["action"], verdict["cause"], verdict["reason"]) == (
        "step_back",
        "alarm",
        "CloudWatch alarm errors (since 04:00:00 UTC) was raised during the deployment",
    )
    assert ALARM_SECONDS <= clock.seconds < ALARM_SECONDS + 1
    (stage,) = journal.history.of("web", "d1").stages
    assert (stage.verdict, stage.ended) == ("step_back", at(clock.seconds))


def test_an_alarm_of_before_is_told_and_no_verdict(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, probe: str, alarmed: HeldPlan
) -> None:
    """It says nothing about the candidate, and a deployment may be what puts it right."""
    account.write_ledger(alarmed.ledger, *every_lane("." * 150))
    _raise(account, aws, -1)
    clock.seconds = 15
    verdict = _watch(invoke, alarmed, probe, stage=0)["verdict"]
    assert (verdict["action"], verdict["reason"]) == (
        "advance",
        "candidate (green) fails 0 of 149, stable (blue) 0 of 149; errors was in ALARM before the "
        "deployment began",
    )


def test_an_alarm_that_is_gone_holds_until_the_deadline(
    account: Account, invoke: Invoke, clock: Clock, probe: str, alarmed: HeldPlan
) -> None:
    """Somebody deleted it meanwhile: it would never be raised."""
    account.write_ledger(alarmed.ledger, *every_lane("." * 600))
    account.cloudwatch.delete_alarms(AlarmNames=["errors"])
    clock.seconds = 15
    reason = "evidence missing: CloudWatch has no alarm errors any more"
    first = _watch(invoke, alarmed, probe, stage=0, deadline=60)["verdict"]
    assert (first["action"], first["reason"]) == ("hold", reason)
    clock.seconds = 60
    last = _watch(invoke, alarmed, probe, stage=0, deadline=60)["verdict"]
    assert (last["action"], last["reason"], last["error"]) == ("roll_back", reason, "EvidenceMissing")


@pytest.mark.parametrize(("named", "calls"), [(True, 4), (False, 0)], ids=["named", "none-is-named"])
def test_alarms_are_asked_for_some_times_a_minute(
    account: Account,
    invoke: Invoke,
    aws: Aws,
    clock: Clock,
    probe: str,
    alarmed: HeldPlan,
    named: bool,
    calls: int,
) -> None:
    """And not at all where the spec names none."""
    names = alarmed.spec.alarms if named else ()
    plan = alarmed.model_copy(update={"spec": alarmed.spec.model_copy(update={"alarms": names})})
    times = _times(aws, clock, "DescribeAlarms")
    _watch(invoke, plan, probe, stage=0)
    assert len(times) == calls
    assert all(later - earlier >= ALARM_SECONDS for earlier, later in pairwise(times))


# ---- AWS does not answer --------------------------------------------------------------------------------


def test_a_dead_candidate_waits_for_no_word_of_users(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, probe: str, fed: HeldPlan
) -> None:
    """What takes time comes after what does not."""
    account.write_ledger(fed.ledger, *every_lane("x" * 40, "." * 40))
    aws.refuse("FilterLogEvents", "AccessDeniedException")
    clock.seconds = 20
    assert _watch(invoke, fed, probe)["verdict"]["cause"] == "dead"


def test_users_who_are_not_heard_of_hold(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, probe: str, fed: HeldPlan, logged: Logged
) -> None:
    """A throttled reading is made again; the probe's evidence counts meanwhile, and silence is no success."""
    account.write_ledger(fed.ledger, *every_lane("." * 300))
    _feed(account, range(5, 31, 5))
    aws.refuse("FilterLogEvents", "ThrottlingException")
    clock.seconds = 36
    clock.meanwhile = [lambda: aws.allow("FilterLogEvents")]
    assert _watch(invoke, fed, probe)["verdict"]["action"] == "advance"
    assert clock.seconds > 36
    assert any("not read this time: " in line["message"] for line in logged())


def test_a_reading_that_is_refused_is_a_failure(
    account: Account, invoke: Invoke, aws: Aws, probe: str, fed: HeldPlan
) -> None:
    """No other try mends a role that lacks a right."""
    aws.refuse("FilterLogEvents", "AccessDeniedException")
    with pytest.raises(errors.AwsRefused):
        _watch(invoke, fed, probe)


def test_alarms_stand_as_they_were_last_heard_of(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, probe: str, alarmed: HeldPlan
) -> None:
    """The first time they must be heard of: what is not known is not well."""
    account.write_ledger(alarmed.ledger, *every_lane("." * 60))
    clock.meanwhile = [lambda: aws.refuse("DescribeAlarms", "ThrottlingException")]
    assert _watch(invoke, alarmed, probe, stage=0)["verdict"]["action"] == "hold"
    with pytest.raises(errors.AwsUnavailable):
        _watch(invoke, alarmed, probe, stage=0)
