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
        _, partition, _, region, *_ = execution.split(":")
        host = CONSOLES.get(partition, "console.aws.amazon.com")
        return cls(
            s3=f"s3://{bucket}/{key}",
            console=f"https://{region}.{host}/s3/object/{bucket}?region={region}&prefix={key}",
        )
