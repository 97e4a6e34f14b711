"""Where a report's page is to be found."""

from crossfade.domain.model import Model

CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
"""By partition; the others have ``console.aws.amazon.com``."""


class Address(Model):
    """A page in the evidence bucket: its S3 address, and a link to it in the console."""

    s3: str
    console: str

    @classmethod
    def of(cls, bucket: str, key: str, execution: str) -> "Address":
        """The address of an object; the execution's ARN names partition and region."""
        region = region_of(execution)
        return cls(
            s3=f"s3://{bucket}/{key}",
            console=f"{console_of(execution)}/s3/object/{bucket}?region={region}&prefix={key}",
        )


def region_of(execution: str) -> str:
    """The region that an execution's ARN names."""
    return execution.split(":")[3]


def console_of(execution: str) -> str:
    """The console of an execution's partition and region, as its ARN names them."""
    host = CONSOLES.get(execution.split(":")[1], "console.aws.amazon.com")
    return f"https://{region_of(execution)}.{host}"
