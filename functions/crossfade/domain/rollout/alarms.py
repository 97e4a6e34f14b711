"""CloudWatch alarms that the spec names: what they add to a verdict."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from crossfade.domain.errors import InvalidServiceSpec
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.verdict import Verdict

ALARM = "ALARM"


class Alarm(Model):
    """An alarm's state (``OK``, ``ALARM`` or ``INSUFFICIENT_DATA``), and since when it has been that."""

    name: str
    state: str
    since: Timestamp

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


def with_alarms(
    verdict: Verdict, named: Sequence[str], found: Mapping[str, Alarm], *, began: datetime, late: bool
) -> Verdict:
    """The verdict with the alarms taken in.

    An alarm that was raised during the deployment rolls back. One that was in ALARM before it, and still is,
    says nothing about the candidate: the reason names it, and it counts when it is raised again. So does one
    that is raised while the stable slot serves nothing, because a rollback would lead to that slot. A deleted
    alarm holds the stage, and rolls back when it is ``late``: the stage's deadline has come.
    """
    raised = [alarm for alarm in found.values() if alarm.raised(began) and not verdict.emergency]
    if raised and verdict.action != "roll_back":
        names = ", ".join(f"{alarm.name} (since {alarm.since:%H:%M:%S} UTC)" for alarm in raised)
        return Verdict(
            action="roll_back",
            reason=f"CloudWatch alarm {names} was raised during the deployment",
            error="AlarmRaised",
        )
    gone = [name for name in named if name not in found]
    if gone and verdict.action != "roll_back":
        before = f"{verdict.reason}; " if verdict.emergency else ""
        reason = f"{before}evidence missing: CloudWatch has no alarm {', '.join(gone)} any more"
        update = {"action": "roll_back" if late else "hold", "reason": reason}
        return verdict.model_copy(update=update | {"error": "EvidenceMissing" if late else None})
    standing = [
        alarm
        for alarm in found.values()
        if alarm.state == ALARM and (verdict.emergency or not alarm.raised(began))
    ]
    if standing:
        names = ", ".join(alarm.name for alarm in standing)
        since = "is in ALARM" if verdict.emergency else "was in ALARM before the deployment began"
        return verdict.model_copy(update={"reason": f"{verdict.reason}; {names} {since}"})
    return verdict
