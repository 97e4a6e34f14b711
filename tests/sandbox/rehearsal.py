"""A deployment as it is seen from outside: by a client, and by somebody who looks at what is live."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from probe.record import RequestRecord
from tests.sandbox.client import Client
from tests.sandbox.cloud import Cloud, Counts, Execution, Weights, until
from tests.sandbox.machine import Sandbox
from tests.sandbox.shell import SERVICE


@dataclass(frozen=True)
class Sample:
    """What was live at a moment (seconds since the epoch)."""

    at: float
    weights: Weights | None
    desired: Counts


class Sampler:
    """Looks at weights and task counts several times a second for the time of a `with` block."""

    def __init__(self, cloud: Cloud) -> None:
        self.samples: list[Sample] = []
        self._cloud = cloud
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._take()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(timeout=30)
        self._take()

    def _run(self) -> None:
        while not self._over.wait(0.25):
            self._take()

    def _take(self) -> None:
        self.samples.append(Sample(time.time(), self._cloud.weights(), self._cloud.desired()))


@dataclass(frozen=True)
class Rehearsal:
    """A deployment that has ended, and what was seen of it from outside.

    ``holder`` is who holds the service after it.
    """

    execution: Execution
    certificate: dict[str, Any]
    requests: list[RequestRecord] = field(repr=False)
    client_status: int | None
    samples: list[Sample] = field(repr=False)
    holder: str | None

    @property
    def weights_seen(self) -> list[Weights | None]:
        """The live weights one after the other, each as often as it was newly set."""
        seen = [sample.weights for sample in self.samples]
        return [weights for place, weights in enumerate(seen) if place == 0 or seen[place - 1] != weights]


@dataclass(frozen=True)
class GoodRelease(Rehearsal):
    """A rehearsal with a second push and a second `sam deploy` in the middle of it.

    ``weights_at_deploy`` are the live weights when `sam deploy` began; ``memory`` is in MB.
    """

    second_push: Execution
    weights_at_deploy: Weights | None
    memory: float


class Stage:
    """Where the rehearsals happen."""

    def __init__(self, cloud: Cloud, sandbox: Sandbox, folder: Path, figures: list[str]) -> None:
        self.cloud, self.sandbox, self._folder, self._figures = cloud, sandbox, folder, figures

    def rehearse(
        self, name: str, begin: Callable[[], str], meanwhile: Callable[[str], None] = lambda execution: None
    ) -> Rehearsal:
        """Begin a deployment and see it to its end, with a client asking all the time if anything is live.

        ``begin`` returns the deployment's execution, which ``meanwhile`` is called with as soon as it runs.
        """
        cloud = self.cloud
        live = cloud.weights() is not None
        with ExitStack() as stack:
            client = stack.enter_context(Client(cloud.url, self._folder / f"{name}.txt")) if live else None
            sampler = stack.enter_context(Sampler(cloud))
            arn = begin()
            meanwhile(arn)
            execution = cloud.ended(arn)
            cloud.settled()
            if client:
                client.more(40)
        certificate = cloud.certificate(execution.name)
        if certificate:
            self._note(name, certificate)
        return Rehearsal(
            execution=execution,
            certificate=certificate or {},
            requests=client.requests if client else [],
            client_status=client.exit_status if client else None,
            samples=sampler.samples,
            holder=cloud.holder(),
        )

    def push(self, version: str, **faults: str) -> Callable[[], str]:
        """Begins a deployment by the push of a version."""

        def begin() -> str:
            self.cloud.push_app(version, **faults)
            return self.cloud.started_by_push(SERVICE, version)

        return begin

    def ask(self, version: str, **faults: str) -> Callable[[], str]:
        """Begins a deployment by hand, of a version whose tag starts none when it is pushed."""

        def begin() -> str:
            self.cloud.push_app(version, **faults)
            self.cloud.ended(self.cloud.started_by_push(SERVICE, version))
            return self.cloud.start({"service": SERVICE, "image_tag": version})

        return begin

    def reach(self, weights: Weights) -> None:
        """Wait until these weights are live."""
        until(lambda: True if self.cloud.weights() == weights else None, f"the weights {weights}")

    def note(self, line: str) -> None:
        """Show a figure in the summary."""
        self._figures.append(line)

    def _note(self, name: str, certificate: dict[str, Any]) -> None:
        timing = certificate["timing"]
        parts = [
            f"{part} {timing[part]:g} s"
            for part in ("total", "bake", "container_start", "overhead", "detected", "restored")
            if timing[part] is not None
        ]
        outcome, transitions = certificate["outcome"], certificate["transitions"]
        self.note(f"{name}: {outcome}, {', '.join(parts)}, {transitions} transitions")
