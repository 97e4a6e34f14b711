"""What the exercise has made in an account: how it goes, and what of it still costs money, as AWS says.

What was made is taken from the stack and kept in a file. So a later call can remove what a killed one left,
also when only the evidence is left, which its stack keeps. Nothing else is deleted. What cannot be looked up
is unknown, and never nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from demo.account import TAG, Account
from demo.cloud import DemoFailed

_DELETION_SECONDS = 3600
"""Crossfade waits for tasks to drain, CloudFormation for network interfaces to be given back."""
_TRIES = 2
_POLL_SECONDS = 2
_SAM_STACK, _SAM_BUCKET = "aws-sam-cli-managed-default", "SamCliSourceBucket"
_AT_ONCE = 1000  # objects of one DeleteObjects call

Say = Callable[[str], None]


@dataclass(frozen=True, order=True)
class Thing:
    """A resource: its type as CloudFormation calls it, and its physical id."""

    kind: str
    name: str


@dataclass(frozen=True)
class Remains:
    """What is left that costs money, and what could not be looked up; a sentence each."""

    left: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def none(self) -> bool:
        """Whether it is known that nothing is left."""
        return not self.left and not self.unknown

    @property
    def line(self) -> str:
        """The last line of the command."""
        if self.none:
            return "Nothing that this made is left, and nothing of it costs money any more."
        parts = []
        if self.left:
            parts.append(f"STILL COSTS MONEY: {'; '.join(self.left)}.")
        if self.unknown:
            parts.append(f"NOT KNOWN, look yourself: {'; '.join(self.unknown)}.")
        return " ".join([*parts, "To remove it: make aws-demo OPTIONS=--remove"])


class Record:
    """The file that names what was made, and in which account and region."""

    def __init__(self, path: Path, account: Account) -> None:
        self._path = path
        self._place = {"account": account.number, "region": account.region}

    def read(self) -> set[Thing]:
        """What an earlier call made and nobody has seen go. Raises DemoFailed when it is in another place."""
        if not self._path.exists():
            return set()
        found = json.loads(self._path.read_text(encoding="utf-8"))
        if found["place"] != self._place:
            raise DemoFailed(
                f"An earlier call left something in account {found['place']['account']}, region "
                f"{found['place']['region']}: call it with those first, or delete {self._path} if all of "
                "it has gone."
            )
        return {Thing(*thing) for thing in found["made"]}

    def add(self, things: Iterable[Thing]) -> None:
        """Remember more."""
        made = sorted(self.read() | set(things))
        document = {"place": self._place, "made": [[thing.kind, thing.name] for thing in made]}
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(document, indent=1), encoding="utf-8")
        draft.replace(self._path)

    def forget(self) -> None:
        """All of it has gone."""
        self._path.unlink(missing_ok=True)


def stack_status(account: Account) -> str | None:
    """The status of the demo's stack; None when there is none.

    Raises DemoFailed when there is a stack of its name that the demo has not made.
    """
    try:
        stack = account.aws("cloudformation").describe_stacks(StackName=account.stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    status = str(stack["StackStatus"])
    # A change set that was never executed has made a stack without anything in it, tags included.
    if TAG not in stack.get("Tags", []) and status != "REVIEW_IN_PROGRESS":
        raise DemoFailed(
            f"There is a stack {account.stack} in region {account.region} that this command has not made: "
            f"it lacks the tag {TAG['Key']}={TAG['Value']}. Delete it yourself, or use another region."
        )
    return status


def made_by_stack(account: Account) -> Iterator[Thing]:
    """Everything that the demo's stack and those nested in it have made; nothing when there is no stack."""
    waiting = [account.stack] if stack_status(account) else []
    pages = account.aws("cloudformation").get_paginator("list_stack_resources")
    while waiting:
        for page in pages.paginate(StackName=waiting.pop()):
            for resource in page["StackResourceSummaries"]:
                name = resource.get("PhysicalResourceId")
                # What could not be made may have the name of something that another one has.
                if name and resource["ResourceStatus"] != "CREATE_FAILED":
                    yield Thing(resource["ResourceType"], name)
                    if resource["ResourceType"] == "AWS::CloudFormation::Stack":
                        waiting.append(name)


def remove(account: Account, record: Record, say: Say) -> Remains:
    """Remove all that was made, and look at what is left. Never raises for what AWS refuses."""
    failures: list[str] = []

    def attempt(what: str, step: Callable[[], None]) -> None:
        try:
            step()
        except (BotoCoreError, ClientError, DemoFailed) as error:
            failures.append(f"{what}: {error}")

    attempt("listing what the stack has made", lambda: record.add(made_by_stack(account)))
    attempt("deleting the stack", lambda: _delete_stack(account, say))
    for thing in sorted(record.read()):
        if thing.kind == "AWS::S3::Bucket":
            attempt(f"deleting {thing.name}", partial(_delete_bucket, account, thing.name))
    attempt("deleting the packages that sam deploy uploaded", lambda: _delete_packages(account))
    for failure in failures:
        say(failure)
    remains = look(account, record.read())
    if remains.none:
        record.forget()
    return remains


def look(account: Account, things: Iterable[Thing]) -> Remains:
    """Ask AWS for each thing that costs money, and for the stack and its packages."""
    left: list[str] = []
    unknown: list[str] = []

    def ask(what: str, question: Callable[[], str | None]) -> None:
        try:
            if found := question():
                left.append(found)
        except (BotoCoreError, ClientError, DemoFailed) as error:
            unknown.append(f"{what} ({error})")

    def stack() -> str | None:
        status = stack_status(account)
        return status and f"the stack {account.stack} ({status})"

    ask(f"the stack {account.stack}", stack)
    ask("packages of sam deploy", lambda: _packages_left(account))
    for thing in sorted(things):
        if thing.kind in COSTLY:
            ask(f"{thing.kind} {thing.name}", partial(COSTLY[thing.kind], account, thing.name))
    return Remains(tuple(left), tuple(unknown))


# ---- how it goes -------------------------------------------------------------------------------------------


def _delete_stack(account: Account, say: Say) -> None:
    cloudformation = account.aws("cloudformation")
    for _ in range(_TRIES):
        if stack_status(account) is None:
            return
        cloudformation.delete_stack(StackName=account.stack)
        deadline = time.monotonic() + _DELETION_SECONDS
        while (status := stack_status(account)) is not None and status != "DELETE_FAILED":
            if time.monotonic() > deadline:
                raise DemoFailed(f"the stack is {status} after {_DELETION_SECONDS} s")
            time.sleep(_POLL_SECONDS)
        if status is None:
            return
        for reason in account.stack_failures():
            say(reason)
    raise DemoFailed(f"the stack is DELETE_FAILED after {_TRIES} tries; its events in the console say why")


def _delete_bucket(account: Account, bucket: str) -> None:
    s3 = account.aws("s3")
    try:
        for upload in _pages(s3, "list_multipart_uploads", "Uploads", Bucket=bucket):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        _delete_objects(s3, bucket, "")
        s3.delete_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise


def _delete_packages(account: Account) -> None:
    if bucket := _sam_bucket(account):
        _delete_objects(account.aws("s3"), bucket, f"{account.stack}/")


def _delete_objects(s3: Any, bucket: str, prefix: str) -> None:
    """Delete objects with all their versions: a deletion without a version only hides them."""
    versions = list(_versions(s3, bucket, prefix))
    for start in range(0, len(versions), _AT_ONCE):
        some = {"Objects": versions[start : start + _AT_ONCE], "Quiet": True}
        if refused := s3.delete_objects(Bucket=bucket, Delete=some).get("Errors"):
            raise DemoFailed(f"{len(refused)} objects of {bucket} stay, the first because of {refused[0]}")


def _versions(s3: Any, bucket: str, prefix: str) -> Iterator[dict[str, str]]:
    for kind in ("Versions", "DeleteMarkers"):
        for found in _pages(s3, "list_object_versions", kind, Bucket=bucket, Prefix=prefix):
            yield {"Key": found["Key"], "VersionId": found["VersionId"]}


def _sam_bucket(account: Account) -> str | None:
    """The bucket that every `sam deploy` of this account and region uploads to; None when there is none."""
    asked = {"StackName": _SAM_STACK, "LogicalResourceId": _SAM_BUCKET}
    try:
        found = account.aws("cloudformation").describe_stack_resource(**asked)
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def _pages(client: Any, operation: str, key: str, **asked: str) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator(operation).paginate(**asked):
        yield from page.get(key, [])


# ---- what is left: a sentence, or None when it has gone ----------------------------------------------------


def _packages_left(account: Account) -> str | None:
    bucket = _sam_bucket(account)
    if bucket and any(_versions(account.aws("s3"), bucket, f"{account.stack}/")):
        return f"packages of sam deploy in the bucket {bucket}, below {account.stack}/"
    return None


def _nat_gateway(account: Account, name: str) -> str | None:
    for found in _pages(account.aws("ec2"), "describe_nat_gateways", "NatGateways"):
        if found["NatGatewayId"] == name and found["State"] not in {"deleted", "failed"}:
            return f"the NAT gateway {name} ({found['State']})"
    return None


def _address(account: Account, name: str) -> str | None:
    addresses = account.aws("ec2").describe_addresses()["Addresses"]
    return f"the address {name}" if any(found["PublicIp"] == name for found in addresses) else None


def _load_balancer(account: Account, name: str) -> str | None:
    answer = _found(
        "LoadBalancerNotFound",
        lambda: account.aws("elbv2").describe_load_balancers(LoadBalancerArns=[name])["LoadBalancers"],
    )
    return f"the load balancer {name}" if answer else None


def _tasks(account: Account, name: str) -> str | None:
    ecs = account.aws("ecs")
    running = [
        arn
        # A task that is told to stop runs on until it has drained.
        for wanted in ("RUNNING", "STOPPED")
        for arn in _found("ClusterNotFoundException", partial(_task_arns, ecs, name, wanted)) or []
    ]
    count = 0
    for start in range(0, len(running), 100):
        tasks = ecs.describe_tasks(cluster=name, tasks=running[start : start + 100])["tasks"]
        count += sum(task["lastStatus"] != "STOPPED" for task in tasks)
    return f"{count} tasks of the cluster {name}" if count else None


def _task_arns(ecs: Any, cluster: str, wanted: str) -> list[str]:
    pages = ecs.get_paginator("list_tasks").paginate(cluster=cluster, desiredStatus=wanted)
    return [arn for page in pages for arn in page["taskArns"]]


def _repository(account: Account, name: str) -> str | None:
    answer = _found(
        "RepositoryNotFoundException",
        lambda: account.aws("ecr").describe_repositories(repositoryNames=[name])["repositories"],
    )
    return f"the image repository {name}" if answer else None


def _bucket(account: Account, name: str) -> str | None:
    answer = _found("404", lambda: account.aws("s3").head_bucket(Bucket=name))
    return f"the bucket {name}" if answer else None


def _table(account: Account, name: str) -> str | None:
    answer = _found(
        "ResourceNotFoundException", lambda: account.aws("dynamodb").describe_table(TableName=name)
    )
    return f"the table {name}" if answer else None


def _log_group(account: Account, name: str) -> str | None:
    groups = _pages(account.aws("logs"), "describe_log_groups", "logGroups", logGroupNamePrefix=name)
    return f"the log group {name}" if any(group["logGroupName"] == name for group in groups) else None


def _alarm(account: Account, name: str) -> str | None:
    answer = account.aws("cloudwatch").describe_alarms(AlarmNames=[name])
    return f"the alarm {name}" if answer["MetricAlarms"] else None


def _found(missing: str, ask: Callable[[], Any]) -> Any:
    """What AWS answers; None where it says that there is no such thing. Whatever else it says is raised."""
    try:
        return ask()
    except ClientError as error:
        if error.response["Error"]["Code"] == missing:
            return None
        raise


COSTLY: dict[str, Callable[[Account, str], str | None]] = {
    "AWS::EC2::NatGateway": _nat_gateway,
    "AWS::EC2::EIP": _address,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _load_balancer,
    "AWS::ECS::Cluster": _tasks,
    "AWS::ECR::Repository": _repository,
    "AWS::S3::Bucket": _bucket,
    "AWS::DynamoDB::Table": _table,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::CloudWatch::Alarm": _alarm,
}
"""How to ask for what costs money by standing there."""
