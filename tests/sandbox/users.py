"""People who use the service for what it is there for: its front page, which no probe ever asks for."""

from __future__ import annotations

import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

import requests

THREADS = 4


class Users:
    """Ask for the front page from the beginning of a `with` block to its end, so many times a second."""

    def __init__(self, url: str, rate: float) -> None:
        self.statuses: Counter[int | None] = Counter()
        self._url, self._pause = f"{url}/", THREADS / rate
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(THREADS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def _ask(self) -> None:
        session, due = requests.Session(), time.monotonic()
        while not self._over.wait(max(due - time.monotonic(), 0)):
            try:
                status = session.get(self._url, timeout=10).status_code
            except requests.RequestException:
                status = None
            self.statuses[status] += 1
            due += self._pause
