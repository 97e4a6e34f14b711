"""The whole load balancer in a real emulator process, driven by boto3, in front of real local targets."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore.config import Config

from tests.sandbox_parts.load_balancer.local_target import LocalTarget

ROOT = Path(__file__).parents[3]
DEADLINE = 20.0
UNTIL_MET = 0.5  # seconds until clients meet a change of a rule; the emulator of this file delays it by less
TARGETS = {"10.0.0.1": "one", "10.0.0.2": "two", "10.0.0.3": "three"}
NOBODY = "10.0.0.9"  # an address that no process listens on
EVERYTHING = [{"Field": "path-pattern", "Values": ["/*"]}]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any]) -> Any:
    """The condition's first true value; fails after DEADLINE seconds."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {DEADLINE} s: {condition}")


@dataclass
class Balancer:
    """One load balancer with one listener, and the targets that may be registered."""

    client: Callable[[str], Any]
    authority: Path
    targets: dict[str, LocalTarget]
    port: int = 0
    protocol: str = "HTTP"
    arn: str = ""
    listener: str = ""
    rules: list[str] = field(default_factory=list)
    serial: int = 0

    @property
    def elbv2(self) -> Any:
        """A boto3 client, as that of any other service is by `client`."""
        return self.client("elbv2")

    @property
    def url(self) -> str:
        """Where its listener answers."""
        return f"{self.protocol.lower()}://127.0.0.1:{self.port}"

    def group(self, *ips: str) -> str:
        """A new target group with these targets."""
        self.serial += 1
        created = self.elbv2.create_target_group(
            Name=f"group-{self.serial}",
            Protocol="HTTP",
            Port=8080,
            VpcId="vpc-1",
            TargetType="ip",
            HealthCheckPath="/healthz",
            HealthCheckIntervalSeconds=1,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )
        arn = str(created["TargetGroups"][0]["TargetGroupArn"])
        if ips:
            self.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": ip, "Port": 8080} for ip in ips])
        return arn

    def rule(self, *weights: tuple[str, int], conditions: Any = None) -> str:
        """A new rule that forwards by weight."""
        self.rules.append(
            self.elbv2.create_rule(
                ListenerArn=self.listener,
                Priority=len(self.rules) + 1,
                Conditions=conditions or EVERYTHING,
                Actions=forward(*weights),
            )["Rules"][0]["RuleArn"]
        )
        time.sleep(UNTIL_MET)
        return self.rules[-1]

    def modify(self, rule: str, *weights: tuple[str, int]) -> None:
        """Other weights for a rule, from now on for clients too."""
        self.elbv2.modify_rule(RuleArn=rule, Actions=forward(*weights))
        time.sleep(UNTIL_MET)

    def health(self, group: str) -> dict[str, dict[str, str]]:
        """TargetHealth by address."""
        shown = self.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {each["Target"]["Id"]: each["TargetHealth"] for each in shown}

    def states(self, group: str) -> dict[str, str]:
        return {ip: health["State"] for ip, health in self.health(group).items()}


def forward(*weights: tuple[str, int]) -> list[dict[str, Any]]:
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]


@contextlib.contextmanager
def running() -> Iterator[Balancer]:
    """The emulator process with a load balancer in it, ended by its id at the end."""
    targets = {ip: LocalTarget(name) for ip, name in TARGETS.items()}
    book = [[ip, 8080, target.server_address[1]] for ip, target in targets.items()] + [
        ["10.0.0.8", 8080, free_port()]
    ]
    gateway = free_port()
    environment = {
        **os.environ,
        "GATEWAY_PORT": str(gateway),
        "BIND_HOST": "127.0.0.1",
        "AUTH": "true",
        "IOT_MTLS_ENABLED": "0",
        "PYTHONPATH": str(ROOT),
    }
    session = boto3.Session("test", "test", region_name="us-east-1")
    # Without validation an interval of 1 s passes (AWS's least is 5), which the emulator honours.
    config = Config(
        parameter_validation=False, retries={"max_attempts": 1}, connect_timeout=2, read_timeout=10
    )

    @functools.cache
    def client(service: str) -> Any:
        return session.client(service, endpoint_url=f"http://127.0.0.1:{gateway}", config=config)

    with tempfile.TemporaryDirectory() as folder:
        authority = Path(folder) / "authority.pem"
        emulator = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("emulator.py")),
                json.dumps(book),
                str(authority),
            ],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def answers() -> bool:
            assert emulator.poll() is None
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", gateway)) == 0

        try:
            until(answers)
            created = client("elbv2").create_load_balancer(Name="lb", Subnets=["subnet-1"])["LoadBalancers"]
            yield Balancer(client, authority, targets, arn=created[0]["LoadBalancerArn"])
        finally:
            emulator.terminate()
            emulator.wait(timeout=10)
            for target in targets.values():
                target.close()


@contextlib.contextmanager
def listening(
    balancer: Balancer, actions: Any = None, protocol: str = "HTTP", **more: Any
) -> Iterator[Balancer]:
    """A fresh listener on the load balancer; its default answer is 503 "no version is live"."""
    balancer.port, balancer.rules, balancer.protocol = free_port(), [], protocol
    fixed = {"StatusCode": "503", "ContentType": "text/plain", "MessageBody": "no version is live"}
    created = balancer.elbv2.create_listener(
        LoadBalancerArn=balancer.arn,
        Protocol=protocol,
        Port=balancer.port,
        DefaultActions=actions or [{"Type": "fixed-response", "FixedResponseConfig": fixed}],
        **more,
    )
    balancer.listener = created["Listeners"][0]["ListenerArn"]
    yield balancer
    balancer.elbv2.delete_listener(ListenerArn=balancer.listener)


def get(lb: Balancer, path: str = "/", **kwargs: Any) -> requests.Response:
    """The answer to a client on this machine."""
    return requests.get(lb.url + path, timeout=10, **kwargs)
