"""Why tasks do not run, in ECS's own words, and what to do about it.

ECS has no codes for most of it. Its texts are shown as they are, cut and made visible. A known text has its
own advice, and one that may pass is waited for; any other counts as the release's own fault.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from crossfade.domain.model import Model, Timestamp
from crossfade.domain.text import visible

MOST_CHARACTERS = 600
"""An IAM refusal with its two ARNs has some 400."""
STEADY = "has reached a steady state"
ORDINARY = (
    STEADY, "has started", "has stopped", "has begun draining", " registered ", " deregistered ",
    "deployment completed",
)  # fmt: skip
"""Events without trouble."""


class Cause(NamedTuple):
    """A part of ECS's words, what to do about it, and whether it may pass by itself."""

    words: str
    advice: str
    passes: bool = False


_QUOTA = "raised (Service Quotas, AWS Fargate), then deploy again."
CAUSES = (
    Cause(
        "Capacity is unavailable",
        "Fargate has no room for these tasks: deploy again later, or give the spec subnets in further zones.",
        passes=True,
    ),
    Cause(
        "reached the limit on the number of",
        f"The account's Fargate quota is used up: stop other tasks, or have it {_QUOTA}",
        passes=True,
    ),
    Cause(
        "is above your limit",
        f"A task is larger than the account's Fargate quota allows: have it {_QUOTA}",
        passes=True,
    ),
    Cause(
        "Create Network Interface",
        "Look whether the spec's subnets have free addresses: free some, or give it further subnets, then "
        "deploy again.",
        passes=True,
    ),
    Cause(
        "network interface provisioning", "Deploy again: AWS gave the task no network in time.", passes=True
    ),
    Cause(
        "CannotPullContainerError",
        "See that the image is there and is made for the task's platform, and that the execution role and "
        "the subnets reach its repository.",
    ),
    Cause(
        "ResourceInitializationError",
        "See that the execution role and the subnets reach what the task definition names: secrets, "
        "parameters, registry, log group.",
    ),
    Cause(
        "OutOfMemory", "Give the pattern's task definition more memory, or correct the image, and push again."
    ),
)
"""From the pages "service event messages" and "stopped tasks error messages" of the ECS developer guide."""


class Event(Model):
    """An event of a service, as DescribeServices shows it."""

    at: Timestamp
    message: str


def trouble(events: Iterable[Event], since: datetime) -> str:
    """The newest event of trouble since a moment, in ECS's words; empty if the service is steady again.

    ``events`` are the newest first. An event with a reason is preferred to a newer one without.
    """
    found: list[Event] = []
    for event in sorted(events, key=lambda event: event.at, reverse=True):
        if event.at < since or STEADY in event.message:
            break
        if not any(part in event.message for part in ORDINARY):
            found.append(event)
    newest = next((event for event in found if "reason" in event.message.lower()), next(iter(found), None))
    return f"ECS at {newest.at:%H:%M:%S}: {said(newest.message)}" if newest else ""


def said(text: str) -> str:
    """ECS's words, to be followed by Crossfade's own."""
    return visible(text, MOST_CHARACTERS).rstrip(". ")


def advice(words: str, otherwise: str) -> str:
    """What to do about ECS's words; ``otherwise`` if they are not known."""
    return next((cause.advice for cause in CAUSES if cause.words in words), otherwise)


def passes(words: str) -> bool:
    """Whether ECS's words name a cause that may pass by itself."""
    return next((cause.passes for cause in CAUSES if cause.words in words), False)
