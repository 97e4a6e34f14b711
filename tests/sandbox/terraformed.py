"""The owner of a service in Terraform: the real `terraform`, with the real provider, against the sandbox."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.sandbox.executions import Executions

MODULE = Path(__file__).with_name("terraform") / "service.tf"

PROVIDERS = (
    'terraform {\n  required_providers {\n    aws = {\n      source = "hashicorp/aws"\n    }\n  }\n}\n'
)
QUIET = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
"""It asks nobody for newer versions, and suggests no commands."""

Variables = dict[str, Any]


class TerraformOwner:
    """Applies one module in a folder of its own; ``variables`` are what it is given.

    What Terraform needs is told by its own environment variables: on a machine without a network
    `TF_CLI_ARGS_init=-plugin-dir=…` names a folder with the provider.
    """

    def __init__(self, shell: Executions, folder: Path, module: str, variables: Variables) -> None:
        self.variables = variables
        self._shell, self._folder = shell, folder
        self._file = folder / "main.tf"
        self._file.write_text(module, encoding="utf-8")
        self._terraform("init -input=false")

    def edit(self, old: str, new: str) -> None:
        """Change a text of the module that stands in it once."""
        text = self._file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the module"
        self._file.write_text(text.replace(old, new), encoding="utf-8")

    def apply(self) -> str:
        """Refresh, plan and apply; returns what was printed."""
        return self._terraform("apply -input=false -auto-approve")

    def update(self, change: Callable[[Variables], None]) -> None:
        """Change the variables by a function that is given them, and apply."""
        change(self.variables)
        # Whose doing the update is.
        self._shell.said += ["shop/shop", "shop"]
        self.apply()

    def planned(self) -> dict[str, set[str]]:
        """What an apply would change now: by resource the names of its arguments."""
        self._terraform("plan -input=false -out=plan")
        plan = json.loads(self._terraform("show -json plan"))
        return {
            each["address"]: _differ(each["change"])
            for each in plan["resource_changes"]
            if set(each["change"]["actions"]) - {"no-op", "read"}
        }

    def destroy(self) -> str:
        """Destroy all of it; returns what was printed. AssertionError with Terraform's errors."""
        return self._terraform("destroy -input=false -auto-approve")

    def state(self) -> list[str]:
        """The addresses of what Terraform has made."""
        return self._terraform("state list").split()

    def service(self) -> dict[str, Any]:
        """The ECS service, as ECS describes it, with its tags."""
        asked = {"cluster": "shop", "services": ["shop"], "include": ["TAGS"]}
        return dict(self._shell.client("ecs").describe_services(**asked)["services"][0])

    def _terraform(self, command: str) -> str:
        given = self._folder / "terraform.tfvars.json"
        given.write_text(json.dumps(self.variables), encoding="utf-8")
        quiet = " ".join(f"{name}={value}" for name, value in QUIET.items())
        plain = "" if command.startswith("state") else "-no-color"
        return self._shell.bash(f"env {quiet} terraform {command} {plain}", self._folder)


def _differ(change: dict[str, Any]) -> set[str]:
    before, after = change["before"] or {}, change["after"] or {}
    names = {*before, *after, *(change["after_unknown"] or {})}
    return {name for name in names if before.get(name) != after.get(name)}


def network(shell: Executions) -> Variables:
    """The account's VPC and subnets, as variables."""
    ec2 = shell.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]]
    return {"vpc": vpc, "subnets": subnets}


def why_no_terraform(folder: Path) -> str:
    """Why Terraform or its provider cannot be had, or nothing; `make install` brings neither."""
    if not shutil.which("terraform"):
        return "Terraform is not installed"
    (folder / "main.tf").write_text(PROVIDERS, encoding="utf-8")
    begun = subprocess.run(
        ["terraform", "init", "-input=false", "-no-color"],
        cwd=folder, env=os.environ | QUIET, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return f"Terraform has no provider: {begun.stderr[-300:]}" if begun.returncode else ""
