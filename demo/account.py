"""The exercise in an account of AWS: what differs from the sandbox stands here, and only here."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from demo.cloud import Cloud, DemoFailed, Patience, parameter_overrides

STACK = "crossfade-demo"
"""A stack of the demo's own, so that what is removed at the end is what it has made."""
TAG = {"Key": "made-by", "Value": "crossfade-aws-demo"}
CREATE_ROLE = "aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com"
_ROLE_PATH = "/aws-service-role/ecs.amazonaws.com/"


class Account(Cloud):
    """The account and region that the shell's AWS settings name.

    Raises DemoFailed when the account cannot be asked, or lacks what the exercise needs.
    """

    patience = Patience(deploy=1800, push=900, start=300, deployment=2400, client=4 * 3600, takes_effect=60)

    def __init__(self, state: Path, config_env: str, parameters: Mapping[str, str]) -> None:
        super().__init__(state, STACK)
        # A sample service may stand in the account already: this one has another name.
        own = {"SampleServiceName": STACK}
        self._parameters = parameter_overrides(config_env) | own | dict(parameters)
        self._config_env = config_env
        self._session = boto3.Session(region_name=os.environ.get("AWS_REGION"))
        self.region = self._session.region_name
        if not self.region:
            raise DemoFailed("No region is set: name one, for example `export AWS_DEFAULT_REGION=us-east-1`.")
        try:
            self.number = str(self.aws("sts").get_caller_identity()["Account"])
        except (BotoCoreError, ClientError) as error:
            raise DemoFailed(
                f"AWS does not know who asks: {error}. Set credentials of an account."
            ) from error

    def check(self) -> None:
        """Refuse what would fail halfway. Raises DemoFailed."""
        path = self._environment()["PATH"]
        missing = [program for program in ("docker", "aws", "bash") if not shutil.which(program, path=path)]
        if missing:
            raise DemoFailed(
                f"Not found on the PATH: {', '.join(missing)}. README, On AWS, says what is needed."
            )
        if not self.aws("iam").list_roles(PathPrefix=_ROLE_PATH)["Roles"]:
            raise DemoFailed(
                f"Account {self.number} has no service-linked role of ECS, without which no service can be "
                f"created. It costs nothing and is made once for each account:\n  {CREATE_ROLE}"
            )

    @property
    def greeting(self) -> str:
        """Which account, where, and as which stack."""
        return f"account {self.number}, region {self.region}, stack {self.stack}"

    def aws(self, service: str) -> Any:
        """A boto3 client with the shell's settings; patient, because AWS throttles."""
        connect: Any = self._session.client
        return connect(
            service,
            config=Config(
                connect_timeout=10,
                read_timeout=60,
                retries={"mode": "standard", "total_max_attempts": 8},
            ),
        )

    def push_probe(self) -> None:
        """Build and push the probe's image with Docker."""
        self._images("push-probe", version="")

    def push(self, version: str, *build_args: str) -> str:
        """Build and push the sample app with Docker."""
        options = [part for value in build_args for part in ("--build-arg", value)]
        self._images(f"push-sample_app-{version}", *options, version=version)
        repository = self.repository("SampleRepository")
        image = {"repositoryName": repository, "imageIds": [{"imageTag": version}]}
        found = self.aws("ecr").describe_images(**image)["imageDetails"][0]
        return f"{repository}:{version} {found['imageDigest']}"

    def _images(self, name: str, *options: str, version: str) -> None:
        variables = {"STACK": self.stack, "VERSION": version}
        self.run(name, "bash", "images.sh", *options, seconds=self.patience.push, variables=variables)

    def _deploy_options(self) -> list[str]:
        return [
            *("--config-env", self._config_env),
            *("--region", self.region),
            *("--stack-name", self.stack),
            *("--s3-prefix", self.stack),
            *("--tags", f"{TAG['Key']}={TAG['Value']}"),
            "--parameter-overrides",
            *(f"{name}={value}" for name, value in self._parameters.items()),
        ]

    def _environment(self) -> dict[str, str]:
        # The aws command that is pinned stands beside this Python.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        settings = {"AWS_DEFAULT_REGION": self.region, "AWS_REGION": self.region, "AWS_PAGER": ""}
        return dict(os.environ) | settings | {"PATH": path, "SAM_CLI_TELEMETRY": "0"}
