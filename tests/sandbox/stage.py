"""Where deployments are rehearsed: begun, disturbed, and watched until the service is at rest again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.sandbox.account import beyond_the_law, held
from tests.sandbox.client import RATE, Client, failed
from tests.sandbox.cloud import Cloud
from tests.sandbox.machine import Sandbox
from tests.sandbox.patience import until
from tests.sandbox.rehearsal import Rehearsal, Sampler
from tests.sandbox.rest import come_to_rest, live, other
from tests.sandbox.shell import SERVICE
from tests.sandbox.tasks import Tasks
from tests.unit.checked import unsupported

PARTS = ("total", "bake", "evidence", "container_start", "overhead")


class Stage:
    """Where the rehearsals happen."""

    def __init__(self, cloud: Cloud, sandbox: Sandbox, folder: Path, figures: list[str]) -> None:
        self.cloud, self.sandbox, self._folder, self._figures = cloud, sandbox, folder, figures
        self.tasks = Tasks(cloud, sandbox)

    def rehearse(
        self,
        name: str,
        begin: Callable[[], str],
        meanwhile: Callable[[str], dict[str, Any] | None] = lambda execution: None,
        rests: bool = True,
        rate: int = RATE,
    ) -> Rehearsal:
        """Begin a deployment and see it to its end, with a client asking all the time if anything is live.

        ``begin`` returns the deployment's execution, which ``meanwhile`` is called with as soon as it runs.
        The end is when the service is at rest; with ``rests`` false, when nobody holds it any more. ``rate``
        is the client's, in requests per second; 0 for none. Nothing may differ then that Crossfade neither
        made nor was given, and nobody has changed by name.
        """
        cloud, before = self.cloud, live(self.cloud)
        account, said = held(cloud), len(cloud.said)
        with ExitStack() as stack:
            file = self._folder / f"{name}.txt"
            client = stack.enter_context(Client(cloud.url, file, rate)) if before and rate else None
            sampler = stack.enter_context(Sampler(cloud))
            began = time.monotonic()
            arn = begin()
            seen = meanwhile(arn) or {}
            execution = cloud.ended(arn)
            unrest = come_to_rest(cloud, self.tasks) if rests else self._wait_until_free()
            lasted = time.monotonic() - began
            if client:
                client.more(2 * rate)
        changed = beyond_the_law(cloud, account, held(cloud), set(cloud.said[said:]))
        assert not changed, changed
        rehearsal = Rehearsal(
            execution=execution,
            certificate=cloud.certificate(execution.name) or {},
            requests=client.requests if client else [],
            client_status=client.exit_status if client else None,
            samples=sampler.samples,
            holder=cloud.holder(),
            before=before,
            after=live(cloud),
            item=cloud.item(execution.name),
            unrest=unrest,
            seen=seen,
        )
        if rehearsal.certificate:
            _is_supported(cloud, execution.name)
        self._note(name, rehearsal, lasted)
        return rehearsal

    def push(self, version: str, tag: str | None = None, **faults: str) -> Callable[[], str]:
        """Begins a deployment by the push of a version, under its own tag or another one."""

        def begin() -> str:
            self.cloud.push_app(version, tag, **faults)
            return self.cloud.started_by_push(SERVICE, tag or version)

        return begin

    def ask(self, version: str, **faults: str) -> Callable[[], str]:
        """Begins a deployment by hand, of a version whose tag starts none when it is pushed."""

        def begin() -> str:
            self.cloud.push_app(version, **faults)
            self.cloud.ended(self.cloud.started_by_push(SERVICE, version))
            return self.cloud.start({"service": SERVICE, "image_tag": version})

        return begin

    def share(self) -> int:
        """The weight of the slot that the journal does not call stable."""
        stable, weights = live(self.cloud), self.cloud.weights()
        return weights[("blue", "green").index(other(stable.slot))] if stable and weights else 0

    def reach(self, share: int) -> None:
        """Wait until the candidate has this weight; the journal is read only where a slot has it."""

        def look() -> bool:
            return share in (self.cloud.weights() or ()) and self.share() == share

        until(look, f"weight {share} of the candidate")

    def enter(self, execution: str, state: str) -> None:
        """Wait until an execution has entered a state."""
        until(lambda: state in self.cloud.entered(execution), f"{state} of {execution}")

    @contextmanager
    def spec(self, **changes: Any) -> Iterator[None]:
        """Change fields of the service's spec for the time of a block; those of an object one by one."""
        spec = self.cloud.spec
        new = {
            key: {**spec[key], **value} if isinstance(value, dict) else value
            for key, value in changes.items()
        }
        self._put_spec({**spec, **new})
        try:
            yield
        finally:
            self._put_spec(spec)

    @contextmanager
    def without_spec(self) -> Iterator[None]:
        """Delete the service's spec for the time of a block."""
        self.cloud.aws("ssm", "delete-parameter", "--name", f"/crossfade/services/{self.cloud.service}")
        try:
            yield
        finally:
            self._put_spec(self.cloud.spec)

    def note(self, line: str) -> None:
        """Show a figure in the summary."""
        self._figures.append(line)

    def _put_spec(self, spec: dict[str, Any]) -> None:
        self.cloud.aws(
            *("ssm", "put-parameter", "--overwrite", "--type", "String"),
            *("--name", f"/crossfade/services/{self.cloud.service}", "--value", json.dumps(spec)),
        )

    def _wait_until_free(self) -> list[str]:
        until(lambda: self.cloud.holder() is None, "nobody to hold the service")
        return []

    def _note(self, name: str, rehearsal: Rehearsal, lasted: float) -> None:
        parts = [f"{lasted:.0f} s until all was at rest"]
        if rehearsal.requests:
            parts.append(
                f"{len(failed(rehearsal.requests))} of {len(rehearsal.requests)} client requests failed"
            )
        if rehearsal.certificate:
            reported = rehearsal.certificate["reported"]
            timing = reported["timing"] | (rehearsal.certificate["harm"] or [{}])[-1]
            parts.insert(0, rehearsal.certificate["outcome"])
            parts += [
                f"{part} {timing[part]:g} s"
                for part in (*PARTS, "detected", "restored_api", "restored")
                if timing.get(part) is not None
            ]
            parts.append(f"{reported['transitions']} transitions")
        self.note(f"{name}: {', '.join(parts)}")


def _is_supported(cloud: Cloud, deployment: str) -> None:
    """`crossfade check` finds in the ledger what the certificate says."""
    names = ("certificate.json", "ledger.jsonl.gz")
    assert unsupported({f"{deployment}/{name}": cloud.evidence(deployment, name) for name in names}) == []
