"""The exercise itself, in its order: 0.0.1 goes live, a client asks, 0.0.2 replaces it, 0.0.3 is put back."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cli.report import write_page
from demo.claims import Deployment
from demo.cloud import ROOT, Cloud, DemoFailed
from demo.follow import Screen, follow
from demo.memory import MemorySampler, Usage
from demo.workflow import Workflow
from probe.record import RequestRecord
from probe.textfile import read
from sandbox.host.processes import LocalProcess

RESULTS = ROOT / "test_client_results"
CLIENT_FILE = RESULTS / "client.txt"
CLIENT_PAGE = RESULTS / "client.html"
FIRST, GOOD, BAD = "0.0.1", "0.0.2", "0.0.3"
FAULT = "FAULT_ERROR_RATE=1"
"""What is wrong with the bad version: every answer but its health check's is an error."""
_RATE = 20
_WAIT_SECONDS = 30


@dataclass(frozen=True)
class Records:
    """What is left of the exercise: the client's requests, the deployments, the files, the memory it took."""

    client: list[RequestRecord]
    first: Deployment
    good: Deployment
    bad: Deployment
    files: list[Path]
    memory: Usage


def run(cloud: Cloud, screen: Screen) -> Records:
    """Run the exercise with live lines; the processes that it started have ended when it returns or raises.

    Raises DemoFailed where it cannot go on, and OSError when the results cannot be written.
    """
    _clear()
    with cloud, MemorySampler(cloud.pids) as memory:
        screen.say(cloud.greeting)
        screen.say("sam deploy")
        cloud.deploy()
        workflow = Workflow(cloud)
        screen.say("stack deployed; pushing the probe and the first version")
        screen.heading()
        cloud.push_probe()

        first = _release(cloud, workflow, screen, FIRST, None)
        if first.certificate["outcome"] != "promoted":
            raise DemoFailed(f"{FIRST} did not go live: {first.certificate['reason']}")
        client = cloud.client(workflow.url, _RATE, CLIENT_FILE)
        _until_asked(client, _RATE)
        screen.say(f"the client asks {workflow.url}/version {_RATE} times a second")

        good = _release(cloud, workflow, screen, GOOD, client)
        bad = _release(cloud, workflow, screen, BAD, client, FAULT)
        _until_asked(client, len(read(CLIENT_FILE)) + _RATE)
        _end(client)
    write_page(CLIENT_FILE, CLIENT_PAGE)
    files = [
        CLIENT_FILE,
        CLIENT_PAGE,
        *(file for each in (first, good, bad) for file in sorted(_folder(each.version).iterdir())),
    ]
    return Records(read(CLIENT_FILE), first, good, bad, files, memory.peak)


def _release(
    cloud: Cloud, workflow: Workflow, screen: Screen, version: str, client: LocalProcess | None, *faults: str
) -> Deployment:
    """Push a version, follow its deployment to the end, and fetch what it leaves."""
    pushed = datetime.now(UTC)
    image = cloud.push(version, *faults)
    fault = f" with {faults[-1]}" if faults else ""
    screen.say(f"pushed {image}{fault}")
    execution, standing = follow(workflow, version, CLIENT_FILE if client else None, screen, cloud.patience)
    if standing.error:
        screen.say(f"{version}: {standing.error}: {standing.cause}")
    folder = _folder(version)
    workflow.fetch_evidence(execution, folder)
    return Deployment(
        version=version,
        pushed=pushed,
        ended=standing.ended or datetime.now(UTC),
        status=standing.status,
        certificate=json.loads((folder / "certificate.json").read_text(encoding="utf-8")),
        ledger=gzip.decompress((folder / "ledger.jsonl.gz").read_bytes()),
    )


def _until_asked(client: LocalProcess, requests: int) -> None:
    """Wait until the client's file holds this many requests. Raises DemoFailed when it never does."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while not CLIENT_FILE.exists() or len(read(CLIENT_FILE)) < requests:
        if client.exit_code is not None or time.monotonic() > deadline:
            said = b"".join(client.lines(follow=False)).decode(errors="replace").strip()
            raise DemoFailed(f"The client does not ask. It says:\n{said}")
        time.sleep(0.1)


def _end(client: LocalProcess) -> None:
    """Ask the client to end, as Ctrl-C would: it writes its summary and leaves."""
    client.stop(_WAIT_SECONDS)
    client.wait(_WAIT_SECONDS + 5)


def _folder(version: str) -> Path:
    return RESULTS / version


def _clear() -> None:
    """Remove the results of an earlier demo."""
    CLIENT_FILE.unlink(missing_ok=True)
    CLIENT_PAGE.unlink(missing_ok=True)
    for version in (FIRST, GOOD, BAD):
        shutil.rmtree(_folder(version), ignore_errors=True)


@contextmanager
def results() -> Iterator[None]:
    """Hold the folder of the results. Raises DemoFailed while another demo does."""
    RESULTS.mkdir(exist_ok=True)
    folder = os.open(RESULTS, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"Another demo writes its results to {RESULTS}: wait until it has ended."
            raise DemoFailed(message) from error
        yield
    finally:
        os.close(folder)
