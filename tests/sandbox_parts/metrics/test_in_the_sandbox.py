"""The three calls as a function makes them: boto3, over HTTP, with what its role allows and no more."""

from __future__ import annotations

import json
import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.sandbox_parts.containers.conftest import Sandbox, started, until

pytestmark = pytest.mark.enable_socket

GROUP = "/crossfade/shop"
PATTERN = '{ $.crossfade = "outcomes/1" }'
WATCH = ["cloudwatch:GetMetricData", "cloudwatch:DescribeAlarms"]
REGISTRY = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
DOCKERFILE = """\
FROM python:3.13-slim
WORKDIR /app
COPY . .
CMD ["python", "main.py"]
"""
# Says every tenth of a second what time it is, and things that are no feed besides.
PROGRAM = """\
import json, time
while True:
    print(json.dumps({"crossfade": "outcomes/1", "at": time.time()}), flush=True)
    print("GET /outcomes/1 200", flush=True)
    time.sleep(0.1)
"""
TEMPLATE = {
    "Resources": {
        "Errors": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": "of-a-stack",
                "Namespace": "AWS/ApplicationELB",
                "MetricName": "HTTPCode_Target_5XX_Count",
                "Dimensions": [{"Name": "LoadBalancer", "Value": "app/lb/1"}],
                "Statistic": "Sum",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": 1,
                "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                "TreatMissingData": "notBreaching",
            },
        }
    }
}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: str | list[str], resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A running sandbox with a log group and an alarm."""
    with started(tmp_path_factory.mktemp("sandbox")) as running:
        running.client("logs").create_log_group(logGroupName=GROUP)
        running.client("cloudformation").create_stack(StackName="alarms", TemplateBody=json.dumps(TEMPLATE))
        yield running


Attempt = Callable[..., dict[str, Any]]


@pytest.fixture
def attempt(box: Sandbox) -> Attempt:
    """Calls with a role of these statements; returns the answer, or raises ClientError."""
    iam, role = box.client("iam"), f"role-{secrets.token_hex(4)}"
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=document(trust))

    def call(service: str, operation: str, statement: dict[str, Any], **parameters: Any) -> dict[str, Any]:
        iam.put_role_policy(RoleName=role, PolicyName="it", PolicyDocument=document(statement))
        session = box.client("sts").assume_role(
            RoleArn=f"arn:aws:iam::000000000000:role/{role}", RoleSessionName="watch"
        )["Credentials"]
        client = boto3.client(
            service,
            endpoint_url=box.endpoint,
            region_name="us-east-1",
            aws_access_key_id=session["AccessKeyId"],
            aws_secret_access_key=session["SecretAccessKey"],
            aws_session_token=session["SessionToken"],
        )
        return dict(getattr(client, operation)(**parameters))

    return call


def metric_data() -> dict[str, Any]:
    """Parameters of GetMetricData for something that nobody measured."""
    metric = {"Namespace": "N", "MetricName": "M", "Dimensions": [{"Name": "D", "Value": "nobody"}]}
    now = time.time()
    return {
        "MetricDataQueries": [{"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}],
        "StartTime": now - 600,
        "EndTime": now,
    }


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        ("arn:aws:logs:*:*:log-group:/crossfade/*", True),
        (f"arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}:*", True),
        ("arn:aws:logs:*:*:log-group:/other/*", False),
        (f"arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}", False),
    ],
)
def test_log_groups_are_allowed_by_name(attempt: Attempt, resource: str, allowed: bool) -> None:
    """What is behind the group's name belongs to the resource, as in what GetAtt says of a log group."""
    statement = allow("logs:FilterLogEvents", resource)
    if allowed:
        assert attempt("logs", "filter_log_events", statement, logGroupName=GROUP)["events"] == []
    else:
        with pytest.raises(ClientError, match="AccessDenied"):
            attempt("logs", "filter_log_events", statement, logGroupName=GROUP)


def test_metrics_and_alarms_are_allowed_as_a_whole(attempt: Attempt) -> None:
    """With Resource "*" they answer."""
    found = attempt("cloudwatch", "get_metric_data", allow(WATCH, "*"), **metric_data())
    (result,) = found["MetricDataResults"]
    assert (result["StatusCode"], result["Timestamps"], result["Values"]) == ("Complete", [], [])
    names = {"AlarmNames": ["of-a-stack", "nobody"], "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
    found = attempt("cloudwatch", "describe_alarms", allow(WATCH, "*"), **names, MaxRecords=100)
    (alarm,) = found["MetricAlarms"]
    assert (alarm["AlarmName"], alarm["StateValue"]) == ("of-a-stack", "OK")
    assert abs(time.time() - alarm["StateTransitionedTimestamp"].timestamp()) < 60


@pytest.mark.parametrize("operation", ["get_metric_data", "describe_alarms"])
def test_metrics_and_alarms_are_refused_without(attempt: Attempt, operation: str) -> None:
    """No statement, no answer."""
    parameters = metric_data() if operation == "get_metric_data" else {"AlarmNames": ["of-a-stack"]}
    with pytest.raises(ClientError, match="AccessDenied"):
        attempt("cloudwatch", operation, allow("cloudwatch:PutMetricData", "*"), **parameters)


def test_a_stack_s_alarm_set_by_hand(box: Sandbox) -> None:
    """It says when, to the millisecond; the times are those of the change."""
    cloudwatch, before = box.client("cloudwatch"), time.time()
    cloudwatch.set_alarm_state(AlarmName="of-a-stack", StateValue="ALARM", StateReason="a rehearsal")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["of-a-stack"])["MetricAlarms"]
    assert alarm["StateValue"] == "ALARM"
    assert alarm["StateUpdatedTimestamp"] == alarm["StateTransitionedTimestamp"]
    assert before - 0.001 <= alarm["StateTransitionedTimestamp"].timestamp() <= time.time()


def test_a_container_s_lines_are_there_at_once(box: Sandbox, tmp_path: Path) -> None:
    """Within a second of their writing, in `<prefix>/<container>/<task>`, also if the prefix has a slash."""
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "main.py").write_text(PROGRAM)
    box.client("ecr").create_repository(repositoryName="talker")
    assert box.push(tmp_path, "--repository", "talker", "--tag", "1").returncode == 0
    ecs, logs = box.client("ecs"), box.client("logs")
    ecs.create_cluster(clusterName="talkers")
    options = {"awslogs-group": GROUP, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "app/blue"}
    ecs.register_task_definition(
        family="talker",
        networkMode="awsvpc",
        containerDefinitions=[
            {
                "name": "web",
                "image": f"{REGISTRY}/talker:1",
                "logConfiguration": {"logDriver": "awslogs", "options": options},
            }
        ],
    )
    task = ecs.run_task(cluster="talkers", taskDefinition="talker")["tasks"][0]["taskArn"].rsplit("/", 1)[-1]

    def events() -> list[dict[str, Any]]:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=GROUP, logStreamNamePrefix="app/blue/", startTime=0, filterPattern=PATTERN
        )
        return [event for page in pages for event in page["events"]]

    found: list[dict[str, Any]] = until(lambda: (seen := events()) and len(seen) > 10 and seen)
    ecs.stop_task(cluster="talkers", task=task)
    assert {event["logStreamName"] for event in found} == {f"app/blue/web/{task}"}
    waited = [event["timestamp"] / 1000 - json.loads(event["message"])["at"] for event in found]
    assert -0.002 < statistics.median(waited) < 1
    assert all(event["ingestionTime"] >= event["timestamp"] for event in found)
