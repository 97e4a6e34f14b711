"""`make aws-demo` against the sandbox's endpoint, with a stand-in for Docker: it leaves nothing behind.

What stands for AWS differs from it in two ways: the template has the sandbox's parameters, and `docker` is a
program of the tests.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from demo.account import CREATE_ROLE, STACK
from tests.sandbox.machine import Sandbox

ROOT = Path(__file__).parents[2]
NOTHING_LEFT = "Nothing that this made is left, and nothing of it costs money any more."
DOCKER = """#!/bin/sh
PYTHONPATH={root} exec {python} -m tests.demo.docker_stand_in "$@"
"""

pytestmark = pytest.mark.enable_socket


@dataclass(frozen=True)
class Place:
    """An account, in which there is a stand-in for Docker; and what is asked of it."""

    environment: dict[str, str]
    port: int

    def command(self, *options: str) -> list[str]:
        """The command line of `make aws-demo`."""
        port = f"SampleProductionPort={self.port}"
        return [sys.executable, "-m", "demo", "aws", "--config-env", "sandbox", *options, port]

    def call(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run `make aws-demo` to its end; nobody answers its question."""
        return subprocess.run(
            self.command(*options),
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )

    def call_until(self, line: str, end: signal.Signals, log: Path) -> int:
        """Run `make aws-demo` until it prints `line`, and send it a signal; returns its exit status."""
        with log.open("w") as out:
            process = subprocess.Popen(
                self.command("--yes"),
                cwd=ROOT,
                env=self.environment,
                stdout=out,
                stderr=out,
                # What a shell starts in its background does not hear Ctrl-C, nor do its children.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
            deadline = time.monotonic() + 300
            while line not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
            process.send_signal(end)
            return process.wait(timeout=300)

    def without_docker(self) -> Place:
        """The same, while Docker's daemon does not run."""
        return Place(self.environment | {"DOCKER_CALLS": "/nowhere/calls"}, self.port)

    def client(self, service: str) -> Any:
        """A boto3 client of the place."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def left(self) -> dict[str, list[str]]:
        """What stands in the account of all that costs money, the packages of sam deploy included."""
        s3 = self.client("s3")
        buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
        gateways = self.client("ec2").describe_nat_gateways()["NatGateways"]
        found = {
            "stacks": [
                stack["StackName"] for stack in self.client("cloudformation").describe_stacks()["Stacks"]
            ],
            "buckets": buckets,
            "objects": [
                found["Key"]
                for bucket in buckets
                for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])
            ],
            "gateways": [each["NatGatewayId"] for each in gateways if each["State"] != "deleted"],
            "addresses": [each["PublicIp"] for each in self.client("ec2").describe_addresses()["Addresses"]],
            "balancers": [
                each["LoadBalancerName"]
                for each in self.client("elbv2").describe_load_balancers()["LoadBalancers"]
            ],
            "clusters": self.client("ecs").list_clusters()["clusterArns"],
            "repositories": [
                each["repositoryName"] for each in self.client("ecr").describe_repositories()["repositories"]
            ],
            "tables": self.client("dynamodb").list_tables()["TableNames"],
            "log groups": [
                each["logGroupName"] for each in self.client("logs").describe_log_groups()["logGroups"]
            ],
        }
        # Every `sam deploy` of an account shares these; empty they cost nothing.
        found["stacks"] = [name for name in found["stacks"] if not name.startswith("aws-sam-cli-managed")]
        found["buckets"] = [name for name in found["buckets"] if not name.startswith("aws-sam-cli-managed")]
        return {kind: names for kind, names in found.items() if names}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A sandbox that stands for an account, and a shell with credentials and Docker."""
    folder = tmp_path_factory.mktemp("aws")
    docker = folder / "docker"
    docker.write_text(DOCKER.format(root=ROOT, python=sys.executable))
    docker.chmod(0o755)
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST"))}
    try:
        sandbox.wait_until_ready()
        yield Place(
            kept
            | {
                "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(folder),
                "NO_PROXY": "localhost,127.0.0.1",
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{sandbox.port}",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "DOCKER_CALLS": str(folder / "docker-calls"),
            },
            sandbox.production_port,
        )
    finally:
        left = sandbox.stop()
    assert left == []


def test_a_fresh_account_is_told_what_it_lacks(place: Place) -> None:
    """ECS's service-linked role: without it the launch would fail, a quarter of an hour later."""
    called = place.call("--yes")

    assert called.returncode == 1
    assert CREATE_ROLE in called.stdout
    assert place.left() == {}


@pytest.fixture(scope="module")
def account(place: Place) -> Place:
    """The account with ECS's service-linked role."""
    place.client("iam").create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
    return place


def test_it_asks_before_it_costs_money(account: Place) -> None:
    """And takes silence for no."""
    called = account.call()

    assert called.returncode == 1
    assert "The stack costs about $" in called.stdout
    assert called.stdout.endswith("Nothing was done.\n")
    assert account.left() == {}


def test_another_ones_stack_is_left_alone(account: Place) -> None:
    """A stack of the demo's name that somebody else has made is not taken for what a killed call left."""
    cloudformation = account.client("cloudformation")
    body = '{"Resources": {"Mine": {"Type": "AWS::S3::Bucket"}}}'
    cloudformation.create_stack(StackName=STACK, TemplateBody=body)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    called = account.call("--remove")
    status = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]
    cloudformation.delete_stack(StackName=STACK)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})

    assert called.returncode == 1
    assert "that this command has not made" in called.stdout
    assert status == "CREATE_COMPLETE"


def test_what_a_killed_call_left_is_removed(account: Place, tmp_path: Path) -> None:
    """A call that dies without a word leaves a stack; the next one removes it, with all that it keeps.

    That one fails, because Docker does, and removes what it has made itself.
    """
    account.call_until("stack deployed", signal.SIGKILL, tmp_path / "log")
    assert account.left()["stacks"]

    called = account.without_docker().call("--yes")

    assert called.returncode == 1, called.stdout
    assert "removing what an earlier call has left" in called.stdout
    assert "The demo could not finish. push-probe ended with status 1." in called.stdout
    assert called.stdout.splitlines()[-1] == NOTHING_LEFT
    assert account.left() == {}


@pytest.mark.long
def test_ctrl_c_removes_all_of_it(account: Place, tmp_path: Path) -> None:
    """With a client that asks and a deployment under way."""
    log = tmp_path / "log"
    status = account.call_until("the client asks", signal.SIGINT, log)

    assert status == 130, log.read_text()
    assert log.read_text().splitlines()[-1] == NOTHING_LEFT
    assert account.left() == {}


@pytest.mark.long
def test_all_claims_hold_also_after_a_killed_call(account: Place, tmp_path: Path) -> None:
    """The same claims as here, the certificates are kept, and the account is as it was before."""
    account.call_until("the client asks", signal.SIGKILL, tmp_path / "log")

    called = account.call("--yes")

    assert called.returncode == 0, called.stdout
    assert "all 13 claims hold" in called.stdout
    assert "removing what an earlier call has left" in called.stdout
    assert called.stdout.splitlines()[-1] == NOTHING_LEFT
    assert (ROOT / "test_client_results/0.0.3/certificate.json").exists()
    assert account.left() == {}
