"""The evidence bucket: each deployment's ledger, certificate and page."""

import zlib
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from crossfade.domain.proof.certificate import LEDGER_FILE

PART_BYTES = 8 * 1024 * 1024
"""S3 takes parts of 5 MiB or more, 10,000 of them at most."""


GZIP = 16 + zlib.MAX_WBITS
"""Tells zlib to write gzip's header, without a time: the same ledger is the same file."""


class Certificates:
    """Writes evidence through a boto3 ``s3`` client; writing twice leaves one copy."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def ledger(self, stream: str) -> "Packed":
        """An upload of the deployment's ledger, which becomes visible when it is completed.

        It has no Content-Encoding: a browser, too, saves it as the file that its name says.
        """
        request = {"Bucket": self._bucket, "Key": f"{stream}/{LEDGER_FILE}"}
        return Packed(self._s3, request, "application/gzip")

    def certificate(self, stream: str, document: bytes) -> str:
        """Store the certificate under the deployment's name, beside its ledger; its key is returned."""
        key = f"{stream}/certificate.json"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=document, ContentType="application/json")
        return key

    def page(self, stream: str, document: str) -> str:
        """Store the report's page beside them; its key is returned."""
        key, kind = f"{stream}/report.html", "text/html; charset=utf-8"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=document.encode(), ContentType=kind)
        return key


class Upload:
    """An object that is written piece by piece; what is held in memory is less than a part and a piece.

    As a context manager it takes back what was not completed. Where that fails too, the bucket's lifecycle
    rule does it.
    """

    def __init__(self, s3: Any, request: dict[str, str], content_type: str) -> None:
        self._s3, self._request, self._content_type = s3, request, content_type
        self._held = bytearray()
        self._parts: list[dict[str, Any]] = []
        self._upload: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._upload:
            with suppress(ClientError, BotoCoreError):
                self._s3.abort_multipart_upload(**self._request, **self._upload)

    def write(self, piece: bytes) -> None:
        """Add a piece; whole parts are sent at once."""
        self._held += piece
        while len(self._held) >= PART_BYTES:
            self._send(bytes(self._held[:PART_BYTES]))
            del self._held[:PART_BYTES]

    def complete(self) -> None:
        """Make the object visible, in one step. A small one is written by a single call."""
        if not self._parts:
            self._s3.put_object(**self._request, Body=bytes(self._held), ContentType=self._content_type)
            return
        if self._held:
            self._send(bytes(self._held))
        self._s3.complete_multipart_upload(
            **self._request, **self._upload, MultipartUpload={"Parts": self._parts}
        )
        self._upload = {}

    def _send(self, body: bytes) -> None:
        if not self._upload:
            begun = self._s3.create_multipart_upload(**self._request, ContentType=self._content_type)
            self._upload = {"UploadId": begun["UploadId"]}
        number = len(self._parts) + 1
        sent = self._s3.upload_part(**self._request, **self._upload, PartNumber=number, Body=body)
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})


class Packed(Upload):
    """The same, compressed by gzip on the way."""

    def __init__(self, s3: Any, request: dict[str, str], content_type: str) -> None:
        super().__init__(s3, request, content_type)
        self._packer = zlib.compressobj(wbits=GZIP)

    def write(self, piece: bytes) -> None:
        """Add a piece, not compressed."""
        super().write(self._packer.compress(piece))

    def complete(self) -> None:
        """Make the object visible, in one step."""
        super().write(self._packer.flush())
        super().complete()
