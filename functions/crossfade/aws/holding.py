"""Who holds a service: claimed, taken over, taken for good, given free."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from crossfade.aws.journal_table import STATE, Change, JournalTable, item_of
from crossfade.domain.errors import ServiceChanged, ServiceLost
from crossfade.domain.journal import Hold, State, Tried, WarmSlot, service_lost
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.tasks.scaling import SuspendedState
from crossfade.domain.traffic.weights import Overwritten


class Holding:
    """The holders of all services, in the journal's table."""

    def __init__(self, table: JournalTable) -> None:
        self._table = table

    def claim(self, plan: HeldPlan) -> None:
        """Make the plan's execution the holder of its service, and open the deployment's item.

        Raises
        ------
        ServiceChanged
            Another execution holds it, or has held it since the plan was made.
        """
        state = self._table.state(plan.service)
        if state.holder == plan.holder:
            return  # an earlier try of this claim was written
        _refuse_overtaken(plan, state)
        values: dict[str, Any] = {":candidate": _candidate(plan), ":weights": plan.before.model_dump()}
        sets, conditions = ["candidate = :candidate"], ["attribute_not_exists(holder)"]
        # The plan must still fit: a deployment that came and went meanwhile has swapped the slots.
        if state.weights:
            conditions.append("weights = :weights")
        else:
            # Adopted: its owner has left the rule so, and the plan has seen it.
            conditions.append("attribute_not_exists(weights)")
            sets.append("weights = :weights")
        if plan.stable and state.stable not in (None, plan.stable):
            # All traffic was put there by hand, and the weights alone were written down.
            sets += ["stable = :stable", "version = :version", "digest = :digest", "release_number = :number"]
            values[":number"] = plan.previous.number if plan.previous else None
            values[":stable"] = plan.stable
            values[":version"] = plan.previous.version if plan.previous else None
            values[":digest"] = plan.previous.digest if plan.previous else None
        if plan.spec.origin:
            sets.append("origin = :origin")
            values[":origin"] = plan.spec.origin
        past = state.bound(plan.spec.origin).overwritten
        if state.weights is None:  # the rule may have been made just now, and is not shown to every function
            past = (*past, Overwritten(weights=None, until=plan.began))
        if past != state.overwritten:
            sets.append("overwritten = :past")
            values[":past"] = [one.model_dump(mode="json") for one in past]
        if plan.seen != state.seen:
            sets.append("seen = :seen")
            values[":seen"] = [one.model_dump(mode="json") for one in plan.seen]
        for name, value in _news(plan, state).items():
            sets.append(f"{name} = :{name}")
            values[f":{name}"] = value
        remove = ["warm", *([] if plan.spec.origin else ["origin"])]
        if state.waiting and state.waiting.digest == plan.release.digest:
            remove.append("waiting")  # StartNext may have been cut off before it did this
        self._begin(plan, sets, values, conditions, remove, {})

    def back_out(self, plan: HeldPlan, warm: WarmSlot, scaling: SuspendedState | None) -> None:
        """Make a rollback the holder of a free service whose old slot is warm, under an item of its own.

        ``scaling`` is how the live slot's stood before the promoted deployment, and is to stand again.

        Raises
        ------
        ServiceChanged
            Another execution was faster: the service is held, or the slot is not warm any more.
        """
        if self._table.state(plan.service).holder == plan.holder:
            return
        conditions = ["attribute_not_exists(holder)", "warm.deployment = :warm"]
        tried = Tried(times=1, at=plan.began)  # it counts as the first one, should it not get through
        values: dict[str, Any] = {
            ":candidate": _candidate(plan),
            ":warm": warm.deployment,
            ":tried": tried.model_dump(mode="json"),
        }
        known: dict[str, Any] = {"launched": iso(plan.began), "healthy": iso(plan.began)}  # both slots run
        if scaling:
            known["scaling"] = scaling.model_dump()
        self._begin(plan, ["candidate = :candidate", "tried = :tried"], values, conditions, ["warm"], known)

    def reclaim(self, hold: Hold) -> bool:
        """Hold the service again to stop the old slot, which stays warm no longer; False: it was taken."""
        if self._table.state(hold.service).holder == hold.holder:
            return True
        return self._table.update_if(
            hold.service,
            STATE,
            "SET holder = :execution, deployment = :deployment REMOVE warm",
            {":execution": hold.holder, ":deployment": hold.deployment},
            condition="attribute_not_exists(holder) AND warm.deployment = :deployment",
        )

    def take_over(self, lost: Hold, execution: str, tried: Tried, *, take_back: bool = False) -> Hold:
        """Make a rollback's execution the holder: the one before it, ``lost``, can write nothing more.

        ``tried`` is the count with this rollback. ``take_back``: a promotion is undone whose old slot is
        still warm. Returns the rollback's own hold.

        Raises
        ------
        ServiceLost
            The service is not held so any more: the holder ended, or another rollback was first.
        """
        values = {
            ":rollback": execution,
            ":deployment": lost.deployment,
            ":holder": lost.holder,
            ":tried": tried.model_dump(mode="json"),
        }
        update = self._table.updating(
            lost.service,
            STATE,
            "SET holder = :rollback, tried = :tried" + (" REMOVE warm" if take_back else ""),
            values,
            condition="deployment = :deployment AND (holder = :holder OR holder = :rollback)",
        )
        item = self._table.updating(
            lost.service, item_of(lost.deployment), "REMOVE promoted, outcome, certificate, report", {}
        )
        if not self._table.transact_if([update, item] if take_back else [update]):
            raise service_lost(lost)
        return lost._replace(holder=execution)

    def seize(self, service: str, holder: str) -> State:
        """Take the service for good, because it is deleted; returns the state with the holder before.

        Raises
        ------
        ServiceChanged
            The service was freed or claimed at the same time: try again.
        """
        before = self._table.state(service)
        condition = "holder = :before" if before.holder else "attribute_not_exists(holder)"
        values = {":holder": holder, **({":before": before.holder} if before.holder else {})}
        if not self._table.update_if(
            service, STATE, "SET holder = :holder REMOVE waiting, warm", values, condition=condition
        ):
            raise ServiceChanged(f"Service {service} was held by {before.holder}.")
        return before

    def rename(self, plan: HeldPlan) -> None:
        """Write down by which of its image's tags the release of a plan is known from now on."""
        state = Change("SET candidate.version = :version", {":version": plan.release.version})
        item = Change("SET #plan = :plan", {":plan": _stored(plan)}, {"#plan": "plan"})
        self._table.change_both(plan.hold, state, item)

    def release(self, hold: Hold, now: datetime) -> None:
        """Give the service free; harmless when it is not held so any more."""
        try:
            self._table.change_state(
                hold,
                "SET freed = :now REMOVE holder, deployment, intended, candidate, tried",
                {":now": iso(now)},
            )
        except ServiceLost:
            return

    def forget(self, service: str) -> None:
        """Delete a service's state, because the service itself is deleted; its history stays."""
        self._table.delete(service, STATE)

    def _begin(
        self,
        plan: HeldPlan,
        sets: list[str],
        values: Mapping[str, Any],
        conditions: list[str],
        remove: list[str],
        known: Mapping[str, Any],
    ) -> None:
        sets = ["holder = :execution", "deployment = :deployment", *sets]
        held = self._table.updating(
            plan.service,
            STATE,
            f"SET {', '.join(sets)} REMOVE {', '.join(remove)}",
            {":execution": plan.holder, ":deployment": plan.deployment, **values},
            condition=" AND ".join(conditions),
        )
        entry = {
            **known,
            "execution": plan.execution,
            "began": iso(plan.began),
            "plan": _stored(plan),
            "stages": {},
            **({"asked_by": plan.asked_by} if plan.asked_by else {}),
        }
        item = self._table.putting(plan.service, item_of(plan.deployment), entry)
        if not self._table.transact_if([held, item]):
            holder = self._table.state(plan.service).holder
            if holder == plan.holder:
                return  # by an earlier try of the same, whose answer was lost
            raise _held(plan, holder)


def _refuse_overtaken(plan: HeldPlan, state: State) -> None:
    """What has come and gone since the plan may have tried this very release, of which two events came."""
    if state.freed and state.freed > plan.began:
        raise _held(plan, None)


def _news(plan: HeldPlan, state: State) -> dict[str, Any]:
    """The newest image, and the pattern that was answered, where the state does not have them yet."""
    came, news = plan.release.came, {}
    if came and (state.newest is None or came > state.newest.at):
        news["newest"] = {"at": iso(came), "digest": plan.release.digest}
    if plan.noticed:
        news["noticed"] = plan.noticed.model_dump(mode="json")
    return news


def _held(plan: HeldPlan, holder: str | None) -> ServiceChanged:
    by = holder or "a deployment that has ended meanwhile"
    return ServiceChanged(f"Service {plan.service} was held by {by}.")


def _stored(plan: HeldPlan) -> str:
    """The plan alone: a holder that is stored twice could be two."""
    return plan.model_dump_json(exclude={"holder"})


def _candidate(plan: HeldPlan) -> dict[str, str]:
    release = plan.release
    return {
        "slot": plan.candidate,
        "version": release.version,
        "digest": release.digest,
        "pattern": release.pattern,
        "settings": release.settings,
    }
