"""Service specs in SSM parameters, one for each service, declared by the service's own stack."""

from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.errors import error_code
from crossfade.domain.spec.service import Encrypted


class Specs:
    """Reads service specs through a boto3 ``ssm`` client.

    ``path`` is of this Crossfade alone, e.g. ``/crossfade/services/``: an account may have several.
    """

    def __init__(self, ssm: Any, path: str) -> None:
        self._ssm, self._path = ssm, path

    def get(self, service: str) -> str | None:
        """The JSON document of a service's spec; None when there is no such service.

        ``service`` has been checked to be a name: SSM takes what follows a colon for a version.
        """
        try:
            return _document(self._ssm.get_parameter(Name=f"{self._path}{service}")["Parameter"])
        except ClientError as error:
            if error_code(error) != "ParameterNotFound":
                raise
            return None

    def all(self) -> dict[str, str]:
        """Every service's document, by name."""
        pages = self._ssm.get_paginator("get_parameters_by_path").paginate(Path=self._path)
        return {
            parameter["Name"].removeprefix(self._path): _document(parameter)
            for page in pages
            for parameter in page["Parameters"]
        }


def _document(parameter: dict[str, Any]) -> str:
    value = str(parameter["Value"])
    return Encrypted(value) if parameter["Type"] == "SecureString" else value
