"""The owner's ECS service, and its target groups, as AWS shows them."""

import re
from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.errors import error_code
from crossfade.aws.listener_rules import group_attributes
from crossfade.aws.unknown_fields import UNKNOWN
from crossfade.domain.planning.pattern import Found, pattern_gone, read_pattern
from crossfade.domain.spec.placed import Pattern
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.traffic.place import cluster_gone


class Patterns:
    """Reads patterns through boto3 ``ecs`` and ``elbv2`` clients."""

    def __init__(self, ecs: Any, elbv2: Any) -> None:
        self._ecs = ecs
        self._elbv2 = elbv2

    def read(self, spec: ServiceSpec) -> Pattern:
        """The service's pattern as it is now.

        Raises
        ------
        PatternUnusable
            It is not there, or cannot be a pattern; the sentence names each reason.
        ResourceGone
            Its cluster does not exist.
        """
        service, unknown = self._service(spec)
        revision, unknown_there = self._revision(service)
        groups = self._groups(service)
        return read_pattern(spec, Found(service, revision, groups, tuple(sorted({*unknown, *unknown_there}))))

    def _service(self, spec: ServiceSpec) -> tuple[dict[str, Any], set[str]]:
        names = [spec.pattern_service]
        try:
            answer = self._ecs.describe_services(cluster=spec.cluster, services=names, include=["TAGS"])
        except ClientError as error:
            if error_code(error) != "ClusterNotFoundException":
                raise
            raise cluster_gone(spec) from error
        found = answer["services"]
        # A service that was deleted and made anew is shown twice for a while.
        active = next((service for service in found if service["status"] == "ACTIVE"), None)
        if active is None:
            raise pattern_gone(spec, found[0]["status"] if found else "")
        return active, _unknown(answer)

    def _revision(self, service: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
        """The newest revision; ECS has none of before October 25, 2024 (its documentation of the call)."""
        arns = [revision["arn"] for revision in service.get("currentServiceRevisions", [])]
        if not arns:
            return {}, set()
        answer = self._ecs.describe_service_revisions(serviceRevisionArns=arns)
        revisions: list[dict[str, Any]] = answer["serviceRevisions"]
        newest = max(revisions, key=lambda revision: revision["createdAt"], default={})
        return newest, _unknown(answer)

    def _groups(self, service: dict[str, Any]) -> dict[str, tuple[dict[str, Any], dict[str, str]]]:
        """Its target groups that exist, with their attributes; each by itself, since one that is gone fails
        the call for all."""
        found = {}
        for arn in (one.get("targetGroupArn") for one in service.get("loadBalancers", [])):
            if arn is None:
                continue
            try:
                (group,) = self._elbv2.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
                found[arn] = group, group_attributes(self._elbv2, arn)
            except ClientError as error:
                if error_code(error) != "TargetGroupNotFound":
                    raise
        return found


def _unknown(answer: dict[str, Any]) -> set[str]:
    """The names of what boto3 does not know, without places in lists."""
    return {re.sub(r"(^|\.)\d+(?=\.)", "", name).lstrip(".") for name in answer.get(UNKNOWN, ())}
