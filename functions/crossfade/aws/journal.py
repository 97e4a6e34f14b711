"""The journal: a DynamoDB table with, for each service, who holds it, and one item for each deployment.

| key ``service`` | key ``item`` | what it holds |
|---|---|---|
| web | ``state`` | holder and its deployment, the stable slot and its version, the weights last written |
| web | ``deployment#<id>`` | plan, milestones, stages; when it has ended: outcome, reason, certificate |

Times are ISO 8601 strings, so that the console shows them as they are. Milestones keep the first time that
is written: a handler that runs twice does not move them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from crossfade.aws.failures import code
from crossfade.domain.certificate import Certificate, History, StageRecord
from crossfade.domain.errors import ServiceBusy, ServiceLost
from crossfade.domain.message import Message, iso
from crossfade.domain.plan import Plan
from crossfade.domain.traffic import Weights

HISTORY_DAYS = 400


class State(Message):
    """Who holds a service and what its weights should be.

    ``intended`` is set while a write of the weights is under way, so that one that was cut off before its
    end is not taken for a foreign change.
    """

    holder: str | None = None
    deployment: str | None = None
    weights: Weights | None = None
    intended: Weights | None = None


class Journal:
    """Reads and writes the journal through a boto3 ``dynamodb`` client."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def state(self, service: str) -> State:
        """The state of a service; empty before its first deployment."""
        item = self._get(service, "state")
        return State.model_validate({key: item[key] for key in State.model_fields if key in item})

    def claim(self, plan: Plan) -> None:
        """Make the plan's execution the holder of its service, and open the deployment's item.

        Raises
        ------
        ServiceBusy
            Another execution holds it, or has held it since the plan was made.
        """
        entry = {
            "service": plan.service,
            "item": f"deployment#{plan.deployment}",
            "execution": plan.execution,
            "began": iso(plan.began),
            "plan": plan.model_dump_json(),
            "stages": {},
        }
        if self.state(plan.service).holder == plan.execution:
            return  # an earlier try of this claim had its effect
        hold = self._update(
            plan.service,
            "state",
            "SET holder = :execution, deployment = :deployment",
            {
                ":execution": plan.execution,
                ":deployment": plan.deployment,
                **({":weights": plan.before.model_dump()} if plan.before else {}),
            },
            # The plan must still fit: a deployment that came and went meanwhile has swapped the slots.
            condition="attribute_not_exists(holder) AND "
            + ("weights = :weights" if plan.before else "attribute_not_exists(weights)"),
        )
        try:
            self._dynamodb.transact_write_items(
                TransactItems=[
                    {"Update": hold},
                    {"Put": {"TableName": self._table, "Item": _to_item(entry)}},
                ]
            )
        except ClientError as error:
            if not _condition_failed(error):
                raise
            holder = self.state(plan.service).holder or "a deployment that has ended meanwhile"
            raise ServiceBusy(
                f"Service {plan.service} was held by {holder}. "
                "Wait until that deployment ends, then start this one again."
            ) from error

    def take_over(self, plan: Plan, execution: str) -> Plan:
        """Make a rollback the holder: the deployment it takes the service from can write no more weights.

        Raises
        ------
        ServiceLost
            The deployment does not hold the service any more: it ended, or another rollback was first.
        """
        values = {":rollback": execution, ":deployment": plan.deployment}
        request = self._update(
            plan.service, "state", "SET holder = :rollback", values, condition="deployment = :deployment"
        )
        self._conditional(plan, request)
        return plan.model_copy(update={"execution": execution})

    def intend(self, plan: Plan, weights: Weights) -> None:
        """Write down the weights that are about to be written.

        Raises
        ------
        ServiceLost
            The plan's execution does not hold the service any more, so it must not write.
        """
        self._held(plan, "SET intended = :weights", {":weights": weights.model_dump()})

    def wrote(self, plan: Plan, weights: Weights | None, now: datetime) -> None:
        """Write down the weights that were read back; None when the rule was removed.

        Raises
        ------
        ServiceLost
            The plan's execution does not hold the service any more.
        """
        if weights is None:
            self._held(plan, "SET written_at = :now REMOVE weights, intended", {":now": iso(now)})
        else:
            values = {":weights": weights.model_dump(), ":now": iso(now)}
            self._held(plan, "SET weights = :weights, written_at = :now REMOVE intended", values)

    def promote(self, plan: Plan, now: datetime) -> None:
        """Write down that the candidate is the stable slot now; the first time that is written stays.

        Raises
        ------
        ServiceLost
            The plan's execution does not hold the service any more, so it promotes nothing.
        """
        state = self._update(
            plan.service,
            "state",
            "SET stable = :slot, version = :version, digest = :digest",
            {
                ":slot": plan.candidate,
                ":version": plan.release.version,
                ":digest": plan.release.digest,
                ":execution": plan.execution,
            },
            condition="holder = :execution",
        )
        item = self._update(
            plan.service,
            f"deployment#{plan.deployment}",
            "SET promoted = if_not_exists(promoted, :now)",
            {":now": iso(now)},
        )
        try:
            self._dynamodb.transact_write_items(TransactItems=[{"Update": state}, {"Update": item}])
        except ClientError as error:
            if not _condition_failed(error):
                raise
            raise _lost(plan) from error

    def milestone(self, plan: Plan, name: str, value: str) -> str:
        """Write down a milestone of the deployment (a field of ``History``); the first value stays.

        Returns the value that stands.
        """
        request = self._update(
            plan.service,
            f"deployment#{plan.deployment}",
            "SET #name = if_not_exists(#name, :value)",
            {":value": value},
            names={"#name": name},
        )
        answer = self._dynamodb.update_item(**request, ReturnValues="ALL_NEW")
        return str(_from_item(answer["Attributes"])[name])

    def read_to(self, plan: Plan, cursor: str | None) -> None:
        """Write down how far the ledger was read."""
        if cursor:
            self._write(plan, "SET #cursor = :cursor", {":cursor": cursor}, {"#cursor": "cursor"})

    def stage(self, plan: Plan, record: StageRecord) -> None:
        """Write down how a stage stands; a stage is known by its weight."""
        self._write(
            plan,
            "SET stages.#weight = :record",
            {":record": record.model_dump(mode="json")},
            {"#weight": str(record.weight)},
        )

    def history(self, service: str, deployment: str) -> History:
        """A deployment's plan, milestones and stages."""
        item = self._get(service, f"deployment#{deployment}")
        known = {key: item[key] for key in History.model_fields if key in item}
        stages = sorted(item["stages"].values(), key=lambda stage: int(stage["weight"]))
        return History.model_validate(
            {**known, "plan": Plan.model_validate_json(item["plan"]), "stages": stages}
        )

    def close(self, plan: Plan, certificate: Certificate, key: str, now: datetime) -> None:
        """Turn the deployment's item into history: how it went, and where its certificate is."""
        values = {
            ":outcome": certificate.outcome,
            ":reason": certificate.reason,
            ":ended": iso(now),
            ":certificate": key,
            ":expires": int(now.timestamp()) + HISTORY_DAYS * 86_400,
        }
        self._write(
            plan,
            "SET outcome = :outcome, reason = :reason, ended = :ended, certificate = :certificate, "
            "expires = :expires",
            values,
        )

    def release(self, plan: Plan) -> None:
        """Give the service free; harmless when the plan's execution does not hold it any more."""
        try:
            self._held(plan, "REMOVE holder, deployment, intended", {})
        except ServiceLost:
            return

    def forget(self, service: str) -> None:
        """Delete a service's state, because the service itself is deleted; its history stays."""
        self._dynamodb.delete_item(TableName=self._table, Key=_to_item({"service": service, "item": "state"}))

    def _held(self, plan: Plan, expression: str, values: Mapping[str, Any]) -> None:
        request = self._update(
            plan.service,
            "state",
            expression,
            {**values, ":execution": plan.execution},
            condition="holder = :execution",
        )
        self._conditional(plan, request)

    def _conditional(self, plan: Plan, request: Mapping[str, Any]) -> None:
        try:
            self._dynamodb.update_item(**request)
        except ClientError as error:
            if code(error) != "ConditionalCheckFailedException":
                raise
            raise _lost(plan) from error

    def _write(
        self, plan: Plan, expression: str, values: Mapping[str, Any], names: Mapping[str, str] | None = None
    ) -> None:
        item = f"deployment#{plan.deployment}"
        self._dynamodb.update_item(**self._update(plan.service, item, expression, values, names=names))

    def _get(self, service: str, item: str) -> dict[str, Any]:
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=_to_item({"service": service, "item": item}), ConsistentRead=True
        )
        return _from_item(answer.get("Item", {}))

    def _update(
        self,
        service: str,
        item: str,
        expression: str,
        values: Mapping[str, Any],
        *,
        condition: str = "",
        names: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": _to_item({"service": service, "item": item}),
            "UpdateExpression": expression,
            "ExpressionAttributeValues": _to_item(values),
            **({"ConditionExpression": condition} if condition else {}),
            **({"ExpressionAttributeNames": dict(names)} if names else {}),
        }


def _condition_failed(error: ClientError) -> bool:
    """Whether a transaction was cancelled by its condition, and not by a conflict with another one."""
    reasons = error.response.get("CancellationReasons", [])
    return any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons)


def _lost(plan: Plan) -> ServiceLost:
    return ServiceLost(
        f"Deployment {plan.deployment} does not hold {plan.service} any more, so it changes nothing more. "
        "Read the rollback that took the service over."
    )


def _to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    serializer = TypeSerializer()
    return {key: serializer.serialize(value) for key, value in values.items()}


def _from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    deserializer = TypeDeserializer()
    return {key: deserializer.deserialize(value) for key, value in item.items()}
