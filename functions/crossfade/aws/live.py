"""What is live: the weights, the stable slot and its release, whether the old slot is warm.

Each write raises ServiceLost where the service is not held so any more.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from crossfade.aws.journal_table import NUMBERS, Change, JournalTable, expiry, item_of, numbered
from crossfade.domain.journal import Hold, State, WarmSlot
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.slots import Slot
from crossfade.domain.tasks.scaling import Resumption
from crossfade.domain.traffic.rule import LastRule, LiveRule
from crossfade.domain.traffic.shown import Shown
from crossfade.domain.traffic.weights import Weights


class Live:
    """What is live of each service, in the journal's table."""

    def __init__(self, table: JournalTable) -> None:
        self._table = table

    def intend(self, hold: Hold, weights: Weights) -> None:
        """Write down the weights that are about to be written."""
        self._table.change_state(hold, "SET intended = :weights", {":weights": weights.model_dump()})

    def saw(self, hold: Hold, state: State, shown: Shown, now: datetime) -> None:
        """Write down what a read has shown of what is the rules' owner's, if it is news."""
        known = state
        for one in shown.routes:
            if one.rule:
                known = known.model_copy(update={"seen": known.saw(one.rule, one.weights, now)})
        if known.seen != state.seen:
            values = {":seen": [one.model_dump(mode="json") for one in known.seen]}
            self._table.change_state(hold, "SET seen = :seen", values)

    def wrote(
        self, plan: HeldPlan, weights: Weights, now: datetime, answers: Sequence[LiveRule] = ()
    ) -> None:
        """Write down the weights that were written, and the load balancer's own answers."""
        written, values = self._written(plan, weights, now, answers)
        self._table.change_state(plan.hold, f"{written}, weights = :weights REMOVE intended", values)

    def reinstate(
        self,
        plan: HeldPlan,
        winner: Slot | None,
        now: datetime,
        answers: Sequence[LiveRule] = (),
        *,
        verified: bool = True,
    ) -> None:
        """Write down where a rollback has left all traffic: with ``winner``, or with the origin, as before.

        ``verified``: whether the winner was seen to answer with its version.
        ``intended`` stays: a write of the deployment's own may still be on its way.
        """
        wanted = Weights.share(winner, 100) if winner else plan.before
        written, values = self._written(plan, wanted, now, answers)
        written += ", weights = :weights"
        if winner is None:
            gone = "stable, version, digest, release_number, verified, verified_by"
            self._table.change_state(plan.hold, f"{written} REMOVE {gone}", values)
            return
        release = plan.release if winner == plan.candidate else plan.previous
        if winner == plan.candidate:  # of the other slot it stands there already, or is not known
            written, values = f"{written}, verified_by = :by", {**values, ":by": plan.spec.version.text}
        self._table.change_state(
            plan.hold,
            f"{written}, stable = :slot, version = :version, digest = :digest, verified = :verified, "
            "release_number = :number",
            {
                **values,
                ":verified": verified,
                ":number": plan.previous.number if plan.previous and winner == plan.stable else None,
                ":slot": winner,
                ":version": release.version if release else None,
                ":digest": release.digest if release else None,
            },
        )

    def promote(self, plan: HeldPlan, now: datetime) -> None:
        """Write down that the candidate is the stable slot now, and whether the old one is kept warm.

        The release gets the next number, and a second time the same.
        """
        number = self._number(plan)
        values: dict[str, Any] = {
            ":slot": plan.candidate,
            ":version": plan.release.version,
            ":digest": plan.release.digest,
            ":verified": bool(plan.answers),
            ":by": plan.spec.version.text,
            ":number": number,
        }
        expression = "SET stable = :slot, version = :version, digest = :digest, verified = :verified"
        expression += ", verified_by = :by, release_number = :number"
        if plan.stable and plan.spec.retire.warm_seconds > 0:
            expression += ", warm = :warm"
            warm = WarmSlot(
                slot=plan.stable,
                deployment=plan.deployment,
                execution=plan.holder,
                until=now + timedelta(seconds=plan.spec.retire.warm_seconds),
            )
            values[":warm"] = warm.model_dump(mode="json")
        promoted = "SET promoted = if_not_exists(promoted, :now), release_number = :number"
        self._table.change_both(
            plan.hold,
            Change(expression, values),
            Change(f"{promoted} REMOVE judged, judged_for, refused", {":now": iso(now), ":number": number}),
            self._table.updating(plan.service, NUMBERS, "SET highest = :number", {":number": number}),
            self._table.updating(
                plan.service,
                numbered(number),
                "SET deployment = :deployment, expires = :expires",
                {":deployment": plan.deployment, ":expires": expiry(now)},
            ),
        )

    def _number(self, plan: HeldPlan) -> int:
        # In this order: what another try of the same writes in between is found in the deployment's item.
        highest = int(self._table.get(plan.service, NUMBERS).get("highest", 0))
        given = self._table.get(plan.service, item_of(plan.deployment)).get("release_number")
        return int(given or highest + 1)

    def forget_warm(self, hold: Hold) -> None:
        """Write down that the old slot is about to be stopped, and so is warm no longer."""
        self._table.change_state(hold, "REMOVE warm", {})

    def resumed(self, hold: Hold, resumption: Resumption) -> None:
        """Write down how the live slot's scaling is about to be left."""
        values = {":resumed": resumption.model_dump(mode="json")}
        self._table.change_state(hold, "SET resumed = :resumed", values)

    def _written(
        self, plan: HeldPlan, weights: Weights, now: datetime, answers: Sequence[LiveRule]
    ) -> tuple[str, dict[str, Any]]:
        """How to write down that the rules were written, and the values."""
        state = self._table.state(plan.service)  # only the holder changes it, so reading it first is safe
        past = [one.model_dump(mode="json") for one in state.overwritten_by(weights, now)]
        written = "SET written_at = :now, overwritten = :past, seen = :none"
        values: dict[str, Any] = {":now": iso(now), ":past": past, ":none": []}
        values[":weights"] = weights.model_dump()
        if answers:
            again = weights in state.model_copy(update={"intended": None}).own(now)
            # Of those that were left alone: never written they are the service's all the same.
            last = {route.rule: LastRule.unwritten(plan.spec, route) for route in plan.spec.routes}
            last |= {one.arn: one for one in state.last_rules}
            last |= {one.arn: LastRule.of(plan.spec, one, now, again=again) for one in answers}
            first, *also = [last[route.rule] for route in plan.spec.routes]
            written += ", last_rule = :rule"
            values[":rule"] = first.model_dump(mode="json")
            if also or state.last_also:
                written += ", last_also = :also"
                values[":also"] = [one.model_dump(mode="json") for one in also]
        return written, values
