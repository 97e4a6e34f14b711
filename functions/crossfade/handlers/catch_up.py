"""The schedule's function: deploys what no event tells of.

That is an image whose push event never came, or was refused, and a change of a pattern that is followed.

Not a state of the workflow: EventBridge calls it, if the stack's parameter CatchUpSchedule says when.
"""

import hashlib
import os
from contextlib import suppress

from botocore.exceptions import BotoCoreError, ClientError

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.ecr import Registry
from crossfade.aws.ecs_services import service_of
from crossfade.aws.executions import Executions
from crossfade.aws.journal import Journal
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.domain.admission import missed, tries_by, tries_of
from crossfade.domain.errors import (
    CrossfadeError,
    InvalidServiceSpec,
    NotPrepared,
    PatternUnusable,
    PlanOutdated,
    ResourceGone,
)
from crossfade.domain.journal import Noticed, State
from crossfade.domain.model import Model, iso
from crossfade.domain.planning.plan import RunningRelease, unknown_service
from crossfade.domain.slots import Slot
from crossfade.domain.spec.placed import Pattern
from crossfade.domain.spec.service import ServiceSpec, read_spec
from crossfade.step import logger, step, utc_now


class CaughtUp(Model):
    """The releases that were started, as ``service version``."""

    started: tuple[str, ...]


@step
def handler(service: str | None = None) -> CaughtUp:
    """Compare each service's newest matching image with what is live, running and waiting.

    ``service`` is the only one to look at, if one is named.
    """
    documents = stack.specs().all()
    if service and service not in documents:
        raise unknown_service(service, list(documents), os.environ["SPECS_PATH"])
    started, failures = list[str](), list[Exception]()
    for name, document in documents.items():
        if service not in {None, name}:
            continue
        try:
            started += _started(read_spec(name, document))
        except InvalidServiceSpec as error:
            logger.warning("left out: %s", error)
        except (BotoCoreError, ClientError, CrossfadeError) as error:
            failures.append(error)  # one service must not stop the others
            logger.warning("%s is left out: %s", name, error)
    if failures:
        raise failures[0]
    return CaughtUp(started=tuple(started))


def _started(spec: ServiceSpec) -> list[str]:
    """Start what is missing of one service, an image first: it takes the pattern along."""
    journal = stack.journal()
    newest = Registry(client("ecr")).newest(spec.release.repository, spec.deploys)
    if newest and missed(newest.digest, newest.at, journal.state(spec.service)):
        asked = {
            "service": spec.service,
            "image_tag": newest.tag,
            "image_digest": newest.digest,
            "asked": iso(newest.at),
        }
        # An execution's name can be used once, so the name counts the tries: with time there are more.
        tries = tries_by(utc_now() - newest.at)
        used = hashlib.sha256(f"{spec.service} {newest.digest} {tries}".encode()).hexdigest()[:32]
        executions = Executions(client("stepfunctions"))
        if executions.start(os.environ["DEPLOY_STATE_MACHINE"], f"missed-{used}", asked):
            return [f"{spec.service} {newest.tag}"]
    return [f"{spec.service} (its pattern)"] if _follow(spec, journal) else []


def _follow(spec: ServiceSpec, journal: Journal) -> bool:
    """Start a release of the live image with a pattern that has changed, and has settled; whether it was.

    Where another deployment is at work, or an image waits, that one takes the pattern along; what becomes of
    it is seen at the next look.
    """
    state, now = journal.state(spec.service), utc_now()
    if not spec.release.follow_pattern or state.holder or state.waiting:
        return False
    if state.stable is None or state.stable == state.origin:
        return False  # no release of Crossfade's is live
    try:
        pattern = stack.pattern(spec, now)
        live = _live(spec, state.stable)
    except (PatternUnusable, NotPrepared, ResourceGone) as error:
        logger.warning("left out: %s", error)
        return False
    if live is None or live.digest != state.digest:
        return False  # not as Crossfade has left it
    found = Noticed(digest=live.digest, pattern=pattern.task_definition, settings=pattern.steady, at=now)
    if live.pattern == found.pattern and _settings_are(live, state, pattern, journal, spec.service):
        return False
    if state.noticed is None or not state.noticed.is_of(found):
        journal.notice(spec.service, found)
        return False
    tries = tries_of(found, state, now)
    if tries is None:
        return False
    used = hashlib.sha256(f"{spec.service} {state.noticed.model_dump_json()} {tries}".encode()).hexdigest()
    asked = {"service": spec.service, "follow_pattern": True}
    return Executions(client("stepfunctions")).start(
        os.environ["DEPLOY_STATE_MACHINE"], f"pattern-{used[:32]}", asked
    )


def _settings_are(
    live: RunningRelease, state: State, pattern: Pattern, journal: Journal, service: str
) -> bool:
    """Whether the live release was made from such settings; without a number only their fingerprint tells."""
    made = None
    with suppress(PlanOutdated):
        made = journal.history.released(service, state.release_number)
    if made is None:
        return live.settings == pattern.fingerprint
    return made.plan.spec.pattern.steady == pattern.steady


def _live(spec: ServiceSpec, slot: Slot) -> RunningRelease | None:
    ecs = client("ecs")
    found = service_of(ecs, spec, spec.own_service(slot))
    return TaskDefinitions(ecs).release(found["taskDefinition"]) if found else None
