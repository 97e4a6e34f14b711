"""An AWS account in moto, with the two stacks' resources in it: what adapters and handlers meet."""

import copy
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from inspect import signature
from typing import Any, TypeVar
from unittest.mock import patch

import boto3
import pytest
from boto3.dynamodb.types import TypeSerializer
from moto import mock_aws
from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.exceptions import JsonRESTError
from moto.core.model_instances import reset_model_data
from moto.ecr.models import ecr_backends
from moto.logs.responses import LogsResponse
from moto.s3.models import s3_backends
from moto.ssm.models import ssm_backends

from crossfade.aws.listener_rules import Traffic
from crossfade.domain.gate.blocks.from_feed import Line
from crossfade.domain.journal import Waiting
from crossfade.domain.ledger import Record
from crossfade.domain.planning.plan import Contents, HeldPlan, LogStreams, Release, RunningRelease
from crossfade.domain.slots import SLOTS, Slot
from crossfade.domain.spec.names import target_group_name
from crossfade.domain.spec.placed import Pattern, Placed
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.traffic.rule import LiveRule
from crossfade.domain.traffic.weights import Weights
from faults.aws.names import ACCOUNT, REGION, STATES
from faults.cases.service import document, found, login
from faults.files import resources
from tests.unit.examples import DEPLOY, ROLLBACK, first_plan, nameless, plan
from tests.unit.quick_moto import remember

TABLE, LEDGER_GROUP, BUCKET = "journal", "/crossfade/ledger", "evidence"
SPECS = "/Staging/services/"  # of a stack that is not named crossfade
TASK_ROLES = "/Staging/task-roles"
PROBE = "crossfade-probe"
DEAD_LETTERS = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/dead-letters"
OWN_TAGS = [
    {"Key": "crossfade:service", "Value": "web"},
    {"Key": "crossfade:spec", "Value": f"{SPECS}web"},
]
"""Of the target groups and rules that Crossfade made."""
SERVICE_TAGS = [{"key": tag["Key"], "value": tag["Value"]} for tag in OWN_TAGS]
"""Of the ECS services that Crossfade made."""
MACHINES = {name: f"{STATES}:stateMachine:{name}" for name in (DEPLOY, ROLLBACK)}
TOPICS = {name: f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}" for name in ("messages", "chat")}
STATES_ROLE = f"arn:aws:iam::{ACCOUNT}:role/states"
ALONE = Contents(released=("app",), kept={}, left_out=(), tags={})
"""The pattern of the account has one container, and no tags."""
MANIFEST = "application/vnd.oci.image.manifest.v1+json"

Made = TypeVar("Made")
# Clients take long to make, and outlive the account that they were made in.
SESSION = boto3.Session("test", "test", region_name=REGION)


def nameless_of(spec: Placed) -> Placed:
    """The spec of the same service, whose answers name no version."""
    return spec.model_copy(update={"version": nameless().version})


class Account:
    """The service ``web``, set up as its stack would, and Crossfade's own table, log group and bucket."""

    def __init__(self) -> None:
        self.ec2, self.ecs, self.elbv2 = self.client("ec2"), self.client("ecs"), self.client("elbv2")
        self.dynamodb, self.logs, self.s3 = self.client("dynamodb"), self.client("logs"), self.client("s3")
        self.ssm, self.ecr = self.client("ssm"), self.client("ecr")
        self.cloudwatch = self.client("cloudwatch")
        self.stepfunctions = self.client("stepfunctions")
        self.autoscaling = self.client("application-autoscaling")
        self._now = int(time.time() * 1000) - 60_000  # log events may be neither old nor of the future
        self._set_up_crossfade()
        self.spec = self._set_up_service()
        self.set_up_what_cannot_be_copied()

    def set_up_what_cannot_be_copied(self) -> None:
        """What moto keeps behind locks, behind lambdas and outside of its backends.

        Each test begins with this, so it is put there and not asked for: that takes a tenth of the time.
        """
        s3_backends[ACCOUNT]["aws"].create_bucket(BUCKET, REGION)
        ecr_backends[ACCOUNT][REGION].create_repository("web", None, None, None, None, [])
        self._put(TASK_ROLES, f"arn:aws:iam::{ACCOUNT}:role/crossfade/tasks/*")
        self._put(f"{SPECS}{self.spec.service}", _written(self.spec))

    @staticmethod
    def _put(name: str, value: str) -> None:
        put = ssm_backends[ACCOUNT][REGION].put_parameter
        put(name, None, value, "String", None, None, False, None, "text", None, None)

    @staticmethod
    @cache
    def client(service: str) -> Any:
        """A boto3 client of the account."""
        return SESSION.client(service)

    def publish(self, spec: ServiceSpec) -> None:
        """Write a service's spec, as its stack does: without what is found only later."""
        self.ssm.put_parameter(
            Name=f"{SPECS}{spec.service}",
            Value=_written(spec),
            Type="String",
            Overwrite=True,
        )

    def unpublish(self, service: str) -> None:
        """Delete a service's spec."""
        self.ssm.delete_parameter(Name=f"{SPECS}{service}")

    def push(self, tag: str) -> str:
        """Push an image, and return its digest."""
        # Of an image without layers moto makes the digest up.
        layers = [{"digest": f"sha256:{hashlib.sha256(tag.encode()).hexdigest()}", "size": 1}]
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": layers})
        pushed = self.ecr.put_image(repositoryName="web", imageManifest=manifest, imageTag=tag)
        return str(pushed["image"]["imageId"]["imageDigest"])

    def tag(self, digest: str, tag: str) -> None:
        """Push an image that is there under one more tag."""
        found = self.ecr.batch_get_image(repositoryName="web", imageIds=[{"imageDigest": digest}])
        self.ecr.put_image(
            repositoryName="web",
            imageManifest=found["images"][0]["imageManifest"],
            imageManifestMediaType=MANIFEST,
            imageTag=tag,
        )

    def release(self, tag: str) -> Release:
        """Push an image, and return it as a release."""
        digest = self.push(tag)
        home = self.ecr.describe_repositories(repositoryNames=["web"])["repositories"][0]
        found = self.ecr.describe_images(repositoryName="web", imageIds=[{"imageDigest": digest}])
        return Release(
            version=tag,
            digest=digest,
            image=f"{home['repositoryUri']}@{digest}",
            pattern=self.spec.pattern.task_definition,
            settings=self.spec.pattern.fingerprint,
            pushed=found["imageDetails"][0]["imagePushedAt"],
        )

    def start(self, machine: str, name: str) -> str:
        """Start an execution, which runs until it is ended; its ARN is returned."""
        started = self.stepfunctions.start_execution(stateMachineArn=MACHINES[machine], name=name, input="{}")
        return str(started["executionArn"])

    def end(self, execution: str) -> None:
        """Let an execution end, in whatever way."""
        self.stepfunctions.stop_execution(executionArn=execution)

    def started(self) -> dict[str, Any]:
        """The deployments that were started, by name, with their input."""
        listed = self.stepfunctions.list_executions(stateMachineArn=MACHINES[DEPLOY])["executions"]
        found = [self.stepfunctions.describe_execution(executionArn=one["executionArn"]) for one in listed]
        return {one["name"]: json.loads(one["input"]) for one in found}

    def runs(self, execution: str) -> bool:
        """Whether an execution runs."""
        found = self.stepfunctions.describe_execution(executionArn=execution)
        return bool(found["status"] == "RUNNING")

    def plan(self, **changes: Any) -> HeldPlan:
        """A deployment into green while blue is stable."""
        return plan(spec=self.spec, **{"contents": ALONE} | changes)

    def first_plan(self, **changes: Any) -> HeldPlan:
        """The service's first deployment."""
        return first_plan(**{"spec": self.origin, "contents": ALONE} | changes)

    @property
    def declared(self) -> ServiceSpec:
        """The spec as its owner writes it."""
        return ServiceSpec.model_validate(self.spec.model_dump(mode="json"))

    @property
    def origin(self) -> Placed:
        """The spec before a first release: the owner's service takes the place of green."""
        groups = self.spec.target_groups
        theirs = groups.model_copy(update={"green": groups.pattern, "replaced": groups.green})
        return self.spec.model_copy(update={"origin": "green", "target_groups": theirs})

    def run(self, slot: Slot, task_definition: str, count: int = 2) -> None:
        """Run tasks in a slot: moto starts none by itself, so the service only says that they run."""
        self.ecs.create_service(
            cluster=self.spec.cluster,
            serviceName=self.spec.slot_service(slot),
            taskDefinition=task_definition,
            desiredCount=count,
            tags=SERVICE_TAGS,
        )

    def deregister_targets(self, slot: Slot, *addresses: str) -> None:
        """Take targets out of a slot's group."""
        self.elbv2.deregister_targets(
            TargetGroupArn=self.spec.target_groups.of(slot), Targets=[{"Id": ip} for ip in addresses]
        )

    def register_targets(self, slot: Slot, *addresses: str) -> None:
        """Put targets into a slot's group; moto's are healthy at once."""
        self.elbv2.register_targets(
            TargetGroupArn=self.spec.target_groups.of(slot), Targets=[{"Id": ip} for ip in addresses]
        )

    def register_pattern_targets(self, *addresses: str) -> None:
        """Put targets into the target group of the owner's service."""
        self.elbv2.register_targets(
            TargetGroupArn=self.spec.pattern.target_group, Targets=[{"Id": ip} for ip in addresses]
        )

    def resize_pattern(self, count: int) -> None:
        """Let the owner's service run that many tasks, as a deployment of its stack does."""
        self.ecs.update_service(cluster="web", service="web", desiredCount=count)

    def desired_pattern(self) -> int:
        """How many tasks the owner's service is to run."""
        found = self.ecs.describe_services(cluster="web", services=["web"])["services"]
        return int(found[0]["desiredCount"])

    def start_service(self, name: str, task_definition: str, count: int) -> None:
        """Run tasks of a task definition in an ECS service, which is made if it is not there."""
        given = {"cluster": "web", "taskDefinition": task_definition, "desiredCount": count}
        if self.ecs.describe_services(cluster="web", services=[name])["services"]:
            self.ecs.update_service(service=name, **given)
        else:
            self.ecs.create_service(serviceName=name, tags=SERVICE_TAGS, **given)

    def stop_service(self, name: str, group: str) -> None:
        """Stop an ECS service's tasks, and take them out of its target group."""
        self.ecs.update_service(cluster="web", service=name, desiredCount=0)
        found = self.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        self.elbv2.deregister_targets(
            TargetGroupArn=group, Targets=[{"Id": one["Target"]["Id"]} for one in found]
        )

    def waits(self, waiting: Waiting) -> None:
        """Let a release wait for the service, however that has come about."""
        found = {
            name: TypeSerializer().serialize(value) for name, value in waiting.model_dump(mode="json").items()
        }
        self.dynamodb.update_item(
            TableName=TABLE,
            Key=_key("state"),
            UpdateExpression="SET waiting = :waiting",
            ExpressionAttributeValues={":waiting": {"M": found}},
        )

    def live_is(self, version: str, digest: str) -> None:
        """Let the journal call a release live, however that has come about."""
        self.dynamodb.update_item(
            TableName=TABLE,
            Key=_key("state"),
            UpdateExpression="SET version = :version, digest = :digest",
            ExpressionAttributeValues={":version": {"S": version}, ":digest": {"S": digest}},
        )

    def kill(self, task: str) -> None:
        """Let a task die."""
        self.ecs.stop_task(cluster=self.spec.cluster, task=task, reason="Host EC2 terminated")

    def dies(self, task: str) -> bool:
        """Whether a task has stopped, or is about to."""
        found = self.ecs.describe_tasks(cluster=self.spec.cluster, tasks=[task])["tasks"]
        return bool(found[0]["desiredStatus"] == "STOPPED")

    def probes(self) -> list[str]:
        """The probe tasks that run."""
        tasks = self.ecs.list_tasks(cluster=self.spec.cluster)["taskArns"]
        return [task for task in tasks if not self.dies(task)]

    def scale(self, slot: Slot, **suspended: bool) -> None:
        """Scale a slot automatically, between 2 and 8 tasks."""
        self.autoscaling.register_scalable_target(
            **self._target(slot), MinCapacity=2, MaxCapacity=8, SuspendedState=suspended
        )

    def scaling(self, slot: Slot) -> dict[str, Any] | None:
        """How a slot is scaled; None where it is not."""
        target = self._target(slot)
        found = self.autoscaling.describe_scalable_targets(
            ServiceNamespace=target["ServiceNamespace"], ResourceIds=[target["ResourceId"]]
        )["ScalableTargets"]
        return found[0] if found else None

    def _target(self, slot: Slot) -> dict[str, str]:
        return self.target_of(self.spec.slot_service(slot))

    @staticmethod
    def target_of(service: str) -> dict[str, str]:
        """What names an ECS service to Application Auto Scaling."""
        return {
            "ServiceNamespace": "ecs",
            "ResourceId": f"service/web/{service}",
            "ScalableDimension": "ecs:service:DesiredCount",
        }

    def scale_pattern(self, least: int = 2, most: int = 8) -> str:
        """Scale the owner's service: by CPU, by requests, by steps with an alarm, and by a schedule.

        Returns the ARN of the policy of steps.
        """
        target = self.target_of("web")
        self.autoscaling.register_scalable_target(**target, MinCapacity=least, MaxCapacity=most)
        group = self.spec.target_groups.pattern.partition(":targetgroup/")[2]
        metrics = {
            "cpu": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
            "requests": {
                "PredefinedMetricType": "ALBRequestCountPerTarget",
                "ResourceLabel": f"app/web/1/targetgroup/{group}",
            },
        }
        for name, metric in metrics.items():
            self.autoscaling.put_scaling_policy(
                **target,
                PolicyName=name,
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration={
                    "TargetValue": 60.0,
                    "PredefinedMetricSpecification": metric,
                },
            )
        steps = {
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
        }
        arn = self.autoscaling.put_scaling_policy(
            **target, PolicyName="steps", PolicyType="StepScaling", StepScalingPolicyConfiguration=steps
        )["PolicyARN"]
        dimensions = {"ClusterName": "web", "ServiceName": "web"}
        self.cloudwatch.put_metric_alarm(
            AlarmName="memory",
            MetricName="MemoryUtilization",
            Namespace="AWS/ECS",
            Statistic="Average",
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
            Period=60,
            EvaluationPeriods=2,
            Threshold=0.0,
            ComparisonOperator="GreaterThanThreshold",
            AlarmActions=[arn],
        )
        self.autoscaling.put_scheduled_action(
            **target,
            ScheduledActionName="morning",
            Schedule="cron(0 8 * * ? *)",
            Timezone="Europe/Berlin",
            ScalableTargetAction={"MinCapacity": 4},
        )
        return str(arn)

    def resize(self, slot: Slot, count: int) -> None:
        """Let a slot run so many tasks."""
        self.ecs.update_service(
            cluster=self.spec.cluster, service=self.spec.slot_service(slot), desiredCount=count
        )

    def desired(self, slot: Slot) -> int:
        """How many tasks a slot is to run."""
        return int(self._service(slot)["desiredCount"])

    def status(self, slot: Slot) -> str:
        """The status of a slot's service."""
        return str(self._service(slot)["status"])

    def rollout(self, slot: Slot) -> str:
        """The id of a slot's newest rollout."""
        return str(self._service(slot)["deployments"][0]["id"])

    def launched(self, slot: Slot, moment: datetime) -> dict[str, Any]:
        """A slot's newest rollout, as a launch of that moment hands it on."""
        definition = self._service(slot)["taskDefinition"]
        return {"id": self.rollout(slot), "task_definition": definition, "asked": moment.isoformat()}

    def _service(self, slot: Slot) -> dict[str, Any]:
        names = [self.spec.slot_service(slot)]
        found = self.ecs.describe_services(cluster=self.spec.cluster, services=names)["services"]
        return dict(found[0])

    def evidence(self) -> dict[str, bytes]:
        """What is in the evidence bucket, by its key."""
        keys = [item["Key"] for item in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
        return {key: self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def write_ledger(self, stream: str, *records: Record | str) -> None:
        """Write records as the probe does; a string is written as it is."""
        group = {"logGroupName": LEDGER_GROUP}
        streams = self.logs.describe_log_streams(**group, logStreamNamePrefix=stream)["logStreams"]
        if not streams:
            self.logs.create_log_stream(**group, logStreamName=stream)
        lines = [record if isinstance(record, str) else record.model_dump_json() for record in records]
        events = [{"timestamp": self._now + n, "message": line} for n, line in enumerate(lines)]
        self._now += len(lines)
        self.logs.put_log_events(**group, logStreamName=stream, logEvents=events)

    def write_log(self, group: str, stream: str, message: str, moment: datetime) -> None:
        """Write a line of some log, at a moment of the tests' time."""
        if not self.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            self.logs.create_log_group(logGroupName=group)
        names = {"logGroupName": group, "logStreamName": stream}
        if not self.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)["logStreams"]:
            self.logs.create_log_stream(**names)
        event = {"timestamp": int(moment.timestamp() * 1000), "message": message}
        with patch("moto.logs.models.utcnow", return_value=moment.replace(tzinfo=None)):
            self.logs.put_log_events(**names, logEvents=[event])

    def write_feed(self, streams: LogStreams, line: Line) -> None:
        """Write a line of the outcome feed, as the task does that the line is of."""
        told = line.outcomes
        self.write_log(streams.group, streams.prefix + line.stream, told.model_dump_json(), told.ended)

    def count(self, slot: Slot, metric: str, moment: datetime, value: float) -> None:
        """Count something of a slot's target group, as its load balancer does."""
        balancer = self.elbv2.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
        group = self.spec.target_groups.of(slot)
        dimensions = {
            "TargetGroup": group[group.index("targetgroup/") :],
            "LoadBalancer": balancer.partition(":loadbalancer/")[2],
        }
        point = {
            "MetricName": metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            "Timestamp": moment,
            "Value": value,
        }
        self.cloudwatch.put_metric_data(Namespace="AWS/ApplicationELB", MetricData=[point])

    def alarm(self, name: str, state: str = "OK") -> None:
        """Create an alarm, or change its state."""
        self.cloudwatch.put_metric_alarm(
            AlarmName=name,
            MetricName="Errors",
            Namespace="Web",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
        self.cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="told to")

    def item(self, item: str) -> dict[str, Any]:
        """An item of the journal, as the console shows it."""
        found = self.dynamodb.get_item(TableName=TABLE, Key=_key(item)).get("Item", {})
        return {name: next(iter(value.values())) for name, value in found.items()}

    def _set_up_crossfade(self) -> None:
        table = resources("AWS::DynamoDB::Table")["Journal"]
        wanted = {
            key: table[key]
            for key in ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        }
        self.dynamodb.create_table(TableName=TABLE, **wanted)
        self.logs.create_log_group(logGroupName=LEDGER_GROUP)
        for topic in TOPICS:
            self.client("sns").create_topic(Name=topic)
        for name in MACHINES:
            self.stepfunctions.create_state_machine(name=name, definition="{}", roleArn=STATES_ROLE)
        self.ecs.register_task_definition(
            family=PROBE,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "probe", "image": "probe", "memory": 512}],
        )

    def _set_up_service(self) -> Placed:
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        # Without host names moto cannot run a task in the network.
        self.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        subnets = [
            self.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")
            for n, zone in enumerate("ab")
        ]
        group = self.ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
        ids = [subnet["Subnet"]["SubnetId"] for subnet in subnets]
        network = {"subnets": ids, "security_groups": [group], "public_ip": True}
        balancer = self.elbv2.create_load_balancer(Name="web", Subnets=ids)["LoadBalancers"][0]
        groups = {
            slot: self._target_group(target_group_name(SPECS, "web", slot), vpc, OWN_TAGS) for slot in SLOTS
        }
        listener = self._listener(balancer["LoadBalancerArn"], 80)
        owners = self._target_group("web", vpc)
        rule = self.elbv2.create_rule(
            ListenerArn=listener,
            Priority=100,
            Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": owners}],
            Tags=OWN_TAGS,
        )["Rules"][0]["RuleArn"]
        self.ecs.create_cluster(clusterName="web")
        service = self._owners_service(owners, ids, group)
        pattern = Pattern(
            task_definition=service["taskDefinition"],
            target_group=owners,
            container="app",
            port=8080,
            network=network,
            desired=0,
            settings={
                key: service[key]
                for key in ("launchType", "platformVersion", "networkConfiguration", "propagateTags")
            },
        )
        values = document(
            like=service["serviceArn"],
            traffic=[{"listener": listener, "priority": 100}],
            preview={"listener": listener},
            probe=document()["probe"] | {"network": network},
        )
        values |= found(
            pattern=pattern,
            listener=listener,
            rule=rule,
            target_groups=groups | {"pattern": owners},
            preview_secret=f"{SPECS.replace('services', 'preview')}web",
        )
        self._preview(listener, groups)
        return Placed.model_validate(values)

    def _owners_service(self, group: str, subnets: list[str], security_group: str) -> dict[str, Any]:
        """Create the owner's ECS service, as it is once a slot is live: without tasks."""
        network = {"subnets": subnets, "securityGroups": [security_group], "assignPublicIp": "ENABLED"}
        made = self.ecs.create_service(
            cluster="web",
            serviceName="web",
            taskDefinition=self.definition(),
            desiredCount=0,
            launchType="FARGATE",
            platformVersion="LATEST",
            schedulingStrategy="REPLICA",
            networkConfiguration={"awsvpcConfiguration": network},
            loadBalancers=[{"targetGroupArn": group, "containerName": "app", "containerPort": 8080}],
        )
        return dict(made["service"])

    def repattern(self, *others: dict[str, Any], **changes: Any) -> Placed:
        """Let the owner's service have another task definition, see ``definition``; returns the spec."""
        arn = self.definition(*others, **changes)
        self.ecs.update_service(cluster="web", service="web", taskDefinition=arn)
        pattern = self.spec.pattern.model_copy(update={"task_definition": arn})
        self.spec = self.spec.model_copy(update={"pattern": pattern})
        return self.spec

    def production_rule(self) -> dict[str, Any]:
        """The production rule as DescribeRules tells it."""
        rules = self.elbv2.describe_rules(ListenerArn=self.spec.listener)["Rules"]
        return next(rule for rule in rules if rule["Priority"] == "100")

    def delete_rule(self) -> None:
        """Delete the production rule, as a person does who takes the service off the air."""
        self.elbv2.delete_rule(RuleArn=self.spec.rule)

    def enrich_rule(self, *, backwards: bool = False) -> dict[str, Any]:
        """Put a login before the production rule's forward, and a condition, as its owner may; returns it."""
        rule = self.production_rule()
        forward = {**rule["Actions"][-1], "Order": 2}
        forward["ForwardConfig"]["TargetGroupStickinessConfig"] = {"Enabled": False, "DurationSeconds": 60}
        actions = [login(), forward]
        host = {"Field": "host-header", "Values": ["web.example"]}
        self.elbv2.modify_rule(
            RuleArn=rule["RuleArn"], Actions=actions[::-1] if backwards else actions, Conditions=[host]
        )
        return {"Actions": actions, "Conditions": self.production_rule()["Conditions"]}

    def others_rule(self, priority: int, condition: dict[str, Any]) -> str:
        """Put a rule of another service on the production listener; returns that service's target group."""
        vpc = self.ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.0.0.0/16"]}])["Vpcs"][0][
            "VpcId"
        ]
        group = self._target_group("shop", vpc)
        self.elbv2.create_rule(
            ListenerArn=self.spec.listener,
            Priority=priority,
            Conditions=[condition],
            Actions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        return group

    def definition(
        self,
        *others: dict[str, Any],
        tags: dict[str, str] | None = None,
        definition: dict[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """Register a definition of the owner: what its container has besides, others, and other fields."""
        app = {
            "name": "app",
            "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/web:0.0.0",
            "memory": 512,
            "stopTimeout": 60,
            "portMappings": [{"containerPort": 8080}],
        }
        values = {
            "family": "web-stack",
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": "256",
            "memory": "512",
            "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/crossfade/tasks/web",
            "containerDefinitions": [app | changes, *others],
            "tags": [{"key": key, "value": value} for key, value in (tags or {}).items()],
        }
        registered = self.ecs.register_task_definition(**values | (definition or {}))
        return str(registered["taskDefinition"]["taskDefinitionArn"])

    def _target_group(self, name: str, vpc: str, tags: list[dict[str, str]] | None = None) -> str:
        values = {"Protocol": "HTTP", "Port": 8080, "VpcId": vpc, "TargetType": "ip"}
        tagged = {"Tags": tags} if tags else {}
        made = self.elbv2.create_target_group(Name=name, **values, **tagged)
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def _listener(self, balancer: str, port: int) -> str:
        answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
        made = self.elbv2.create_listener(
            LoadBalancerArn=balancer, Protocol="HTTP", Port=port, DefaultActions=[answer]
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def _preview(self, listener: str, groups: dict[Slot, str]) -> None:
        for priority, (slot, group) in enumerate(groups.items(), start=1):
            header = {"HttpHeaderName": "x-crossfade-slot", "Values": [f"secret-{slot}"]}
            self.elbv2.create_rule(
                ListenerArn=listener,
                Priority=priority,
                Conditions=[{"Field": "http-header", "HttpHeaderConfig": header}],
                Actions=[{"Type": "forward", "TargetGroupArn": group}],
                Tags=OWN_TAGS,
            )


def _written(spec: ServiceSpec) -> str:
    """A spec as its stack writes it."""
    return spec.model_dump_json(include=set(ServiceSpec.model_fields))


@contextmanager
def renewed_accounts() -> Iterator[Callable[[], Account]]:
    """Start moto, and return a function that gives an account as if it had been set up just now."""
    with set_up_once(Account) as (account, set_back):

        def renewed() -> Account:
            set_back()
            account.set_up_what_cannot_be_copied()
            return copy.copy(account)

        yield renewed


@contextmanager
def set_up_once(set_up: Callable[[], Made]) -> Iterator[tuple[Made, Callable[[], None]]]:
    """Start moto and set something up in it; with that comes a function that sets moto back to then.

    To set it up takes ten times as long as to copy what moto holds by then. Of NOT_COPIED nothing is left.
    """
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # they take half of the time
        remember(environment)
        with mock_aws():
            made = set_up()
            held = _copied(_held())
            yield made, lambda: _hold(_copied(held))


Held = dict[tuple[str, str], tuple[BackendDict[Any], BaseBackend]]
"""What moto holds: for each service and region its backend, and where that stands."""
NOT_COPIED = {"ecr", "s3", "ssm"}


def _held() -> Held:
    return {
        (backends.service_name, region): (backends, backend)
        for backends in BackendDict._instances
        for _, region, backend in backends.iter_backends()
        if backends.service_name not in NOT_COPIED
    }


def _copied(held: Held) -> Held:
    """A copy in which what refers to each other still does."""
    places = {id(backends): backends for backends, _ in held.values()}
    copies = copy.deepcopy([backend for _, backend in held.values()], places)
    return {key: (backends, new) for (key, (backends, _)), new in zip(held.items(), copies, strict=True)}


def _hold(held: Held) -> None:
    """Forget all that moto holds, and let it hold this."""
    BackendDict.reset()
    reset_model_data()
    for (_, region), (backends, backend) in held.items():
        backends[ACCOUNT][region] = backend


def read_logs_by_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let moto's FilterLogEvents heed ``logStreamNamePrefix``; as on AWS, a page may be left empty by it."""
    read = LogsResponse.filter_log_events

    def by_prefix(response: LogsResponse) -> str:
        answer = json.loads(read(response))
        prefix = response._get_param("logStreamNamePrefix", "")
        answer["events"] = [event for event in answer["events"] if event["logStreamName"].startswith(prefix)]
        return json.dumps(answer)

    monkeypatch.setattr(LogsResponse, "filter_log_events", by_prefix)


def scale_as_aws_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let moto's Application Auto Scaling do what Crossfade relies on."""
    _refuse_targets_without_limits(monkeypatch)
    _keep_tags_of_targets(monkeypatch)
    _list_policies_of_one_service(monkeypatch)


def _list_policies_of_one_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto lists those of ``web`` with those of ``web-blue``."""
    describe = ApplicationAutoscalingBackend.describe_scaling_policies

    def of_one(backend: ApplicationAutoscalingBackend, *args: Any, **wanted: Any) -> Any:
        token, policies = describe(backend, *args, **wanted)
        return token, [policy for policy in policies if policy.resource_id == wanted["resource_id"]]

    monkeypatch.setattr(ApplicationAutoscalingBackend, "describe_scaling_policies", of_one)


def _refuse_targets_without_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let moto refuse a new scalable target without MinCapacity and MaxCapacity, as AWS does."""
    register = ApplicationAutoscalingBackend.register_scalable_target

    def with_limits(backend: ApplicationAutoscalingBackend, *target: Any, **named: Any) -> Any:
        given = signature(register).bind(backend, *target, **named).arguments
        known = given["r_id"] in backend.targets.get(given["dimension"], {})
        if not known and given["min_capacity"] is None:
            raise AWSValidationException("MinCapacity must be specified when a target is registered")
        return register(backend, *target, **named)

    monkeypatch.setattr(ApplicationAutoscalingBackend, "register_scalable_target", with_limits)


def _keep_tags_of_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let moto keep the tags of scalable targets."""

    def found(response: Any, action: str) -> Any:
        arn = response._get_param("ResourceARN")
        for targets in response.applicationautoscaling_backend.targets.values():
            for target in targets.values():
                if target.arn == arn:
                    return target
        raise JsonRESTError("ResourceNotFoundException", f"{arn} does not exist ({action})")

    def tag(response: Any) -> str:
        target = found(response, "TagResource")
        target.tags = getattr(target, "tags", {}) | response._get_param("Tags")
        return "{}"

    def tags(response: Any) -> str:
        return json.dumps({"Tags": getattr(found(response, "ListTagsForResource"), "tags", {})})

    monkeypatch.setattr(ApplicationAutoScalingResponse, "tag_resource", tag, raising=False)
    monkeypatch.setattr(ApplicationAutoScalingResponse, "list_tags_for_resource", tags, raising=False)


def _key(item: str) -> dict[str, Any]:
    return {"service": {"S": "web"}, "item": {"S": item}}


def rule_of(traffic: Traffic) -> LiveRule | None:
    """The one production rule of a service, as it is shown."""
    (shown,) = traffic.shown().routes
    return shown.rule


def weights_of(traffic: Traffic) -> Weights | None:
    """The weights of all production rules of a service, which are the same."""
    (weights,) = traffic.shown().weights
    return weights


def running_release(release: Release) -> RunningRelease:
    """A release as the stable slot tells of it."""
    return RunningRelease(
        version=release.version,
        digest=release.digest,
        pattern=release.pattern,
        settings=release.settings,
    )
