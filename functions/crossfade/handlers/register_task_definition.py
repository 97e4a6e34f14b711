"""RegisterTaskDefinition: the pattern's with the release's image."""

from crossfade.aws.clients import client
from crossfade.aws.task_definitions import TaskDefinitions
from crossfade.domain.model import Model
from crossfade.domain.planning.plan import Plan
from crossfade.step import step


class Registered(Model):
    """The ARN of the release's task definition."""

    task_definition: str


@step
def handler(plan: Plan) -> Registered:
    """Register the plan's release, or find it registered."""
    arn = TaskDefinitions(client("ecs")).register(plan.spec, plan.release)
    return Registered(task_definition=arn)
