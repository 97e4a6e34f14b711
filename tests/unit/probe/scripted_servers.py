"""Real servers for the probe's tests: a scripted web server and a CloudWatch Logs endpoint."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE_SECONDS = 20.0


def wait_until(condition: Callable[[], object], what: str = "condition") -> None:
    """Wait until the condition holds; fail after a generous time."""
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > ends_at:
            raise AssertionError(f"waited in vain for: {what}")
        time.sleep(0.01)


@dataclass
class Reply:
    """What the scripted server answers; `hold` blocks the answer, `drop` closes without one."""

    status: int = 200
    body: bytes = b'{"version": "0.0.1", "task": "t"}'
    server: str = "uvicorn"
    hold: threading.Event | None = None
    drop: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Seen:
    """One request as the scripted server saw it."""

    number: int
    path: str
    headers: dict[str, str]
    client_port: int
    at: float


class WebServer:
    """An HTTP/1.1 server on a free port; `script` decides each answer."""

    def __init__(self, script: Callable[[Seen], Reply]) -> None:
        self.script = script
        self.seen: list[Seen] = []
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                with lock:
                    number = len(outer.seen) + 1
                    seen = Seen(
                        number, self.path, dict(self.headers), self.client_address[1], time.monotonic()
                    )
                    outer.seen.append(seen)
                reply = outer.script(seen)
                if reply.hold is not None:
                    reply.hold.wait(PATIENCE_SECONDS)
                if reply.drop:
                    self.close_connection = True
                    return
                try:
                    self.send_response_only(reply.status)
                    self.send_header("Server", reply.server)
                    if "Content-Length" not in reply.headers:
                        self.send_header("Content-Length", str(len(reply.body)))
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(reply.body)
                except OSError:
                    self.close_connection = True
                if "Content-Length" in reply.headers:
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class LogsEndpoint:
    """CloudWatch Logs and SSM over the wire, as far as the probe uses them.

    `secret` is the value of every parameter; without one there is none. `troubles` are answered first,
    whatever is put, and `secret_troubles` whatever is read. Streams are created once `creates` is
    set: until then that call waits for it, or is refused with `refuses_streams`.
    """

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.timestamps: list[int] = []
        self.calls: list[str] = []
        self.troubles: list[tuple[int, str]] = []
        self.secret: str | None = None
        self.secret_troubles: list[tuple[int, str]] = []
        self.creates = threading.Event()
        self.creates.set()
        self.refuses_streams: tuple[int, str] | None = None
        self.put_at: list[float] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                operation = self.headers["X-Amz-Target"].split(".")[1]
                outer.calls.append(operation)
                if operation == "GetParameter":
                    self._answer(*outer._parameter(body))
                    return
                if operation == "CreateLogStream" and outer.refuses_streams:
                    status, code = outer.refuses_streams
                    self._answer(status, {"__type": code, "message": code})
                    return
                if operation == "CreateLogStream":
                    outer.creates.wait(PATIENCE_SECONDS)
                if operation == "PutLogEvents" and outer.troubles:
                    status, code = outer.troubles.pop(0)
                    if status == 0:
                        self.close_connection = True
                        return
                    self._answer(status, {"__type": code, "message": code})
                    return
                if operation == "PutLogEvents":
                    outer.put_at.append(time.monotonic())
                    outer.records += [json.loads(event["message"]) for event in body["logEvents"]]
                    outer.timestamps += [event["timestamp"] for event in body["logEvents"]]
                self._answer(200, {})

            def _answer(self, status: int, document: dict[str, Any]) -> None:
                text = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _parameter(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        missing = [(400, "ParameterNotFound")] if self.secret is None else []
        if troubles := self.secret_troubles or missing:
            status, code = troubles.pop(0)
            return status, {"__type": code, "message": code}
        shown = self.secret if asked["WithDecryption"] else "encrypted"
        return 200, {"Parameter": {"Name": asked["Name"], "Value": shown}}

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """Return the records of one type received so far."""
        return [record for record in list(self.records) if record["type"] == kind]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
