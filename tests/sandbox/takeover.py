"""A service that was not made for Crossfade, as its owner has it taken over and takes it back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.sandbox.client import Client, failed
from tests.sandbox.cloud import Cloud
from tests.sandbox.guide import Reader, commands
from tests.sandbox.owner import Owner, Template, properties_of
from tests.sandbox.patience import until
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.shopkeeper import Shopkeeper
from tests.sandbox.stage import Stage
from tests.sandbox.terraformed import TerraformOwner

ECS_SERVICE, TASK_DEFINITION = "AWS::ECS::Service", "AWS::ECS::TaskDefinition"
UPDATED_SECONDS = 60
"""For at least this long half of the traffic is the candidate's where the stack is updated meanwhile."""
Change = Callable[[Template], None]
"""What the owner changes in the template."""
PACE: dict[str, Any] = {
    "stages": [
        {"weight": 0, "min_seconds": 4, "max_seconds": 60},
        {"weight": 10, "min_seconds": 5, "max_seconds": 60},
        {"weight": 50, "min_seconds": 5, "max_seconds": 60},
        {"weight": 100, "min_seconds": 5, "max_seconds": 60},
    ],
    "launch": {"deadline_seconds": 60, "hold_seconds": 1},
    "retire": {"quiet_seconds": 3, "drain_seconds": 4, "deadline_seconds": 600, "warm_seconds": 0},
    "gate": {
        "users": "feed",
        "beta": 0.1,
        "probe_margin": 0.05,
        "users_harmed": 0.05,
        "users_seconds": 6,
        "users_seen_seconds": 5,
        "warm_up_seconds": 1,
        "settle_seconds": 1,
        "slower_by": 0.5,
    },
}
"""What a person changes in the proposed spec: nobody waits for the pace of production here."""
NO_USERS = {"users": "metrics", "users_seconds": 0, "users_seen_seconds": 0}
"""Of the gate: a stage does not wait for a minute's metrics of users."""


def tagged(value: str) -> Change:
    """A change of the template that has nothing to do with what runs."""

    def change(template: Template) -> None:
        properties_of(template, ECS_SERVICE)["Tags"] = [{"Key": "Team", "Value": value}]

    return change


def cpu(units: str) -> Change:
    """A change that makes CloudFormation register another task definition."""

    def change(template: Template) -> None:
        properties_of(template, TASK_DEFINITION)["Cpu"] = units

    return change


def variable(name: str, value: str) -> Change:
    """Another value of a variable, in each container that has it."""

    def change(template: Template) -> None:
        for container in properties_of(template, TASK_DEFINITION)["ContainerDefinitions"]:
            for one in container.get("Environment", []):
                if one["Name"] == name:
                    one["Value"] = value

    return change


def tasks(count: int) -> Change:
    """Another number of tasks."""

    def change(template: Template) -> None:
        properties_of(template, ECS_SERVICE)["DesiredCount"] = count

    return change


def image(old: str, new: str) -> Change:
    """Another tag of the images that have the old one."""

    def change(template: Template) -> None:
        definition = properties_of(template, TASK_DEFINITION)
        given = json.dumps(definition["ContainerDefinitions"])
        definition["ContainerDefinitions"] = json.loads(given.replace(f":{old}", f":{new}"))

    return change


class Takeover:
    """One service of an owner's: adopted, released, updated by its owner meanwhile, and handed back.

    ``client`` asks all the time, ``gate`` is what its owner sets of the gate besides, and ``paths`` are those
    that the probe asks, if not the version's alone. ``lives`` are the statuses and versions that the client
    was answered after a step.
    """

    def __init__(
        self,
        stage: Stage,
        owner: Owner | Shopkeeper | TerraformOwner,
        client: Client,
        file: Path,
        gate: dict[str, Any] | None = None,
        paths: Sequence[str] = (),
    ) -> None:
        self.stage, self.owner, self.client = stage, owner, client
        self.lives: dict[str, set[tuple[int | None, str | None]]] = {}
        self._file, self._spec = file, {**PACE, "gate": {**PACE["gate"], **(gate or {})}}
        self._probe = {"paths": list(paths)} if paths else {}

    @property
    def cloud(self) -> Cloud:
        """Where it is."""
        return self.stage.cloud

    def adopt(self, *options: str) -> dict[str, Any]:
        """Have `crossfade adopt` propose a spec, set the pace in it, apply it, and give Crossfade the rights.

        Returns what the command has printed.
        """
        service = self.owner.service()
        like = f"{service['clusterArn'].rpartition('/')[2]}/{service['serviceName']}"
        command = ["crossfade", "adopt", "--like", like, "--name", self.cloud.service, "--json"]
        command += ["--out", str(self._file), *options]
        self.cloud.run(*command)
        self._set(self._file)
        said: dict[str, Any] = json.loads(self.cloud.run(*command, "--apply").stdout)
        self.cloud.sam_deploy(**said["parameters"])
        self.see("adopted")
        return said

    def follow(self, guide: Reader) -> str:
        """Do what docs/adopting.md says until the service can be released; returns what that printed.

        Between looking and preparing the pace is set in the proposed spec.
        """
        look, rest = [], commands("Fifteen minutes")
        while "--apply" not in rest[0]:
            look.append(rest.pop(0))
        printed = guide.does(*look)
        self._set(guide.file(f"{self.cloud.service}.crossfade.json"))
        printed += guide.does(*rest)
        self.see("adopted")
        return printed

    def release(
        self,
        name: str,
        push: Callable[[], str],
        meanwhile: Callable[[str], dict[str, Any] | None] = lambda execution: None,
    ) -> Rehearsal:
        """Push an image and see its deployment to the end; ``push`` returns its execution."""
        rehearsal = self.stage.rehearse(f"{self.cloud.service}: {name}", push, meanwhile, rate=0)
        self.see(name)
        return rehearsal

    def release_and_update(self, name: str, push: Callable[[], str], *changes: Change) -> Rehearsal:
        """The same, and while each side has half of the traffic the owner updates the stack, once for each.

        In ``seen``: the execution's status and the weights when the updates were through.
        """
        return self.release_in_halves(name, push, *(partial(self.update, change) for change in changes))

    def release_in_halves(
        self, name: str, push: Callable[[], str], *updates: Callable[[], object]
    ) -> Rehearsal:
        """The same with any other updates of the owner's."""

        def update(execution: str) -> dict[str, Any]:
            until(lambda: 50 in (self.cloud.weights() or ()), "half of the traffic for the candidate")
            for each in updates:
                each()
            return {"status": self.cloud.status(execution), "weights": self.cloud.weights()}

        half = {"weight": 50, "min_seconds": UPDATED_SECONDS, "max_seconds": 3 * UPDATED_SECONDS}
        stages = [half if stage["weight"] == 50 else stage for stage in self._spec["stages"]]
        with self.stage.spec(stages=stages):
            return self.release(name, push, update)

    def pushed(self, folder: str, tag: str, repository: str, **build_args: str) -> Callable[[], str]:
        """Begins a deployment by the push of an image."""

        def begin() -> str:
            self.cloud.push(folder, tag, repository, **build_args)
            return self.cloud.started_by_push(repository, tag)

        return begin

    def asked(self, **given: Any) -> Callable[[], str]:
        """Begins a deployment by hand."""
        return lambda: self.cloud.start({"service": self.cloud.service, **given})

    def update(self, *changes: Change) -> None:
        """Have the owner of a stack update it: all of these at once."""
        assert isinstance(self.owner, Owner)

        def change(template: Template) -> None:
            for each in changes:
                each(template)

        self.owner.update(change)

    def failures(self) -> int:
        """How many of the client's requests have failed so far."""
        return len(failed(self.client.so_far()))

    def leave(self, guide: Reader | None = None) -> str:
        """Have `crossfade leave` hand the service back, by the guide or not; returns what it printed."""
        if guide:
            printed = guide.does(*commands("How to leave"))
        else:
            printed = self.cloud.run("crossfade", "leave", self.cloud.service).stdout
        self.see("left")
        return printed

    def see(self, step: str) -> None:
        """Note what the client is answered from now on."""
        self.lives[step] = self.client.last()

    def _set(self, file: Path) -> None:
        """Set the pace in a proposed spec, and what is asked."""
        proposed = json.loads(file.read_text(encoding="utf-8"))
        changed = {**proposed, **self._spec, "probe": {**proposed["probe"], **self._probe}}
        file.write_text(json.dumps(changed), encoding="utf-8")
