"""The schedule's function: deploys an image whose push event never came, or was refused.

Not a state of the workflow: EventBridge calls it, if the stack's parameter CatchUpSchedule says when.
"""

import hashlib
import os

from crossfade import stack
from crossfade.aws.clients import client
from crossfade.aws.ecr import Registry
from crossfade.aws.executions import Executions
from crossfade.domain.admission import missed, tries_by
from crossfade.domain.errors import InvalidServiceSpec
from crossfade.domain.model import Model, iso
from crossfade.domain.planning.plan import unknown_service
from crossfade.domain.spec.service import read_spec
from crossfade.step import logger, step, utc_now


class CaughtUp(Model):
    """The releases that were started, as ``service version``."""

    started: tuple[str, ...]


@step
def handler(service: str | None = None) -> CaughtUp:
    """Compare each service's newest matching image with what is live, running and waiting.

    ``service`` is the only one to look at, if one is named.
    """
    journal, registry = stack.journal(), Registry(client("ecr"))
    executions = Executions(client("stepfunctions"))
    documents = stack.specs().all()
    if service and service not in documents:
        raise unknown_service(service, list(documents), os.environ["SPECS_PATH"])
    started = []
    for name, document in documents.items():
        if service not in {None, name}:
            continue
        try:
            spec = read_spec(name, document)
        except InvalidServiceSpec as error:
            logger.warning("left out: %s", error)  # one service's spec must not stop the others
            continue
        newest = registry.newest(spec.release.repository, spec.deploys)
        if newest and missed(newest.digest, newest.at, journal.state(name)):
            asked = {
                "service": name,
                "image_tag": newest.tag,
                "image_digest": newest.digest,
                "asked": iso(newest.at),
            }
            # An execution's name can be used once, so the name counts the tries: with time there are more.
            tries = tries_by(utc_now() - newest.at)
            used = hashlib.sha256(f"{name} {newest.digest} {tries}".encode()).hexdigest()[:32]
            if executions.start(os.environ["DEPLOY_STATE_MACHINE"], f"missed-{used}", asked):
                started.append(f"{name} {newest.tag}")
    return CaughtUp(started=tuple(started))
