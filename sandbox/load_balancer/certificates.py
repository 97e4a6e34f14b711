"""What HTTPS listeners show their clients: certificates that an authority of the sandbox's own signs.

On AWS a listener shows the certificate that it names, of ACM; its private key never leaves there. Here it is
one for the same names, and for this machine's. Clients verify it against the authority's file.
"""

from __future__ import annotations

import os
import ssl
import tempfile
import threading
from pathlib import Path
from typing import Any

import certifi
from ministack.core import x509_utils
from ministack.services import acm

_HERE = ("localhost", "127.0.0.1")
_TRUST = Path(__file__).parents[1] / "host/trust"
"""Python looks there for what it runs first."""


class Authority:
    """Signs certificates; thread-safe. `file` has what clients may trust: the public ones and its own."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()
        self._pem: tuple[str, str] | None = None
        self._contexts: dict[tuple[str, ...], ssl.SSLContext] = {}

    def begin(self, file: Path) -> None:
        """Be a new authority, and write its file."""
        with self._lock:
            self.file = file
            self._contexts.clear()
            self._pem = x509_utils.generate_ca("Crossfade sandbox", "Crossfade sandbox")
            public = Path(certifi.where()).read_text(encoding="utf-8")
            file.write_text(public + self._pem[0], encoding="utf-8")

    def trusting(self, env: dict[str, str]) -> dict[str, str]:
        """A program's variables, with those that make it trust this authority unless it has its own."""
        file, path = str(self.file), [str(_TRUST), *filter(None, [env.get("PYTHONPATH")])]
        trust = {"SSL_CERT_FILE": file, "REQUESTS_CA_BUNDLE": file}
        return trust | env | {"PYTHONPATH": os.pathsep.join(path)}

    def context(self, names: tuple[str, ...]) -> ssl.SSLContext:
        """What a server needs to show a certificate for these names and this machine's."""
        if self._pem is None:
            self.begin(self.file)
        with self._lock:
            if names not in self._contexts:
                self._contexts[names] = self._signed(names)
            return self._contexts[names]

    def _signed(self, names: tuple[str, ...]) -> ssl.SSLContext:
        assert self._pem is not None  # noqa: S101 - `context` has seen to it
        hosts, address = [*names, _HERE[0]], _HERE[1]
        certificate, key, _ = x509_utils.sign_leaf_certificate(
            *self._pem, common_name=hosts[0], san_dns=hosts, san_ips=[address], key_type="ec256"
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as chain:  # ssl reads files only
            chain.write(certificate + key)
            chain.flush()
            context.load_cert_chain(chain.name)
        return context


def names_of(listener: dict[str, Any]) -> tuple[str, ...] | None:
    """The host names of a listener's certificate, none if ACM has none; None: it speaks plain HTTP."""
    if listener.get("Protocol") != "HTTPS":
        return None
    known = [acm._certificates.get(arn) or {} for arn in listener.get("Certificates", [])]
    found = (
        name for each in known for name in [each.get("DomainName"), *each.get("SubjectAlternativeNames", [])]
    )
    return tuple(dict.fromkeys(name for name in found if name))


authority = Authority(Path(tempfile.gettempdir()) / "crossfade-sandbox-authority.pem")
"""That of this process."""
