"""README's figures of cost, time and limits are those of the templates and of simulated deployments."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from functools import cache

import pytest

from crossfade.domain.proof.certificate import LEDGER_FILE
from crossfade.metrics import UNITS
from demo import costs
from faults.cases.scenarios import GOOD, Scenario, ask, begun
from faults.files import ROOT, functions, template
from faults.inhabit import inhabited
from faults.workflow.execution import Execution
from faults.world import World
from tests.statemachine.definitions import function_of, lambda_tasks
from tests.statemachine.test_paces import spec_of

README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
EVENT_BYTES = 26
"""What CloudWatch Logs counts for each event, beside its text."""
STATE_LOG_BYTES = 10_000
"""Assumed for what the workflow's log holds of a state: it is entered and left, with the execution's data."""
START_SECONDS = 75
"""Assumed for what the simulation does at once and Fargate does not: to start a task and find it healthy."""
QUOTAS = {"GetLogEvents": (10, 25), "FilterLogEvents": (5, 25)}
"""Requests a second of an account in a region, in the least and in the most generous regions."""


@dataclass(frozen=True)
class Deployed:
    """A healthy release that replaced another, in a simulated world; users ask 8 times a second."""

    world: World
    execution: Execution

    def until(self, *names: str) -> float:
        """Seconds from the start until one of these states is entered, with the starts of tasks on AWS."""
        moment = next(at for at, name in self.execution.path if name in names)
        return moment - self.execution.began + START_SECONDS

    @property
    def transitions(self) -> int:
        """States entered."""
        return len(self.execution.path)

    def rate(self, operation: str) -> float:
        """Calls a second in the minute that has most of them, while the deployment is watched."""
        pattern = re.compile(rf"(watch_stage|retire_stable):{operation}#")
        moments = [call.at for call in self.world.calls if pattern.match(call.visit.point)]
        return max(sum(begin <= moment < begin + 60 for moment in moments) for begin in moments) / 60

    def consumed(self) -> costs.Consumed:
        """What it uses up."""
        path, tasks = self.execution.path, lambda_tasks("deploy")
        ends = [*(at for at, _ in path[1:]), self.execution.stopped]
        memory = template()["Globals"]["Function"]["MemorySize"]
        gb_seconds = sum(
            (end - begin) * functions()[function_of("deploy", name)].get("MemorySize", memory) / 1024
            for (begin, name), end in zip(path, ends, strict=True)
            if name in tasks
        )
        ledger = gzip.decompress(
            next(
                body
                for key, body in self.world.buckets.objects.items()
                if key.endswith(f"0.0.2/{LEDGER_FILE}")
            )
        )
        logged = len(ledger) + EVENT_BYTES * ledger.count(b"\n")
        live = self.until("KeepWarm", "Promoted")
        return costs.Consumed(
            transitions=self.transitions,
            invocations=sum(name in tasks for _, name in path),
            lambda_gb_seconds=gb_seconds,
            log_bytes=logged + self.transitions * STATE_LOG_BYTES,
            metrics=len(UNITS),
            # Both versions run from the launch until the old one is stopped.
            candidate_seconds=self.execution.stopped - self.execution.began + START_SECONDS,
            probe_seconds=live,
        )


@cache
def deployed(pace: str) -> Deployed:
    """A healthy second release of the sample service."""
    spec = json.loads(spec_of(pace).model_dump_json())
    settings = {name: spec[name] for name in ("stages", "launch", "retire", "gate", "probe")}
    world = begun(Scenario(pace, ask(GOOD), "0.0.2", spec=settings))
    with inhabited(world):
        world.run()
    execution = world.executions("deploy")[-1]
    assert execution.status == "SUCCEEDED"
    return Deployed(world, execution)


def dollars(amount: float) -> str:
    """To the dollar."""
    return f"${amount:.0f}"


def test_the_idle_cost_is_that_of_the_template() -> None:
    """What stands in the stack, at AWS's list prices."""
    standing = costs.standing()
    parts = ", ".join(f"{each.what} {dollars(each.monthly)}" for each in standing if each.monthly >= 1)
    total = 5 * round(sum(each.monthly for each in standing) / 5)

    assert f"about ${total} a month in us-east-1 while nothing is deployed ({parts})" in README


def test_what_crossfade_itself_costs_is_that_of_the_template() -> None:
    """To five cents."""
    assert f"Of that Crossfade itself costs about {5 * round(20 * costs.alone())} cents" in README


def test_the_cost_of_a_deployment_is_that_of_a_simulated_one() -> None:
    """In whole cents, at production pace."""
    cents = round(100 * costs.deployment(deployed("production").consumed()))

    assert f"A deployment at production pace costs about {cents} cents" in README


def test_the_time_of_a_deployment_is_that_of_a_simulated_one() -> None:
    """With few users, until the new version is alone and the execution ends."""
    production, trial = deployed("production"), deployed("trial")
    promoted = round(production.until("KeepWarm") / 60)
    warm = round(spec_of("production").retire.warm_seconds / 60)
    short = round(trial.until("Promoted") / 60)

    assert f"about {promoted} minutes where users are few, and stays RUNNING {warm} more" in README
    assert f"At the trial's pace it takes about {short} minutes" in README


def test_the_limit_is_that_of_the_log_quotas() -> None:
    """So many deployments at once as CloudWatch Logs lets read, where it lets least and most."""
    production = deployed("production")
    least, most = (
        min(int(quota[which] / production.rate(operation)) for operation, quota in QUOTAS.items())
        for which in (0, 1)
    )
    rate = production.rate("GetLogEvents")

    assert f"reads its ledger about {rate:.0f} times a second" in README
    assert f"so {least} to {most} deployments at once" in README


@pytest.mark.parametrize("pace", ["production", "trial"])
def test_a_deployment_stays_far_within_an_executions_history(pace: str) -> None:
    """Step Functions ends an execution at 25,000 events; a state makes five of them or so."""
    assert deployed(pace).transitions * 6 < 25_000 / 10
