"""What the stack names in the environment of its functions, opened with their clients."""

import os
from datetime import datetime

from crossfade.aws.clients import client
from crossfade.aws.journal import Journal
from crossfade.aws.ledger import Ledger
from crossfade.aws.patterns import Patterns
from crossfade.aws.release_queue import ReleaseQueue
from crossfade.aws.scaling_copies import PatternScalings
from crossfade.aws.specs import Specs
from crossfade.domain.spec.placed import Pattern
from crossfade.domain.spec.service import ServiceSpec


def name() -> str:
    """What the stack is called; specs have its name before their own."""
    return os.environ["SPECS_PATH"].split("/")[1]


def journal() -> Journal:
    """The stack's journal."""
    return Journal(client("dynamodb"), os.environ["JOURNAL_TABLE"])


def release_queue() -> ReleaseQueue:
    """The releases that wait, in the journal's table."""
    return ReleaseQueue(client("dynamodb"), os.environ["JOURNAL_TABLE"])


def ledger() -> Ledger:
    """The ledgers of all deployments."""
    return Ledger(client("logs"), os.environ["LEDGER_GROUP"])


def task_roles() -> tuple[str, ...]:
    """The ARNs of the roles that Crossfade may pass, in which ``*`` stands for anything."""
    found = client("ssm").get_parameter(Name=os.environ["TASK_ROLES"])["Parameter"]["Value"]
    return tuple(found.split(","))


def pattern(spec: ServiceSpec, now: datetime) -> Pattern:
    """The owner's ECS service as it is now, with how it is scaled.

    Raises
    ------
    NotPrepared, PatternUnusable, ResourceGone
        It is not there, or cannot be a pattern.
    """
    found = Patterns(client("ecs"), client("elbv2")).read(spec)
    scalings = PatternScalings(client("application-autoscaling"), client("cloudwatch"))
    return scalings.read(spec, found, now)


def specs() -> Specs:
    """The specs of all services."""
    return Specs(client("ssm"), os.environ["SPECS_PATH"])
