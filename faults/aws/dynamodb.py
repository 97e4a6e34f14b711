"""DynamoDB: the journal's table."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Self

from faults.aws.answer import AwsError
from faults.aws.expressions import Item, holds, updated
from faults.workflow.query import Refused

Key = tuple[tuple[str, str], ...]
INDEX = "by-item"
"""The table's index: its two keys in the other order, and keys only."""
_FIELDS = {
    "TableName", "Key", "Item", "UpdateExpression", "ConditionExpression", "ExpressionAttributeNames",
    "ExpressionAttributeValues",
}  # fmt: skip


class DynamoDb:
    """Operations of ``dynamodb`` over one table, whose name and key names are given."""

    def __init__(self, table: str, keys: tuple[str, ...]) -> None:
        self.items: dict[Key, Item] = {}
        self.changed: Callable[[Item, Item, Item], None] | None = None
        """Called with the key, the old and the new item of each change; what a stream of the table has."""
        self._table, self._keys = table, keys

    def item(self, *values: str) -> Item:
        """An item by its key's values; empty where there is none."""
        return self.items.get(tuple(zip(self._keys, values, strict=True)), {})

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool = False) -> dict[str, Any]:
        """An item as it is now; the model has no reads that are less than consistent, so it asks for one."""
        self._check({"TableName": TableName})
        if not ConsistentRead:
            raise Refused("DynamoDB: a read of the journal that is not consistent")
        found = self.items.get(self._key(Key))
        return {"Item": dict(found)} if found else {}

    def query(
        self, *, TableName: str, KeyConditionExpression: str, ExpressionAttributeNames: dict[str, str],
        ExpressionAttributeValues: Item, IndexName: str,
    ) -> dict[str, Any]:  # fmt: skip
        """The keys of the items of one name, by the index; which may be behind, see ``views.py``."""
        self._check({"TableName": TableName})
        wanted = (KeyConditionExpression, ExpressionAttributeNames, list(ExpressionAttributeValues))
        if IndexName != INDEX or wanted != ("#item = :item", {"#item": "item"}, [":item"]):
            raise Refused(f"DynamoDB: Query {IndexName} {KeyConditionExpression}")
        name = ExpressionAttributeValues[":item"]["S"]
        keys = [dict(key) for key in self.items]
        found = [{part: {"S": key[part]} for part in key} for key in keys if key["item"] == name]
        return {"Items": sorted(found, key=lambda item: item["service"]["S"]), "Count": len(found)}

    def snapshot(self) -> Self:
        """The table as it is now."""
        frozen = copy.copy(self)
        frozen.items = dict(self.items)
        return frozen

    def changes_index(self, request: dict[str, Any]) -> bool:
        """Whether a write makes an item or deletes one, so that the index has to follow."""
        actions = [next(iter(entry.values())) for entry in request.get("TransactItems", [])] or [request]
        written = [action for action in actions if action.keys() & {"Item", "UpdateExpression"}]
        if "Key" in request and "UpdateExpression" not in request:
            return self._key(request["Key"]) in self.items
        keys = [self._key(action.get("Key") or self._key_of(action["Item"])) for action in written]
        return any(key not in self.items for key in keys)

    def update_item(self, *, ReturnValues: str = "NONE", **request: Any) -> dict[str, Any]:
        """Create or change an item."""
        self._check(request)
        key = self._key(request["Key"])
        if not self._holds(request):
            raise AwsError("ConditionalCheckFailedException", "The conditional request failed")
        self._set({key: self._after(request)})
        if ReturnValues == "NONE":
            return {}
        if ReturnValues == "ALL_NEW":
            return {"Attributes": dict(self.items[key])}
        raise Refused(f"DynamoDB: ReturnValues {ReturnValues}")

    def delete_item(self, **request: Any) -> dict[str, Any]:
        """Delete an item; harmless where there is none."""
        self._check(request)
        if not self._holds(request):
            raise AwsError("ConditionalCheckFailedException", "The conditional request failed")
        self._set({self._key(request["Key"]): None})
        return {}

    def put_item(self, **request: Any) -> dict[str, Any]:
        """Write a whole item."""
        self._check(request)
        if not self._holds(request | {"Key": self._key_of(request["Item"])}):
            raise AwsError("ConditionalCheckFailedException", "The conditional request failed")
        self._set({self._key(self._key_of(request["Item"])): dict(request["Item"])})
        return {}

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:
        """All of it or nothing."""
        actions = [next(iter(entry.items())) for entry in TransactItems]
        for _, request in actions:
            self._check(request)
        requests = [
            request | ({"Key": self._key_of(request["Item"])} if kind == "Put" else {})
            for kind, request in actions
        ]
        keys = [self._key(request["Key"]) for request in requests]
        if len(set(keys)) < len(keys):
            raise AwsError("ValidationException", "Transaction request cannot include one item twice")
        fit = [self._holds(request) for request in requests]
        if not all(fit):
            reasons = [{"Code": "None" if good else "ConditionalCheckFailed"} for good in fit]
            raise AwsError("TransactionCanceledException", "cancelled", CancellationReasons=reasons)
        after = {
            key: self._after(request) if kind == "Update" else request.get("Item")
            for (kind, _), request, key in zip(actions, requests, keys, strict=True)
            if kind != "ConditionCheck"
        }
        self._set(after)
        return {}

    def _set(self, after: dict[Key, Item | None]) -> None:
        """Write items; None where one is deleted. A write that changes nothing is in no stream."""
        before, written = self.items, self.items | after
        self.items = {key: item for key, item in written.items() if item is not None}
        for key, item in after.items():
            old, new = before.get(key, {}), item or {}
            if self.changed and old != new:
                self.changed({name: {"S": value} for name, value in key}, old, new)

    def _holds(self, request: dict[str, Any]) -> bool:
        condition = request.get("ConditionExpression")
        return condition is None or holds(condition, *self._given(request))

    def _after(self, request: dict[str, Any]) -> Item:
        after = updated(request["UpdateExpression"], *self._given(request))
        return after | request["Key"]

    def _given(self, request: dict[str, Any]) -> tuple[Item, dict[str, str], Item]:
        names = request.get("ExpressionAttributeNames", {})
        values = request.get("ExpressionAttributeValues", {})
        unused = [word for word in (*names, *values) if not _used(word, request)]
        if unused:
            raise AwsError("ValidationException", f"unused in expressions: {unused}")
        return self.items.get(self._key(request["Key"]), {}), names, values

    def _check(self, request: dict[str, Any]) -> None:
        if odd := request.keys() - _FIELDS:
            raise Refused(f"DynamoDB: {odd}")
        if request["TableName"] != self._table:
            raise AwsError("ResourceNotFoundException", f"no table {request['TableName']}")

    def _key(self, key: Item) -> Key:
        if key.keys() != set(self._keys):
            raise AwsError("ValidationException", f"the key is {self._keys}")
        return tuple((name, key[name]["S"]) for name in self._keys)

    def _key_of(self, item: Item) -> Item:
        return {name: item[name] for name in self._keys}


def _used(word: str, request: dict[str, Any]) -> bool:
    texts = (request.get("ConditionExpression", ""), request.get("UpdateExpression", ""))
    words = " ".join(texts).replace(",", " ").replace("(", " ").replace(")", " ").replace(".", " ").split()
    return word in words
