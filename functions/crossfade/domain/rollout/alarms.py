"""CloudWatch alarms that the spec names: what they add to a verdict."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from crossfade.domain.errors import InvalidServiceSpec
from crossfade.domain.gate.past import Caution
from crossfade.domain.gate.state import Watch
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.verdict import Verdict

ALARM = "ALARM"
STAYS = 12
"""How many times ``clump_seconds`` an alarm may outlast the candidate's clients: it looks minutes back."""


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
    verdict: Verdict,
    named: Sequence[str],
    found: Mapping[str, Alarm],
    *,
    began: datetime,
    watch: Watch,
    caution: Caution,
    clump_seconds: float,
    now: datetime,
) -> Verdict:
    """The verdict with the alarms taken in.

    An alarm that was raised since the deployment ``began`` steps the candidate back, and lets it climb no
    more until it is over. It rolls back when it stays with the candidate at weight 0, for ``STAYS`` times
    ``clump_seconds``, when one is raised again with the candidate climbing, and in a first release, which
    has nothing to step back to. One that was in ALARM before the deployment, and still is, says nothing about
    the candidate: the reason names it, and it counts when it is raised again. So does one that is raised
    while the stable slot serves nothing, because going back would lead to that slot. A deleted alarm holds
    the stage, and rolls back at the stage's deadline.
    """
    late = now >= watch.deadline
    raised = [alarm for alarm in found.values() if alarm.raised(began) and not verdict.emergency]
    if raised and verdict.action != "roll_back":
        return _of_raised(raised, watch, caution, STAYS * clump_seconds, now)
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


def _of_raised(
    raised: Sequence[Alarm], watch: Watch, caution: Caution, seconds: float, now: datetime
) -> Verdict:
    """The verdict where alarms are up that were raised during the deployment."""
    names = ", ".join(f"{alarm.name} (since {alarm.since:%H:%M:%S} UTC)" for alarm in raised)
    reason = f"CloudWatch alarm {names} was raised during the deployment"
    if watch.first:
        return Verdict(action="roll_back", reason=reason, error="AlarmRaised")
    if watch.stage.weight:
        if caution.alarmed:
            again = f"{reason}, again after the candidate was stepped back for one"
            return Verdict(action="roll_back", reason=again, error="AlarmRaised")
        return Verdict(action="step_back", reason=reason, cause="alarm")
    # With no client on the candidate: whose alarm it is shows in whether it ends.
    alone_since = watch.shown or watch.began
    longest = max((now - max(alarm.since, alone_since)).total_seconds() for alarm in raised)
    if longest >= seconds:
        stays = f"{reason}, and stays though the candidate has had no clients for {seconds:g} s"
        return Verdict(action="roll_back", reason=stays, error="AlarmRaised")
    ends = f"rolled back if it stays for {seconds:g} s, {max(longest, 0):.0f} s so far"
    return Verdict(action="hold", reason=f"{reason}; candidate held at 0 % until it is over, {ends}")
