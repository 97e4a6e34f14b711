"""PublishEvents: what the journal's stream tells goes to the bus, in order, until the bus has taken it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from crossfade.aws.journal import Journal
from crossfade.domain.errors import AwsUnavailable
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import HeldPlan
from tests.unit.account import BUCKET, DEAD_LETTERS, Account
from tests.unit.examples import EXECUTION, at, plan
from tests.unit.handlers.conftest import Aws, Invoke

TAKEN = {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}
Put = Callable[[dict[str, Any]], dict[str, Any]]


def image(item: dict[str, Any]) -> dict[str, Any]:
    """An item as DynamoDB writes it."""
    return {key: TypeSerializer().serialize(value) for key, value in item.items()}


def record(sequence: str, before: dict[str, Any], after: dict[str, Any], item: str = "d1") -> dict[str, Any]:
    """A record of the stream, as Lambda hands it to a function."""
    name = "INSERT" if not before else "MODIFY" if after else "REMOVE"
    return {
        "eventID": f"id-{sequence}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "ApproximateCreationDateTime": at(5).timestamp(),
            "Keys": image({"service": "web", "item": f"deployment#{item}"}),
            "SequenceNumber": sequence,
            "SizeBytes": 100,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **({"OldImage": image(before)} if before else {}),
            **({"NewImage": image(after)} if after else {}),
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/journal/stream/1",
    }


def item(**more: Any) -> dict[str, Any]:
    """A deployment's item."""
    stored = plan().model_dump_json(exclude={"holder"})
    return {"execution": f"{EXECUTION}:d1", "began": iso(at(0)), "plan": stored, "stages": {}, **more}


BEGUN = record("1", {}, item())
LAUNCHED = record("2", item(), item(launched=iso(at(3))))
HEALTHY = record("3", item(launched=iso(at(3))), item(launched=iso(at(3)), healthy=iso(at(9))))
BROKEN = record("2", item(), item(stages={"10": {"began": "yesterday"}}))


@pytest.fixture
def sent(aws: Aws) -> list[dict[str, Any]]:
    """Return the entries that were sent, which the bus takes; they are added while a test runs."""
    found: list[dict[str, Any]] = []

    class Asked(list[Any]):
        def append(self, asked: Any) -> None:
            if asked[0] == "PutEvents":
                found.extend(asked[1]["Entries"])
            super().append(asked)

    aws.asked = Asked()
    aws.answer("PutEvents", TAKEN)
    return found


def kinds(entries: list[dict[str, Any]]) -> list[str]:
    """What was sent."""
    return [json.loads(entry["Detail"])["kind"] for entry in entries]


def test_each_change_is_sent_as_it_comes(invoke: Invoke, sent: list[dict[str, Any]]) -> None:
    """With the source and the type that rules look for, when it happened, and whose it is."""
    assert invoke("publish_events", Records=[BEGUN, LAUNCHED, HEALTHY]) == {"batchItemFailures": []}
    assert kinds(sent) == ["begun", "launched", "healthy"]
    for entry in sent:
        assert (entry["Source"], entry["DetailType"]) == ("crossfade", "Crossfade Deployment State Change")
        assert entry["Resources"] == [f"{EXECUTION}:d1"]
    assert [entry["Time"] for entry in sent] == [at(0), at(3), at(9)]


def test_the_certificates_bucket_is_named(invoke: Invoke, sent: list[dict[str, Any]]) -> None:
    """It is the stack's."""
    over = item(outcome="promoted", reason="fine", ended=iso(at(90)), certificate="web/d1/certificate.json")
    invoke("publish_events", Records=[record("9", item(), over)])
    (entry,) = sent
    assert json.loads(entry["Detail"])["certificate"]["bucket"] == BUCKET


def test_what_is_forgotten_is_no_event(invoke: Invoke, sent: list[dict[str, Any]]) -> None:
    """An item's time to live is over after 400 days."""
    invoke("publish_events", Records=[record("1", item(), {})])
    assert sent == []


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalFailure", "AccessDeniedException"])
def test_a_refused_entry_is_tried_again_with_all_that_follow(
    invoke: Invoke, aws: Aws, sent: list[dict[str, Any]], code: str
) -> None:
    """The call succeeds, and its answer says that the entry did not; nothing overtakes it."""
    refused = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "later"}]}
    aws.answer("PutEvents", refused)
    failed = invoke("publish_events", Records=[BEGUN, LAUNCHED])
    assert failed == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert kinds(sent) == ["begun"]
    aws.answer("PutEvents", TAKEN)
    invoke("publish_events", Records=[BEGUN, LAUNCHED])
    assert kinds(sent) == ["begun", "begun", "launched"]
    assert sent[0]["Detail"] == sent[1]["Detail"]


def test_a_failed_call_is_tried_again(invoke: Invoke, aws: Aws, sent: list[dict[str, Any]]) -> None:
    """Whatever AWS says of it: a role can be put right within a day."""
    aws.refuse("PutEvents", "AccessDeniedException")
    failed = invoke("publish_events", Records=[LAUNCHED, HEALTHY])
    assert failed == {"batchItemFailures": [{"itemIdentifier": "2"}]}


@pytest.mark.parametrize("wrong", ["entry", "item"])
def test_what_can_never_be_sent_is_laid_aside(
    invoke: Invoke, aws: Aws, account: Account, sent: list[dict[str, Any]], wrong: str
) -> None:
    """It keeps nothing waiting that follows; the queue of dead letters says which item it is."""
    account.client("sqs").create_queue(QueueName="dead-letters")
    if wrong == "entry":
        refused = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InvalidArgument", "ErrorMessage": "no"}]}
        aws.answer("PutEvents", refused)
        answer = invoke("publish_events", Records=[LAUNCHED])
    else:
        answer = invoke("publish_events", Records=[BEGUN, BROKEN, HEALTHY])
        assert kinds(sent) == ["begun", "healthy"]
    assert answer == {"batchItemFailures": []}
    (letter,) = account.client("sqs").receive_message(QueueUrl=DEAD_LETTERS)["Messages"]
    told = json.loads(letter["Body"])
    assert (told["service"], told["item"], told["sequence"]) == ("web", "deployment#d1", "2")
    assert ("InvalidArgument" if wrong == "entry" else "yesterday") in told["why"]


# ---- refused before the claim ------------------------------------------------------------------------------


def status(name: str, **asked: Any) -> dict[str, Any]:
    """The detail of Step Functions' event that an execution has failed."""
    return {
        "executionArn": f"{EXECUTION}:{name}", "name": name, "status": "FAILED",
        "stateMachineArn": EXECUTION.replace(":execution:", ":stateMachine:"), "input": json.dumps(asked),
        "startDate": 1_795_406_400_000, "stopDate": 1_795_406_401_000, "output": None,
        "error": "UnknownService", "cause": "There is no service.",
    }  # fmt: skip


def test_a_refused_release_is_told(invoke: Invoke, sent: list[dict[str, Any]]) -> None:
    """The journal has nothing of it."""
    invoke("publish_events", detail=status("e1", service="web", image_tag="7"))
    (entry,) = sent
    detail = json.loads(entry["Detail"])
    assert (detail["kind"], detail["outcome"], detail["service"]) == ("ended", "refused", "web")
    assert entry["Resources"] == [f"{EXECUTION}:e1"]


def test_what_the_journal_has_is_told_by_its_stream(
    invoke: Invoke, account: Account, journal: Journal, sent: list[dict[str, Any]]
) -> None:
    """A deployment that held its service ends FAILED too, when it was rolled back."""
    held: HeldPlan = account.first_plan()
    journal.holding.claim(held)
    invoke("publish_events", detail=status(held.deployment, service="web", image_tag="7"))
    assert sent == []


def test_lambda_calls_again_where_the_bus_takes_nothing(invoke: Invoke, aws: Aws) -> None:
    """Of a function that fails it keeps the event, and in the end hands it to the queue."""
    aws.refuse("PutEvents", "InternalFailure", 500)
    with pytest.raises(AwsUnavailable, match="did not take"):
        invoke("publish_events", detail=status("e1", service="web", image_tag="7"))
