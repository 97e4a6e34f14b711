"""An application with two ports: customers ask on one, the staff on the other. Both say the version."""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Page(BaseHTTPRequestHandler):
    """Any path: the version, and whom the port is for."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 75  # longer than the load balancer keeps an idle connection

    def do_GET(self) -> None:
        """Answer."""
        body = json.dumps({"version": os.environ["VERSION"], "for": self.server.readers}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the load balancer logs every request."""


class Port(ThreadingHTTPServer):
    """One of the ports."""

    request_queue_size = 128

    def __init__(self, readers: str, port: int, status: int) -> None:
        super().__init__((os.environ.get("HOST", "0.0.0.0"), port), Page)
        self.readers, self.status = readers, status


def leave(*_: object) -> None:
    """Answer for a while still: the load balancer learns late that a task leaves."""
    time.sleep(float(os.environ.get("SHUTDOWN_GRACE_SECONDS", "5")))
    sys.exit(0)


def main() -> None:
    """Serve until told to leave."""
    signal.signal(signal.SIGTERM, leave)
    customers = Port("customers", int(os.environ.get("PORT", "8080")), 200)
    staff = Port("staff", int(os.environ.get("PORT_8081", "8081")), int(os.environ["STAFF_STATUS"]))
    for port in (customers, staff):
        threading.Thread(target=port.serve_forever, daemon=True).start()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
