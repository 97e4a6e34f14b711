"""Service specs in SSM parameters, one for each service, declared by the service's own stack."""

from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.failures import code


class Specs:
    """Reads service specs through a boto3 ``ssm`` client.

    ``path`` is of this Crossfade alone, e.g. ``/crossfade/services/``: an account may have several.
    """

    def __init__(self, ssm: Any, path: str) -> None:
        self._ssm, self._path = ssm, path

    def get(self, service: str) -> str | None:
        """The JSON document of a service's spec; None when there is no such service."""
        try:
            return str(self._ssm.get_parameter(Name=f"{self._path}{service}")["Parameter"]["Value"])
        except ClientError as error:
            if code(error) in {"ParameterNotFound", "ValidationException"}:
                return None
            raise

    def all(self) -> dict[str, str]:
        """Every service's document, by name."""
        pages = self._ssm.get_paginator("get_parameters_by_path").paginate(Path=self._path)
        return {
            parameter["Name"].removeprefix(self._path): parameter["Value"]
            for page in pages
            for parameter in page["Parameters"]
        }
