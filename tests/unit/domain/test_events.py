"""Events: each thing that happens is told once, with an id that is the same each time the change is read."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from crossfade.domain.events.event import MOST_CHARACTERS, Happening
from crossfade.domain.events.message import detail_of
from crossfade.domain.events.of_execution import EndedExecution, refused
from crossfade.domain.events.of_journal import Change, happenings
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import Plan
from crossfade.domain.proof.certificate import StageRecord
from faults.files import ROOT
from tests.unit.examples import EXECUTION, NEW, NEWER, OLD, at, plan, waiting

BUCKET = "evidence"
SCHEMA = Draft202012Validator(json.loads((ROOT / "docs/event.schema.json").read_text(encoding="utf-8")))
Draft202012Validator.check_schema(SCHEMA.schema)
PUSH = {
    "source": "aws.ecr",
    "detail-type": "ECR Image Action",
    "account": "123456789012",
    "region": "eu-central-1",
    "time": "2026-11-23T04:00:00Z",
    "detail": {
        "action-type": "PUSH",
        "result": "SUCCESS",
        "repository-name": "web",
        "image-digest": NEW,
        "image-tag": "0.0.2",
    },
}


def details(found: list[Happening]) -> list[dict[str, Any]]:
    """What is sent, as it is received; all of it has the form that the schema describes."""
    sent: list[dict[str, Any]] = json.loads(json.dumps([detail_of(one) for one in found]))
    for detail in sent:
        SCHEMA.validate(detail)
    return sent


def told(before: Mapping[str, Any], after: Mapping[str, Any], deployment: str | None = "d1") -> list[dict]:
    """The events of one change."""
    change = Change("web", deployment, before, after, at(5))
    return details(happenings(change, BUCKET))


def begun(decided: Plan | None = None, **more: Any) -> dict[str, Any]:
    """A deployment's item as it is claimed."""
    decided = decided or plan()
    return {
        "service": "web", "item": "deployment#d1", "execution": f"{EXECUTION}:d1", "stages": {},
        "began": iso(decided.began), "plan": decided.model_dump_json(exclude={"holder"}), **more,
    }  # fmt: skip


def staged(item: Mapping[str, Any], **record: Any) -> dict[str, Any]:
    """The item with a stage's record written."""
    stage = StageRecord.model_validate({"began": at(20), **record})
    return {**item, "stages": {**item["stages"], stage.key: stage.model_dump(mode="json")}}


ENDED = {"outcome": "promoted", "reason": "promoted", "ended": iso(at(90)), "expires": 1}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, begun(), ("begun", at(0), "web: the deployment of 0.0.2 has begun")),
        (
            begun(),
            begun(launched=iso(at(3))),
            ("launched", at(3), "web: the tasks of 0.0.2 are being started"),
        ),
        (begun(), begun(healthy=iso(at(9))), ("healthy", at(9), "web: 0.0.2 is healthy")),
        (begun(), staged(begun(), weight=0), ("stage", at(20), "web: 0.0.2 is verified by the probe")),
        (begun(), staged(begun(), weight=10), ("stage", at(20), "web: 0.0.2 gets 10 % of the traffic")),
        (
            begun(),
            staged(begun(), weight=0, step_backs=1),
            ("stage", at(20), "web: 0.0.2 is watched at 0 %"),
        ),
        (begun(), begun(judged=iso(at(33))), ("judged", at(33), "web: 0.0.2 is to be rolled back")),
        (begun(), begun(restored=iso(at(35))), ("restored", at(35), "web: all traffic is back with 0.0.1")),
        (begun(), begun(promoted=iso(at(80))), ("promoted", at(80), "web: 0.0.2 is live")),
        (begun(), begun(**ENDED), ("ended", at(90), "web: 0.0.2 was promoted")),
    ],
)
def test_a_change_of_a_deployments_item_is_an_event(
    before: dict[str, Any], after: dict[str, Any], expected: tuple[str, datetime, str]
) -> None:
    """With what it was, when it happened, and the releases."""
    (event,) = told(before, after)
    kind, moment, title = expected
    assert (event["kind"], event["at"], event["title"]) == (kind, iso(moment), title)
    assert (event["service"], event["deployment"], event["execution"]) == ("web", "d1", f"{EXECUTION}:d1")
    assert event["from"] == {"version": "0.0.1", "digest": OLD}
    assert event["to"] == {"version": "0.0.2", "digest": NEW}
    assert event["console"].endswith(f"#/v2/executions/details/{EXECUTION}:d1")


@pytest.mark.parametrize(
    ("verdict", "title"),
    [
        ("advance", "web: 0.0.2 has passed the stage of 10 %"),
        ("step_back", "web: 0.0.2 is taken back to 0 %"),
        ("roll_back", "web: 0.0.2 is to be rolled back"),
    ],
)
def test_a_stage_ends_with_a_verdict(verdict: str, title: str) -> None:
    """And with its reason; that it goes on is no event."""
    entered = staged(begun(), weight=10)
    held = staged(begun(), weight=10, verdict="hold", reason="not sure yet")
    over = staged(begun(), weight=10, ended=at(40), verdict=verdict, reason="it fails 3 of 4")
    assert told(entered, held) == []
    (event,) = told(held, over)
    assert (event["kind"], event["verdict"], event["title"]) == ("verdict", verdict, title)
    assert event["stage"] == {"weight": 10, "retry": False, "step_backs": 0}
    assert (event["at"], event["reason"]) == (iso(at(40)), "it fails 3 of 4")
    assert "It fails 3 of 4." in event["text"]


def test_a_stage_that_ends_at_once_is_two_events() -> None:
    """The record of the first stage may come with its verdict."""
    over = staged(begun(), weight=0, ended=at(40), verdict="advance", reason="fine")
    assert [event["kind"] for event in told(begun(), over)] == ["stage", "verdict"]


def test_the_last_stage_is_stepped_back_from_after_it_had_ended_well() -> None:
    """By RetireStable: the same record, with another verdict."""
    well = staged(begun(), weight=100, ended=at(40), verdict="advance", reason="fine")
    back = staged(begun(), weight=100, ended=at(50), verdict="step_back", reason="all fail")
    (event,) = told(well, back)
    assert (event["verdict"], event["at"]) == ("step_back", iso(at(50)))
    assert told(well, well) == []


def test_the_judgement_has_its_reason() -> None:
    """Of RetireStable's verdict to roll back there is no stage's record."""
    (event,) = told(begun(), begun(judged=iso(at(50)), judged_for="the alarm x was raised"))
    assert event["reason"] == "the alarm x was raised"


def test_a_deployment_that_goes_back_to_what_is_warm_says_so() -> None:
    """Its candidate runs when its item is made: that was launched before, by another deployment."""
    (event,) = told({}, begun(launched=iso(at(0)), healthy=iso(at(0))))
    assert event["title"] == "web: 0.0.2 is taken back for 0.0.1"


def test_a_service_that_leaves_is_handed_back() -> None:
    """Its version stays the same; that it was promoted would tell a person of a release that there is not."""
    placed = plan().spec.model_copy(update={"origin": plan().candidate})
    leaving = plan(spec=placed)
    (event,) = told({}, begun(leaving))
    assert event["title"] == "web: the service is being handed back to its owner, with 0.0.2"
    (event,) = told(begun(leaving), begun(leaving, **ENDED))
    assert event["title"] == "web: the owner's own service is live again, with 0.0.2"
    failed = begun(leaving, **{**ENDED, "outcome": "rolled_back"})
    (event,) = told(begun(leaving), failed)
    assert event["title"] == "web: 0.0.2 was rolled back"


def test_before_a_first_release_there_was_nothing() -> None:
    """No version, and no digest."""
    first = begun(plan(stable=None, previous=None))
    (event,) = told({}, first)
    assert event["from"] is None
    assert "0.0.2 is the first release" in event["text"]
    (event,) = told(first, {**first, "restored": iso(at(35))})
    assert event["title"] == "web: all traffic is back with what was there before"


def test_the_end_names_what_proves_it() -> None:
    """The certificate, and the page of the same, once there is one."""
    key = "web/d1/certificate.json"
    (event,) = told(begun(), begun(**ENDED, certificate=key, report="web/d1/report.html"))
    assert event["outcome"] == "promoted"
    assert event["certificate"] == {"bucket": BUCKET, "key": key}
    assert event["report"] == {"bucket": BUCKET, "key": "web/d1/report.html"}
    assert f"s3://{BUCKET}/{key}" in event["text"]


def test_an_end_without_a_certificate_says_why() -> None:
    """A person is told that nothing proves the end, and has the command for that."""
    why = "The report of d1 could not be written. docs/operations.md has the command."
    (event,) = told(begun(), begun(**ENDED, not_reported=why))
    assert event["reason"] == f"promoted. {why}"
    assert why in event["text"]


@pytest.mark.parametrize(
    ("partition", "host"),
    [
        ("aws", "console.aws.amazon.com"),
        ("aws-cn", "console.amazonaws.cn"),
        ("aws-us-gov", "console.amazonaws-us-gov.com"),
    ],
)
def test_the_console_is_that_of_the_partition(partition: str, host: str) -> None:
    """A link to another one's shows a person nothing."""
    execution = f"{EXECUTION}:d1".replace("arn:aws:", f"arn:{partition}:")
    (event,) = told({}, begun(execution=execution))
    assert event["console"].startswith(f"https://us-east-1.{host}/states/home?region=us-east-1#/v2/")


def test_a_promotion_that_is_taken_back_ends_twice() -> None:
    """Under two ids; that the first end is taken back is none."""
    ended = begun(**ENDED, promoted=iso(at(80)), certificate="web/d1/certificate.json")
    back = begun(reason="promoted", ended=iso(at(90)))
    again = begun(outcome="rolled_back", reason="by hand", ended=iso(at(200)))
    (first,) = [event for event in told(begun(), ended) if event["kind"] == "ended"]
    assert told(ended, back) == []
    (second,) = told(back, again)
    assert second["outcome"] == "rolled_back"
    assert first["id"] != second["id"]


def test_a_certificate_that_comes_later_is_no_second_end() -> None:
    """It was drawn up by hand, or the first try to write it was cut off."""
    assert told(begun(**ENDED), begun(**ENDED, certificate="web/d1/certificate.json")) == []


def test_a_release_waits() -> None:
    """By the name that it is to be deployed under."""
    live = {"version": "0.0.1", "digest": OLD, "holder": f"{EXECUTION}:d1"}
    queued = {**live, "waiting": waiting().model_dump(mode="json")}
    (event,) = told(live, queued, deployment=None)
    assert (event["kind"], event["deployment"]) == ("waiting", waiting().deployment)
    assert (event["from"]["version"], event["to"]["version"]) == ("0.0.1", "0.0.3")
    assert told(queued, {**queued, "weights": {"blue": 100, "green": 0}}, deployment=None) == []
    assert told(queued, live, deployment=None) == []
    other = waiting(version="0.0.4", execution=f"{EXECUTION}:w2").model_dump(mode="json")
    (event,) = told(queued, {**queued, "waiting": other}, deployment=None)
    assert event["to"]["version"] == "0.0.4"


def test_a_release_that_is_dropped_has_the_name_by_which_it_waited() -> None:
    """And not that of its item, which is the name of the execution that asked."""
    item = {
        "execution": waiting().execution, "version": "0.0.3", "digest": NEWER, "outcome": "dropped",
        "reason": "0.0.3 gave way to 0.0.4 while it waited", "ended": iso(at(41)),
    }  # fmt: skip
    (event,) = told({}, item, deployment="w1")
    assert (event["kind"], event["outcome"]) == ("superseded", "dropped")
    assert event["deployment"] == waiting().deployment
    assert event["to"] == {"version": "0.0.3", "digest": NEWER}
    assert told(item, {**item, "expires": 2}, deployment="w1") == []


def test_a_reason_is_cut_off() -> None:
    """A cause of Step Functions may be longer than a message."""
    (event,) = told(begun(), begun(**{**ENDED, "reason": "x" * 30_000}))
    assert len(event["reason"]) == MOST_CHARACTERS


# ---- refused before the claim ----------------------------------------------------------------------------


def ended(given: Any, **more: Any) -> EndedExecution:
    """An execution that has failed, by Step Functions' own event."""
    return EndedExecution.model_validate(
        {
            "executionArn": f"{EXECUTION}:e1", "name": "e1", "status": "FAILED", "input": json.dumps(given),
            "stopDate": 1_795_406_400_250, "error": "ServiceBusy", "cause": "Service web is held by d0.",
            **more,
        }
    )  # fmt: skip


def test_a_refused_release_ends() -> None:
    """With the error, its words, and what was asked for."""
    failed = ended({"service": "web", "image_tag": "0.0.2"})
    (event,) = details([refused(failed, failed.service({}))])
    assert (event["kind"], event["outcome"], event["service"]) == ("ended", "refused", "web")
    assert (event["to"]["version"], event["deployment"]) == ("0.0.2", "e1")
    assert event["reason"] == "ServiceBusy: Service web is held by d0."
    assert event["at"] == "2026-11-23T04:00:00.250Z"
    assert "Nothing was changed." in event["text"]


def test_a_refused_push_is_of_the_service_that_is_built_from_its_repository() -> None:
    """Its input names a repository and no service."""
    region, account = EXECUTION.split(":")[3:5]
    failed = ended({**PUSH, "account": account, "region": region})
    assert failed.service({"shop": "other", "web": "web"}) == "web"
    assert failed.service({"shop": "other"}) is None
    assert failed.service({"shop": "web", "web": "web"}) is None
    assert refused(failed, "web").to == refused(failed, None).to
    assert details([refused(failed, "web")])[0]["to"] == {"version": "0.0.2", "digest": NEW}


@pytest.mark.parametrize("given", [None, [], {}, {"service": "no/name"}, {"service": 1}, "x"])
def test_an_input_that_names_nothing_is_told_all_the_same(given: Any) -> None:
    """Of no service, and of no release."""
    failed = ended(given)
    (event,) = details([refused(failed, failed.service({"web": "web"}))])
    assert (event["service"], event["to"], event["outcome"]) == (None, None, "refused")
    assert event["title"] == "Crossfade: a release was refused"


def test_without_an_error_the_status_is_the_reason() -> None:
    """A person has stopped it, or its time is over; a long input is left out of the event."""
    stopped = ended(None, input=None, error=None, cause=None, status="ABORTED")
    assert refused(stopped, None).reason == "e1 ended ABORTED"


def test_a_release_that_was_stopped_has_nothing_to_put_right() -> None:
    """Nobody has refused it, and no reason says what is wrong with it."""
    stopped = ended({"service": "web", "image_tag": "0.0.2"}, error=None, cause=None, status="ABORTED")
    (event,) = details([refused(stopped, "web")])
    assert event["outcome"] == "refused"
    assert "Nothing of it was deployed." in event["text"]
    assert "Put right" not in event["text"]


def test_a_rollback_for_what_was_warm_that_failed_is_not_called_harmless() -> None:
    """It takes the promotion back under its own name, may have moved the weights, and holds the service."""
    failed = ended(
        {"service": "web", "image_tag": "0.0.1"},
        error="RollbackFailed",
        cause="A request for what is warm led to a rollback, and the rollback failed.",
    )
    (event,) = details([refused(failed, "web")])
    assert (event["outcome"], event["title"]) == ("failed", "web: the deployment of 0.0.1 failed")
    assert "Nothing was" not in event["text"]
    assert "Rollbacks follow" in event["text"]


def test_a_malformed_input_may_name_its_service() -> None:
    """Which is all that is known."""
    assert ended({"service": "web", "immage_tag": "1"}).service({}) == "web"


# ---- whatever is written ----------------------------------------------------------------------------------

WRITES = st.lists(
    st.sampled_from(
        [
            "launched", "healthy", "judged", "lost judgement", "restored", "promoted", "noise",
            "enter 0", "enter 10", "enter 100", "hold 10", "advance 0", "advance 10", "advance 100",
            "step_back 100", "roll_back 10", "end promoted", "end rolled_back", "take back", "again",
        ]
    ),
    max_size=25,
)  # fmt: skip


def history(writes: list[str]) -> Iterator[Change]:
    """The changes of a deployment's item by these writes, one in each second."""
    before: dict[str, Any] = {}
    after = begun()
    yield Change("web", "d1", before, after, at(0))
    for seconds, write in enumerate(writes, start=1):
        before, after = after, _written(after, write, seconds)
        if before != after:  # a write that changes nothing is in no stream
            yield Change("web", "d1", before, after, at(seconds))


def _written(item: dict[str, Any], write: str, seconds: int) -> dict[str, Any]:
    what, _, which = write.partition(" ")
    now = iso(at(seconds))
    if write in ("launched", "healthy", "judged", "restored", "promoted"):
        return {write: now} | item  # the first value stays
    if write == "lost judgement":
        return {key: value for key, value in item.items() if key != "judged"}
    if what == "end":
        return {**item, "outcome": which, "reason": "why", "ended": now}
    if write == "take back":
        return {key: value for key, value in item.items() if key not in ("promoted", "outcome")}
    if write == "noise":
        return {**item, "cursor": now}
    if write == "again":
        return item
    weight = which
    known = item["stages"].get(weight, {})
    began = datetime.fromisoformat(known["began"]) if known and what != "enter" else at(seconds)
    over = {} if what in ("enter", "hold") else {"ended": at(seconds)}
    said = {} if what == "enter" else {"verdict": what, "reason": "why"}
    return staged(item, weight=int(weight), began=began, **over, **said)


@given(WRITES)
def test_no_two_changes_have_one_id(writes: list[str]) -> None:
    """Also where something is taken back and comes again."""
    ids = [event["id"] for change in history(writes) for event in details(happenings(change, BUCKET))]
    assert len(set(ids)) == len(ids)


@given(WRITES, st.integers(0, 25), st.integers(0, 25))
def test_a_change_that_is_read_again_has_the_same_ids(writes: list[str], first: int, last: int) -> None:
    """Lambda hands over again what follows a failure: any stretch of changes, any number of times."""
    changes = list(history(writes))
    once = [detail for change in changes for detail in details(happenings(change, BUCKET))]
    repeated = [*changes[: last + 1], *changes[first:], *changes[first:]]
    again = [detail for change in repeated for detail in details(happenings(change, BUCKET))]
    known = {detail["id"]: detail for detail in once}
    assert all(known[detail["id"]] == detail for detail in again)
    if first <= last + 1:
        assert {detail["id"] for detail in again} == known.keys()


@given(WRITES)
def test_whatever_stands_at_the_end_was_told(writes: list[str]) -> None:
    """Each milestone, each stage and its verdict, and the end, with the time that stands there."""
    changes = list(history(writes))
    item = changes[-1].after
    events = [event for change in changes for event in details(happenings(change, BUCKET))]
    found = {(event["kind"], event["at"]) for event in events}
    for name in ("launched", "healthy", "judged", "restored", "promoted"):
        assert name not in item or (name, item[name]) in found
    if "outcome" in item:
        assert ("ended", item["ended"]) in found
    for record in item["stages"].values():
        stage = StageRecord.model_validate(record)
        weights = {
            (event["kind"], event["verdict"])
            for event in events
            if (event["stage"] or {}).get("weight") == stage.weight
        }
        assert ("stage", None) in weights
        assert stage.ended is None or ("verdict", stage.verdict) in weights


def test_the_schema_finds_what_is_wrong() -> None:
    """A field more, one less, another kind, a verdict where there is none."""
    (event,) = told({}, begun())
    for wrong in (
        {**event, "more": 1},
        {key: value for key, value in event.items() if key != "id"},
        {**event, "kind": "other"},
        {**event, "verdict": "advance"},
        {**event, "service": None},
        {**event, "at": "2026-11-23"},
    ):
        assert not SCHEMA.is_valid(wrong), wrong
