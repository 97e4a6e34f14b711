"""A pipeline's job in the sandbox: the commands of docs/ci.md, with the rights of its role and no others."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from faults.files import resources
from tests.sandbox.cloud import Cloud
from tests.sandbox.shell import PROJECT, SERVICE, STACK

PAGE = PROJECT / "docs/ci.md"
ROLE = "docs/examples/pipeline.cloudformation.yaml"
NAMES = {
    "AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "000000000000",
    "Crossfade": STACK, "Service": SERVICE, "Repository": SERVICE,
}  # fmt: skip


def _workflow(heading: str) -> dict[str, Any]:
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found: dict[str, Any] = yaml.safe_load(section.split("```yaml\n", 1)[1].split("```", 1)[0])
    return found


def github() -> tuple[str, str]:
    """What a job of GitHub Actions runs once the image is pushed, and what it always runs at its end."""
    steps = {step.get("name"): step for step in _workflow("GitHub Actions")["jobs"]["release"]["steps"]}
    assert steps["Certificate"]["if"] == "always()"
    return steps["Release"]["run"], steps["Certificate"]["run"]


def gitlab() -> tuple[str, str]:
    """The same of a job of GitLab."""
    job = _workflow("GitLab")["release"]
    return job["script"][-1], "\n".join(job["after_script"])


def filled_in(value: Any) -> Any:
    """A part of the role's template, with what CloudFormation would put in."""
    if isinstance(value, list):
        return [filled_in(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Ref"}:
        return NAMES[value["Ref"]]
    if value.keys() == {"Fn::Sub"}:
        text = str(value["Fn::Sub"])
        for name, known in NAMES.items():
            text = text.replace(f"${{{name}}}", known)
        return text
    return {key: filled_in(one) for key, one in value.items()}


def keys_of_role(cloud: Cloud) -> dict[str, str]:
    """The variables that give a job its role: made as the template has it, but for who gets it."""
    iam, name = cloud.client("iam"), "pipeline"
    (role,) = resources("AWS::IAM::Role", ROLE).values()
    anybody_here = {"AWS": "arn:aws:iam::000000000000:root"}
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": anybody_here}
    trust = {"Version": "2012-10-17", "Statement": [assume]}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    for policy in role["Policies"]:
        document = json.dumps(filled_in(policy["PolicyDocument"]))
        iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=document)
    keys = cloud.client("sts").assume_role(RoleArn=made["Arn"], RoleSessionName="job")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }


class Job:
    """A job that releases a tag: begun as it is made, in a folder of its own."""

    def __init__(
        self, cloud: Cloud, folder: Path, commands: tuple[str, str], tag: str, keys: dict[str, str]
    ) -> None:
        folder.mkdir()
        self.folder, self.log, self.status = folder, "", -1
        self._cloud, self._at_the_end = cloud, commands[1]
        self._variables = {**keys, "SERVICE": SERVICE, "TAG": tag, "GITHUB_STEP_SUMMARY": "summary.md"}
        self._process = cloud.begin(commands[0], folder, self._variables)

    def ended(self) -> int:
        """The exit status of the release, once it has ended, and what always runs at the end has run."""
        try:
            self.log = self._process.communicate(timeout=900)[0]
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        end = self._cloud.begin(self._at_the_end, self.folder, self._variables)
        printed = end.communicate(timeout=120)[0]
        assert end.returncode == 0, printed
        self.status = int(self._process.returncode)
        return self.status

    def said(self) -> dict[str, Any]:
        """What the release printed."""
        text = (self.folder / "release.json").read_text(encoding="utf-8")
        assert text, self.log
        return dict(json.loads(text))

    def summary(self) -> str:
        """The job's page."""
        return (self.folder / "summary.md").read_text(encoding="utf-8")

    def certificate(self) -> dict[str, Any] | None:
        """The certificate that the job has kept; None where it has none."""
        file = self.folder / "certificate.json"
        return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None
