"""Who subscribes receives what an event says: the rule, the function and the topics of the real template."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from faults.files import ROOT, template
from sandbox.lambda_.powertools_layer import PARAMETER
from tests.sandbox_parts.containers.conftest import Sandbox, until
from tests.sandbox_parts.containers.workflows import ACCOUNT, policy
from tests.unit.examples import ENDED

pytestmark = pytest.mark.enable_socket

STACK = "told"
PARTS = (
    "Messages", "MessagesPolicy", "ChatMessages", "ChatMessagesPolicy", "MessagesRule", "MessagesPermission",
    "SendMessageFunction", "DeadLetters", "DeadLettersPolicy",
)  # fmt: skip
WILD = ENDED["text"] + '\nIt answered "<!channel>", & a \\ – in two lines.'
STEPPED_BACK = {"kind": "verdict", "verdict": "step_back", "outcome": None, "title": "stepped back"}


def code() -> bytes:
    """What is deployed as the functions' code."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in (ROOT / "functions").rglob("*.py"):
            archive.write(path, path.relative_to(ROOT / "functions"))
    return buffer.getvalue()


def of_the_template() -> dict[str, Any]:
    """The real template, as far as messages go."""
    whole = template()
    standard = dict(whole["Globals"]["Function"])
    variables = standard["Environment"]["Variables"]
    topics = {name: value for name, value in variables.items() if name.endswith("_TOPIC")}
    standard |= {"CodeUri": "s3://code/functions.zip", "Environment": {"Variables": topics}}
    del standard["LoggingConfig"]
    return {
        "Transform": whole["Transform"],
        "Parameters": {"PowertoolsLayer": whole["Parameters"]["PowertoolsLayer"]},
        "Globals": {"Function": standard},
        "Resources": {name: whole["Resources"][name] for name in PARTS},
    }


@pytest.fixture(scope="module")
def queues(sandbox: Sandbox) -> dict[str, str]:
    """The stack, with a queue that subscribes to each topic: their URLs."""
    sandbox.client("s3").create_bucket(Bucket="code")
    sandbox.client("s3").put_object(Bucket="code", Key="functions.zip", Body=code())
    cloudformation = sandbox.client("cloudformation")
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=json.dumps(of_the_template()),
        Parameters=[{"ParameterKey": "PowertoolsLayer", "ParameterValue": PARAMETER}],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )

    def ended() -> str | None:
        status = str(cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"])
        return None if status.endswith("_IN_PROGRESS") else status

    assert until(ended) == "CREATE_COMPLETE"
    sqs, found = sandbox.client("sqs"), {}
    for topic in ("messages", "chat"):
        name = f"{STACK}-{topic}"
        queue, source = ACCOUNT.format("sqs", name), ACCOUNT.format("sns", name)
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": source}},
        }
        attributes = {"Policy": policy(statement)}
        found[topic] = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        sandbox.client("sns").subscribe(TopicArn=source, Protocol="sqs", Endpoint=queue)
    return found


def put(sandbox: Sandbox, *, stack: str = STACK, **changes: Any) -> None:
    """An event on the account's default bus, as Crossfade sends it."""
    entry = {
        "Source": "crossfade",
        "DetailType": "Crossfade Deployment State Change",
        "Resources": [ACCOUNT.format("states", f"execution:{stack}-deploy:d1")],
        "Detail": json.dumps(ENDED | changes),
    }
    answer = sandbox.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0


def received(sandbox: Sandbox, queue: str) -> dict[str, Any]:
    """The next message, as SNS hands it over."""
    sqs = sandbox.client("sqs")
    (found,) = until(lambda: sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1).get("Messages"))
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=found["ReceiptHandle"])
    message: dict[str, Any] = json.loads(found["Body"])
    return message


def test_an_end_reaches_mail_and_channel(sandbox: Sandbox, queues: dict[str, str]) -> None:
    """With its quotes and line breaks, each in its form."""
    put(sandbox, text=WILD)
    mail, chat = (received(sandbox, queues[topic]) for topic in ("messages", "chat"))
    assert mail["Subject"] == ENDED["title"]
    assert mail["Message"].startswith(WILD)
    assert (
        'answered "&lt;!channel&gt;", &amp; a \\ – in'
        in json.loads(chat["Message"])["content"]["description"]
    )


def test_what_people_need_not_know_is_not_sent(sandbox: Sandbox, queues: dict[str, str]) -> None:
    """A stage that advances, another Crossfade's deployment; what comes next is what is sent after them."""
    put(sandbox, kind="stage", outcome=None, title="a stage")
    put(sandbox, kind="verdict", verdict="advance", outcome=None, title="it advances")
    put(sandbox, stack="another", title="another Crossfade's")
    put(sandbox, **STEPPED_BACK)
    assert received(sandbox, queues["messages"])["Subject"] == "stepped back"
    assert json.loads(received(sandbox, queues["chat"])["Message"])["content"]["title"] == "stepped back"
