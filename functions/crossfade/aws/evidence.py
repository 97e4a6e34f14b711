"""The evidence bucket: each deployment's ledger and certificate."""

from typing import Any


class Evidence:
    """Writes evidence through a boto3 ``s3`` client; writing twice leaves one copy."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def store(self, stream: str, *, ledger: bytes, certificate: bytes) -> str:
        """Store both documents under the deployment's name; the certificate's key is returned."""
        self._put(f"{stream}/ledger.jsonl", ledger, "application/x-ndjson")
        key = f"{stream}/certificate.json"
        self._put(key, certificate, "application/json")
        return key

    def _put(self, key: str, body: bytes, content_type: str) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=content_type)
