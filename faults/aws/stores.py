"""SSM parameters and S3 objects."""

from typing import Any

from faults.aws.answer import AwsError


class Parameters:
    """Operations of ``ssm`` over parameters, by name."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self._encrypted: set[str] = set()

    def encrypt(self, name: str, value: str) -> None:
        """A parameter of type SecureString is there."""
        self.values[name] = value
        self._encrypted.add(name)

    def get_parameter(self, *, Name: str, WithDecryption: bool = False) -> dict[str, Any]:
        """One parameter."""
        if Name not in self.values:
            raise AwsError("ParameterNotFound", Name)
        return {"Parameter": self._described(Name, clear=WithDecryption)}

    def get_parameters_by_path(self, *, Path: str) -> dict[str, Any]:
        """Every parameter below a path."""
        return {"Parameters": [self._described(name) for name in self.values if name.startswith(Path)]}

    def _described(self, name: str, *, clear: bool = False) -> dict[str, Any]:
        encrypted = name in self._encrypted
        value = "AQICAH" if encrypted and not clear else self.values[name]
        return {"Name": name, "Type": "SecureString" if encrypted else "String", "Value": value}


class Buckets:
    """Operations of ``s3`` over objects, by key; ``uploads`` are those by parts that are not complete."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> dict[str, Any]:
        """Write an object."""
        self.objects[Key] = Body
        return {}

    def create_multipart_upload(self, *, Bucket: str, Key: str, ContentType: str) -> dict[str, Any]:
        """Begin an upload by parts."""
        upload = f"{Key}/{len(self.uploads)}"
        self.uploads[upload] = {}
        return {"UploadId": upload}

    def upload_part(
        self, *, Bucket: str, Key: str, UploadId: str, PartNumber: int, Body: bytes
    ) -> dict[str, Any]:
        """Write a part."""
        self.uploads[UploadId][PartNumber] = Body
        return {"ETag": f'"{PartNumber}"'}

    def complete_multipart_upload(
        self, *, Bucket: str, Key: str, UploadId: str, MultipartUpload: dict[str, Any]
    ) -> dict[str, Any]:
        """Make an object of the parts, in one step."""
        parts = self.uploads.pop(UploadId)
        self.objects[Key] = b"".join(parts[part["PartNumber"]] for part in MultipartUpload["Parts"])
        return {}

    def abort_multipart_upload(self, *, Bucket: str, Key: str, UploadId: str) -> dict[str, Any]:
        """Take the parts back."""
        self.uploads.pop(UploadId, None)
        return {}
