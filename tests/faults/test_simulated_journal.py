"""The simulated DynamoDB gives what moto's gives, for the expressions that the journal uses."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from faults.aws.answer import AwsError
from faults.aws.dynamodb import DynamoDb
from faults.files import resources
from faults.workflow.query import Refused
from tests.unit.account import SESSION

TABLE = "journal"
JOURNAL = resources("AWS::DynamoDB::Table")["Journal"]
KEY = {"service": {"S": "web"}, "item": {"S": "state"}}
OTHER = {"service": {"S": "web"}, "item": {"S": "deployment#1"}}
NOBODY = {"service": {"S": "web"}, "item": {"S": "deployment#2"}}
BEFORE = {
    "holder": {"S": "one"},
    "weights": {"M": {"blue": {"N": "100"}, "green": {"N": "0"}}},
    "waiting": {"M": {"execution": {"S": "two"}}},
    "stages": {"M": {}},
}


@pytest.fixture(scope="module")
def real() -> Iterator[Any]:
    """Return moto's client, with the table."""
    with mock_aws():
        client = SESSION.client("dynamodb")
        client.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            **{
                name: JOURNAL[name]
                for name in ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
            },
        )
        yield client


def update(expression: str, condition: str = "", **values: Any) -> dict[str, Any]:
    """An update of the state; values are given without their colon, ``names`` with their number sign."""
    names = values.pop("names", {})
    return {
        "TableName": TABLE,
        "Key": values.pop("key", KEY),
        "UpdateExpression": expression,
        **({"ConditionExpression": condition} if condition else {}),
        **({"ExpressionAttributeNames": names} if names else {}),
        **({"ExpressionAttributeValues": {f":{n}": v for n, v in values.items()}} if values else {}),
    }


A, B = {"S": "a"}, {"S": "one"}
UPDATES = [
    pytest.param(update("SET holder = :v", v=A), id="set"),
    pytest.param(update("SET x = :v, #n = :w", v=A, w=B, names={"#n": "cursor"}), id="set-two"),
    pytest.param(update("SET weights.green = :v", v={"N": "10"}), id="set-within"),
    pytest.param(update("SET stages.#n = :v", v=A, names={"#n": "10"}), id="set-within-by-name"),
    pytest.param(update("SET nothing.x = :v", v=A), id="set-within-nothing"),
    pytest.param(update("SET x = if_not_exists(x, :v)", v=A), id="set-if-not-there"),
    pytest.param(update("SET holder = if_not_exists(holder, :v)", v=A), id="set-if-there"),
    pytest.param(update("SET x = :v REMOVE holder, stages", v=A), id="set-and-remove"),
    pytest.param(update("REMOVE nothing, weights.blue"), id="remove"),
    pytest.param(update("SET x = :v", v=A, key=NOBODY), id="set-makes-an-item"),
    pytest.param(update("SET x = :v", "attribute_exists(holder)", v=A, key=NOBODY), id="no-item"),
    pytest.param(update("SET x = :v", "attribute_not_exists(holder)", v=A), id="not-exists-fails"),
    pytest.param(update("SET x = :v", "attribute_not_exists(nothing)", v=A), id="not-exists"),
    pytest.param(update("SET x = :v", "attribute_exists(waiting.execution)", v=A), id="exists-within"),
    pytest.param(update("SET x = :v", "holder = :w", v=A, w=B), id="equal"),
    pytest.param(update("SET x = :v", "holder = :v", v=A), id="not-equal"),
    pytest.param(update("SET x = :v", "weights = :w", v=A, w=BEFORE["weights"]), id="equal-maps"),
    pytest.param(update("SET x = :v", "waiting.#e = :v", v=A, names={"#e": "execution"}), id="within"),
    pytest.param(update("SET x = :v", "nothing = :v OR holder = :w", v=A, w=B), id="or"),
    pytest.param(update("SET x = :v", "holder = :w AND nothing = :v", v=A, w=B), id="and"),
    pytest.param(
        update("SET x = :v", "holder = :w AND (nothing = :v OR holder = :w)", v=A, w=B), id="parentheses"
    ),
    pytest.param(
        update("SET x = :v", "holder = :w OR holder = :w AND nothing = :v", v=A, w=B), id="and-binds-more"
    ),
    pytest.param(update("SET x = :v", "holder <> :v", v=A), id="unequal"),
    pytest.param(update("SET x = :v, holder = :w, x = :w", v=A, w=B), id="the-same-path-twice"),
]


def outcome(client: Any, operation: str, request: dict[str, Any]) -> tuple[Any, ...]:
    """What a request leads to: the error, or the items that are there afterwards."""
    for key in (KEY, OTHER, NOBODY):
        client.delete_item(TableName=TABLE, Key=key)
    client.put_item(TableName=TABLE, Item=KEY | BEFORE)
    error = None
    try:
        getattr(client, operation)(**request)
    except (ClientError, AwsError) as refused:
        response: Any = refused.response
        reasons = [reason["Code"] for reason in response.get("CancellationReasons", [])]
        error = response["Error"]["Code"], reasons
    items = [
        client.get_item(TableName=TABLE, Key=key, ConsistentRead=True).get("Item")
        for key in (KEY, OTHER, NOBODY)
    ]
    return error, items


@pytest.mark.parametrize("request_", UPDATES)
def test_updates(real: Any, request_: dict[str, Any]) -> None:
    """Expressions and conditions, as the journal and the line write them."""
    simulated = DynamoDb(TABLE, ("service", "item"))
    assert outcome(simulated, "update_item", request_) == outcome(real, "update_item", request_)


@pytest.mark.parametrize("holder", ["one", "somebody else"])
def test_transactions(real: Any, holder: str) -> None:
    """All of it or nothing; the reasons say which part was in the way."""
    parts = [
        {"Update": update("SET x = :v", v=A, key=OTHER)},
        {"Put": {"TableName": TABLE, "Item": NOBODY | {"y": A}}},
        {
            "ConditionCheck": {
                "TableName": TABLE,
                "Key": KEY,
                "ConditionExpression": "holder = :h",
                "ExpressionAttributeValues": {":h": {"S": holder}},
            }
        },
    ]
    simulated = DynamoDb(TABLE, ("service", "item"))
    request = {"TransactItems": parts}
    found = outcome(simulated, "transact_write_items", request)
    assert found == outcome(real, "transact_write_items", request)


@pytest.mark.parametrize("item", ["state", "deployment#1", "nothing"])
def test_the_index(real: Any, item: str) -> None:
    """The keys of all items of one name, as the journal asks for them."""
    simulated = DynamoDb(TABLE, ("service", "item"))
    asked = {
        "TableName": TABLE,
        "IndexName": "by-item",
        "KeyConditionExpression": "#item = :item",
        "ExpressionAttributeNames": {"#item": "item"},
        "ExpressionAttributeValues": {":item": {"S": item}},
    }
    keys = [KEY, OTHER, {"service": {"S": "shop"}, "item": {"S": "state"}}]
    found = []
    for client in (real, simulated):
        for key in keys:
            client.put_item(TableName=TABLE, Item=key | BEFORE)
        client.delete_item(TableName=TABLE, Key=NOBODY)
        found.append(client.query(**asked)["Items"])
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"IndexName": "by-holder"},
        {"KeyConditionExpression": "begins_with(#item, :item)"},
        {"ExpressionAttributeNames": {"#item": "holder"}},
    ],
)
def test_queries_that_are_refused(changes: dict[str, Any]) -> None:
    """Another index, or another question of it."""
    asked = {
        "TableName": TABLE,
        "IndexName": "by-item",
        "KeyConditionExpression": "#item = :item",
        "ExpressionAttributeNames": {"#item": "item"},
        "ExpressionAttributeValues": {":item": {"S": "state"}},
    }
    with pytest.raises(Refused):
        DynamoDb(TABLE, ("service", "item")).query(**asked | changes)


@pytest.mark.parametrize(
    "expression",
    ["ADD n :v", "DELETE n :v", "SET n = n + :v", "SET n = list_append(n, :v)", "SET n[0] = :v"],
)
def test_updates_that_are_refused(expression: str) -> None:
    """What the journal does not use, the simulation does not guess at."""
    with pytest.raises(Refused):
        DynamoDb(TABLE, ("service", "item")).update_item(**update(expression, v=A))


@pytest.mark.parametrize(
    "condition",
    ["n > :v", "begins_with(n, :v)", "n BETWEEN :v AND :v", "size(n) = :v", "n = m", "n = :v holder", "n ="],
)
def test_conditions_that_are_refused(condition: str) -> None:
    """The same of conditions."""
    with pytest.raises((Refused, AwsError)):
        DynamoDb(TABLE, ("service", "item")).update_item(**update("SET x = :v", condition, v=A))


def test_fields_that_are_refused() -> None:
    """A field of a request that has no effect here would be a false comfort."""
    request = update("SET x = :v", v=A) | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    with pytest.raises(Refused):
        DynamoDb(TABLE, ("service", "item")).update_item(**request)
