"""Where the exercise takes place: the commands that are run against it, and its AWS API.

`laptop.py` is the sandbox on this machine, `account.py` a real account. Every process that the demo starts is
started here, and none outlives the `Cloud` that started it.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.host.processes import LocalProcess

ROOT = Path(__file__).parents[1]
_END_SECONDS = 20
_QUOTED_LINES = 15
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoFailed(Exception):
    """The demo cannot go on; the message says at what, why, and what can be done."""


@dataclass(frozen=True)
class Patience:
    """How long things may take in a place, in seconds; `client` is how long the test client may ask at most.

    `takes_effect` is the time in which the load balancer follows its rule.
    """

    deploy: float
    push: float
    start: float
    deployment: float
    client: int
    takes_effect: float


class Cloud(ABC):
    """A place for the exercise, with all logs in one folder; use it as a context manager."""

    patience: Patience

    def __init__(self, state: Path, stack: str) -> None:
        self.state = state
        self.stack = stack
        self._processes: list[LocalProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what still runs, the latest first."""
        while self._processes:
            _end(self._processes.pop())

    # ---- what differs from place to place ---------------------------------------------------------------

    @property
    @abstractmethod
    def greeting(self) -> str:
        """Which place this is, in a line."""

    @abstractmethod
    def aws(self, service: str) -> Any:
        """A boto3 client."""

    @abstractmethod
    def push_probe(self) -> None:
        """Push the probe's image. Raises DemoFailed."""

    @abstractmethod
    def push(self, version: str, *build_args: str) -> str:
        """Push the sample app as a person does; returns its name and digest. Raises DemoFailed."""

    @abstractmethod
    def _environment(self) -> dict[str, str]:
        """The environment of the commands."""

    @abstractmethod
    def _deploy_options(self) -> list[str]:
        """The options of `sam deploy`."""

    def pids(self) -> list[int]:
        """The processes whose memory is worth telling."""
        return []

    def environment(self) -> dict[str, str]:
        """The environment of the commands, for one that is started elsewhere."""
        return self._environment()

    # ---- what is the same -------------------------------------------------------------------------------

    def start(self, *command: str) -> LocalProcess:
        """Start a program that runs until it is stopped, at the latest by `close`."""
        process = LocalProcess(command, self._environment(), ROOT)
        self._processes.append(process)
        return process

    def run(
        self, name: str, *command: str, seconds: float, variables: Mapping[str, str] | None = None
    ) -> list[str]:
        """Run a program to its end and return its output; the output is kept in `<name>.log`.

        Raises DemoFailed when the program fails or does not end within `seconds`.
        """
        process = LocalProcess(command, self._environment() | dict(variables or {}), ROOT)
        try:
            status = process.wait(seconds)
        finally:
            _end(process)
        said = output(process)
        log = self.state / f"{name}.log"
        log.write_text("".join(f"{line}\n" for line in said), encoding="utf-8")
        if status != 0:
            how = f"ended with status {status}" if status else f"did not end within {seconds:g} s"
            raise DemoFailed(f"{name} {how}. The end of {log}:\n{quote(said)}")
        return said

    def deploy(self) -> None:
        """`sam deploy` of the real template. Raises DemoFailed."""
        try:
            self.run("sam-deploy", _sam(), "deploy", *self._deploy_options(), seconds=self.patience.deploy)
        except DemoFailed as failure:
            # The reason is one line in the middle of several hundred.
            if reasons := self.stack_failures():
                log = self.state / "sam-deploy.log"
                raise DemoFailed(f"sam deploy failed, see {log}:\n{quote(reasons)}") from failure
            raise

    def client(self, url: str, rate: int, out: Path) -> LocalProcess:
        """Start the test client, the same that `python -m probe` is for anybody."""
        options = ["--url", url, "--for", f"{self.patience.client}s", "--rate", str(rate), "--out", str(out)]
        return self.start(*module("probe"), *options)

    def output(self, name: str) -> str:
        """An output of the stack."""
        stack = self.aws("cloudformation").describe_stacks(StackName=self.stack)["Stacks"][0]
        found = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        return str(found[name])

    def repository(self, output: str) -> str:
        """The name of the repository whose address is an output of the stack."""
        return self.output(output).partition("/")[2]

    def stack_failures(self) -> list[str]:
        """What failed in the stack, the oldest first; empty where AWS does not say."""
        try:
            events = self.aws("cloudformation").describe_stack_events(StackName=self.stack)["StackEvents"]
        except (ClientError, BotoCoreError):
            return []
        return [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', event['ResourceStatus'])}"
            for event in reversed(events)
            if event["ResourceStatus"].endswith("_FAILED")
        ]


def parameter_overrides(config_env: str) -> dict[str, str]:
    """The template's parameters that a section of samconfig.toml sets.

    Overrides on the command line replace all of those in the file, so they are passed on.
    """
    settings = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    given = settings[config_env]["deploy"]["parameters"].get("parameter_overrides", [])
    return dict(override.split("=", 1) for override in given)


def module(name: str) -> list[str]:
    """The command that runs a module of this project."""
    return [sys.executable, "-m", name]


def output(process: LocalProcess) -> list[str]:
    """The lines that a program has printed."""
    return [line.decode(errors="replace").rstrip() for line in process.lines(follow=False)]


def quote(lines: list[str]) -> str:
    """The end of a program's output, for a message."""
    said = [line for line in lines if line.strip()]
    return "\n".join(f"  | {line}" for line in said[-_QUOTED_LINES:]) or "  | (no output)"


def _end(process: LocalProcess) -> None:
    """End a process, as Ctrl-C would, and wait for its end: bounded, and not to be interrupted half way."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    process.stop(_END_SECONDS)
    process.wait(_END_SECONDS + 5)
    for number, handler in before.items():
        signal.signal(number, handler)


def _sam() -> str:
    beside = Path(sys.executable).with_name("sam")
    found = str(beside) if beside.exists() else shutil.which("sam")
    if found is None:
        raise DemoFailed("The command sam is missing: install the project as `make demo` does.")
    return found
