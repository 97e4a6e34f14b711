"""AWS with the caller's own credentials, and what is known of Crossfade's stack there."""

import shlex
from functools import cached_property
from typing import Any, NamedTuple

import boto3
import click
from botocore.config import Config
from botocore.exceptions import ClientError

from crossfade.aws.errors import error_code
from crossfade.aws.journal import Journal
from crossfade.aws.preparation import Preparation
from crossfade.aws.specs import Specs
from crossfade.aws.unknown_fields import tell_unknown_fields

CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4})
CLEANUP_CONFIG = Config(connect_timeout=5, read_timeout=910, retries={"total_max_attempts": 1})
"""A removal takes up to the 900 s of its function, and is not to be begun twice."""


DEFAULT_STACK = "crossfade"


class Stack(NamedTuple):
    """Crossfade's stack: its outputs, and the lists that its parameters hold.

    ``adopted`` and ``task_roles`` are ARNs in which ``*`` stands for anything. ``of_the_sample`` is given by
    the template, where the stack has the sample service.
    """

    name: str
    specs_path: str
    deploy_machine: str
    cleanup_function: str
    journal: str
    evidence: str
    adopted: tuple[str, ...]
    task_roles: tuple[str, ...]
    of_the_sample: tuple[str, ...]


class Account:
    """One account and region of AWS. Clients are made when they are first asked for."""

    def __init__(self, profile: str | None, region: str | None, endpoint_url: str | None, stack: str) -> None:
        self._session = boto3.Session(profile_name=profile, region_name=region)
        self._endpoint_url = endpoint_url
        self._stack = stack
        given = {"stack": None if stack == DEFAULT_STACK else stack, "profile": profile, "region": region}
        self.options = [
            f"--{name} {shlex.quote(value)}"
            for name, value in {**given, "endpoint-url": endpoint_url}.items()
            if value
        ]
        """What to add to a command that is to reach the same."""
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The boto3 client of an AWS service, e.g. ``ecs``."""
        if service not in self._clients:
            config = CLEANUP_CONFIG if service == "lambda" else CONFIG
            make: Any = self._session.client
            made = make(service, endpoint_url=self._endpoint_url, config=config)
            if service == "ecs":
                tell_unknown_fields(made)
            self._clients[service] = made
        return self._clients[service]

    @cached_property
    def stack(self) -> Stack:
        """Crossfade's stack.

        Raises
        ------
        click.ClickException
            There is no such stack, or it is not Crossfade's.
        """
        try:
            found = self.client("cloudformation").describe_stacks(StackName=self._stack)["Stacks"][0]
        except ClientError as error:
            # CloudFormation says so of a stack that does not exist (documentation of DescribeStacks).
            if error_code(error) != "ValidationError":
                raise
            raise click.ClickException(
                f"There is no stack {self._stack} in this account and region. Deploy Crossfade first, or "
                "name its stack with --stack."
            ) from error
        outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
        parameters = {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])}
        missing = [key for key in OUTPUTS if key not in outputs]
        if missing:
            raise click.ClickException(
                f"The stack {self._stack} has no output {', '.join(missing)}: it is not Crossfade's, or is "
                "older than this command. Deploy this version of Crossfade, or name its stack with --stack."
            )
        partition, _, region, account = found["StackId"].split(":")[1:5]
        sample = parameters.get("SampleServiceName") if parameters.get("DeploySampleApp") == "true" else None
        return Stack(
            name=self._stack,
            **{field: outputs[key] for key, field in OUTPUTS.items()},
            adopted=_listed(parameters.get("Adopted", "")),
            # As template.yaml has it for an empty list.
            task_roles=_listed(parameters.get("TaskRoles", ""))
            or (f"arn:{partition}:iam::{account}:role/crossfade/tasks/*",),
            of_the_sample=(f"arn:{partition}:ecs:{region}:{account}:service/{sample}/{sample}",)
            if sample
            else (),
        )

    def preparation(self, service: str) -> Preparation:
        """What Crossfade makes beside the owner's load balancer for a service."""
        ecs, elbv2, ssm = (self.client(name) for name in ("ecs", "elbv2", "ssm"))
        return Preparation(ecs, elbv2, ssm, service, self.stack.specs_path)

    def specs(self) -> Specs:
        """The specs of all services."""
        return Specs(self.client("ssm"), self.stack.specs_path)

    @property
    def ledger_group(self) -> str:
        """The log group of the ledgers, as template.yaml names it."""
        return f"/crossfade/{self.stack.name}/ledger"

    def journal(self) -> Journal:
        """The stack's journal."""
        return Journal(self.client("dynamodb"), self.stack.journal)


OUTPUTS = {
    "SpecsPath": "specs_path",
    "DeployStateMachine": "deploy_machine",
    "CleanupFunction": "cleanup_function",
    "Journal": "journal",
    "EvidenceBucket": "evidence",
}
"""The stack's outputs that are needed, and the fields of ``Stack`` that hold them."""


def _listed(value: str) -> tuple[str, ...]:
    """The entries of a CommaDelimitedList."""
    return tuple(entry.strip() for entry in value.split(",") if entry.strip())
