"""The two stacks: environment, retention, encryption, and who owns what is live."""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from crossfade.domain.events.message import DETAIL_TYPE, SOURCE
from crossfade.metrics import UNITS
from faults.files import ROOT, functions, machine_properties, resources, template

STACKS = ("template.yaml", "sample_app/template.yaml")
NO_NAME_OF_ITS_OWN = {"MetricName", "FunctionName"}  # another thing's
CODE = sorted((ROOT / "functions").rglob("*.py"))


def _environment_read() -> set[str]:
    return {
        node.slice.value
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ"
    }


def test_every_variable_that_handlers_read_is_set() -> None:
    """And none is set that nobody reads."""
    shared = template()["Globals"]["Function"]["Environment"]["Variables"]
    assert _environment_read() == set(shared)
    assert not any("Environment" in function for function in functions().values())


def test_handlers_read_the_environment_in_one_way() -> None:
    """So that the check above sees every variable."""
    for path in CODE:
        assert "getenv" not in path.read_text()
        assert "environ.get" not in path.read_text()


@pytest.mark.parametrize("stack", STACKS)
def test_logs_do_not_pile_up(stack: str) -> None:
    """Every log group has a retention."""
    groups = resources("AWS::Logs::LogGroup", stack)
    assert groups
    assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups.values())


def test_functions_write_to_a_log_group_of_the_stack() -> None:
    """Lambda's own would be kept for ever."""
    logging = template()["Globals"]["Function"]["LoggingConfig"]
    assert logging == {"LogGroup": {"Ref": "FunctionLogs"}}


@pytest.mark.parametrize("machine", ["deploy", "rollback"])
def test_machines_log_and_trace(machine: str) -> None:
    """All of it, with the data, so that a failed deployment can be read afterwards."""
    properties = machine_properties(machine)
    assert properties["Tracing"] == {"Enabled": True}
    assert properties["Logging"]["Level"] == "ALL"


def test_functions_trace() -> None:
    """X-Ray shows a deployment from its first state to AWS's own answers."""
    assert template()["Globals"]["Function"]["Tracing"] == "Active"


def test_buckets_are_encrypted_private_and_kept() -> None:
    """Evidence is nobody's business from outside, and outlives the stack."""
    for name, bucket in resources("AWS::S3::Bucket").items():
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert template()["Resources"][name]["DeletionPolicy"] == "Retain"


def test_tables_are_encrypted_and_recoverable() -> None:
    """The journal says what is live: losing it stops every deployment."""
    for table in resources("AWS::DynamoDB::Table").values():
        assert table["SSESpecification"] == {"SSEEnabled": True}
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


@pytest.mark.parametrize("stack", STACKS)
def test_stacks_own_no_live_state(stack: str) -> None:
    """No rule, and no ECS service with tasks: a stack update cannot change what is live."""
    assert all(service["DesiredCount"] == 0 for service in resources("AWS::ECS::Service", stack).values())
    assert resources("AWS::ElasticLoadBalancingV2::ListenerRule", stack) == {}
    assert resources("AWS::ApplicationAutoScaling::ScalableTarget", stack) == {}


def test_the_sample_is_named_as_its_rights_are_given() -> None:
    """Without a list of what was adopted: by the names of its cluster, service and load balancer."""
    for kind, name in {
        "AWS::ECS::Cluster": "ClusterName",
        "AWS::ECS::Service": "ServiceName",
        "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    }.items():
        (found,) = resources(kind, "sample_app/template.yaml").values()
        assert found[name] == {"Ref": "ServiceName"}
    patterns = [template(stack)["Parameters"] for stack in STACKS]
    assert patterns[0]["SampleServiceName"]["AllowedPattern"] == patterns[1]["ServiceName"]["AllowedPattern"]


def test_what_changes_the_slots_groups_has_them_prepared_anew() -> None:
    """CloudFormation calls the function again only where a property of its resource differs."""
    sample = template("sample_app/template.yaml")["Resources"]
    told = sample["CrossfadeService"]["Properties"].values()
    group = sample["TargetGroup"]["Properties"]
    assert {"Fn::GetAtt": ["Spec", "Value"]} in told
    assert group["HealthCheckIntervalSeconds"] in told
    assert all(
        attribute["Value"] in told
        for attribute in group["TargetGroupAttributes"]
        if isinstance(attribute["Value"], dict)
    )


@pytest.mark.parametrize("stack", STACKS)
def test_tasks_have_a_first_process_that_passes_signals_on(stack: str) -> None:
    """SIGTERM does not reach a process that is PID 1 and has no handler yet."""
    containers = _containers(stack)
    assert containers
    assert all(container["LinuxParameters"] == {"InitProcessEnabled": True} for container in containers)


def test_the_sample_says_what_becomes_of_a_log_that_cannot_be_written() -> None:
    """The account's default has changed once: it decides whether the application waits or loses lines."""
    for container in _containers("sample_app/template.yaml"):
        options = container["LogConfiguration"]["Options"]
        assert (options["mode"], options["max-buffer-size"]) == ("non-blocking", "10m")


@pytest.mark.parametrize("stack", STACKS)
def test_no_name_is_the_same_in_two_stacks(stack: str) -> None:
    """Two can stand in an account and region: a name is built from the stack's or a parameter."""
    own = {f"${{{name}}}" for name in ("AWS::StackName", *template(stack)["Parameters"])}
    named = list(_named(stack))
    assert {name for name, _ in named} >= {"RepositoryName" if "sample" in stack else "Name", "LogGroupName"}
    for name, value in named:
        assert any(part in value for part in own), f"{name}: {value}"


def _named(stack: str) -> Iterator[tuple[str, str]]:
    """Every name that a template gives to a resource, with references written as in Fn::Sub."""
    for resource in template(stack)["Resources"].values():
        for name, value in resource.get("Properties", {}).items():
            if name in {"Name", "Family"} or (name.endswith("Name") and name not in NO_NAME_OF_ITS_OWN):
                yield (
                    name,
                    value if isinstance(value, str) else value.get("Fn::Sub") or f"${{{value['Ref']}}}",
                )


def test_whoever_deploys_names_the_sample() -> None:
    """Its repository and log group are named after it, and there may be one in the account already."""
    (sample,) = resources("AWS::Serverless::Application").values()
    assert sample["Parameters"]["ServiceName"] == {"Ref": "SampleServiceName"}
    assert template()["Parameters"]["SampleServiceName"]["Default"] == "sample-app"


@pytest.mark.parametrize("stack", STACKS)
def test_no_repository_is_named_after_a_stack(stack: str) -> None:
    """A stack's name may have upper case, and ECR refuses a repository whose name has."""
    for repository in resources("AWS::ECR::Repository", stack).values():
        assert "StackName" not in str(repository.get("RepositoryName"))


def test_specs_are_in_one_place() -> None:
    """Where the functions look, where their roles allow it, and where the sample declares its own."""
    path = {"Fn::Sub": "/${AWS::StackName}/services/"}
    assert template()["Globals"]["Function"]["Environment"]["Variables"]["SPECS_PATH"] == path
    assert template()["Outputs"]["SpecsPath"]["Value"] == path
    (sample,) = resources("AWS::Serverless::Application").values()
    assert sample["Parameters"]["SpecsPath"] == path
    (spec,) = resources("AWS::SSM::Parameter", "sample_app/template.yaml").values()
    assert spec["Name"] == {"Fn::Sub": "${SpecsPath}${ServiceName}"}
    granted = {
        resource["Fn::Sub"].partition(":parameter")[2].rstrip("*").rstrip("/")
        for function in functions().values()
        for policy in function.get("Policies", [])
        for statement in policy["Statement"]
        if "ssm:" in str(statement.get("Action"))
        for resource in (
            statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        )
    }
    places = ("services", "preview", "task-roles")
    assert granted == {f"/${{AWS::StackName}}/{place}" for place in places}


def _containers(stack: str) -> list[dict[str, Any]]:
    definitions = resources("AWS::ECS::TaskDefinition", stack).values()
    return [container for definition in definitions for container in definition["ContainerDefinitions"]]


def test_what_a_killed_report_has_left_is_removed() -> None:
    """The parts of an upload that nobody completes are paid for until somebody aborts it."""
    (bucket,) = resources("AWS::S3::Bucket").values()
    rules = bucket["LifecycleConfiguration"]["Rules"]
    (rule,) = [rule for rule in rules if "AbortIncompleteMultipartUpload" in rule]
    assert rule["Status"] == "Enabled"
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_evidence_is_kept_as_the_parameters_say() -> None:
    """For ever by default; what was replaced or deleted goes, and not at once."""
    (bucket,) = resources("AWS::S3::Bucket").values()
    _, replaced, expiring = bucket["LifecycleConfiguration"]["Rules"]
    days = {"NoncurrentDays": {"Ref": "ReplacedEvidenceRetentionDays"}}
    assert (replaced["Status"], replaced["NoncurrentVersionExpiration"]) == ("Enabled", days)
    condition, rule, otherwise = expiring["Fn::If"]
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", {"Ref": "EvidenceRetentionDays"})
    assert (condition, otherwise) == ("EvidenceExpires", {"Ref": "AWS::NoValue"})
    assert template()["Parameters"]["EvidenceRetentionDays"]["Default"] == 0


def test_evidence_is_asked_for_by_tls_alone() -> None:
    """Nobody may read or write it otherwise, and the policy stays as long as the bucket."""
    (policy,) = resources("AWS::S3::BucketPolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [{"Fn::GetAtt": ["Evidence", "Arn"]}, {"Fn::Sub": "${Evidence.Arn}/*"}]
    assert template()["Resources"]["EvidencePolicy"]["DeletionPolicy"] == "Retain"


def test_no_event_is_lost_without_a_word() -> None:
    """EventBridge tries for a day; what it could not deliver lies in a queue, and an alarm tells of it."""
    dead_letters = {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}
    rules = [
        event["Properties"]
        for machine in resources("AWS::Serverless::StateMachine").values()
        for event in machine.get("Events", {}).values()
    ]
    targets = [target for rule in resources("AWS::Events::Rule").values() for target in rule["Targets"]]
    assert len(rules) == 3
    assert len(targets) >= 2
    kept = [target for target in targets if target["Id"] != "check-held"]
    assert all(found.get("DeadLetterConfig") == dead_letters for found in rules + kept)
    # What EventBridge has handed to Lambda is Lambda's: only this function acts on what nobody repeats.
    assert functions()["SendMessageFunction"]["DeadLetterQueue"] == {
        "Type": "SQS", "TargetArn": dead_letters["Arn"],
    }  # fmt: skip
    alarm = resources("AWS::CloudWatch::Alarm")["DeadLettersAlarm"]
    assert alarm["Dimensions"] == [
        {"Name": "QueueName", "Value": {"Fn::GetAtt": ["DeadLetters", "QueueName"]}}
    ]


def test_every_change_of_the_journal_reaches_the_function_that_tells_of_it() -> None:
    """With what was and what is; what it fails at is handed over again for a day, and then laid aside."""
    (table,) = resources("AWS::DynamoDB::Table").values()
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    (stream,) = resources("AWS::Lambda::EventSourceMapping").values()
    assert stream["EventSourceArn"] == {"Fn::GetAtt": ["Journal", "StreamArn"]}
    assert stream["FunctionName"] == {"Ref": "PublishEventsFunction"}
    assert stream["StartingPosition"] == "TRIM_HORIZON"  # nothing is lost between the two resources
    assert stream["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert stream["MaximumRetryAttempts"] == -1
    assert 20 * 3_600 < stream["MaximumRecordAgeInSeconds"] < 24 * 3_600  # before the stream forgets it
    on_failure = {"OnFailure": {"Destination": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}}
    assert stream["DestinationConfig"] == on_failure
    (tries,) = resources("AWS::Lambda::EventInvokeConfig").values()
    assert tries["DestinationConfig"] == on_failure


def test_the_stream_is_filtered_by_what_is_written() -> None:
    """Lambda's documentation has filters of a stream on the key dynamodb alone, and no other one.

    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html. An item that is removed has no new
    image, so that none of these fits it.
    """
    (stream,) = resources("AWS::Lambda::EventSourceMapping").values()
    patterns = [json.loads(one["Pattern"]) for one in stream["FilterCriteria"]["Filters"]]
    assert [pattern.keys() for pattern in patterns] == [{"dynamodb"}] * 2
    assert [pattern["dynamodb"].keys() for pattern in patterns] == [{"NewImage"}] * 2
    of_deployments, of_states = (pattern["dynamodb"]["NewImage"] for pattern in patterns)
    assert of_deployments == {"item": {"S": [{"prefix": "deployment#"}]}}
    # What exists has to be a leaf; an attribute of a map is none.
    waits = {"M": {"execution": {"S": [{"exists": True}]}}}
    assert of_states == {"item": {"S": ["state"]}, "waiting": waits}


def test_only_crossfades_own_events_may_be_sent() -> None:
    """To the default bus, under one source and one type: no other service's, and no other bus."""
    (policy,) = functions()["PublishEventsFunction"]["Policies"]
    (sends,) = (one for one in policy["Statement"] if one["Action"] == "events:PutEvents")
    assert sends["Resource"]["Fn::Sub"].endswith(":event-bus/default")
    assert sends["Condition"] == {
        "StringEquals": {"events:source": SOURCE, "events:detail-type": DETAIL_TYPE}
    }


def test_a_rollback_that_does_not_get_through_is_told() -> None:
    """It is started again by exactly these ends, for ever if need be."""
    alarms = resources("AWS::CloudWatch::Alarm")
    told = [alarm for alarm in alarms.values() if alarm["Namespace"] == "AWS/States"]
    assert {alarm["MetricName"] for alarm in told} == {
        "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted",
    }  # fmt: skip
    machine = [{"Name": "StateMachineArn", "Value": {"Ref": "RollbackStateMachine"}}]
    assert all(alarm["Dimensions"] == machine for alarm in told)


def test_topics_take_what_the_stack_sends() -> None:
    """Its alarms, by a policy in the place of SNS's own, which lets all of the account publish."""
    topics = resources("AWS::SNS::Topic")
    policies = [policy for policy in resources("AWS::SNS::TopicPolicy").values()]
    assert [policy["Topics"] for policy in policies] == [[{"Ref": name}] for name in topics]
    for policy in policies:
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert statement["Resource"] == policy["Topics"][0]
        assert (statement["Action"], statement["Principal"]) == (
            "sns:Publish",
            {"Service": "cloudwatch.amazonaws.com"},
        )
        (source,) = statement["Condition"]["ArnLike"].values()
        assert source["Fn::Sub"].endswith(":${AWS::AccountId}:alarm:${AWS::StackName}-*")
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


def test_people_are_told_by_their_own_stack() -> None:
    """Two Crossfades in a region send to one bus; an event is known by the execution that it is of."""
    rule = resources("AWS::Events::Rule")["MessagesRule"]
    names = [machine["Name"]["Fn::Sub"] for machine in resources("AWS::Serverless::StateMachine").values()]
    prefixes = [each["prefix"]["Fn::Sub"] for each in rule["EventPattern"]["resources"]]
    assert [prefix.partition(":execution:")[2] for prefix in prefixes] == [f"{name}:" for name in names]


ALARMS = resources("AWS::CloudWatch::Alarm")
ROWS = (ROOT / "docs/operations.md").read_text(encoding="utf-8").split("| alarm |")[1].split("\n\n")[0]


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_says_what_it_has_found_and_tells_people(name: str) -> None:
    """In the message itself, which has its description; and with a row in docs/operations.md."""
    alarm = ALARMS[name]
    suffix = alarm["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}")
    assert f"| `{suffix}` |" in ROWS
    assert "docs/operations.md" in alarm["AlarmDescription"]
    assert len(alarm["AlarmDescription"]) <= 1024  # CloudWatch takes no more
    told = [{"Ref": topic} for topic in resources("AWS::SNS::Topic")]
    quiet = name == "RollbackFailedAlarm"  # what it tells of is put right by itself, or told by another
    assert alarm.get("AlarmActions") == (None if quiet else told)


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_is_over_only_where_its_reason_is(name: str) -> None:
    """What counts ends of rollbacks is over after a while without one, and the service may still be held."""
    counts = ALARMS[name]["Namespace"] == "AWS/States"
    assert ALARMS[name].get("OKActions") == (None if counts else ALARMS[name]["AlarmActions"])


def test_a_look_that_comes_late_wakes_nobody() -> None:
    """The next one is five minutes away; that none comes has an alarm of its own."""
    (target,) = resources("AWS::Events::Rule")["CheckHeldRule"]["Targets"]
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 300}  # tried again until the next one
    assert "DeadLetterConfig" not in target


def test_silence_is_good_only_where_nothing_is_sent_without_a_fault() -> None:
    """What sees that the check runs is the one whose metric always has points."""
    treated = {name: alarm["TreatMissingData"] for name, alarm in ALARMS.items()}
    assert {name for name, how in treated.items() if how == "breaching"} == {"CheckSilentAlarm"}
    assert set(treated.values()) == {"breaching", "notBreaching"}
    (schedule,) = (
        rule["ScheduleExpression"]
        for rule in resources("AWS::Events::Rule").values()
        if rule.get("Targets", [{}])[0].get("Id") == "check-held"
    )
    assert schedule == "rate(5 minutes)"
    assert ALARMS["CheckSilentAlarm"]["Period"] >= 3 * 300


SEARCH = re.compile(r'^SEARCH\(\'{Crossfade,service,stack} stack="\${AWS::StackName}" MetricName="(\w+)"\', ')


def test_a_dashboard_is_asked_for_and_shows_metrics_that_there_are() -> None:
    """Off by default, since it costs something."""
    (name,) = resources("AWS::CloudWatch::Dashboard")
    assert template()["Resources"][name]["Condition"] == "WithDashboard"
    assert template()["Conditions"]["WithDashboard"] == {"Fn::Equals": [{"Ref": "Dashboard"}, "true"]}
    assert template()["Parameters"]["Dashboard"]["Default"] == "false"
    body = json.loads(resources("AWS::CloudWatch::Dashboard")[name]["DashboardBody"]["Fn::Sub"])
    graphs = [widget["properties"] for widget in body["widgets"] if widget["type"] == "metric"]
    searched = [line["expression"] for graph in graphs for (line,) in graph["metrics"]]
    shown = [SEARCH.findall(one) for one in searched]
    assert {name for names in shown for name in names} <= UNITS.keys()
    assert all(len(names) == 1 for names in shown)
    (alarms,) = (widget["properties"]["alarms"] for widget in body["widgets"] if widget["type"] == "alarm")
    telling = [alarm["AlarmName"]["Fn::Sub"] for alarm in ALARMS.values() if "AlarmActions" in alarm]
    assert sorted(alarm.partition(":alarm:")[2] for alarm in alarms) == sorted(telling)
