"""VerifyRestored: after the weights are restored, wait until clients get the winner's version only."""

from typing import Literal

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.domain.errors import ResourceGone
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.planning.plan import Plan
from crossfade.domain.rollback.target import still_needed
from crossfade.domain.rollout import drain
from crossfade.domain.slots import SLOTS, Slot, other
from crossfade.step import step, utc_now
from crossfade.watching.capacity import KeepingUp
from crossfade.watching.ledger_tail import Tail


class Verified(Model):
    """``late``: no proof in time, and the rollback says so. ``dead``: the winner has no healthy target."""

    status: Literal["wait", "drained", "late", "dead"]
    reason: str
    quiet: drain.DrainProgress
    cursor: str | None
    probe_died: bool


@step
def handler(
    plan: Plan,
    probe: str | None,
    shifted: Timestamp,
    version: str | None,
    loser: Slot,
    quiet: drain.DrainProgress,
    cursor: str | None,
) -> Verified:
    """Look until production gives ``version`` alone, until the deadline, or until the winner has died.

    ``shifted`` is when the weights were read back. ``version`` is None after a first release, and if the
    version that ran before is not known, or answers name none. ``loser`` is to be stopped. ``quiet`` and
    ``cursor`` are the state so far.
    """
    dead = False
    verdict = drain.DrainVerdict(action="wait", reason="not checked yet")
    journal = stack.journal()
    is_dead = KeepingUp(lambda: _is_dead(plan, journal, loser))
    retire, awaited = plan.spec.retire, drain.Awaited(version, _version_of(loser, plan), alike=plan.alike)

    tail = Tail(plan, probe, cursor)
    for records in tail:
        quiet = quiet.after(records, awaited, shifted=shifted, seconds=retire.quiet_seconds)
        verdict = drain.check(
            quiet,
            awaited,
            retire=retire,
            failing=plan.spec.gate.failing,
            shifted=shifted,
            shown=shifted,
            now=utc_now(),
            good_status=plan.spec.version.good,
        )
        dead = is_dead.current()
        if dead or verdict.action != "wait":
            break
    return Verified(
        status="dead" if dead else verdict.action,
        reason=f"{other(loser)} has no healthy target any more" if dead else verdict.reason,
        quiet=quiet,
        cursor=tail.cursor,
        probe_died=tail.probe_died,
    )


def _version_of(loser: Slot, plan: Plan) -> str | None:
    """The version that clients are to get no more; None if it is not known, or if there is one slot only."""
    if plan.stable is None:
        return None
    return (plan.answers if loser == plan.candidate else plan.stable_answers) or None


def _is_dead(plan: Plan, journal: Journal, loser: Slot) -> bool:
    """Whether the loser wins after all; a first release has no other slot."""
    if plan.stable is None:
        return False
    traffic, history = Traffic(client("elbv2"), plan.spec), journal.history.of(plan.service, plan.deployment)
    try:
        healthy = {slot: traffic.health(slot).healthy for slot in SLOTS}
    except ResourceGone:
        return False
    return still_needed(plan, history, loser, healthy=healthy, short=None, late=True) == "as_winner"
