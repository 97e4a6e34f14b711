"""Task definitions: the pattern's is read, a release is registered from it."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from crossfade.aws.ecs_services import ecs_tags, service_of
from crossfade.aws.errors import error_code
from crossfade.aws.unknown_fields import UNKNOWN
from crossfade.domain.errors import PatternUnusable, ResourceGone
from crossfade.domain.planning.fargate import refuse_unusable
from crossfade.domain.planning.plan import Contents, LogStreams, Release, RunningRelease
from crossfade.domain.planning.task_definition import (
    CLUSTER,
    OWN_TAGS,
    Definition,
    already_registered,
    contents,
    feed_streams,
    log_streams,
    registration,
    running_release,
)
from crossfade.domain.spec.names import SPEC_TAG
from crossfade.domain.spec.placed import Placed
from crossfade.domain.spec.service import ServiceSpec


class Checked(NamedTuple):
    """What a release will have, and where its outcome feed will be found, if the spec wants one.

    ``wanted`` are the arguments of RegisterTaskDefinition.
    """

    wanted: dict[str, Any]
    contents: Contents
    streams: LogStreams | None


class TaskDefinitions:
    """Reads and registers task definitions through a boto3 ``ecs`` client."""

    def __init__(self, ecs: Any) -> None:
        self._ecs = ecs

    def check(self, spec: Placed, release: Release, roles: Sequence[str]) -> Checked:
        """Find out, without changing anything, whether the release could be registered and launched.

        ``roles`` are the ARNs that Crossfade may pass, see ``refuse_unusable``.

        Raises
        ------
        PatternUnusable
            The pattern's task definition lacks a container that the spec names, or a log, or is not what
            Fargate and the load balancer need.
        """
        pattern = self._pattern(spec)
        wanted = registration(pattern, spec, release)
        refuse_unusable(pattern, spec, roles)
        return Checked(
            wanted=wanted,
            contents=contents(pattern, spec, release),
            streams=feed_streams(wanted, spec) if spec.gate.users == "feed" else None,
        )

    def register(self, spec: Placed, release: Release) -> str:
        """The ARN of the release's task definition; registered only when the family's newest is another."""
        wanted = registration(self._pattern(spec), spec, release)
        newest, tags = self._newest(spec.family)
        if newest and already_registered(newest, tags, wanted):
            return str(newest["taskDefinitionArn"])
        return str(self._ecs.register_task_definition(**wanted)["taskDefinition"]["taskDefinitionArn"])

    def release(self, task_definition: str) -> RunningRelease | None:
        """What a task definition runs; None when Crossfade did not register it."""
        return running_release(self._describe(task_definition)[1])

    def definition(self, task_definition: str) -> dict[str, Any]:
        """A task definition as ECS describes it, with its tags as RegisterTaskDefinition takes them."""
        found, tags = self._describe(task_definition)
        return {**found, "tags": [{"key": key, "value": value} for key, value in tags.items()]}

    def log_streams(self, task_definition: str, container: str) -> LogStreams | None:
        """Where a container of a task definition logs to; None where that is not CloudWatch Logs."""
        return log_streams(self._describe(task_definition)[0], container)

    def image(self, task_definition: str, container: str) -> str:
        """The image of a container of a task definition, as it is written there; empty without that one."""
        containers = self._describe(task_definition)[0]["containerDefinitions"]
        return next((str(one["image"]) for one in containers if one["name"] == container), "")

    def releases(self, spec: ServiceSpec, parameter: str) -> Iterator[str]:
        """The ARNs of every registered release of a service, but for one that the owner's service has.

        A family's name is known to all of the account: what was not made for the service's cluster, and for
        the spec in that SSM parameter, stays. An earlier version has not tagged it with the spec.
        """
        pages = self._ecs.get_paginator("list_task_definitions").paginate(
            familyPrefix=spec.family, status="ACTIVE"
        )
        kept = self._of_the_owner(spec)
        for arn in [arn for page in pages for arn in page["taskDefinitionArns"]]:
            tags = {SPEC_TAG: parameter} | self._describe(arn)[1]
            own = (tags.get(CLUSTER), tags[SPEC_TAG]) == (spec.cluster_name, parameter)
            if running_release(tags) and own and arn not in kept:
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

    def _of_the_owner(self, spec: ServiceSpec) -> set[str]:
        """What the owner's service has: a release, if it has left Crossfade. ECS replaces its tasks still."""
        try:
            found = service_of(self._ecs, spec, spec.pattern_service)
        except ResourceGone:
            return set()
        return {found["taskDefinition"]} if found and found["status"] == "ACTIVE" else set()

    def _pattern(self, spec: Placed) -> Definition:
        arn, copy = spec.pattern.task_definition, spec.pattern.own_copy
        answer = (self._shown(copy) if copy else None) or self._shown(arn)
        if answer is None:
            raise PatternUnusable(
                f"The task definition {arn} of the pattern {spec.like} does not exist any more. Deploy the "
                "stack that declares the service again."
            )
        given = ecs_tags(answer)
        tags = {
            key: value for key, value in given.items() if not key.startswith("aws:") and key not in OWN_TAGS
        }
        unknown = tuple(answer.get(UNKNOWN, ()))
        return Definition(answer["taskDefinition"], tags, unknown, running_release(given))

    def _shown(self, task_definition: str) -> dict[str, Any] | None:
        """ECS's answer; None where it describes a task definition no more, e.g. a deregistered one."""
        try:
            return self._answer(task_definition)
        except ClientError as error:
            if error_code(error) != "ClientException":
                raise
            return None

    def _describe(self, task_definition: str) -> tuple[dict[str, Any], dict[str, str]]:
        answer = self._answer(task_definition)
        return answer["taskDefinition"], ecs_tags(answer)

    def _answer(self, task_definition: str) -> dict[str, Any]:
        return dict(self._ecs.describe_task_definition(taskDefinition=task_definition, include=["TAGS"]))
