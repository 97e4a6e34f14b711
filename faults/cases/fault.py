"""Faults: where one can be placed, and what it does there.

A point is named after what comes by it: ``shift_traffic:ModifyRule#2`` is the second call of ModifyRule by
the handler ``shift_traffic``, ``shift_traffic#3`` the third run of that handler, ``deploy.ShiftTraffic#2``
the second time that an execution of ``deploy`` enters that state. They are counted over a whole case,
whichever execution it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from botocore.exceptions import ReadTimeoutError

from faults.aws.answer import AwsError
from faults.aws.functions import Invocation, Killed
from faults.aws.views import Range
from faults.cases.disturbances import DISTURBANCES, Setting
from faults.cases.respecs import RESPECS

if TYPE_CHECKING:
    from faults.cases.disturbances import Disturber
    from faults.workflow.clock import Clock
    from faults.workflow.execution import Execution

PATIENCE_SECONDS = 41.0
"""What boto3's four attempts take, each of which waits ten seconds for an answer, with pauses."""
LATE_SECONDS = 9.0
"""How long an answer may take so that boto3 still waits for it."""
STALL_SECONDS = 25.0
"""How long a call may be under way and have its effect at last: the time of two attempts and more."""

UNKNOWN = (
    "The cause could not be determined because Lambda did not return an error type. Returned payload: "
    '{"errorMessage":"2026-11-23T04:00:41.512Z request-1 Task timed out after 60.06 seconds"}'
)
"""The cause of ``Lambda.Unknown``: a sentence that contains JSON."""
CUT_OFF = (
    '{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 1 Error: Runtime exited with error: sig'
)
"""A cause that was too long: what is left of it begins like JSON and is none."""

PointKind = Literal["read", "write", "run", "state"]


class Point(NamedTuple):
    """A point for a fault. ``place`` says what it is like: points of one place differ in number only.

    ``seconds``: for how many a read there may be stale, or the effect of a write late; None where a read
    would be the same, or the service is consistent. ``setting``: what is so where a state is entered, and
    ``possible``: the disturbances that would make a difference then. ``quiet``: no handler is at work there.
    """

    name: str
    kind: PointKind
    place: tuple[str, ...]
    seconds: Range | None = None
    setting: Setting | None = None
    possible: tuple[str, ...] = ()
    quiet: bool = False


class Visit(NamedTuple):
    """A point that a case has come by, and the fault that strikes there, if one was placed."""

    point: str
    fault: str | None


class Call(NamedTuple):
    """A call of a handler to AWS; ``make`` lets it have its effect and gives its answer.

    ``lag`` lets reads of the same resource be so many seconds behind from now on, ``delay`` lets what the
    call is about to write have its effect only in so many seconds.
    """

    invocation: Invocation
    make: Callable[[], Any]
    lag: Callable[[float], None]
    delay: Callable[[float], None]


class Faults:
    """The faults of a case by the point where each is placed, and the points that the case comes by.

    ``then`` is what else happens, half a second after the case has come by a point. ``always`` are faults by
    the name of points without their number: they strike there each time. ``respec`` lets something become of
    the service's spec, see ``respecs.py``, ``disturber`` something happen to tasks, see ``disturbances.py``.
    ``random`` is seeded anew by the first fault that strikes: up to there a case goes as its scenario does.
    """

    def __init__(
        self,
        clock: Clock,
        placed: Mapping[str, str] | None = None,
        then: Mapping[str, Callable[[], None]] | None = None,
        always: Mapping[str, str] | None = None,
        respec: Callable[[str], None] | None = None,
        disturber: Disturber | None = None,
        random: Random | None = None,
    ) -> None:
        self.points: list[Point] = []
        self.struck: dict[str, float] = {}
        """The points at which a fault was placed and struck, each with its moment."""
        self._clock, self._placed, self._then = clock, dict(placed or {}), dict(then or {})
        self._always, self._respec, self._disturber = dict(always or {}), respec, disturber
        self._random = random
        self.when_quiet: Callable[[], None] | None = None
        """Called before a state is entered while no handler is at work."""
        self._counts: Counter[str] = Counter()

    @property
    def placed(self) -> set[str]:
        """The names of the faults that were placed."""
        return set(self._placed.values())

    def place(self, point: str, fault: str) -> None:
        """Let a fault strike at a point that is still to come."""
        self._placed[point] = fault

    def called(
        self,
        invocation: Invocation,
        operation: str,
        writes: bool,
        seconds: Range | None = None,
        of: tuple[str, ...] = (),
    ) -> Visit:
        """A handler calls AWS; ``seconds`` is that of the point, ``of`` a part of its place."""
        name, place = f"{invocation.function.name}:{operation}", (*invocation.place, operation, *of)
        return self._come_by(name, "write" if writes else "read", place, seconds)

    def allow(self, name: str) -> None:
        """What has struck there each time strikes no more."""
        del self._always[name]

    def runs_twice(self, invocation: Invocation) -> bool:
        """Whether the handler is run a second time after its success."""
        return self._come_by(invocation.function.name, "run", invocation.place).fault is not None

    def entered(self, execution: Execution, state: str) -> None:
        """An execution enters a state."""
        place = (execution.machine, state)
        quiet = self._clock.strands == 0
        if quiet and self.when_quiet:
            self.when_quiet()
        setting: Setting | None = None
        possible: tuple[str, ...] = ()
        if self._disturber and not self._placed:  # what can happen is asked of a scenario unharmed
            setting, possible = self._disturber.setting(*place), self._disturber.possible()
        fault = self._come_by(".".join(place), "state", place, None, setting, possible, quiet).fault
        if fault:
            self._clock.after(0, self._happen, fault, execution)

    def _happen(self, fault: str, execution: Execution) -> None:
        for part in fault.split("+"):
            if part in STATES:
                STATES[part](execution)
            elif part in DISTURBANCES:
                if self._disturber:
                    self._disturber.happen(part)
            elif self._respec:
                self._respec(part)

    def _come_by(
        self,
        name: str,
        kind: PointKind,
        place: tuple[str, ...],
        seconds: Range | None = None,
        setting: Setting | None = None,
        possible: tuple[str, ...] = (),
        quiet: bool = False,
    ) -> Visit:
        self._counts[name] += 1
        point = Point(f"{name}#{self._counts[name]}", kind, place, seconds, setting, possible, quiet)
        self.points.append(point)
        if point.name in self._then:
            self._clock.after(0.5, self._then[point.name])
        fault = self._placed.get(point.name)
        if fault:
            if not self.struck and self._random:
                self._random.seed(f"{fault}@{point.name}")
            self.struck[point.name] = self._clock.now
        return Visit(point.name, fault or self._always.get(name))


def throttled(call: Call) -> Any:
    """Refused, without an effect."""
    raise AwsError("ThrottlingException", "Rate exceeded")


def unavailable_before(call: Call) -> Any:
    """A fault of the service before the call has its effect."""
    raise AwsError("ServiceUnavailable", "Service Unavailable", 503)


def unavailable_after(call: Call) -> Any:
    """A fault of the service when the call has had its effect."""
    call.make()
    raise AwsError("InternalFailure", "Internal Failure", 500)


def refused(call: Call) -> Any:
    """The role does not allow it."""
    raise AwsError("AccessDeniedException", "is not authorized to perform", 400)


def late(call: Call) -> Any:
    """The answer comes at the last moment, and tells what was so long before."""
    answer = call.make()
    call.invocation.sleep(LATE_SECONDS)
    return answer


def timed_out(call: Call) -> Any:
    """The call has its effect; the answer never comes."""
    call.make()
    call.invocation.sleep(PATIENCE_SECONDS)
    raise ReadTimeoutError(endpoint_url="https://aws.example")


def function_timed_out(call: Call) -> Any:
    """The call has its effect; then nothing happens until Lambda ends the function."""
    call.make()
    call.invocation.sleep(float("inf"))


def killed_before(call: Call) -> Any:
    """The function's process dies before the call."""
    raise Killed("Runtime.ExitError", CUT_OFF)


def killed_after(call: Call) -> Any:
    """The function's process dies when the call has had its effect; the service loses sight of it."""
    call.make()
    raise Killed("Lambda.Unknown", UNKNOWN)


def stopped(call: Call) -> Any:
    """Somebody stops the execution; the handler does not notice, and goes on."""
    call.invocation.execution.stop()
    return call.make()


def expired(call: Call) -> Any:
    """The execution's time is up; the handler does not notice, and goes on."""
    call.invocation.execution.expire()
    return call.make()


def stalled(call: Call) -> Any:
    """Somebody stops the execution, and the call has its effect only long after that."""
    call.invocation.execution.stop()
    call.invocation.sleep(STALL_SECONDS)
    return call.make()


def stale_read(call: Call, seconds: float) -> Any:
    """The answer is of some seconds ago, and so are those of further reads, until the view has caught up."""
    call.lag(seconds)
    return call.make()


def late_effect(call: Call, seconds: float) -> Any:
    """Answered as done; the effect comes some seconds later, and until then reads show what was before."""
    call.delay(seconds)
    return call.make()


CALLS: dict[str, Callable[[Call], Any]] = {
    "throttled": throttled,
    "refused": refused,
    "late": late,
    "unavailable-before": unavailable_before,
    "unavailable-after": unavailable_after,
    "timed-out": timed_out,
    "function-timed-out": function_timed_out,
    "killed-before": killed_before,
    "killed-after": killed_after,
    "stopped": stopped,
    "expired": expired,
    "stalled": stalled,
}
LASTING: dict[str, Callable[[Call, float], Any]] = {"stale-read": stale_read, "late-effect": late_effect}
"""Faults that last for some seconds, which are part of their names: ``stale-read:12.5``."""
STATES: dict[str, Callable[[Any], None]] = {
    "stopped": lambda execution: execution.stop(),
    "expired": lambda execution: execution.expire(),
}
RESPECS_AND_STOPS = (*RESPECS, *(f"{kind}+stopped" for kind in RESPECS))
"""What may become of the spec where a state is entered, and that together with a stop of the execution."""
KINDS: dict[PointKind, tuple[str, ...]] = {
    # A stalled write comes late as well.
    "write": tuple(name for name in CALLS if name != "late"),
    # Whether a read had its effect makes no difference.
    "read": tuple(name for name in CALLS if name not in {"unavailable-after", "killed-after", "stalled"}),
    "run": ("twice",),
    "state": tuple(STATES),
}
"""The faults for each kind of point."""
PASSING = frozenset(CALLS) - {"refused", "stopped", "expired", "stalled"} | {"twice", *LASTING}
"""Faults that a deployment must ride out: it ends as it would have without them."""


def kinds_at(point: Point) -> tuple[str, ...]:
    """The kinds of fault that make a difference at a point."""
    if point.kind == "state":
        return (*KINDS["state"], *RESPECS_AND_STOPS, *point.possible)
    if point.seconds is None:
        return KINDS[point.kind]
    return (*KINDS[point.kind], "late-effect" if point.kind == "write" else "stale-read")


def struck_by(fault: str, call: Call) -> Any:
    """What a handler gets where a fault strikes its call."""
    kind, _, seconds = fault.partition(":")
    return LASTING[kind](call, float(seconds)) if kind in LASTING else CALLS[kind](call)
