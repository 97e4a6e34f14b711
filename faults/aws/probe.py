"""The probe: what it would have written to the ledger, worked out when somebody reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from faults.aws.delivery import sent
from faults.aws.route import Answer, answer
from faults.workflow.clock import EPOCH
from probe.lane import REPORT_SECONDS, LaneSettings
from probe.record import (
    Closed,
    LaneRecord,
    LaneTotals,
    Opened,
    Record,
    RequestRecord,
    UnansweredRecord,
    to_json,
    utc,
)
from probe.secret import with_secret
from probe.settings import TaskSettings

if TYPE_CHECKING:
    from faults.world import World

POLL_SECONDS = 1.0
REFUSED = "ConnectionRefusedError: Connection refused"


class Lane:
    """One lane of a probe: when it asks next, and what it has counted; ``lost`` met no target at all."""

    def __init__(self, settings: LaneSettings, began: float) -> None:
        self.settings, self.next = settings, began
        self.ok = self.failed = self.lost = 0
        self._polling, self._polls = settings.waits_for_answer, 0

    def ask(self, world: World) -> Record | None:
        """Ask at the moment that it is due; what there is to write down of it."""
        now, name = self.next, self.settings.name
        found = answer(world, self.settings.headers, now, self.ok + self.failed)
        if name == "production" and world.refused:
            found = None
        if found:
            world.cloudwatch.count(now, found)
        if self._polling:
            self._polling = found is None or found.own
            self.next = now + (POLL_SECONDS if self._polling else 1 / self.settings.rate)
            return self._poll(world, now, found) if self._polling else LaneRecord(name, "resumed", _at(now))
        if found is None and self.settings.pauses:
            self._polling, self._polls, self.next = True, 0, now + POLL_SECONDS
            return LaneRecord(name, "paused", _at(now))
        self.next = now + 1 / self.settings.rate
        self.lost += found is None
        return self._count(found or Answer(503, None), now)

    def _poll(self, world: World, now: float, found: Answer | None) -> UnansweredRecord | None:
        """The first one, and one each few seconds, says what it met."""
        self._polls += 1
        if (self._polls - 1) % (REPORT_SECONDS // POLL_SECONDS):
            return None
        refused = self.settings.name == "production" and world.refused
        status, error = (None, REFUSED) if refused else (found.status if found else 503, None)
        note = None if refused else "by the load balancer"
        return UnansweredRecord(self.settings.name, _at(now), self._polls, status, None, error, note)

    def _count(self, found: Answer, now: float) -> RequestRecord:
        good = self.settings.accepts(found.status)
        version = None if self.settings.version_from.kind == "none" else found.version
        self.ok, self.failed = self.ok + good, self.failed + (not good)
        n = self.ok + self.failed
        return RequestRecord(self.settings.name, n, _at(now), found.status, version, 3.0, None, accepted=good)

    @property
    def totals(self) -> LaneTotals:
        """What it sent in all."""
        return LaneTotals(self.ok + self.failed, self.ok, self.failed, 0)


class Probe:
    """A probe task and the stream that it writes to. ``lost``: production requests that met no target."""

    def __init__(self, world: World, settings: TaskSettings) -> None:
        self.settings = settings
        self.running = False
        self.lost = 0
        self._world = world
        self._lanes: list[Lane] = []
        self._ends: float | None = None
        self._closes = False

    def begin(self) -> None:
        """The task runs: the stream is there from now on."""
        now = self._world.clock.now
        self.running = True
        assert self.settings.secret_parameter
        secret = self._world.parameters.values[self.settings.secret_parameter]
        self._lanes = [Lane(settings, now) for settings in with_secret(self.settings.lanes, secret)]
        names = tuple(lane.settings.name for lane in self._lanes)
        self._write(now, Opened(self.settings.deployment, _at(now), names))
        self._world.logs.writers.append(self)
        self._world.clock.after(self.settings.deadline, self.stop, background=True)

    def stop(self) -> None:
        """SIGTERM, or its own deadline: it writes its closing record."""
        if self.running:
            self._ends, self._closes, self.running = self._world.clock.now, True, False

    def die(self) -> None:
        """SIGKILL: what it had not sent is lost."""
        self.write()
        self._ends, self.running = sent(self._world.clock.now), False

    def write(self) -> None:
        """Write what was sent by now."""
        now = self._world.clock.now
        until = sent(now) if self._ends is None else self._ends
        while self._lanes and (lane := min(self._lanes, key=lambda lane: lane.next)).next <= until:
            moment = lane.next
            record = lane.ask(self._world)
            if record:
                self._write(moment, record)
        self.lost = sum(lane.lost for lane in self._lanes) or self.lost
        if self._ends is not None and now >= self._ends and self._lanes:
            if self._closes:
                totals = {lane.settings.name: lane.totals for lane in self._lanes}
                self._write(self._ends, Closed(_at(self._ends), "stopped", totals, 0))
            self._lanes = []

    def _write(self, moment: float, record: Record) -> None:
        self._world.logs.append(self.settings.log_group, self.settings.log_stream, moment, line(record))


def line(record: Record) -> str:
    """What ``to_json`` gives, without its copies: requests are most of what a simulation writes."""
    if not isinstance(record, RequestRecord):
        return to_json(record)
    values = {name: getattr(record, name) for name in RequestRecord.__slots__ if name != "path"}
    return _COMPACT.encode({"type": record.type, **values})


_COMPACT = json.JSONEncoder(separators=(",", ":"))


def _at(seconds: float) -> str:
    return utc(EPOCH + seconds)
