"""CloudWatch alarms that the spec names: what they add to a verdict."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from crossfade.domain.errors import InvalidServiceSpec
from crossfade.domain.message import Message, Moment
from crossfade.domain.spec import ServiceSpec
from crossfade.domain.verdict import Verdict

ALARM = "ALARM"


class Alarm(Message):
    """An alarm's state (``OK``, ``ALARM`` or ``INSUFFICIENT_DATA``), and since when it has been that."""

    name: str
    state: str
    since: Moment

    def raised(self, began: datetime) -> bool:
        """Whether it went to ALARM after the deployment began, and is still there."""
        return self.state == ALARM and self.since >= began


def refuse_unknown(spec: ServiceSpec, found: Mapping[str, Alarm]) -> None:
    """Refuse a spec that names an alarm which does not exist: it would never be raised."""
    missing = [name for name in spec.alarms if name not in found]
    if missing:
        raise InvalidServiceSpec(
            f"alarms: CloudWatch has no alarm {', '.join(missing)}. Correct the spec of {spec.service} in "
            "its stack, or create the alarm first."
        )


def heed(
    verdict: Verdict, named: Sequence[str], found: Mapping[str, Alarm], *, began: datetime, late: bool
) -> Verdict:
    """The verdict with the alarms taken in.

    One that was raised during the deployment goes back. One that was in ALARM before it, and still is, says
    nothing about the candidate: it is told, and goes back when it returns. One that is gone holds, and goes
    back when it is ``late``: the stage's deadline has come.
    """
    raised = [alarm for alarm in found.values() if alarm.raised(began)]
    if raised and verdict.action != "roll_back":
        told = ", ".join(f"{alarm.name} (since {alarm.since:%H:%M:%S} UTC)" for alarm in raised)
        return Verdict(
            action="roll_back",
            reason=f"CloudWatch alarm {told} was raised during the deployment",
            error="AlarmRaised",
        )
    gone = [name for name in named if name not in found]
    if gone and verdict.action != "roll_back":
        reason = f"evidence missing: CloudWatch has no alarm {', '.join(gone)} any more"
        if late:
            return Verdict(action="roll_back", reason=reason, error="EvidenceMissing")
        return Verdict(action="hold", reason=reason)
    standing = [alarm.name for alarm in found.values() if alarm.state == ALARM and not alarm.raised(began)]
    if standing:
        told = f"{', '.join(standing)} was in ALARM before the deployment began"
        return verdict.model_copy(update={"reason": f"{verdict.reason}; {told}"})
    return verdict
