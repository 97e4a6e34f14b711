"""Changes of the journal's items, turned into what has happened.

A change is an item as it was and as it is. What an item has from its beginning had happened before. What the
journal takes back, such as a verdict whose answer was lost, is no event; if it comes again it is another one,
with a time of its own.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from crossfade.domain.events.event import Document, EnteredStage, Happening, Release, cut
from crossfade.domain.journal import Waiting, waited_name
from crossfade.domain.proof.certificate import StageRecord

Item = Mapping[str, Any]
"""What an item has, in Python's own types; empty where there is none."""


class Change(NamedTuple):
    """A change of an item, written at ``written``, to the second.

    ``deployment`` is the name of the deployment whose item it is; None for the state of the service.
    """

    service: str
    deployment: str | None
    before: Item
    after: Item
    written: datetime


def happenings(change: Change, bucket: str) -> list[Happening]:
    """What has happened by a change, in the order in which it did; ``bucket`` has the certificates."""
    if change.deployment is None:
        return list(_waiting(change))
    if "plan" not in change.after:
        return list(_dropped(change))
    return list(_deployed(change, change.deployment, bucket))


def _waiting(change: Change) -> Iterator[Happening]:
    before, after = change.before.get("waiting"), change.after.get("waiting")
    if after and (before is None or before["execution"] != after["execution"]):
        waiting = Waiting.model_validate(after)
        yield Happening(
            kind="waiting",
            at=change.written,
            service=change.service,
            deployment=waiting.deployment,
            execution=waiting.execution,
            from_=_release(change.after.get("version"), change.after.get("digest")),
            to=Release(version=waiting.version, digest=waiting.digest),
        )


def _dropped(change: Change) -> Iterator[Happening]:
    """A release that waits no more has an item under the name of the execution that asked for it.

    Its event has the name that it was to be deployed under, as when it began to wait.
    """
    item = change.after
    if item.get("outcome") == "dropped" and change.before.get("outcome") is None:
        yield Happening(
            kind="superseded",
            at=item["ended"],
            service=change.service,
            deployment=waited_name(item["execution"]),
            execution=item["execution"],
            from_=None,
            to=_release(item.get("version"), item.get("digest")),
            reason=cut(item.get("reason")),
            outcome="dropped",
        )


def _deployed(change: Change, deployment: str, bucket: str) -> Iterator[Happening]:
    before, item = change.before, change.after
    plan = json.loads(item["plan"])
    previous = plan.get("previous") or {}
    origin = plan.get("spec", {}).get("origin")
    common: dict[str, Any] = {
        "service": change.service,
        "leaves": origin is not None and plan.get("candidate") == origin,
        "deployment": deployment,
        "execution": item.get("execution"),
        "from_": _release(previous.get("version"), previous.get("digest")),
        "to": Release(version=plan["release"]["version"], digest=plan["release"]["digest"]),
    }
    if not before:
        yield Happening(kind="begun", at=item["began"], goes_back="launched" in item, **common)
        return
    for name in ("launched", "healthy"):
        yield from _milestone(change, name, common)
    yield from _stages(change, common)
    for name in ("judged", "restored", "promoted"):
        yield from _milestone(change, name, common)
    if item.get("outcome") and (item["outcome"], item["ended"]) != (
        before.get("outcome"),
        before.get("ended"),
    ):
        yield Happening(
            kind="ended",
            at=item["ended"],
            reason=cut(_reason(item)),
            outcome=item["outcome"],
            certificate=_document(bucket, item.get("certificate")),
            report=_document(bucket, item.get("report")),
            **common,
        )


def _milestone(change: Change, name: str, common: Mapping[str, Any]) -> Iterator[Happening]:
    """A milestone has come; whether it was there before is all that counts, since none is moved."""
    if name in change.after and name not in change.before:
        reason = cut(change.after.get("judged_for")) if name == "judged" else None
        yield Happening(kind=name, at=change.after[name], reason=reason, **common)  # type: ignore[arg-type]


def _stages(change: Change, common: Mapping[str, Any]) -> Iterator[Happening]:
    """A stage is entered when its record comes, and over when that has a verdict with an end."""
    old, new = change.before.get("stages", {}), change.after.get("stages", {})
    for name, stored in new.items():
        if stored == old.get(name):
            continue
        record = StageRecord.model_validate(stored)
        stage = EnteredStage(weight=record.weight, retry=record.retry, step_backs=record.step_backs)
        if name not in old:
            yield Happening(kind="stage", at=record.began, stage=stage, part=name, **common)
        before = StageRecord.model_validate(old[name]) if name in old else None
        was = before.verdict if before and before.ended else None
        if record.ended and record.verdict != was:
            yield Happening(
                kind="verdict",
                at=record.ended,
                stage=stage,
                verdict=record.verdict,
                reason=cut(record.reason),
                part=name,
                **common,
            )


def _reason(item: Item) -> str | None:
    """Why it ended as it did, and where its report could not be written, what to do about that.

    In this order: the end of a reason that is too long is cut off.
    """
    reason, unwritten = item.get("reason"), item.get("not_reported")
    return f"{(reason or '').rstrip('. ')}. {unwritten}" if unwritten else reason


def _release(version: str | None, digest: str | None) -> Release | None:
    return Release(version=version or None, digest=digest or None) if version or digest else None


def _document(bucket: str, key: str | None) -> Document | None:
    return Document(bucket=bucket, key=key) if key else None
