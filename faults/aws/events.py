"""EventBridge: what happens reaches the rules of the template, and they start executions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from faults.aws.names import ACCOUNT, REGION
from faults.aws.stack import rules
from faults.workflow.clock import Clock
from faults.workflow.query import Refused

DELIVERY_SECONDS = 0.5


class EventBus:
    """Hands events to the rules of the stack; ``start`` starts an execution of a machine with an input.

    ``copies``: how often each event comes; EventBridge promises that it comes at least once.
    """

    def __init__(self, clock: Clock, start: Callable[[str, Any], Any]) -> None:
        self.copies = 1
        self._clock, self._start = clock, start

    def put(self, source: str, kind: str, detail: dict[str, Any]) -> None:
        """Something has happened; ``kind`` is the detail-type."""
        event = {
            "source": source, "detail-type": kind, "detail": detail, "resources": [],
            "account": ACCOUNT, "region": REGION,
        }  # fmt: skip
        for _, machine, properties in rules():
            if odd := properties.keys() - {"Pattern", "InputTransformer", "DeadLetterConfig"}:
                raise Refused(f"event rule: {odd}")
            if matches(properties["Pattern"], event):
                given = transformed(properties.get("InputTransformer"), event)
                for n in range(1, self.copies + 1):
                    self._clock.after(n * DELIVERY_SECONDS, self._start, machine, given)


def matches(pattern: Any, event: Any) -> bool:
    """Whether an event fits a pattern."""
    if isinstance(pattern, dict):
        return all(key in event and matches(wanted, event[key]) for key, wanted in pattern.items())
    return any(_fits(wanted, event) for wanted in pattern)


def transformed(transformer: dict[str, Any] | None, event: dict[str, Any]) -> Any:
    """What a rule hands to its target."""
    if transformer is None:
        return event
    values = {name: _pick(path, event) for name, path in transformer.get("InputPathsMap", {}).items()}
    parts = re.split(r"<(\w+)>", transformer["InputTemplate"])
    text = ""
    for n, part in enumerate(parts):
        if n % 2 == 0:
            text += part
        elif text.replace('\\"', "").count('"') % 2:  # within a string of the template
            text += json.dumps(values[part])[1:-1]
        else:
            text += json.dumps(values[part])
    return json.loads(text)


def _fits(wanted: Any, value: Any) -> bool:
    if not isinstance(wanted, dict):
        return bool(wanted == value)
    (kind, operand), *more = wanted.items()
    if more or kind not in {"anything-but", "prefix"}:
        raise Refused(f"event pattern: {wanted}")
    if kind == "prefix":
        return str(value).startswith(operand)
    return value not in operand if isinstance(operand, list) else value != operand


def _pick(path: str, event: Any) -> Any:
    if not re.fullmatch(r"\$(\.[\w-]+)+", path):
        raise Refused(f"event path: {path}")
    for name in path.split(".")[1:]:
        event = event[name]
    return event
