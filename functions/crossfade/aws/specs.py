"""Service specs in SSM parameters, one for each service, declared by the service's own stack."""

from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.failures import code

PATH = "/crossfade/services/"


class Specs:
    """Reads service specs through a boto3 ``ssm`` client."""

    def __init__(self, ssm: Any) -> None:
        self._ssm = ssm

    def get(self, service: str) -> str | None:
        """The JSON document of a service's spec; None when there is no such service."""
        try:
            return str(self._ssm.get_parameter(Name=f"{PATH}{service}")["Parameter"]["Value"])
        except ClientError as error:
            if code(error) in {"ParameterNotFound", "ValidationException"}:
                return None
            raise

    def all(self) -> dict[str, str]:
        """Every service's document, by name."""
        pages = self._ssm.get_paginator("get_parameters_by_path").paginate(Path=PATH)
        return {
            parameter["Name"].removeprefix(PATH): parameter["Value"]
            for page in pages
            for parameter in page["Parameters"]
        }
