"""Items of a DynamoDB table with the keys ``service`` and ``item``, in Python's own types."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from crossfade.aws.errors import error_code

BY_ITEM = "by-item"
"""The table's index with its two keys in the other order."""


class Table:
    """Reads and writes items through a boto3 ``dynamodb`` client.

    ``updating``, ``putting`` and ``checking`` return the parts of a transaction.
    """

    def __init__(self, dynamodb: Any, name: str) -> None:
        self._dynamodb = dynamodb
        self._name = name

    def get(self, service: str, item: str) -> dict[str, Any]:
        """An item as it is now; empty when there is none."""
        answer = self._dynamodb.get_item(TableName=self._name, Key=_key(service, item), ConsistentRead=True)
        return deserialized(answer.get("Item", {}))

    def all_of(self, service: str, prefix: str) -> Iterator[dict[str, Any]]:
        """A service's items whose names begin so, as they are now."""
        yield from self._query(
            "service = :service AND begins_with(#item, :prefix)",
            {":service": service, ":prefix": prefix},
            ConsistentRead=True,
        )

    def services_with(self, item: str) -> list[str]:
        """The services that have an item of this name, by the index.

        An index is eventually consistent: an item that was made just now may be missing, and one that was
        deleted just now may be there.
        """
        found = self._query("#item = :item", {":item": item}, IndexName=BY_ITEM)
        return [entry["service"] for entry in found]

    def _query(self, condition: str, values: Mapping[str, Any], **more: Any) -> Iterator[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression=condition,
            ExpressionAttributeNames={"#item": "item"},  # a word that DynamoDB keeps for itself
            ExpressionAttributeValues=_serialized(values),
            **more,
        )
        for page in pages:
            yield from map(deserialized, page["Items"])

    def delete(self, service: str, item: str) -> None:
        """Delete an item; harmless when there is none."""
        self._dynamodb.delete_item(TableName=self._name, Key=_key(service, item))

    def update(
        self, service: str, item: str, expression: str, values: Mapping[str, Any], **rest: Any
    ) -> None:
        """Update an item; takes what ``updating`` takes."""
        self._dynamodb.update_item(**self.updating(service, item, expression, values, **rest)["Update"])

    def update_if(
        self,
        service: str,
        item: str,
        expression: str,
        values: Mapping[str, Any],
        *,
        condition: str,
        names: Mapping[str, str] | None = None,
    ) -> bool:
        """Update an item under a condition; False where that does not hold, and nothing was written."""
        try:
            self.update(service, item, expression, values, condition=condition, names=names)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def transact(self, actions: Iterable[dict[str, Any]]) -> None:
        """Do all of it, or nothing."""
        self._dynamodb.transact_write_items(TransactItems=list(actions))

    def transact_if(self, actions: Iterable[dict[str, Any]]) -> bool:
        """Do all of it; False where a condition does not hold, and nothing was written."""
        try:
            self.transact(actions)
        except ClientError as error:
            if not _condition_failed(error):
                raise
            return False
        return True

    def updating(
        self,
        service: str,
        item: str,
        expression: str,
        values: Mapping[str, Any],
        *,
        condition: str = "",
        names: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """An update, under a condition where one is given."""
        return {
            "Update": {
                "TableName": self._name,
                "Key": _key(service, item),
                "UpdateExpression": expression,
                **({"ExpressionAttributeValues": _serialized(values)} if values else {}),
                **({"ConditionExpression": condition} if condition else {}),
                **({"ExpressionAttributeNames": dict(names)} if names else {}),
            }
        }

    def putting(self, service: str, item: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """A whole item."""
        return {"Put": {"TableName": self._name, "Item": {**_key(service, item), **_serialized(values)}}}

    def checking(
        self, service: str, item: str, condition: str, values: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """A condition on an item that is not written."""
        return {
            "ConditionCheck": {
                "TableName": self._name,
                "Key": _key(service, item),
                "ConditionExpression": condition,
                **({"ExpressionAttributeValues": _serialized(values)} if values else {}),
            }
        }


def _condition_failed(error: ClientError) -> bool:
    """Whether a transaction was cancelled by its condition, and not by a conflict with another one."""
    reasons = error.response.get("CancellationReasons", [])
    return any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons)


def _key(service: str, item: str) -> dict[str, Any]:
    return _serialized({"service": service, "item": item})


def deserialized(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item in Python's own types; a number is a Decimal."""
    deserializer = TypeDeserializer()
    return {key: deserializer.deserialize(value) for key, value in item.items()}


def _serialized(values: Mapping[str, Any]) -> dict[str, Any]:
    serializer = TypeSerializer()
    return {key: serializer.serialize(value) for key, value in values.items()}
