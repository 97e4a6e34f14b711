"""An independent client: `python -m probe` as its own process, asking as any client of the service does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from probe.record import RequestRecord
from probe.textfile import read
from tests.sandbox.patience import until
from tests.sandbox.shell import PROJECT

RATE = 20
TRUST = PROJECT / "sandbox/host/trust"
"""Python looks there first for whom it trusts."""


class Client:
    """Asks from the beginning of a `with` block to its end; ``requests`` is what it was answered.

    ``options`` are further ones of the command; ``authority`` is the file of one that it trusts besides.
    """

    def __init__(
        self,
        url: str,
        file: Path,
        rate: int = RATE,
        options: Sequence[str] = (),
        authority: Path | None = None,
    ) -> None:
        self._file = file
        self._command = [sys.executable, "-m", "probe", "--url", url, "--for", "1h", "--rate", str(rate)]
        self._command += options
        trust = {"SSL_CERT_FILE": str(authority), "PYTHONPATH": str(TRUST)} if authority else {}
        self._environment = os.environ | trust
        self.requests: list[RequestRecord] = []
        self.exit_status: int | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [*self._command, "--out", str(self._file)],
            cwd=PROJECT,
            env=self._environment,
            stdout=subprocess.DEVNULL,
        )
        self.more(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGINT)
        self.exit_status = self._process.wait(timeout=30)
        self.requests = read(self._file)

    def more(self, count: int) -> None:
        """Wait for so many more answers."""
        wanted = self._answers() + count
        until(lambda: self._answers() >= wanted, f"{count} more answers")

    def so_far(self) -> list[RequestRecord]:
        """What it was answered until now."""
        return read(self._file) if self._file.exists() else []

    def last(self, count: int = 20) -> set[tuple[int | None, str | None]]:
        """The statuses and versions of that many more answers, after as many that may have been under way.

        Of several paths, those of the one whose answer names the version.
        """
        self.more(2 * count)
        return {(answer.status, answer.version) for answer in self.so_far()[-count:] if not answer.path}

    def _answers(self) -> int:
        return len(self.so_far())


def failed(requests: list[RequestRecord]) -> list[RequestRecord]:
    """The requests that failed for a client."""
    return [request for request in requests if request.status is None or not 200 <= request.status < 300]


def moments(requests: list[RequestRecord]) -> list[float]:
    """When requests were sent, in seconds since the epoch."""
    return [datetime.fromisoformat(request.at).timestamp() for request in requests]


def versions(requests: list[RequestRecord]) -> list[str]:
    """The versions that were answered, in the order of their first sight."""
    return list(dict.fromkeys(request.version for request in requests if request.version))
