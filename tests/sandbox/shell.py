"""What people do with the sandbox: the real `aws` and `sam` commands, and `python -m sandbox push`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
STACK = "crossfade"
SERVICE = "sample-app"


def machine_arn(name: str, stack: str = STACK) -> str:
    """The ARN of the state machine `deploy` or `rollback`."""
    return f"arn:aws:states:us-east-1:000000000000:stateMachine:{stack}-{name}"


class Shell:
    """A shell that has been told the sandbox's endpoint: `aws`, `sam`, `crossfade`, and the push of images.

    ``service`` is the one that is deployed; all but the sample application are their owners'. ``stack`` is
    Crossfade's.
    """

    def __init__(
        self, endpoint: str, production_port: int, home: Path, service: str = SERVICE, stack: str = STACK
    ) -> None:
        self.endpoint, self.service, self.stack = endpoint, service, stack
        self.url = f"http://localhost:{production_port}"
        self.said: list[str] = []
        """Every word of what people told AWS to change, and the names of what they have deployed."""
        self._parameters = {
            "PowertoolsLayer": "/crossfade/sandbox/powertools-layer",
            "SampleProductionPort": str(production_port),
            "SamplePace": "rehearsal",
            "DeploySampleApp": str(service == SERVICE).lower(),
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST"))}
        self._environment = kept | {
            "HOME": str(home),
            "NO_PROXY": "localhost,127.0.0.1",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_PAGER": "",
            "SAM_CLI_TELEMETRY": "0",
        }

    def run(
        self, *command: str, check: bool = True, folder: Path = PROJECT
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the virtual environment, as in a shell that has been told the endpoint."""
        program = str(Path(sys.executable).with_name(command[0]))
        done = subprocess.run(
            [program, *command[1:]],
            cwd=folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}"
        return done

    def begin(self, script: str, folder: Path, variables: dict[str, str]) -> subprocess.Popen[str]:
        """Begin lines of a shell in a folder, with more variables, as a runner of jobs does."""
        path = os.pathsep.join([str(Path(sys.executable).parent), self._environment["PATH"]])
        return subprocess.Popen(
            ["bash", "-e", "-c", script],
            cwd=folder,
            env=self._environment | {"PATH": path} | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def bash(self, script: str, folder: Path) -> str:
        """Run lines of a shell in a folder, none after one that fails; returns what they print."""
        path = os.pathsep.join([str(Path(sys.executable).parent), self._environment["PATH"]])
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=folder,
            env=self._environment | {"PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{script}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def aws(self, *arguments: str) -> dict[str, Any]:
        """Run the AWS CLI; returns the JSON that it prints."""
        self.said += arguments
        printed = self.run("aws", *arguments, "--output", "json").stdout
        return dict(json.loads(printed)) if printed.strip() else {}

    def sam_deploy(self, folder: Path = PROJECT, **parameters: str) -> str:
        """Run `sam deploy` as a person does, of the project in a folder; returns what it prints.

        Parameters that were given once stay.
        """
        self._parameters |= parameters
        values = [f"{name}={value}" for name, value in self._parameters.items()]
        stack = self.stack
        self.said += [f"{stack}-probe", SERVICE, f"/{stack}/services/{SERVICE}", f"/{stack}/task-roles"]
        command = ["sam", "deploy", "--config-env", "sandbox", "--stack-name", stack]
        command += ["--parameter-overrides", *values]
        return self.run(*command, folder=folder).stdout

    def push(self, folder: str, tag: str, repository: str | None = None, **build_args: str) -> str:
        """Make an image from a folder and push it; returns its digest."""
        command = ["python", "-m", "sandbox", "push", folder, "--tag", tag]
        command += ["--repository", repository] if repository else []
        for name, value in build_args.items():
            command += ["--build-arg", f"{name}={value}"]
        return self.run(*command).stdout.split()[-1]

    def push_app(self, version: str, tag: str | None = None, **faults: str) -> str:
        """Push the sample application of that version, under its own tag or another; returns its digest."""
        return self.push("sample_app", tag or version, VERSION=version, **faults)

    def start(self, document: object, machine: str = "deploy") -> str:
        """Start a state machine with `aws stepfunctions start-execution`; returns the execution's ARN."""
        arn = machine_arn(machine, self.stack)
        command = ["stepfunctions", "start-execution", "--state-machine-arn", arn]
        return str(self.aws(*command, "--input", json.dumps(document))["executionArn"])

    def roll_back(self) -> str:
        """Start the rollback of the service as a person does; returns the execution's ARN."""
        return self.start({"service": self.service}, "rollback")

    def stop(self, execution: str) -> None:
        """Stop an execution with `aws stepfunctions stop-execution`: no Catch of it runs."""
        self.aws("stepfunctions", "stop-execution", "--execution-arn", execution)
