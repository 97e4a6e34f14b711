"""Containers without Docker: the part of docker-py's shape that MiniStack's ECS calls, on processes.

MiniStack needs a Docker daemon to run a task. It also stops a task at once, where AWS waits until
the load balancer has drained it and then for the container's stopTimeout; `stop` here keeps AWS's order.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from docker.errors import ImageNotFound, NotFound
from ministack.services import ecs

from sandbox import load_balancer
from sandbox.ecr.registry import PLATFORM, Images, Registry, UnpackedImage, registry
from sandbox.ecs.credentials import TaskCredentials, credentials
from sandbox.host.addresses import AddressBook, addresses
from sandbox.host.environments import PackagesError, environments
from sandbox.host.processes import LocalProcess, stop_all
from sandbox.load_balancer.certificates import authority
from sandbox.patching import replaces

_TASK_LABEL = "com.amazonaws.ecs.task-arn"
_NAME_LABEL = "com.amazonaws.ecs.container-name"
_CREDENTIALS_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_DEFAULT_STOP_TIMEOUT = 30  # seconds, as on Fargate
_SHUTDOWN_SECONDS = 2
# Below Linux's range for outgoing connections, so that none of them takes a port just chosen.
_PORTS = range(20000, 32000)


class Container:
    """One container of a task: a process with an address; attributes as docker-py has them."""

    def __init__(self, runtime: Runtime, labels: dict[str, str], address: str, stop_timeout: float) -> None:
        self.id = secrets.token_hex(32)
        self.labels = labels
        self.address = address
        self.stopping = False
        self._runtime = runtime
        self._stop_timeout = stop_timeout
        self._process: LocalProcess | None = None

    @property
    def process(self) -> LocalProcess:
        """The process behind it; there is one from the moment that `run` returns it."""
        if self._process is None:
            raise RuntimeError("the container was not started")
        return self._process

    @property
    def task_arn(self) -> str:
        """The task that it belongs to."""
        return self.labels.get(_TASK_LABEL, "")

    @property
    def status(self) -> str:
        """`running` or `exited`."""
        return "running" if self.process.exit_code is None else "exited"

    @property
    def attrs(self) -> dict[str, Any]:
        """What `docker inspect` would say, as far as the emulator reads it."""
        return {
            "NetworkSettings": {"Networks": {"sandbox": {"IPAddress": self.address}}},
            "State": {"ExitCode": self.process.exit_code or 0, "Pid": self.process.pid},
            "Labels": self.labels,
        }

    def start(self, command: list[str], env: dict[str, str], cwd: Path, on_end: Callable[[], None]) -> None:
        """Start its process."""
        self._process = LocalProcess(command, env, cwd, on_end)

    def reload(self) -> None:
        """Nothing to do: status and attrs are read live."""

    def wait(self) -> dict[str, int]:
        """Wait for the end of the process."""
        return {"StatusCode": self.process.wait() or 0}

    def logs(self, stream: bool = False, follow: bool = False, **_: object) -> Iterator[bytes] | bytes:
        """Lines of stdout and stderr: as they come (`stream`), or those so far in one piece."""
        return self.process.lines(follow) if stream else b"".join(self.process.lines(follow=False))

    def stop(self, timeout: float | None = None) -> None:
        """Return at once; the process ends in the background. The emulator's `timeout` is not AWS's."""
        self.stopping = True
        self.process.stop(self._stop_timeout, lambda: self._runtime.drained(self.address))

    def remove(self, **_: object) -> None:
        """Take it out of the listing; a process that is being stopped ends in its own time."""
        self._runtime.forget(self)


class Runtime:
    """A Docker client, as far as the emulator's ECS uses one."""

    def __init__(
        self,
        registry: Registry,
        addresses: AddressBook,
        credentials: TaskCredentials,
        drained: Callable[[str], bool],
    ) -> None:
        self.containers = self  # docker-py's client.containers: run, get, list
        self.images = Images(registry)
        self.drained = drained
        self._registry = registry
        self._addresses = addresses
        self._credentials = credentials
        self._lock = threading.Lock()
        self._listed: dict[str, Container] = {}
        self._alive: dict[str, Container] = {}
        self._next_port = itertools.cycle(_PORTS)
        for _ in range(secrets.randbelow(len(_PORTS))):  # two sandboxes on one machine do not compete
            next(self._next_port)

    def run(
        self,
        image: str,
        *,
        environment: dict[str, str],
        labels: dict[str, str],
        command: list[str] | None = None,
        platform: str = PLATFORM,
        **_: object,
    ) -> Container:
        """Start a container of a task. Raises the emulator's pull error when the image is not in ECR."""
        try:
            unpacked = self._registry.pull(image, platform)
            programs = environments.programs(unpacked.requirements)
        except (ImageNotFound, PackagesError) as error:
            raise ecs._ImagePullError(str(error)) from error
        task = ecs._tasks.get(labels[_TASK_LABEL])
        definition = ecs._task_defs.get(ecs._resolve_td_key(task["taskDefinitionArn"]))
        own = next(c for c in definition["containerDefinitions"] if c["name"] == labels[_NAME_LABEL])
        role = task.get("overrides", {}).get("taskRoleArn") or definition.get("taskRoleArn")
        env = authority.trusting(self._environment(unpacked, environment, role, labels[_TASK_LABEL]))
        env["PATH"] = os.pathsep.join([str(programs), env.get("PATH", os.defpath)])
        entrypoint = own.get("entryPoint") or unpacked.config["Entrypoint"]
        arguments = command or ([] if own.get("entryPoint") else unpacked.config["Cmd"])
        line = [unpacked.inside(word) for word in [*entrypoint, *arguments]]
        if not line or shutil.which(line[0], path=env["PATH"]) is None:
            program = line[0] if line else "(no command)"
            raise RuntimeError(f"CannotStartContainerError: no such program: {program}")
        container = self._place(labels, float(own.get("stopTimeout") or _DEFAULT_STOP_TIMEOUT))
        ports = unpacked.ports or _mapped(own)
        if ports:
            env |= {"HOST": "127.0.0.1", "PORT": str(self._free_port())}
            # Containers of one image may share a task: the port is of the one that maps it.
            others = {port for c in definition["containerDefinitions"] if c is not own for port in _mapped(c)}
            for port in set(ports) - others:
                self._addresses.bind(container.address, port, int(env["PORT"]))
            for port in _mapped(own)[1:]:
                env[f"PORT_{port}"] = str(self._free_port())
                self._addresses.bind(container.address, port, int(env[f"PORT_{port}"]))
        cwd = Path(unpacked.inside(own.get("workingDirectory") or unpacked.config["WorkingDir"]))
        cwd = cwd if cwd.is_relative_to(unpacked.root) else unpacked.root
        container.start(line, env, cwd, lambda: self._ended(container))
        return container

    def get(self, container_id: str) -> Container:
        """The container, as long as it was not removed. Raises docker's NotFound."""
        found = self._listed.get(container_id)
        if found is None:
            raise NotFound(f"No such container: {container_id}")
        return found

    def list(self, **_: object) -> Sequence[Container]:
        """All containers that were not removed."""
        return list(self._listed.values())

    def forget(self, container: Container) -> None:
        """Take a container out of the listing."""
        self._listed.pop(container.id, None)

    def stopping(self, task_arn: str) -> Sequence[Container]:
        """The containers of a task that were told to stop and still run."""
        return [c for c in list(self._alive.values()) if c.task_arn == task_arn and c.stopping]

    def wait_for(self, task_arn: str, name: str) -> int:
        """The exit status of a container of a task, once it has ended."""
        (container,) = [
            c for c in self.list() if c.task_arn == task_arn and c.labels.get(_NAME_LABEL) == name
        ]
        return container.wait()["StatusCode"]

    def shutdown(self) -> None:
        """End all processes now: SIGTERM, a short wait, SIGKILL."""
        stop_all([container.process for container in list(self._alive.values())], _SHUTDOWN_SECONDS)

    def _place(self, labels: dict[str, str], stop_timeout: float) -> Container:
        """A container with an address: the task's, which all its containers share."""
        with self._lock:
            siblings = [c for c in self._alive.values() if c.task_arn == labels[_TASK_LABEL]]
            address = siblings[0].address if siblings else self._addresses.assign()
            container = Container(self, labels, address, stop_timeout)
            self._listed[container.id] = self._alive[container.id] = container
            return container

    def _ended(self, container: Container) -> None:
        with self._lock:
            self._alive.pop(container.id, None)
            if not any(c.task_arn == container.task_arn for c in self._alive.values()):
                self._addresses.release(container.address)

    def _environment(
        self, image: UnpackedImage, given: dict[str, str], role: str | None, task_arn: str
    ) -> dict[str, str]:
        """Nothing of the sandbox's own environment: the image's, then the task's, then what Fargate adds."""
        env = image.env() | {
            name: value.replace("host.docker.internal", "127.0.0.1") for name, value in given.items()
        }
        region = task_arn.split(":")[3]
        env |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE"}
        env["HOME"] = str(image.root)  # not the user's: there may be AWS profiles in it
        if role:
            uri, token = env[_CREDENTIALS_URI], env["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
            self._credentials.grant(uri, token, role, task_arn.rsplit("/", 1)[-1])
        else:
            env.pop(_CREDENTIALS_URI, None)  # a task without a role has no credentials
        return env

    def _free_port(self) -> int:
        with self._lock:
            for port in itertools.islice(self._next_port, len(_PORTS)):
                with socket.socket() as probe, contextlib.suppress(OSError):
                    probe.bind(("127.0.0.1", port))
                    return port
        raise RuntimeError("no free port left for a task")


def _mapped(definition: dict[str, Any]) -> list[int]:
    """The ports of a container's mappings."""
    return [mapping["containerPort"] for mapping in definition.get("portMappings", [])]


runtime = Runtime(registry, addresses, credentials, load_balancer.drained)
"""That of this process."""


@replaces(ecs, "_get_docker", version="1.5.33")
def run_without_docker(emulator: Callable[[], Any]) -> Runtime:
    """MiniStack: a client of Docker's daemon."""
    return runtime
