"""A receiver of Crossfade's events: a rule on the default bus, and the queue that it leads to."""

from __future__ import annotations

import json
from typing import Any

from tests.sandbox.cloud import Cloud
from tests.sandbox.patience import until as wait_until

NAME = "receiver"


class Receiver:
    """Receives every event with Crossfade's source from now on."""

    def __init__(self, cloud: Cloud) -> None:
        self._sqs, bus = cloud.client("sqs"), cloud.client("events")
        self._queue = self._sqs.create_queue(QueueName=NAME)["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        bus.put_rule(Name=NAME, EventPattern=json.dumps({"source": ["crossfade"]}))
        bus.put_targets(Rule=NAME, Targets=[{"Id": NAME, "Arn": attributes["Attributes"]["QueueArn"]}])
        self._received: list[dict[str, Any]] = []

    def received(self, until: str) -> list[dict[str, Any]]:
        """All events, once one with this outcome has come."""

        def came() -> bool:
            self._receive()
            return any(event["detail"]["outcome"] == until for event in self._received)

        wait_until(came, f"an event with the outcome {until}")
        return self._received

    def _receive(self) -> None:
        while True:
            found = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
            for message in found.get("Messages", []):
                self._received.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
            if not found.get("Messages"):
                return
