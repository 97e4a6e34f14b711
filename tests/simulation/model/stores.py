"""SSM parameters and S3 objects."""

from typing import Any

from tests.simulation.model.answer import AwsError


class Parameters:
    """Operations of ``ssm`` over parameters, by name."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get_parameter(self, *, Name: str) -> dict[str, Any]:
        """One parameter."""
        if Name not in self.values:
            raise AwsError("ParameterNotFound", Name)
        return {"Parameter": {"Name": Name, "Value": self.values[Name]}}

    def get_parameters_by_path(self, *, Path: str) -> dict[str, Any]:
        """Every parameter below a path."""
        found = {name: value for name, value in self.values.items() if name.startswith(Path)}
        return {"Parameters": [{"Name": name, "Value": value} for name, value in found.items()]}


class Buckets:
    """Operations of ``s3`` over objects, by key."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> dict[str, Any]:
        """Write an object."""
        self.objects[Key] = Body
        return {}
