"""The journal: a DynamoDB table with, for each service, who holds it, and one item for each deployment.

| key ``service`` | key ``item`` | what it holds |
|---|---|---|
| web | ``state`` | holder, how often tried, stable slot and release, candidate, weights, waiting, warm |
| web | ``deployment#<id>`` | plan, milestones, stages; in the end outcome, reason, counts, certificate |

The writes of a deployment have one condition in common: its execution still holds the service. Others are
conditional where two could meet. Which services there are is asked of the table's index, and of nothing
outside of the table (ADR 30).
Times are ISO 8601 strings, so that the console shows them as they are. Milestones keep the first time that is
written: a handler that runs twice does not move them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.dynamodb import Table, condition_failed
from crossfade.aws.errors import error_code
from crossfade.domain.errors import InvalidInput, ServiceChanged, ServiceLost
from crossfade.domain.journal import State, Tried, WarmSlot, refuse_lost, service_lost
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import Plan
from crossfade.domain.proof.certificate import Certificate, History, Outcome, StageRecord
from crossfade.domain.slots import Slot
from crossfade.domain.tasks.scaling import Resumption, SuspendedState
from crossfade.domain.traffic.rule import LastRule, LiveRule
from crossfade.domain.traffic.weights import Weights
from crossfade.domain.verdict import Verdict

HISTORY_DAYS = 400
STATE = "state"


class Journal:
    """Reads and writes the journal through a boto3 ``dynamodb`` client."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._table = Table(dynamodb, table)

    def state(self, service: str) -> State:
        """The state of a service; empty before its first deployment."""
        item = self._table.get(service, STATE)
        return State.model_validate({key: item[key] for key in State.model_fields if key in item})

    def history(self, service: str, deployment: str) -> History:
        """A deployment's plan, milestones and stages.

        Raises
        ------
        InvalidInput
            The journal has no such deployment.
        """
        item = self._table.get(service, item_of(deployment))
        if not item:
            raise InvalidInput(
                f"The journal has no deployment {deployment} of {service}. Look the name up in the journal's "
                "table, and start again."
            )
        known = {key: item[key] for key in History.model_fields if key in item}
        stages = sorted(item["stages"].values(), key=lambda stage: int(stage["weight"]))
        return History.model_validate(
            {**known, "plan": Plan.model_validate_json(item["plan"]), "stages": stages}
        )

    def services(self) -> list[str]:
        """Every service that has a state here, whether or not it has a spec any more.

        One that was deployed for the first time a moment ago may be missing: who needs it looks again.
        """
        return self._table.services_with(STATE)

    def last_plan(self, service: str) -> Plan | None:
        """The plan of a service's last deployment or back-out; None where the journal has none any more."""
        # One after the other: 400 days of deployments are more than a function's memory holds.
        planned = (item for item in self._table.all_of(service, item_of("")) if "plan" in item)
        last = max(planned, key=lambda item: str(item["began"]), default=None)
        return Plan.model_validate_json(last["plan"]) if last else None

    def knows(self, service: str, digest: str) -> bool:
        """Whether an image was deployed or tried before, or was live when another one was."""
        planned = (str(item["plan"]) for item in self._table.all_of(service, item_of("")) if "plan" in item)
        return any(digest in plan for plan in planned)

    # ---- who holds the service ---------------------------------------------------------------------------

    def claim(self, plan: Plan) -> None:
        """Make the plan's execution the holder of its service, and open the deployment's item.

        Raises
        ------
        ServiceChanged
            Another execution holds it, or has held it since the plan was made.
        """
        state = self.state(plan.service)
        if state.holder == plan.execution:
            return  # an earlier try of this claim had its effect
        values: dict[str, Any] = {":candidate": _candidate(plan), ":weights": plan.before.model_dump()}
        sets, conditions = ["candidate = :candidate"], ["attribute_not_exists(holder)"]
        # The plan must still fit: a deployment that came and went meanwhile has swapped the slots.
        if state.weights:
            conditions.append("weights = :weights")
        else:
            # Adopted: the owner has left the rule so, and the plan has seen it.
            conditions.append("attribute_not_exists(weights)")
            sets.append("weights = :weights")
        if plan.stable and state.stable not in (None, plan.stable):
            # All traffic was put there by hand, and the weights alone were written down.
            sets += ["stable = :stable", "version = :version", "digest = :digest"]
            values[":stable"] = plan.stable
            values[":version"] = plan.previous.version if plan.previous else None
            values[":digest"] = plan.previous.digest if plan.previous else None
        if plan.spec.origin:
            sets.append("origin = :origin")
            values[":origin"] = plan.spec.origin
        came = plan.release.came
        if came and (state.newest is None or came > state.newest.at):
            sets.append("newest = :newest")
            values[":newest"] = {"at": iso(came), "digest": plan.release.digest}
        remove = ["warm", *([] if plan.spec.origin else ["origin"])]
        if state.waiting and state.waiting.digest == plan.release.digest:
            remove.append("waiting")  # StartNext may have been cut off before it did this
        self._hold(plan, sets, values, conditions, remove, {})

    def back_out(self, plan: Plan, warm: WarmSlot, scaling: SuspendedState | None) -> None:
        """Make a rollback the holder of a free service whose old slot is warm, under an item of its own.

        ``scaling`` is how the live slot's stood before the promoted deployment, and is to stand again.

        Raises
        ------
        ServiceChanged
            Another execution was faster: the service is held, or the slot is not warm any more.
        """
        if self.state(plan.service).holder == plan.execution:
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
        self._hold(plan, ["candidate = :candidate", "tried = :tried"], values, conditions, ["warm"], known)

    def reclaim(self, plan: Plan) -> bool:
        """Hold the service again to stop the old slot, which stays warm no longer; False: it was taken."""
        state = self.state(plan.service)
        if state.holder == plan.execution:
            return True
        try:
            self._table.update(
                plan.service,
                STATE,
                "SET holder = :execution, deployment = :deployment REMOVE warm",
                {":execution": plan.execution, ":deployment": plan.deployment},
                condition="attribute_not_exists(holder) AND warm.deployment = :deployment",
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def take_over(
        self, plan: Plan, holder: str, execution: str, tried: Tried, *, take_back: bool = False
    ) -> Plan:
        """Make a rollback the holder: the holder before it can write nothing more.

        ``tried`` is the count with this rollback. ``take_back``: a promotion is undone whose old slot is
        still warm. Returns the rollback's own plan.

        Raises
        ------
        ServiceLost
            ``holder`` does not hold the service any more: it ended, or another rollback was first.
        """
        mine = plan.model_copy(update={"execution": execution})
        values = {
            ":rollback": execution,
            ":deployment": plan.deployment,
            ":holder": holder,
            ":tried": tried.model_dump(mode="json"),
        }
        update = self._table.updating(
            plan.service,
            STATE,
            "SET holder = :rollback, tried = :tried" + (" REMOVE warm" if take_back else ""),
            values,
            condition="deployment = :deployment AND (holder = :holder OR holder = :rollback)",
        )
        item = self._table.updating(
            plan.service, item_of(plan.deployment), "REMOVE promoted, outcome, certificate", {}
        )
        self._transact(plan, [update, item] if take_back else [update])
        return mine

    def seize(self, service: str, holder: str) -> State:
        """Take the service for good, because it is deleted; returns the state with the holder before.

        Raises
        ------
        ServiceChanged
            The service was freed or claimed at the same time: try again.
        """
        before = self.state(service)
        condition = "holder = :before" if before.holder else "attribute_not_exists(holder)"
        values = {":holder": holder, **({":before": before.holder} if before.holder else {})}
        try:
            self._table.update(
                service, STATE, "SET holder = :holder REMOVE waiting, warm", values, condition=condition
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            raise ServiceChanged(f"Service {service} was held by {before.holder}.") from error
        return before

    def abandon(self, service: str, deployment: str, reason: str, now: datetime) -> None:
        """Close a deployment that will get no report, as failed; harmless if it has its outcome."""
        try:
            self._table.update(
                service,
                item_of(deployment),
                "SET outcome = :failed, reason = :reason, ended = :now, expires = :expires",
                {":failed": "failed", ":reason": reason, ":now": iso(now), ":expires": expiry(now)},
                condition="attribute_not_exists(outcome)",
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise

    def refuse_lost(self, plan: Plan) -> State:
        """The service's state, if the plan's execution still holds it.

        Raises
        ------
        ServiceLost
            It does not.
        """
        state = self.state(plan.service)
        refuse_lost(state, plan.service, plan.deployment, plan.execution)
        return state

    def release(self, plan: Plan, now: datetime) -> None:
        """Give the service free; harmless when the plan's execution does not hold it any more."""
        try:
            self._held(
                plan,
                "SET freed = :now REMOVE holder, deployment, intended, candidate, tried",
                {":now": iso(now)},
            )
        except ServiceLost:
            return

    def forget(self, service: str) -> None:
        """Delete a service's state, because the service itself is deleted; its history stays."""
        self._table.delete(service, STATE)

    # ---- what a deployment writes down; each raises ServiceLost when it does not hold its service ----------

    def intend(self, plan: Plan, weights: Weights, now: datetime) -> None:
        """Write down the weights that are about to be written."""
        values = {":weights": weights.model_dump(), ":now": iso(now)}
        self._held(plan, "SET intended = :weights, intended_at = :now", values)

    def wrote(self, plan: Plan, weights: Weights, now: datetime, answer: LiveRule | None = None) -> None:
        """Write down the weights that were written, and the load balancer's own answer."""
        written, values = self._written(plan, weights, now, answer)
        self._held(plan, f"{written}, weights = :weights REMOVE intended", values)

    def reinstate(
        self,
        plan: Plan,
        winner: Slot | None,
        now: datetime,
        answer: LiveRule | None = None,
        *,
        verified: bool = True,
    ) -> None:
        """Write down where a rollback has left all traffic: with ``winner``, or with the origin, as before.

        ``verified``: whether the winner was seen to answer with its version.
        ``intended`` stays: a write of the deployment's own may still be on its way.
        """
        wanted = Weights.share(winner, 100) if winner else plan.before
        written, values = self._written(plan, wanted, now, answer)
        written += ", weights = :weights"
        if winner is None:
            self._held(plan, f"{written} REMOVE stable, version, digest, verified", values)
            return
        release = plan.release if winner == plan.candidate else plan.previous
        self._held(
            plan,
            f"{written}, stable = :slot, version = :version, digest = :digest, verified = :verified",
            {
                **values,
                ":verified": verified,
                ":slot": winner,
                ":version": release.version if release else None,
                ":digest": release.digest if release else None,
            },
        )

    def promote(self, plan: Plan, now: datetime) -> None:
        """Write down that the candidate is the stable slot now, and whether the old one is kept warm."""
        values: dict[str, Any] = {
            ":slot": plan.candidate,
            ":version": plan.release.version,
            ":digest": plan.release.digest,
            ":verified": True,
            ":execution": plan.execution,
        }
        expression = "SET stable = :slot, version = :version, digest = :digest, verified = :verified"
        if plan.stable and plan.spec.retire.warm_seconds > 0:
            expression += ", warm = :warm"
            warm = WarmSlot(
                slot=plan.stable,
                deployment=plan.deployment,
                execution=plan.execution,
                until=now + timedelta(seconds=plan.spec.retire.warm_seconds),
            )
            values[":warm"] = warm.model_dump(mode="json")
        state = self._table.updating(plan.service, STATE, expression, values, condition="holder = :execution")
        item = self._table.updating(
            plan.service,
            item_of(plan.deployment),
            "SET promoted = if_not_exists(promoted, :now) REMOVE judged, refused",
            {":now": iso(now)},
        )
        self._transact(plan, [state, item])

    def rename(self, plan: Plan) -> None:
        """Write down by which of its image's tags the release of a plan is known from now on."""
        held = self._table.updating(
            plan.service,
            STATE,
            "SET candidate.version = :version",
            {":version": plan.release.version, ":execution": plan.execution},
            condition="holder = :execution",
        )
        item = self._table.updating(
            plan.service,
            item_of(plan.deployment),
            "SET #plan = :plan",
            {":plan": plan.model_dump_json()},
            names={"#plan": "plan"},
        )
        self._transact(plan, [held, item])

    def forget_warm(self, plan: Plan) -> None:
        """Write down that the old slot is about to be stopped, and so is warm no longer."""
        self._held(plan, "REMOVE warm", {})

    def resumed(self, plan: Plan, resumption: Resumption) -> None:
        """Write down how the live slot's scaling is about to be left."""
        self._held(plan, "SET resumed = :resumed", {":resumed": resumption.model_dump(mode="json")})

    def milestone(self, plan: Plan, name: str, value: Any) -> Any:
        """Write down a milestone of the deployment (a field of ``History``); the first value stays.

        Returns the value that stands.
        """
        self._write(plan, "SET #name = if_not_exists(#name, :value)", {":value": value}, {"#name": name})
        return self._table.get(plan.service, item_of(plan.deployment))[name]

    def judged(self, plan: Plan, verdict: Verdict, weight: int, now: datetime) -> None:
        """Write down the verdict to roll back at a weight, and whether it refuses the candidate."""
        expression, values = "SET judged = if_not_exists(judged, :now)", {":now": iso(now)}
        if verdict.refuses:
            self._write(
                plan,
                f"{expression}, refused = if_not_exists(refused, :weight)",
                {**values, ":weight": weight},
            )
        else:
            self._write(plan, expression, values)

    def wanted(self, plan: Plan, count: int) -> None:
        """Write down the most tasks that the live slot was wanted to have since the candidate's launch."""
        self._write(plan, "SET wanted = :count", {":count": count})

    def asking_for_probe(self, plan: Plan, now: datetime) -> None:
        """Write down that a probe task is about to be started, and that none is known to be at work."""
        self._write(plan, "SET probe_asked = :now REMOVE probe", {":now": iso(now)})

    def probing(self, plan: Plan, task: str) -> None:
        """Write down which probe task is at work."""
        self._write(plan, "SET probe = :task", {":task": task})

    def watched(self, plan: Plan, record: StageRecord, cursor: str | None) -> None:
        """Write down how a stage stands, and how far the ledger was read; a stage is known by its weight.

        Where it goes on, a verdict to roll back that stands there is of a try whose answer was lost.
        """
        values = {":record": record.model_dump(mode="json"), ":cursor": cursor}
        names = {"#weight": str(record.weight), "#cursor": "cursor"}
        lost = "" if record.verdict == "roll_back" else " REMOVE judged, refused"
        self._write(plan, f"SET stages.#weight = :record, #cursor = :cursor{lost}", values, names)

    def close(self, plan: Plan, certificate: Certificate, key: str, now: datetime) -> None:
        """Turn the deployment's item into history: how it went, and where its certificate is."""
        values = {
            **_ended(certificate.outcome, certificate.reason, now),
            ":certificate": key,
            ":requests": certificate.requests["production"].model_dump(),
        }
        self._write(
            plan, f"{_END}, certificate = :certificate, requests = :requests REMOVE not_reported", values
        )

    def end(
        self,
        plan: Plan,
        outcome: Outcome,
        reason: str,
        now: datetime,
        *,
        not_reported: str,
        executions: Sequence[str],
    ) -> None:
        """The same without a certificate; the item says why there is none."""
        values = {
            **_ended(outcome, reason, now),
            ":why": not_reported,
            ":executions": list(executions),
        }
        self._write(plan, f"{_END}, not_reported = :why, executions = :executions", values)

    def supplement(self, plan: Plan, certificate: Certificate, key: str) -> None:
        """Add the certificate that was missing; the deployment no longer holds its service."""
        self._table.update(
            plan.service,
            item_of(plan.deployment),
            "SET certificate = :certificate, requests = :requests REMOVE not_reported",
            {":certificate": key, ":requests": certificate.requests["production"].model_dump()},
        )

    def _hold(
        self,
        plan: Plan,
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
            {":execution": plan.execution, ":deployment": plan.deployment, **values},
            condition=" AND ".join(conditions),
        )
        entry = {
            **known,
            "execution": plan.execution,
            "began": iso(plan.began),
            "plan": plan.model_dump_json(),
            "stages": {},
            **({"asked_by": plan.asked_by} if plan.asked_by else {}),
        }
        try:
            self._table.transact([held, self._table.putting(plan.service, item_of(plan.deployment), entry)])
        except ClientError as error:
            if not condition_failed(error):
                raise
            holder = self.state(plan.service).holder
            if holder == plan.execution:
                return  # by an earlier try of the same, whose answer was lost
            by = holder or "a deployment that has ended meanwhile"
            raise ServiceChanged(f"Service {plan.service} was held by {by}.") from error

    def _written(
        self, plan: Plan, weights: Weights | None, now: datetime, answer: LiveRule | None
    ) -> tuple[str, dict[str, Any]]:
        """How to write down that the rule was written, and the values; ``:weights`` where there are any."""
        written = "SET written_at = :now, overwritten = :past"
        values: dict[str, Any] = {":now": iso(now), ":past": self._past(plan, weights, now)}
        if weights:
            values[":weights"] = weights.model_dump()
        if answer:
            written += ", last_rule = :rule"
            values[":rule"] = LastRule.of(plan.spec, answer, now).model_dump(mode="json")
        return written, values

    def _past(self, plan: Plan, weights: Weights | None, now: datetime) -> list[dict[str, Any]]:
        """What the rule may still be read with; only the holder changes it, so reading it first is safe."""
        past = self.state(plan.service).overwritten_by(weights, now)
        return [one.model_dump(mode="json") for one in past]

    def _held(self, plan: Plan, expression: str, values: Mapping[str, Any]) -> None:
        try:
            self._table.update(
                plan.service,
                STATE,
                expression,
                {**values, ":execution": plan.execution},
                condition="holder = :execution",
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            raise service_lost(plan.service, plan.deployment) from error

    def _write(
        self, plan: Plan, expression: str, values: Mapping[str, Any], names: Mapping[str, str] | None = None
    ) -> None:
        held = self._table.checking(plan.service, STATE, "holder = :holder", {":holder": plan.execution})
        update = self._table.updating(plan.service, item_of(plan.deployment), expression, values, names=names)
        self._transact(plan, [held, update])

    def _transact(self, plan: Plan, actions: list[dict[str, Any]]) -> None:
        try:
            self._table.transact(actions)
        except ClientError as error:
            if not condition_failed(error):
                raise
            raise service_lost(plan.service, plan.deployment) from error


def item_of(deployment: str) -> str:
    return f"deployment#{deployment}"


def _candidate(plan: Plan) -> dict[str, str]:
    release = plan.release
    return {
        "slot": plan.candidate,
        "version": release.version,
        "digest": release.digest,
        "pattern": release.pattern,
    }


_END = "SET outcome = :outcome, reason = :reason, ended = :ended, expires = :expires"


def _ended(outcome: Outcome, reason: str, now: datetime) -> dict[str, Any]:
    return {":outcome": outcome, ":reason": reason, ":ended": iso(now), ":expires": expiry(now)}


def expiry(now: datetime) -> int:
    return int(now.timestamp()) + HISTORY_DAYS * 86_400
