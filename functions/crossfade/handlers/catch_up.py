"""The schedule's function: starts the deployment of an image whose push event never came, or was refused.

Not a state of the workflow: EventBridge calls it, if the stack's parameter CatchUpSchedule says when.
"""

import hashlib
import os

from crossfade.aws.clients import client
from crossfade.aws.ecr import Registry
from crossfade.aws.executions import Executions
from crossfade.aws.journal import Journal
from crossfade.aws.specs import Specs
from crossfade.domain.admission import missed, tries_by
from crossfade.domain.errors import InvalidServiceSpec
from crossfade.domain.model import Model, iso
from crossfade.domain.planning.plan import unknown_service
from crossfade.domain.spec.service import read_spec
from crossfade.step import logger, step, utc_now


class Event(Model):
    """The service to look at; all of them where none is named."""

    service: str | None = None


class CaughtUp(Model):
    """The releases that were started, as ``service version``."""

    started: tuple[str, ...]


@step(Event)
def handler(event: Event) -> CaughtUp:
    """Compare each service's newest matching image with what is live, running and waiting."""
    journal = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])
    registry = Registry(client("ecr"))
    documents = Specs(client("ssm"), os.environ["SPECS_PATH"]).all()
    if event.service and event.service not in documents:
        raise unknown_service(event.service, list(documents), os.environ["SPECS_PATH"])
    started = []
    for service, document in documents.items():
        if event.service not in {None, service}:
            continue
        try:
            spec = read_spec(service, document)
        except InvalidServiceSpec as error:
            logger.warning("left out: %s", error)  # one service's spec must not stop the others
            continue
        newest = registry.newest(spec.repository, spec.deploys)
        if newest and missed(newest.digest, newest.at, journal.state(service)):
            asked = {
                "service": service,
                "image_tag": newest.tag,
                "image_digest": newest.digest,
                "asked": iso(newest.at),
            }
            # A try uses the name up: each image has one, and more where it is refused, ever more seldom.
            tries = tries_by(utc_now() - newest.at)
            name = f"missed-{hashlib.sha256(f'{service} {newest.digest} {tries}'.encode()).hexdigest()[:32]}"
            if Executions(client("stepfunctions")).start(os.environ["DEPLOY_STATE_MACHINE"], name, asked):
                started.append(f"{service} {newest.tag}")
    return CaughtUp(started=tuple(started))
