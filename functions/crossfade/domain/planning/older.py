"""An older release by its number: image and configuration as they were."""

import json

from crossfade.domain.errors import NotAsItWas
from crossfade.domain.planning.plan import Plan
from crossfade.domain.spec.placed import Pattern
from crossfade.domain.spec.service import ServiceSpec

AS_IT_WAS = ("task_definition", "network", "settings", "tags", "scaling", "left_out")
"""Of the pattern; where it is and how it is reached are as they are now."""


def pattern_of(now: Pattern, then: Plan, task_definition: str) -> Pattern:
    """The pattern with what the release of an earlier plan had of it, and what that was launched with."""
    kept = {field: getattr(then.spec.pattern, field) for field in AS_IT_WAS}
    return now.model_copy(update={**kept, "own_copy": task_definition})


def spec_of(now: ServiceSpec, then: Plan) -> ServiceSpec:
    """The spec with the repository and the containers of then; how it is deployed is as now."""
    return now.model_copy(update={"release": then.spec.release})


def no_such_number(service: str, number: int) -> NotAsItWas:
    """The error for a number that no release has, or had too long ago."""
    return not_as_it_was(service, number, "the journal has no release of that number of the last 400 days")


def not_as_it_was(service: str, number: int, why: str, then: Plan | None = None) -> NotAsItWas:
    """The error for a release that cannot come back; ``then`` is its plan, if the journal has one."""
    ask = {"service": service, "image_tag": then.release.version if then else "1.2.3"}
    return NotAsItWas(
        f"Release {number} of {service} cannot be deployed as it was: {why.rstrip('. ')}. Nothing was "
        "changed. Choose another number (crossfade history), or deploy an image with the pattern as it is "
        f"now: {json.dumps(ask)}."
    )
