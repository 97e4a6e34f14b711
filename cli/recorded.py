"""What the journal has of deployments, for a person: read only, and as far as it can be read."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Self

from crossfade.aws.journal import Journal
from crossfade.domain.errors import PlanOutdated
from crossfade.domain.planning.plan import Plan, read_plan
from crossfade.domain.proof.certificate import StageRecord


class Recorded(NamedTuple):
    """A deployment's item. ``plan`` is None where it never had one (dropped), or one of before 0.2.

    ``execution`` is an ARN. ``promoted``, ``judged`` and ``launched`` are milestones. ``outcome`` is None
    while it runs; ``dropped``: it waited, and was never begun. ``certificate`` is a key in the evidence
    bucket; where there is none, ``not_reported`` may say why. ``requests`` counts the production lane,
    ``number`` is that of a promoted release.
    """

    name: str
    execution: str
    plan: Plan | None
    stages: tuple[StageRecord, ...]
    began: datetime | None = None
    launched: datetime | None = None
    judged: datetime | None = None
    promoted: datetime | None = None
    ended: datetime | None = None
    outcome: str | None = None
    reason: str = ""
    certificate: str | None = None
    not_reported: str | None = None
    requests: Mapping[str, int] | None = None
    number: int | None = None

    @classmethod
    def read(cls, service: str, name: str, item: Mapping[str, Any]) -> Self:
        """An item of the table."""
        stages = [StageRecord.model_validate(stage) for stage in item.get("stages", {}).values()]
        requests = item.get("requests")
        return cls(
            name=name,
            execution=str(item.get("execution", "")),
            plan=_plan(service, name, item.get("plan")),
            stages=tuple(sorted(stages, key=lambda stage: stage.began)),
            **{key: _moment(item.get(key)) for key in ("began", "launched", "judged", "promoted", "ended")},
            outcome=item.get("outcome"),
            reason=str(item.get("reason") or ""),
            certificate=item.get("certificate"),
            not_reported=item.get("not_reported"),
            requests={key: int(count) for key, count in requests.items()} if requests else None,
            number=int(item["release_number"]) if "release_number" in item else None,
        )

    @property
    def at(self) -> str:
        """When it began, or was dropped, as a text that sorts by time."""
        moment = self.began or self.ended
        return moment.isoformat() if moment else ""

    @property
    def version(self) -> str:
        """The version that was released; empty where the journal does not say."""
        return self.plan.release.version if self.plan else ""

    @property
    def digest(self) -> str:
        """The digest of that image."""
        return self.plan.release.digest if self.plan else ""

    @property
    def before(self) -> str:
        """The version that was live before; empty where there was none."""
        return self.plan.previous.version if self.plan and self.plan.previous else ""


def recorded(journal: Journal, service: str, deployment: str) -> Recorded | None:
    """A deployment's item; None where the journal has none."""
    item = journal.history.item(service, deployment)
    return Recorded.read(service, deployment, item) if item else None


def all_recorded(journal: Journal, service: str) -> list[Recorded]:
    """All deployments of a service in the journal, the newest first."""
    return sorted(_all(journal, service), key=lambda one: one.at, reverse=True)


def _all(journal: Journal, service: str) -> Iterator[Recorded]:
    for name, item in journal.history.items(service):
        yield Recorded.read(service, name, item)


def _plan(service: str, name: str, stored: Any) -> Plan | None:
    try:
        return read_plan(service, name, str(stored)) if stored else None
    except PlanOutdated:
        return None


def _moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(str(value)) if value else None
