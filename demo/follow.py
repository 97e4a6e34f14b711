"""Live lines: what the deployment does, where the traffic goes, and what the client sees meanwhile."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from demo.cloud import DemoFailed, Patience
from demo.workflow import Standing, Workflow
from probe.record import RequestRecord
from probe.textfile import read

_POLL_SECONDS = 0.5
_LEAST_SECONDS = 2.9
"""States that pass within this are not shown, unless the weights change with them."""
_REPEAT_SECONDS = 10.0
_REPEAT_SPLIT_SECONDS = 3.0
"""A line without a change: sooner while two versions share the traffic."""
_HEADING = ("deployment", "state", "weights", "the client in the last second")

Weights = dict[str, int] | None


class Screen:
    """Prints lines with the seconds since the demo began."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        """Print one line, at once."""
        print(f"{self.elapsed:6.1f} s  {text}", flush=True)

    def heading(self) -> None:
        """Print the names of the columns."""
        print(f"\n{'time':>8}  {_columns(*_HEADING)}", flush=True)

    def row(self, deployment: str, standing: Standing, weights: Weights, sight: str) -> None:
        """Print where a deployment is."""
        shares = (
            "  ".join(f"{slot} {weight:3}" for slot, weight in weights.items()) if weights else "pattern 100"
        )
        ended = "" if standing.status == "RUNNING" else f" ({standing.status})"
        self.say(_columns(deployment, standing.state + ended, shares, sight))


def follow(
    workflow: Workflow, version: str, client: Path | None, screen: Screen, patience: Patience
) -> tuple[str, Standing]:
    """Show the deployment of `version` until it ends; its execution's ARN and how it ended are returned.

    `client` is the file that the test client writes, None while it does not run. Raises DemoFailed when no
    deployment starts, or when it does not end in time.
    """
    execution = _started(workflow, version, patience.start)
    deadline = time.monotonic() + patience.deployment
    pace = Pace()
    while True:
        standing, weights = workflow.standing(execution), workflow.weights()
        if pace.is_due(standing, weights, time.monotonic()):
            sight = last_second(read(client)) if client else "not started yet"
            screen.row(version, standing, weights, sight)
        if standing.status != "RUNNING":
            return execution, standing
        if time.monotonic() > deadline:
            why = workflow.trouble(execution) or "its history names no error"
            raise DemoFailed(
                f"The deployment of {version} has not ended within {patience.deployment:g} s. "
                f"It is in the state {standing.state}; {why}."
            )
        time.sleep(_POLL_SECONDS)


def last_second(records: Sequence[RequestRecord]) -> str:
    """What the client saw in its last second, and how many requests failed since it began."""
    if not records:
        return "nothing yet"
    since = max(_sent(record) for record in records) - timedelta(seconds=1)
    # The file is in the order of completion, and no answer takes longer than a few seconds.
    recent = [record for record in records[-200:] if _sent(record) > since]
    seen = Counter(record.version or "no version" for record in recent if record.ok)
    shares = ", ".join(
        f"{version} {100 * count / len(recent):3.0f} %" for version, count in sorted(seen.items())
    )
    return f"{shares or 'no answer'}; {sum(not record.ok for record in records)} failed so far"


class Pace:
    """Decides which looks become lines, so that a deployment takes lines for what changes, not for time."""

    def __init__(self) -> None:
        self._shown_at = float("-inf")
        self._state = ""
        self._weights: Weights = None

    def is_due(self, standing: Standing, weights: Weights, now: float) -> bool:
        since = now - self._shown_at
        split = weights is not None and sum(weight > 0 for weight in weights.values()) > 1
        due = (
            standing.status != "RUNNING"
            or weights != self._weights
            or (standing.state != self._state and since >= _LEAST_SECONDS)
            or since >= (_REPEAT_SPLIT_SECONDS if split else _REPEAT_SECONDS)
        )
        if due:
            self._shown_at, self._state, self._weights = now, standing.state, weights
        return due


def _started(workflow: Workflow, version: str, seconds: float) -> str:
    deadline = time.monotonic() + seconds
    while (execution := workflow.execution(version)) is None:
        if time.monotonic() > deadline:
            raise DemoFailed(
                f"The push of {version} started no deployment within {seconds:g} s: "
                "see whether EventBridge got the event of ECR."
            )
        time.sleep(_POLL_SECONDS)
    return execution


def _sent(record: RequestRecord) -> datetime:
    return datetime.fromisoformat(record.at)


def _columns(deployment: str, state: str, weights: str, client: str) -> str:
    return f"{deployment:10}  {state:25}  {weights:19}  {client}"
