"""What the stack costs by its templates and AWS's list prices, while nothing happens and for a deployment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

ROOT = Path(__file__).parents[1]
HOURS_A_MONTH = 730

# List prices of us-east-1 in dollars, as AWS published them in 2025. Other regions differ by up to a half.
PRICES = {
    "load balancer, hour": 0.0225,
    "public IPv4 address, hour": 0.005,
    "Fargate x86 vCPU, hour": 0.04048,
    "Fargate x86 GB, hour": 0.004445,
    "Step Functions, 1000 transitions": 0.025,
    "Lambda arm64, GB-second": 0.0000133334,
    "Lambda, million requests": 0.20,
    "CloudWatch Logs, GB": 0.50,
    "CloudWatch alarm, month": 0.10,
    "CloudWatch metric, month": 0.30,
}
LOOK_SECONDS = 1
"""Assumed for the check for services that are held for too long."""


@dataclass(frozen=True)
class Standing:
    """Something that costs money while it stands: how many there are, and dollars an hour for all of them."""

    what: str
    count: int
    hourly: float

    @property
    def monthly(self) -> float:
        """Dollars a month."""
        return self.hourly * HOURS_A_MONTH


@dataclass(frozen=True)
class Consumed:
    """What a deployment of the sample service uses up; times in seconds, sizes in bytes."""

    transitions: int
    invocations: int
    lambda_gb_seconds: float
    log_bytes: float
    metrics: int
    candidate_seconds: float
    probe_seconds: float


def standing() -> list[Standing]:
    """What the stack with its sample service costs while nothing is deployed, the dearest first."""
    sample = resources("sample_app/template.yaml")
    tasks = int(template("sample_app/template.yaml")["Parameters"]["TaskCount"]["Default"])
    balancers = [given for kind, given in sample if kind == "AWS::ElasticLoadBalancingV2::LoadBalancer"]
    # The load balancer has an address in each of its subnets, each task of the sample one of its own.
    addresses = sum(len(given["Subnets"]) for given in balancers) + tasks
    alarms = sum(kind == "AWS::CloudWatch::Alarm" for kind, _ in [*sample, *resources("template.yaml")])
    found = [
        Standing("public IPv4 addresses", addresses, addresses * PRICES["public IPv4 address, hour"]),
        Standing("tasks", tasks, tasks * task_hour("sample_app/template.yaml")),
        Standing("load balancer", len(balancers), len(balancers) * PRICES["load balancer, hour"]),
        Standing("alarms", alarms, alarms * PRICES["CloudWatch alarm, month"] / HOURS_A_MONTH),
    ]
    return sorted((each for each in found if each.count), key=lambda each: -each.hourly)


def alone() -> float:
    """Dollars a month for Crossfade without its sample service: alarms, and the check on a schedule."""
    alarms = sum(kind == "AWS::CloudWatch::Alarm" for kind, _ in resources("template.yaml"))
    gb = template("template.yaml")["Globals"]["Function"]["MemorySize"] / 1024
    look = PRICES["Lambda, million requests"] / 1_000_000
    look += LOOK_SECONDS * gb * PRICES["Lambda arm64, GB-second"]
    return alarms * PRICES["CloudWatch alarm, month"] + looks_an_hour() * HOURS_A_MONTH * look


def looks_an_hour() -> float:
    """How often the check runs, by its rule."""
    rates = [given.get("ScheduleExpression") for kind, given in resources("template.yaml") if "Rule" in kind]
    (minutes,) = (rate.removeprefix("rate(").split()[0] for rate in rates if isinstance(rate, str))
    return 60 / int(minutes)


def hourly() -> float:
    """Dollars an hour while nothing is deployed."""
    return sum(each.hourly for each in standing())


def deployment(used: Consumed) -> float:
    """Dollars for a deployment, beyond what stands anyway."""
    tasks = int(template("sample_app/template.yaml")["Parameters"]["TaskCount"]["Default"])
    candidate = tasks * (task_hour("sample_app/template.yaml") + PRICES["public IPv4 address, hour"])
    return (
        used.transitions / 1000 * PRICES["Step Functions, 1000 transitions"]
        + used.invocations / 1_000_000 * PRICES["Lambda, million requests"]
        + used.lambda_gb_seconds * PRICES["Lambda arm64, GB-second"]
        + used.log_bytes / 1e9 * PRICES["CloudWatch Logs, GB"]
        # Counted by the hour in which it is sent.
        + used.metrics * PRICES["CloudWatch metric, month"] / HOURS_A_MONTH
        + used.candidate_seconds / 3600 * candidate
        # The probe runs in the pattern's network, with an address of its own.
        + used.probe_seconds / 3600 * (task_hour("template.yaml") + PRICES["public IPv4 address, hour"])
    )


def task_hour(path: str) -> float:
    """Dollars an hour for a task of the template's task definition."""
    given = next(given for kind, given in resources(path) if kind == "AWS::ECS::TaskDefinition")
    return (
        int(given["Cpu"]) / 1024 * PRICES["Fargate x86 vCPU, hour"]
        + int(given["Memory"]) / 1024 * PRICES["Fargate x86 GB, hour"]
    )


def resources(path: str) -> list[tuple[str, dict[str, Any]]]:
    """The type and the properties of each resource of a template."""
    return [(each["Type"], each.get("Properties", {})) for each in template(path)["Resources"].values()]


@cache
def template(path: str) -> dict[str, Any]:
    """A template of this project, parsed."""
    return dict(yaml_parse((ROOT / path).read_text(encoding="utf-8")))
