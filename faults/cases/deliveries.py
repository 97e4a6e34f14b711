"""Deliveries: the journal's changes are handed to the function that tells of them, and the bus fails at it.

No step of a deployment knows of deliveries, so they are tried after it, on all that it has written: a
scenario runs once, and then its changes are delivered under each kind of trouble. A case is called
``delivery:entries-refused:healthy``. Some have a fault in the deployment as well, for what a step writes that
is repeated or cut off: ``delivery:all-of-it:healthy/twice@watch_stage#4``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any, NamedTuple
from unittest import mock

from botocore.exceptions import ClientError, ReadTimeoutError

from crossfade import stack
from crossfade.aws.journal_stream import StreamRecord
from crossfade.domain.events.of_journal import happenings
from crossfade.domain.journal import waited_name
from crossfade.handlers import publish_events
from faults.aws.dynamodb import Item
from faults.aws.functions import Context
from faults.aws.machines import described
from faults.cases.case import points
from faults.cases.fault import KINDS
from faults.cases.invariants import items_of
from faults.cases.scenarios import SCENARIOS, Scenario, begun
from faults.client import Pages, check
from faults.inhabit import inhabited
from faults.workflow.clock import START
from faults.world import World

PREFIX = "delivery:"
STRUCK, CASES = ("healthy", "worse", "queued", "back-out", "spell", "by-hand"), 8
ODD = {"twice", "unavailable-after", "killed-after", "stalled", "stopped"}
MOST_TRIES = 200
"""Within a day Lambda tries far more often than any trouble here lasts."""


def _refused(world: World) -> None:
    world.machines.start("deploy", {"service": "web", "image_tag": "9.9.9"}, "release-9.9.9")


TOLD = {
    name: SCENARIOS[name]
    for name in (
        "healthy", "worse", "first", "queued", "superseded", "warm", "back-out", "by-hand", "asked-again",
        "spell", "alarmed", "stable-dies", "unreported", "takeover-worse", "leave",
    )
} | {"refused": Scenario("refused", _refused, "0.0.1")}  # fmt: skip
"""What events say: every kind of event, and every way in which a deployment ends."""


class Record(NamedTuple):
    """A change of the journal, as the stream has it."""

    sequence: int
    written: float
    key: Item
    before: Item
    after: Item

    @property
    def as_lambda_has_it(self) -> dict[str, Any]:
        """The record as it is handed to a function."""
        images = {"OldImage": self.before, "NewImage": self.after}
        return {
            "eventName": "INSERT" if not self.before else "MODIFY" if self.after else "REMOVE",
            "dynamodb": {
                "Keys": self.key,
                "SequenceNumber": str(self.sequence),
                "ApproximateCreationDateTime": int(START.timestamp() + self.written),
                **{name: image for name, image in images.items() if image},
            },
        }


class Refusal(NamedTuple):
    """What becomes of a call of PutEvents; ``taken``: the bus has the entry all the same."""

    taken: bool
    raises: BaseException | None = None
    entry: str | None = None


TAKEN = Refusal(taken=True)
NOT_SENT = Refusal(
    taken=False,
    raises=ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "PutEvents"),
)
ANSWER_LOST = Refusal(taken=True, raises=ReadTimeoutError(endpoint_url="https://events"))
ENTRY_REFUSED = Refusal(taken=False, entry="InternalFailure")


class KilledAtWork(BaseException):
    """The function's process ends."""


KILLED = Refusal(taken=True, raises=KilledAtWork())


@dataclass(frozen=True)
class Trouble:
    """How deliveries fail.

    ``refusal`` of the call of this number, for the first ``calls`` of them; ``handed`` is how often a batch
    is handed over that was taken, ``batch`` how many records one has.
    """

    refusal: Callable[[Random], Refusal] = lambda random: TAKEN
    calls: int = 0
    handed: int = 1
    batch: int = 3


TROUBLES = {
    "none": Trouble(),
    "calls-fail": Trouble(lambda random: NOT_SENT, calls=7),
    "entries-refused": Trouble(lambda random: random.choice((ENTRY_REFUSED, TAKEN)), calls=40, batch=10),
    "answers-lost": Trouble(lambda random: random.choice((ANSWER_LOST, TAKEN)), calls=40),
    "killed": Trouble(lambda random: random.choice((KILLED, TAKEN, TAKEN)), calls=40, batch=100),
    "repeated": Trouble(handed=3),
    "late": Trouble(lambda random: NOT_SENT, calls=100, batch=10_000),
    "all-of-it": Trouble(
        lambda random: random.choice((NOT_SENT, ENTRY_REFUSED, ANSWER_LOST, KILLED, TAKEN)), 60, 2, 7
    ),
}


class Bus:
    """Stands for the clients of the function; ``received`` is what rules have received, repeats included."""

    def __init__(self, trouble: Trouble, random: Random) -> None:
        self.received: list[dict[str, Any]] = []
        self.letters: list[str] = []
        self._trouble, self._random, self._calls = trouble, random, 0

    def put_events(self, **request: Any) -> dict[str, Any]:
        """EventBridge's."""
        check("events", "PutEvents", "input", request)
        self._calls += 1
        refusal = self._trouble.refusal(self._random) if self._calls <= self._trouble.calls else TAKEN
        if refusal.taken:
            self.received += [json.loads(entry["Detail"]) for entry in request["Entries"]]
        if refusal.raises:
            raise refusal.raises
        if refusal.entry:
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": refusal.entry, "ErrorMessage": "no"}]}
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}

    def send_message(self, **request: Any) -> dict[str, Any]:
        """SQS's."""
        check("sqs", "SendMessage", "input", request)
        self.letters.append(request["MessageBody"])
        return {}


class Reads:
    """Stands for a client that reads, without a function of the workflow that asks."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def get_paginator(self, method: str) -> Pages:
        """A paginator."""
        return Pages(getattr(self._model, method))


class Deployed(NamedTuple):
    """A world after a scenario, what was written meanwhile, and the items of before."""

    world: World
    records: tuple[Record, ...]
    before: dict[str, Any]


def names() -> list[str]:
    """Every case."""
    struck = [f"{PREFIX}all-of-it:{case}" for scenario in STRUCK for case in _struck(scenario)]
    return [*unharmed(), *struck]


def unharmed() -> list[str]:
    """The cases whose deployments have no fault."""
    return [f"{PREFIX}{trouble}:{scenario}" for scenario in TOLD for trouble in TROUBLES]


def _struck(scenario: str) -> list[str]:
    """A scenario with one fault by which a step repeats what it writes, or is cut off after it."""
    found = [
        f"{scenario}/{kind}@{point.name}"
        for point in points(scenario)
        for kind in sorted(ODD.intersection(KINDS[point.kind]))
    ]
    return Random(scenario).sample(found, CASES)


def violations(name: str) -> tuple[str, ...]:
    """Deliver what a case has written under a trouble, and say what does not hold."""
    trouble, _, case = name.removeprefix(PREFIX).partition(":")
    deployed = _deployed(case)
    outcomes = {name: item.get("outcome") for name, item in items_of(deployed.world).items()}
    bus = Bus(TROUBLES[trouble], Random(name))
    found = [*_delivered(deployed, bus, TROUBLES[trouble])]
    after = {name: item.get("outcome") for name, item in items_of(deployed.world).items()}
    if after != outcomes:
        found.append(f"deliveries change no outcome: {after}, not {outcomes}")
    return (*found, *_not_told(deployed, bus.received), *_told_wrongly(deployed, bus))


@cache
def _deployed(case: str) -> Deployed:
    scenario, _, fault = case.partition("/")
    kind, _, point = fault.partition("@")
    world = begun(TOLD[scenario], {point: kind} if fault else None)
    before, records = items_of(world), list[Record]()

    def changed(key: Item, old: Item, new: Item) -> None:
        records.append(Record(len(records) + 1, world.clock.now, key, old, new))

    world.dynamodb.changed = changed
    with inhabited(world):
        world.run()
    return Deployed(world, tuple(records), before)


def _delivered(deployed: Deployed, bus: Bus, trouble: Trouble) -> Iterator[str]:
    """Hand over the records as Lambda does, then what Step Functions tells of executions that failed."""
    world = deployed.world
    reads = {"dynamodb": Reads(world.dynamodb), "ssm": Reads(world.parameters)}
    with (
        inhabited(world),
        mock.patch.object(publish_events, "client", return_value=bus),
        mock.patch.object(stack, "client", reads.__getitem__),
    ):
        waiting, size, tries = list(deployed.records), trouble.batch, 0
        while waiting and tries < MOST_TRIES:
            tries += 1
            batch = waiting[:size]
            left = _handed_over(batch)
            if left is None:  # the function failed: half of it is tried
                size = max(1, len(batch) // 2)
                continue
            for _ in range(trouble.handed - 1):
                _handed_over(batch)
            size = trouble.batch
            waiting = waiting[len(batch) - left :]
        for execution in world.executions("deploy"):
            if execution.status != "SUCCEEDED":
                since_1970 = round(START.timestamp() * 1000) + round(execution.stopped * 1000)
                told = _told_of_end(described(execution) | {"stopDate": since_1970})
                waiting += [] if told else [deployed.records[-1]]
    if waiting:
        yield f"what is handed over has its event in the end: {len(waiting)} changes have none"


def _handed_over(batch: list[Record]) -> int | None:
    """How many records of a batch Lambda has to hand over again; None: all, for the function failed."""
    event = {"Records": [record.as_lambda_has_it for record in batch]}
    try:
        answer = publish_events.handler(event, Context())  # type: ignore[arg-type]
    except (Exception, KilledAtWork):
        return None
    failed = [int(one["itemIdentifier"]) for one in answer["batchItemFailures"]]
    return sum(record.sequence >= min(failed) for record in batch) if failed else 0


def _told_of_end(detail: dict[str, Any]) -> bool:
    for _ in range(MOST_TRIES):
        try:
            publish_events.handler({"detail": detail}, Context())  # type: ignore[arg-type]
        except (Exception, KilledAtWork):
            continue
        return True
    return False


def _not_told(deployed: Deployed, received: list[dict[str, Any]]) -> Iterator[str]:
    """Whatever has come into the journal since the beginning, and is there at the end, has its event."""
    told = {(event["deployment"], *what) for event in received for what in _said(event)}
    for name, item in items_of(deployed.world).items():
        called = waited_name(item["execution"]) if item.get("outcome") == "dropped" else name
        for what in _expected(called, item, deployed.before.get(name, {})):
            if (called, *what) not in told:
                yield f"each state change has its event: {what} of {called} has none"
    ended = {(event["outcome"], event["deployment"]) for event in received}
    for execution in deployed.world.executions("deploy"):
        refused = execution.status != "SUCCEEDED" and execution.name not in items_of(deployed.world)
        # It asked for what was warm, and the rollback that was to give it the traffic did not get through.
        half_way = execution.error == "RollbackFailed"
        if refused and ("failed" if half_way else "refused", execution.name) not in ended:
            yield f"each refusal has its event: that of {execution.name} has none"


def _said(event: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """What an event says: that it happened, and when; of a stage which one, and its verdict."""
    yield (event["kind"],)
    yield event["kind"], event["at"]
    if event["stage"]:
        yield event["kind"], *event["stage"].values(), event["verdict"]


def _expected(called: str, item: dict[str, Any], before: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """What has to be said of an item, in the words of ``_said``."""
    if called.startswith("waited-") and not before:
        yield ("waiting",)
    if item.get("outcome") == "dropped":
        yield "superseded", item["ended"]
        return
    if not before:
        yield "begun", item["began"]
    for name in ("launched", "healthy", "judged", "restored", "promoted"):
        # What stands there when the item is made had happened before.
        if name in item and name not in before and item[name] != item["began"]:
            yield name, item[name]
    for key, record in item["stages"].items():
        which = record["weight"], record["retry"], record["step_backs"]
        if key not in before.get("stages", {}):
            yield "stage", *which, None
        if record.get("ended") and record != before.get("stages", {}).get(key):
            yield "verdict", *which, record["verdict"]
    if item.get("outcome") and item["ended"] != before.get("ended"):
        yield "ended", item["ended"]


def _told_wrongly(deployed: Deployed, bus: Bus) -> Iterator[str]:
    """One id is one event, none is laid aside, and none overtakes another one."""
    first: dict[str, dict[str, Any]] = {}
    for event in bus.received:
        known = first.setdefault(event["id"], event)
        if known != event:
            yield f"a repeat is the same: {event['id']} came as {known} and as {event}"
    written = [StreamRecord.model_validate(record.as_lambda_has_it).change for record in deployed.records]
    ids = [happening.id for change in written if change for happening in happenings(change, "")]
    came = [one for one in first if one in ids]
    if came != sorted(came, key=ids.index):
        yield f"events come in the order of what was written: {came}"
    yield from (f"nothing is laid aside: {letter}" for letter in bus.letters)
