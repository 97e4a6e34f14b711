"""Names for what botocore raises, so that no failure reaches the workflow without one."""

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from crossfade.domain.errors import AwsRefused, AwsUnavailable, CrossfadeError
from crossfade.domain.refusals import advice

THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "TransactionConflictException",
        "RequestLimitExceeded",
        "SlowDown",
        "LimitExceededException",
        "ConcurrentUpdateException",
    }
)


def translate(error: ClientError | BotoCoreError) -> CrossfadeError:
    """The workflow's name for an AWS error: worth another try, or not."""
    if isinstance(error, ClientError):
        code = error.response["Error"].get("Code", "Unknown")
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        # A cancelled transaction whose condition held was cancelled by a conflict with another one.
        said = f"{str(error).rstrip('. ')}."
        if code in THROTTLED or code == "TransactionCanceledException" or status >= 500:
            # Some services say so of a rate, and others of a quota.
            quota = f" If that goes on: {advice(code)}" if code == "LimitExceededException" else ""
            return AwsUnavailable(f"{said} It was tried several times.{quota}")
        return AwsRefused(f"{said} {advice(code)}")
    if isinstance(error, HTTPClientError | ConnectionError):
        return AwsUnavailable(f"AWS did not answer: {error}.")
    return AwsRefused(f"The call was never sent: {error}.")


def error_code(error: ClientError) -> str:
    """AWS's code of an error, e.g. ``RepositoryNotFoundException``."""
    return str(error.response["Error"].get("Code", ""))
