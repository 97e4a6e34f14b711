"""Names for what botocore raises, so that no failure reaches the workflow without one."""

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from crossfade.domain.errors import AwsRefused, AwsUnavailable, CrossfadeError

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
    }
)


def named(error: ClientError | BotoCoreError) -> CrossfadeError:
    """The workflow's name for an AWS error: worth another try, or not."""
    if isinstance(error, ClientError):
        code = error.response["Error"].get("Code", "Unknown")
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        # A cancelled transaction whose condition held was cancelled by a conflict with another one.
        if code in THROTTLED or code == "TransactionCanceledException" or status >= 500:
            return AwsUnavailable(f"{error}. It was tried several times.")
        return AwsRefused(f"{error}. Compare the function's role in template.yaml with the refused action.")
    if isinstance(error, HTTPClientError | ConnectionError):
        return AwsUnavailable(f"AWS did not answer: {error}.")
    return AwsRefused(f"The call was never sent: {error}.")


def code(error: ClientError) -> str:
    """AWS's code of an error, e.g. ``RepositoryNotFoundException``."""
    return str(error.response["Error"].get("Code", ""))
