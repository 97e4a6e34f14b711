"""AWS on this machine for the length of the demo: the sandbox, and the commands that are run against it.

Every process that the demo starts is started here, and none outlives the `Cloud` that started it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import sys
import time
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sandbox.processes import LocalProcess

ROOT = Path(__file__).parents[1]
STACK = "crossfade"
_HOST = "127.0.0.1"
_REGION = "us-east-1"
_KEYS = "test"
# Below the ports that systems give to outgoing connections: one of those could take a port before it is used.
_PORTS = range(18_000, 30_000)
_STARTED = "Crossfade sandbox"
_START_SECONDS = 60
_END_SECONDS = 20
_QUOTED_LINES = 15
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoFailed(Exception):
    """The demo cannot go on; the message says at what, why, and what can be done."""


class Cloud:
    """A sandbox on free ports, with its state and all logs in one folder; use it as a context manager."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.gateway, self.production, self.preview = free_ports(3)
        self.endpoint = f"http://{_HOST}:{self.gateway}"
        self._processes: list[LocalProcess] = []

    def __enter__(self) -> Self:
        """Start the sandbox and wait until it answers."""
        with ExitStack() as unless_it_starts:
            unless_it_starts.callback(self.close)
            sandbox = self.start(*_module("sandbox"), "--port", str(self.gateway), "--state", str(self.state))
            deadline = time.monotonic() + _START_SECONDS
            # It says so when it answers; a port that answers may be another program's.
            while not any(_STARTED in line for line in _output(sandbox)):
                if sandbox.wait(0.05) is not None or time.monotonic() > deadline:
                    raise DemoFailed(f"The sandbox did not start. It says:\n{_quote(_output(sandbox))}")
            unless_it_starts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what still runs, the latest first."""
        while self._processes:
            _end(self._processes.pop())

    def pids(self) -> list[int]:
        """The sandbox and the client while they run; tasks, probes and functions are below the sandbox."""
        return [process.pid for process in self._processes if process.exit_code is None]

    def start(self, *command: str) -> LocalProcess:
        """Start a program against the sandbox that runs until it is stopped, at the latest by `close`."""
        process = LocalProcess(command, self._environment(), ROOT)
        self._processes.append(process)
        return process

    def run(self, name: str, *command: str, seconds: float) -> list[str]:
        """Run a program to its end and return its output; the output is kept in `<name>.log`.

        Raises DemoFailed when the program fails or does not end within `seconds`.
        """
        process = LocalProcess(command, self._environment(), ROOT)
        try:
            status = process.wait(seconds)
        finally:
            _end(process)
        output = _output(process)
        log = self.state / f"{name}.log"
        log.write_text("".join(f"{line}\n" for line in output), encoding="utf-8")
        if status != 0:
            how = f"ended with status {status}" if status else f"did not end within {seconds:g} s"
            raise DemoFailed(f"{name} {how}. The end of {log}:\n{_quote(output)}")
        return output

    def deploy(self) -> None:
        """`sam deploy` of the real template, on this sandbox's ports."""
        ports = {"SampleProductionPort": self.production, "SamplePreviewPort": self.preview}
        overrides = [f"{name}={value}" for name, value in (_sandbox_parameters() | ports).items()]
        sam = [_sam(), "deploy", "--config-env", "sandbox", "--parameter-overrides", *overrides]
        try:
            self.run("sam-deploy", *sam, seconds=180)
        except DemoFailed as failure:
            # The reason is one line in the middle of several hundred.
            if reasons := self._stack_failures():
                log = self.state / "sam-deploy.log"
                raise DemoFailed(f"sam deploy failed, see {log}:\n{_quote(reasons)}") from failure
            raise

    def push(self, folder: str, tag: str, *options: str) -> str:
        """Push an image as a person does and return what the command says: its name and digest."""
        command = [*_module("sandbox"), "push", folder, "--tag", tag, *options]
        return self.run(f"push-{folder}-{tag}", *command, seconds=60)[-1]

    def client(self, seconds: int, rate: int, out: Path) -> LocalProcess:
        """Start the test client, the same that `python -m probe` is for anybody."""
        url = f"http://localhost:{self.production}"
        options = ["--url", url, "--for", f"{seconds}s", "--rate", str(rate), "--out", str(out)]
        return self.start(*_module("probe"), *options)

    def aws(self, service: str) -> Any:
        """A boto3 client of the sandbox, whatever AWS settings and proxies the user's shell has."""
        connect: Any = boto3.client
        return connect(
            service,
            endpoint_url=self.endpoint,
            region_name=_REGION,
            aws_access_key_id=_KEYS,
            aws_secret_access_key=_KEYS,
            config=Config(connect_timeout=5, read_timeout=20, proxies={}),
        )

    def _stack_failures(self) -> list[str]:
        try:
            events = self.aws("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
        except (ClientError, BotoCoreError):
            return []
        return [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', event['ResourceStatus'])}"
            for event in reversed(events)
            if event["ResourceStatus"].endswith("_FAILED")
        ]

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "SAM_CLI_"))}
        return kept | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": _REGION,
            "AWS_ACCESS_KEY_ID": _KEYS,
            "AWS_SECRET_ACCESS_KEY": _KEYS,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "SAM_CLI_TELEMETRY": "0",
            "NO_PROXY": "localhost,127.0.0.1",
            "no_proxy": "localhost,127.0.0.1",
        }


def free_ports(count: int) -> list[int]:
    """Different ports of this machine that nothing listens on. Raises DemoFailed."""
    # By chance, so that two demos that start together do not choose the same ones.
    chosen: list[int] = []
    for port in random.sample(_PORTS, 200):
        if _is_free(port):
            chosen.append(port)
        if len(chosen) == count:
            return chosen
    raise DemoFailed(f"No {count} free ports between {_PORTS.start} and {_PORTS.stop} on {_HOST}.")


def _end(process: LocalProcess) -> None:
    """End a process, as Ctrl-C would, and wait for its end: bounded, and not to be interrupted half way."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    process.stop(_END_SECONDS)
    process.wait(_END_SECONDS + 5)
    for number, handler in before.items():
        signal.signal(number, handler)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


def _sandbox_parameters() -> dict[str, object]:
    # Overrides on the command line replace all of those in the file, so the others are passed on.
    settings = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    overrides = settings["sandbox"]["deploy"]["parameters"]["parameter_overrides"]
    return dict(override.split("=", 1) for override in overrides)


def _sam() -> str:
    beside = Path(sys.executable).with_name("sam")
    found = str(beside) if beside.exists() else shutil.which("sam")
    if found is None:
        raise DemoFailed("The command sam is missing: install the project as `make demo` does.")
    return found


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def _output(process: LocalProcess) -> list[str]:
    return [line.decode(errors="replace").rstrip() for line in process.lines(follow=False)]


def _quote(lines: list[str]) -> str:
    said = [line for line in lines if line.strip()]
    return "\n".join(f"  | {line}" for line in said[-_QUOTED_LINES:]) or "  | (no output)"
