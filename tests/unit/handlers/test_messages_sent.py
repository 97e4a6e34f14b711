"""SendMessage: who subscribes to the topics gets the event's words."""

import json
from typing import Any

from tests.unit.account import TOPICS, Account
from tests.unit.examples import ENDED
from tests.unit.handlers.conftest import Aws, Invoke


def received(account: Account, topic: str) -> list[dict[str, Any]]:
    """What a queue that subscribes to a topic has got so far, as SNS wraps it; the first call subscribes."""
    sqs = account.client("sqs")
    queue = sqs.create_queue(QueueName=topic)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    account.client("sns").subscribe(TopicArn=TOPICS[topic], Protocol="sqs", Endpoint=arn)
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(each["Body"]) for each in found]


def test_both_topics_get_the_message(account: Account, invoke: Invoke) -> None:
    """One in plain text with a subject, one as a notification for a channel."""
    assert [received(account, topic) for topic in TOPICS] == [[], []]
    invoke("send_message", detail=ENDED)
    (mail,), (chat,) = (received(account, topic) for topic in TOPICS)
    assert mail["Subject"] == ENDED["title"]
    assert mail["Message"].startswith(ENDED["text"])
    assert json.loads(chat["Message"])["content"]["title"] == ENDED["title"]


def test_an_event_with_more_than_is_known_is_told(invoke: Invoke, aws: Aws) -> None:
    """A newer Crossfade may have sent it."""
    invoke("send_message", detail=ENDED | {"news": 1})
    assert aws.called == {"sns:Publish"}
