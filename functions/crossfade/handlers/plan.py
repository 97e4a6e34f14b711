"""PlanRelease: from an input to a plan, with every check that can be made before anything is changed."""

import os
from typing import Any

from pydantic import JsonValue

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.registry import Image, Registry
from crossfade.aws.slots import Slots
from crossfade.aws.specs import Specs
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.aws.traffic import Traffic
from crossfade.domain.errors import InvalidInput
from crossfade.domain.message import Message
from crossfade.domain.plan import Decision, Release, choose_service, decide, refuse_busy, unknown_service
from crossfade.domain.request import Ask, Push, read_input
from crossfade.domain.spec import ServiceSpec, read_spec, repository_of
from crossfade.domain.traffic import refuse_foreign, refuse_stickiness, stable_slot
from crossfade.handlers.step import step, utc_now


class Event(Message):
    """The execution's own input, whatever it is, and which execution it is."""

    input: JsonValue
    execution: str
    deployment: str


@step(Event)
def handler(event: Event) -> Decision:
    """Decide what to deploy; see ``domain/plan.py``."""
    request = read_input(event.input)
    spec = _find_spec(request)
    if spec is None:
        return Decision(action="ignore", reason="no service is built from this repository")
    if isinstance(request, Push) and not (request.tag and spec.deploys(request.tag)):
        return Decision(
            action="ignore", reason=f"tag {request.tag or '(none)'} does not match {spec.push_tags}"
        )
    release = _release(request, spec)
    return _decide(event, spec, release)


def _find_spec(request: Ask | Push) -> ServiceSpec | None:
    specs = Specs(client("ssm"))
    if isinstance(request, Ask):
        document = specs.get(request.service)
        if document is None:
            raise unknown_service(request, list(specs.all()))
        return read_spec(request.service, document)
    documents = specs.all()
    name = choose_service(request, {name: repository_of(text) for name, text in documents.items()})
    return read_spec(name, documents[name]) if name else None


def _release(request: Ask | Push, spec: ServiceSpec) -> Release:
    registry = Registry(client("ecr"))
    if isinstance(request, Push):
        image, version = registry.by_digest(spec.repository, request.digest), request.tag
    elif request.image_tag:
        image, version = registry.by_tag(spec.repository, request.image_tag), request.image_tag
    else:
        image = registry.by_digest(spec.repository, str(request.image_digest))
        version = _version(image, spec)
    return Release(version=version, digest=image.digest, image=image.uri, blueprint=spec.blueprint)


def _version(image: Image, spec: ServiceSpec) -> str:
    tags = [tag for tag in image.tags if spec.deploys(tag)] or list(image.tags)
    if not tags:
        raise InvalidInput(
            f"Image {image.digest} has no tag, and the tag is the version that the probe expects. Tag it."
        )
    return tags[0]


def _decide(event: Event, spec: ServiceSpec, release: Release) -> Decision:
    ecs: Any = client("ecs")
    state = Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"]).state(spec.service)
    refuse_busy(spec.service, state.holder, event.execution)
    traffic = Traffic(client("elbv2"), spec)
    rule = traffic.rule()
    refuse_stickiness(rule, traffic.sticky_groups())
    live = rule.weights(spec.target_groups) if rule else None
    refuse_foreign(state.weights, live)
    stable = stable_slot(live)
    definitions = TaskDefinitions(ecs)
    definitions.check(spec, release)
    running = Slots(ecs, spec).describe(stable) if stable else None
    return decide(
        deployment=event.deployment,
        execution=event.execution,
        now=utc_now(),
        spec=spec,
        release=release,
        stable=stable,
        running=definitions.release(running.task_definition) if running else None,
    )
