"""A release that was refused before it held its service: the journal has nothing of it.

Step Functions' own event says that its execution has ended. Its detail has what DescribeExecution answers:
https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

import json
from datetime import UTC, datetime
from typing import Any

from crossfade.domain.errors import AmbiguousRepository, InvalidInput, RollbackFailed
from crossfade.domain.events.event import Happening, Release, cut
from crossfade.domain.model import Model
from crossfade.domain.planning.plan import choose_service
from crossfade.domain.planning.request import DeployRequest, ImagePushed, read_input
from crossfade.domain.spec.service import is_service_name


class EndedExecution(Model):
    """An execution that has ended without success. ``stopDate`` is in milliseconds since 1970.

    ``input`` is JSON in a string, and left out where it is very long.
    """

    executionArn: str
    name: str
    status: str
    stopDate: int
    input: str | None = None
    error: str | None = None
    cause: str | None = None

    @property
    def asked(self) -> DeployRequest | ImagePushed | None:
        """What it was asked for, where that can be read."""
        try:
            found = read_input(self._given, self.executionArn)
        except InvalidInput:
            return None
        return found if isinstance(found, DeployRequest | ImagePushed) else None

    def service(self, repositories: dict[str, str]) -> str | None:
        """The service that it names, or that is built from the pushed repository; None where there is none.

        ``repositories`` maps service names to repository names.
        """
        asked = self.asked
        if isinstance(asked, ImagePushed):
            try:
                return choose_service(asked, repositories)
            except AmbiguousRepository:
                return None
        named = self._given.get("service") if isinstance(self._given, dict) else None
        return named if isinstance(named, str) and is_service_name(named) else None

    @property
    def _given(self) -> Any:
        try:
            return json.loads(self.input or "null")
        except ValueError:
            return None


def refused(ended: EndedExecution, service: str | None) -> Happening:
    """That a release was refused: why, and what it was, as far as that was said.

    One that asked for what was warm has failed where the rollback did that was to take the promotion back:
    that one may have changed the weights, and holds the service.
    """
    asked = ended.asked
    release = None
    if isinstance(asked, ImagePushed):
        release = Release(version=asked.tag or None, digest=asked.digest)
    elif asked and (asked.image_tag or asked.image_digest):
        release = Release(version=asked.image_tag, digest=asked.image_digest)
    half_way = ended.error == RollbackFailed.__name__ and service is not None
    stopped = "" if ended.status == "FAILED" else "stopped"
    why = ": ".join(filter(None, (ended.error, ended.cause)))
    return Happening(
        kind="ended",
        at=datetime.fromtimestamp(ended.stopDate / 1000, UTC),
        service=service,
        deployment=ended.name,
        execution=ended.executionArn,
        from_=None,
        to=release,
        reason=cut(why or f"{ended.name} ended {ended.status}"),
        outcome="failed" if half_way else "refused",
        advice="rollbacks_follow" if half_way else stopped,
    )
