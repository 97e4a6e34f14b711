"""What moto remembers changes none of its answers."""

from typing import Any

import pytest

from tests.unit.account import TABLE, Account, set_up_once
from tests.unit.quick_moto import remember

ITEM: dict[str, Any] = {
    "service": {"S": "web"},
    "item": {"S": "state"},
    "weights": {"M": {"blue": {"N": "100"}, "slots": {"L": [{"BOOL": True}, {"NULL": True}]}}},
    "versions": {"SS": ["0.0.1", "0.0.2"]},
}


def answers(account: Account) -> list[dict[str, Any]]:
    """What the account answers, of each of the protocols that adapters and handlers use."""
    spec = account.spec
    found: list[dict[str, Any]] = [
        account.dynamodb.get_item(TableName=TABLE, Key={name: ITEM[name] for name in ("service", "item")}),
        account.dynamodb.describe_table(TableName=TABLE),
        account.ecs.describe_services(cluster="web", services=["web"], include=["TAGS"]),
        account.ecs.describe_task_definition(taskDefinition=spec.pattern.task_definition, include=["TAGS"]),
        account.elbv2.describe_load_balancers(),
        account.elbv2.describe_target_groups(),
        account.elbv2.describe_rules(ListenerArn=spec.listener),
        account.elbv2.describe_target_health(TargetGroupArn=spec.target_groups.pattern),
        account.ec2.describe_subnets(),
        account.ssm.get_parameters_by_path(Path="/", Recursive=True),
        account.ecr.describe_repositories(),
        account.stepfunctions.list_state_machines(),
        account.logs.describe_log_groups(),
        account.s3.list_objects_v2(Bucket="evidence"),
    ]
    return [{name: value for name, value in each.items() if name != "ResponseMetadata"} for each in found]


def test_no_answer_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.account.remember", lambda environment: None)
    with set_up_once(Account) as (account, _):
        account.dynamodb.put_item(TableName=TABLE, Item=ITEM)
        by_moto = answers(account)
        remember(monkeypatch)
        assert answers(account) == by_moto
        assert answers(account) == by_moto  # the second time by what was remembered
