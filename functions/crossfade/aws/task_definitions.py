"""Task definitions: the blueprint is read, a release is registered from it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from crossfade.aws.errors import error_code
from crossfade.aws.unknown_fields import UNKNOWN
from crossfade.domain.errors import PatternUnusable
from crossfade.domain.planning.fargate import refuse_unusable
from crossfade.domain.planning.plan import Contents, LogStreams, Release, RunningRelease
from crossfade.domain.planning.task_definition import (
    OWN_TAGS,
    READABLE,
    Blueprint,
    already_registered,
    contents,
    feed_streams,
    log_streams,
    registration,
    running_release,
)
from crossfade.domain.spec.service import ServiceSpec


class Checked(NamedTuple):
    """What a release will have, and where its outcome feed will be found, if the spec wants one."""

    contents: Contents
    streams: LogStreams | None


class TaskDefinitions:
    """Reads and registers task definitions through a boto3 ``ecs`` client."""

    def __init__(self, ecs: Any) -> None:
        self._ecs = ecs

    def check(self, spec: ServiceSpec, release: Release) -> Checked:
        """Find out, without changing anything, whether the release could be registered and launched.

        Raises
        ------
        PatternUnusable
            The blueprint does not exist, or lacks the spec's container, or a log that can be read, or is not
            what Fargate and the load balancer need.
        """
        blueprint = self._blueprint(spec)
        wanted = registration(blueprint, spec, release)
        refuse_unusable(blueprint, spec)
        return Checked(
            contents=contents(blueprint, spec, release),
            streams=feed_streams(wanted, spec) if spec.gate.users == "feed" else None,
        )

    def register(self, spec: ServiceSpec, release: Release) -> str:
        """The ARN of the release's task definition; registered only when the family's newest is another."""
        wanted = registration(self._blueprint(spec), spec, release)
        newest, tags = self._newest(spec.service)
        if newest and already_registered(newest, tags, wanted):
            return str(newest["taskDefinitionArn"])
        return str(self._ecs.register_task_definition(**wanted)["taskDefinition"]["taskDefinitionArn"])

    def release(self, task_definition: str) -> RunningRelease | None:
        """What a task definition runs; None when Crossfade did not register it."""
        return running_release(self._describe(task_definition)[1])

    def log_streams(self, task_definition: str, container: str) -> LogStreams | None:
        """Where a container of a task definition logs to; None where Crossfade may not read that."""
        found = log_streams(self._describe(task_definition)[0], container)
        return found if found and found.group.startswith(READABLE) else None

    def releases(self, spec: ServiceSpec) -> Iterator[str]:
        """The ARNs of every registered release of a service.

        A family's name is known to all of the account: what was not made from the service's blueprint stays.
        """
        pages = self._ecs.get_paginator("list_task_definitions").paginate(
            familyPrefix=spec.service, status="ACTIVE"
        )
        for arn in [arn for page in pages for arn in page["taskDefinitionArns"]]:
            made = self.release(arn)
            if made and _family(made.pattern) == _family(spec.blueprint):
                yield arn

    def deregister(self, task_definition: str) -> None:
        """Deregister a release, because its service itself is deleted."""
        self._ecs.deregister_task_definition(taskDefinition=task_definition)

    def _newest(self, family: str) -> tuple[dict[str, Any] | None, dict[str, str]]:
        try:
            return self._describe(family)
        except ClientError as error:
            # "Unable to describe task definition": the family has no active revision yet.
            if error_code(error) == "ClientException":
                return None, {}
            raise

    def _blueprint(self, spec: ServiceSpec) -> Blueprint:
        try:
            answer = self._ecs.describe_task_definition(taskDefinition=spec.blueprint, include=["TAGS"])
        except ClientError as error:
            if error_code(error) != "ClientException":
                raise
            raise PatternUnusable(
                f"The blueprint {spec.blueprint} does not exist. Deploy the service's stack again."
            ) from error
        tags = {
            key: value
            for key, value in _tags(answer).items()
            if not key.startswith("aws:") and key not in OWN_TAGS
        }
        return Blueprint(answer["taskDefinition"], tags, tuple(answer.get(UNKNOWN, ())))

    def _describe(self, task_definition: str) -> tuple[dict[str, Any], dict[str, str]]:
        answer = self._ecs.describe_task_definition(taskDefinition=task_definition, include=["TAGS"])
        return answer["taskDefinition"], _tags(answer)


def _tags(answer: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag.get("value", "") for tag in answer.get("tags", [])}


def _family(task_definition: str) -> str:
    """The ARN without its revision."""
    return task_definition.rpartition(":")[0]
