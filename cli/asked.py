"""Which execution a release of an image was asked by: that of its push, one by hand, or a new one."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import click

from cli.account import Account
from cli.executions import Execution, name_of, since, start
from cli.recorded import Recorded, all_recorded
from crossfade.aws.ecr import Image, Registry
from crossfade.domain.errors import ImageTagNotFound
from crossfade.domain.planning.older import no_such_number
from crossfade.domain.planning.plan import unknown_service
from crossfade.domain.spec.service import ServiceSpec, is_service_name, read_spec

TAG_TRIES, TAG_PAUSE_SECONDS = 3, 2.0
"""ECR may not show a tag in the first seconds."""
PUSH_SECONDS = 60
"""How long the event of a push may take to start its execution."""
LAG = timedelta(minutes=1)
"""How much earlier than ECR's time of the push an execution may seem to have begun."""

Say = Callable[[str], None]


class Release(NamedTuple):
    """An image to be released: by its tag and digest. ``by_push``: a push of the tag starts its release.

    ``number`` is that of an older release, whose configuration comes back with it. ``force``: it is deployed
    also where image and configuration are those that are live.
    """

    service: str
    version: str
    digest: str
    repository: str
    pushed: datetime
    by_push: bool
    number: int | None = None
    force: bool = False


class Asked(NamedTuple):
    """An execution that has asked for a release, or deploys it; ``others`` are more of the same image."""

    execution: str
    others: tuple[str, ...] = ()


def release_of(account: Account, service: str, tag: str) -> Release:
    """The image that a tag of the service's repository names.

    Raises
    ------
    UnknownService, InvalidServiceSpec, ImageTagNotFound, ResourceGone
        There is none, and why.
    """
    spec = spec_of(account, service)
    image = _image(Registry(account.client("ecr")), spec.release.repository, tag)
    return Release(service, tag, image.digest, spec.release.repository, image.pushed, spec.deploys(tag))


def older_release(account: Account, service: str, number: int) -> Release:
    """The image of the release of a number.

    Raises
    ------
    UnknownService, InvalidServiceSpec, NotAsItWas, PlanOutdated
        There is none, and why.
    """
    spec_of(account, service)
    found = account.journal().history.released(service, number)
    if found is None:
        raise no_such_number(service, number)
    plan, release = found.plan, found.plan.release
    pushed = release.pushed or plan.began
    repository = plan.spec.release.repository
    return Release(service, release.version, release.digest, repository, pushed, by_push=False, number=number)


def spec_of(account: Account, service: str) -> ServiceSpec:
    """The spec of a service."""
    if not is_service_name(service):
        raise click.BadParameter(f"{service!r} is not a service's name", param_hint="SERVICE")
    specs = account.specs()
    document = specs.get(service)
    if document is None:
        raise unknown_service(service, list(specs.all()), account.stack.specs_path)
    return read_spec(service, document)


def _image(registry: Registry, repository: str, tag: str) -> Image:
    for _ in range(TAG_TRIES - 1):
        try:
            return registry.by_tag(repository, tag)
        except ImageTagNotFound:
            time.sleep(TAG_PAUSE_SECONDS)
    return registry.by_tag(repository, tag)


def asked_or_started(account: Account, release: Release, *, again: bool, say: Say) -> Asked:
    """The execution by which an image is or was released; a new one where there is none, or ``again``."""
    if again or release.number or release.force:
        return Asked(start(account, by_hand(release)))
    deployed = _deployed(account, release)
    found, came = _found(account, release, deployed)
    if found is None and _event_may_come(release, came=came):
        say(f"Waiting for the event of the push of {release.version}")
    while found is None and _event_may_come(release, came=came):
        time.sleep(TAG_PAUSE_SECONDS)
        found, came = _found(account, release, deployed)
    return found or Asked(start(account, by_hand(release)))


def by_hand(release: Release) -> dict[str, Any]:
    """The input of the state machine that deploys, as the README has it, pinned to the image."""
    if release.number:
        return {"service": release.service, "release": release.number}
    asked = {"service": release.service, "image_tag": release.version, "image_digest": release.digest}
    return {**asked, "force": True} if release.force else asked


def _event_may_come(release: Release, *, came: bool) -> bool:
    soon = datetime.now(UTC) < release.pushed + timedelta(seconds=PUSH_SECONDS)
    return release.by_push and soon and not came


def _deployed(account: Account, release: Release) -> list[Recorded]:
    """The deployments of the image so far, which may be much to read: what comes now is an execution."""
    found = all_recorded(account.journal(), release.service)
    return [one for one in found if one.digest == release.digest]


def _found(account: Account, release: Release, deployed: list[Recorded]) -> tuple[Asked | None, bool]:
    """What has asked for the image already: what is under way first, then what waits, then the newest.

    And whether any execution has asked for it, also one that stands for nothing.
    """
    state = account.journal().state(release.service)
    known = {one.execution for one in deployed}
    began = since(account, release.pushed - LAG)
    asked = [one for one in began if one.arn not in known and asks_for(one, release)]
    counted = [one for one in asked if _counts(one, release)]
    waits = state.waiting and state.waiting.digest == release.digest
    chosen = (
        next((one.execution for one in deployed if one.name == state.deployment), None)
        or (state.waiting.execution if state.waiting and waits else None)
        or next((one.arn for one in asked if one.runs), None)
        or _newest(deployed, counted)
    )
    if chosen is None:
        return None, bool(asked)
    names = [*(one.execution for one in deployed), *(one.arn for one in counted)]
    return Asked(chosen, tuple(name_of(arn) for arn in names if arn != chosen)), True


def _newest(deployed: list[Recorded], asked: list[Execution]) -> str | None:
    times = [(one.began, one.execution) for one in deployed if one.began]
    times += [(one.began, one.arn) for one in asked]
    return max(times)[1] if times else None


def asks_for(execution: Execution, release: Release) -> bool:
    """Whether an execution's input is about the release: the event of its push, or a person's."""
    asked = execution.asked if isinstance(execution.asked, dict) else {}
    digest = asked_digest(execution)
    if isinstance(asked.get("detail"), dict):
        return (asked["detail"].get("repository-name"), digest) == (release.repository, release.digest)
    if asked.get("service") != release.service:
        return False
    return digest == release.digest if digest else asked.get("image_tag") == release.version


def asked_digest(execution: Execution) -> str:
    """The digest that an execution's input names; empty where it names none."""
    asked = execution.asked if isinstance(execution.asked, dict) else {}
    detail = asked.get("detail")
    return str((detail.get("image-digest") if isinstance(detail, dict) else asked.get("image_digest")) or "")


def _counts(execution: Execution, release: Release) -> bool:
    """Whether an execution stands for the release: one that was refused has tried nothing.

    Nor has the push of a tag that starts no release by itself.
    """
    if execution.status == "FAILED":
        return False
    action = execution.output.get("action")
    return release.by_push if action == "ignore" else action != "nothing_to_do"
