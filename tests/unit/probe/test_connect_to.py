"""To connect elsewhere than the address says, and to be taken for a client of the address all the same."""

import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from probe.asking import Answer, Asker
from probe.connection import endpoint
from tests.unit.probe.scripted_servers import Reply, Seen, WebServer

pytestmark = pytest.mark.enable_socket
NAME = "web.invalid"
"""A name that no resolver knows (RFC 6761)."""


def test_the_connection_leads_there_and_the_host_stays(
    web: Callable[[Callable[[Seen], Reply]], WebServer],
) -> None:
    """The Host header is the address's, as a rule with a host condition needs it."""
    server = web(lambda _: Reply())
    answer = Asker(f"http://{NAME}/version", {}, 5.0, connect_to=server.url.removeprefix("http://")).ask()
    assert (answer.status, answer.error) == (200, None)
    assert server.seen[0].headers["Host"] == NAME


def test_a_host_without_a_port_keeps_the_addresss_port(
    web: Callable[[Callable[[Seen], Reply]], WebServer],
) -> None:
    """One name for the listeners of one load balancer."""
    server = web(lambda _: Reply())
    port = server.url.rpartition(":")[2]
    assert Asker(f"http://{NAME}:{port}/", {}, 5.0, connect_to="127.0.0.1").ask().status == 200
    assert server.seen[0].headers["Host"] == f"{NAME}:{port}"


class _Tls:
    """A server with a certificate for one name; ``names`` are those that clients have asked for."""

    def __init__(self, folder: Path, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.trusted, private = folder / "certificate.pem", folder / "key.pem"
        self.trusted.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.names: list[str | None] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.trusted, private)
        context.sni_callback = lambda _socket, asked, _context: self.names.append(asked)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def at(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"version": "0.0.1"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[_Tls]:
    """Return a server with a certificate for ``NAME``."""
    server = _Tls(tmp_path, NAME)
    yield server
    server.close()


def _ask(name: str, server: _Tls) -> Answer:
    asker = Asker(f"https://{name}/version", {}, 5.0, connect_to=server.at)
    asker._session.verify = str(server.trusted)
    return asker.ask()


def test_tls_is_asked_for_the_addresss_name(tls: _Tls) -> None:
    """The name in the handshake, and the one that the certificate must be for."""
    answer = _ask(NAME, tls)
    assert (answer.status, answer.version, answer.error) == (200, "0.0.1", None)
    assert tls.names == [NAME]


def test_a_certificate_of_another_name_is_refused(tls: _Tls) -> None:
    """Else anybody at that endpoint could answer for the service."""
    answer = _ask("other.invalid", tls)
    assert answer.status is None
    assert (answer.error or "").startswith("SSLCertVerificationError")


@pytest.mark.parametrize("text", ["", "h/p", "h?x", "u@h", "h:x", "http://h", "a b"])
def test_no_endpoint(text: str) -> None:
    """It is named."""
    with pytest.raises(ValueError, match="is not a host, or host:port"):
        endpoint(text)


@pytest.mark.parametrize(
    ("text", "read"), [("h", ("h", None)), ("h:8080", ("h", 8080)), ("[::1]:80", ("::1", 80))]
)
def test_an_endpoint(text: str, read: tuple[str, int | None]) -> None:
    """The port is the address's own where none is given."""
    assert endpoint(text) == read
