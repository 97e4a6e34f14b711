"""AWS as the report sees it, on a port of its own: logs in pages, a bucket that hashes, a small journal."""

import hashlib
import json
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from boto3.dynamodb.types import TypeSerializer

from benchmarks.report.deployment import milestones, pages, plan

_UPLOAD = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
_DONE = "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"


class Stored(NamedTuple):
    """The SHA-256 of the ledger's lines, the certificate, and the page."""

    sha256: str
    certificate: dict[str, Any]
    page: bytes


class Aws(ThreadingHTTPServer):
    """Answers what the report of a deployment asks for; the ledger's pages once, in their order.

    ``calls`` counts by operation.
    """

    def __init__(self, requests: int, failed: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.calls: dict[str, int] = {}
        self._pages: Iterator[str] = pages(requests, failed)
        self._ledger, self._unpack = hashlib.sha256(), zlib.decompressobj(wbits=31)
        self._certificate, self._page = b"{}", b""
        self._items = {
            "state": {"holder": plan().execution, "deployment": "bench", "stable": "blue"},
            "deployment#bench": milestones(requests),
        }

    def stored(self) -> Stored:
        """What is in the bucket."""
        return Stored(self._ledger.hexdigest(), json.loads(self._certificate), self._page)

    def counted(self, operation: str) -> None:
        """Count a call."""
        self.calls[operation] = self.calls.get(operation, 0) + 1

    def answer(self, operation: str, asked: dict[str, Any]) -> str:
        """The answer to a call that is JSON."""
        if operation == "GetLogEvents":
            return next(self._pages)
        if operation == "GetItem":
            item = self._items[asked["Key"]["item"]["S"]]
            serialize = TypeSerializer().serialize
            return json.dumps({"Item": {name: serialize(value) for name, value in item.items()}})
        if operation == "GetExecutionHistory":
            return '{"events":[]}'
        return "{}"

    def store(self, key: str, body: bytes) -> None:
        """A part of an object, or all of it."""
        if key.endswith("ledger.jsonl.gz"):
            self._ledger.update(self._unpack.decompress(body))
        elif key.endswith(".html"):
            self._page = body
        else:
            self._certificate = body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Aws

    def do_POST(self) -> None:
        """JSON to DynamoDB, Logs and Step Functions; the beginning and the end of an upload to S3."""
        body, asked = self._body(), parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        if target := self.headers.get("X-Amz-Target"):
            operation = target.split(".")[-1]
            self.server.counted(operation)
            self._answer(self.server.answer(operation, json.loads(body)), "application/x-amz-json-1.1")
        else:
            begins = "uploads" in asked
            self.server.counted("CreateMultipartUpload" if begins else "CompleteMultipartUpload")
            self._answer(_UPLOAD if begins else _DONE, "application/xml")

    def do_PUT(self) -> None:
        """An object, or a part of one."""
        parts = urlsplit(self.path)
        self.server.counted("UploadPart" if "partNumber" in parts.query else "PutObject")
        self.server.store(parts.path, self._body())
        self._answer("", "application/xml")

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"e"')
        self.end_headers()
        self.wfile.write(body)


def serve(requests: int, failed: int, pipe: Connection) -> None:
    """Serve in a process of its own: tell the port, and at the end what was asked and stored."""
    server = Aws(requests, failed)
    pipe.send(server.server_port)
    server.timeout = 1
    while not pipe.poll():
        server.handle_request()
    pipe.send((server.calls, server.stored()))
