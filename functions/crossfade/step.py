"""What every handler does alike: parse its event, log under the deployment's name, name its failures."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parser import parse
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel

from crossfade.aws.errors import translate
from crossfade.domain.errors import CrossfadeError
from crossfade.domain.model import Model

logger = Logger(service="crossfade")

LARGE = ("plan", "gate")
"""Parts of an answer that are of no use in a log."""

Event = TypeVar("Event", bound=BaseModel)
Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


def step(model: type[Event]) -> Callable[[Callable[[Event], Model]], Handler]:
    """Make a Lambda handler of a function from an event to an answer, both of them messages."""

    def wrap(work: Callable[[Event], Model]) -> Handler:
        @logger.inject_lambda_context(correlation_id_path="plan.deployment", clear_state=True)
        def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
            try:
                answer = work(parse(event, model))
            except (ClientError, BotoCoreError) as error:
                raise translate(error) from error
            except CrossfadeError as failure:
                logger.warning("%s: %s", type(failure).__name__, failure)
                raise
            said = answer.model_dump(mode="json")
            logger.info("done", extra={"answer": {key: said[key] for key in said if key not in LARGE}})
            return said

        return handler

    return wrap


def utc_now() -> datetime:
    """The time, read where work begins and handed to what decides."""
    return datetime.now(UTC)
