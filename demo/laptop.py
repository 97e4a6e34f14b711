"""The exercise on this machine: the sandbox on free ports, for the length of the demo."""

from __future__ import annotations

import os
import random
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config

from demo.cloud import Cloud, DemoFailed, Patience, module, output, parameter_overrides, quote
from demo.probe_tag import pinned_tag

_HOST = "127.0.0.1"
_REGION = "us-east-1"
_KEYS = "test"
# Below the ports that systems give to outgoing connections: one of those could take a port before it is used.
_PORTS = range(18_000, 30_000)
_STARTED = "Crossfade sandbox"
_START_SECONDS = 60


class Laptop(Cloud):
    """A sandbox, with its state and all logs in one folder."""

    patience = Patience(deploy=180, push=60, start=60, deployment=300, client=1800, takes_effect=5)

    def __init__(self, state: Path) -> None:
        super().__init__(state, "crossfade")
        self.gateway, self.production = free_ports(2)
        self.endpoint = f"http://{_HOST}:{self.gateway}"

    def __enter__(self) -> Self:
        """Start the sandbox and wait until it answers."""
        with ExitStack() as unless_it_starts:
            unless_it_starts.callback(self.close)
            sandbox = self.start(*module("sandbox"), "--port", str(self.gateway), "--state", str(self.state))
            deadline = time.monotonic() + _START_SECONDS
            # It says so when it answers; a port that answers may be another program's.
            while not any(_STARTED in line for line in output(sandbox)):
                if sandbox.wait(0.05) is not None or time.monotonic() > deadline:
                    raise DemoFailed(f"The sandbox did not start. It says:\n{quote(output(sandbox))}")
            unless_it_starts.pop_all()
        return self

    @property
    def greeting(self) -> str:
        """Where the sandbox answers, and its log."""
        return f"the sandbox, AWS on this machine, answers at {self.endpoint}; its log is in {self.state}"

    def pids(self) -> list[int]:
        """The sandbox and the client while they run; tasks, probes and functions are below the sandbox."""
        return [process.pid for process in self._processes if process.exit_code is None]

    def push_probe(self) -> None:
        """Push the probe's image to the sandbox."""
        self._push("probe", pinned_tag(), "--repository", self.repository("ProbeRepository"))

    def push(self, version: str, *build_args: str) -> str:
        """Push the sample app to the sandbox."""
        options = [part for value in (f"VERSION={version}", *build_args) for part in ("--build-arg", value)]
        return self._push("sample_app", version, *options)

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

    def _push(self, folder: str, tag: str, *options: str) -> str:
        command = [*module("sandbox"), "push", folder, "--tag", tag, *options]
        return self.run(f"push-{folder}-{tag}", *command, seconds=self.patience.push)[-1]

    def _deploy_options(self) -> list[str]:
        ports = {"SampleProductionPort": self.production}
        overrides = [f"{name}={value}" for name, value in (parameter_overrides("sandbox") | ports).items()]
        return ["--config-env", "sandbox", "--parameter-overrides", *overrides]

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


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True
