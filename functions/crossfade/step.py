"""What every handler does alike: check its event, log under the deployment's name, name its failures."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from inspect import signature
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import validate_call

from crossfade.aws.errors import translate
from crossfade.domain.errors import CrossfadeError
from crossfade.domain.model import Model

logger = Logger(service="crossfade")

LARGE = ("plan", "watching")
"""Parts of an answer that are of no use in a log."""

Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


def step(work: Callable[..., Model | None]) -> Handler:
    """Make a Lambda handler of a function: its parameters are the event's keys, its answer is a message.

    A key that it has no parameter for is ignored: another version of Crossfade may send it (ADR 20). The
    answer ``None`` is sent as ``{}``.

    Raises
    ------
    pydantic.ValidationError
        Raised by the handler: a parameter without a default is missing, or a value does not have its type.
    """
    parameters, checked = signature(work).parameters, validate_call(work)

    @logger.inject_lambda_context(correlation_id_path="plan.deployment", clear_state=True)
    @wraps(work)
    def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
        try:
            answer = checked(**{name: event[name] for name in parameters if name in event})
        except (ClientError, BotoCoreError) as error:
            raise translate(error) from error
        except CrossfadeError as failure:
            logger.warning("%s: %s", type(failure).__name__, failure)
            raise
        said = answer.model_dump(mode="json") if answer else {}
        logger.info("done", extra={"answer": {key: said[key] for key in said if key not in LARGE}})
        return said

    return handler


def utc_now() -> datetime:
    """The time, read where work begins and handed to what decides."""
    return datetime.now(UTC)
