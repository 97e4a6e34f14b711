"""Deployments in the sandbox enter the states that the simulation enters: what it has tried is what runs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from faults.cases.paths import collapsed, paths
from tests.sandbox.cloud import Cloud
from tests.sandbox.rehearsal import Rehearsal

pytestmark = pytest.mark.enable_socket


def without_waits(states: Sequence[str]) -> list[str]:
    """The states without the ways back over a Wait: how often one is gone depends on the machine's speed."""
    found = list(states)
    for place in [place for place, state in enumerate(found) if state.startswith("WaitFor")][::-1]:
        again = found[place + 1]
        before = place - found[place::-1].index(again)
        del found[before : place + 1]
    return found


def executions_of(cloud: Cloud, deployment: str) -> list[tuple[str, list[str]]]:
    """A deployment and the rollbacks that it has brought about: each one's machine and states."""
    (deploy,) = (arn for arn in cloud.executions("deploy") if arn.endswith(f":{deployment}"))
    found = [("deploy", cloud.entered(deploy))]
    for rollback in reversed(cloud.executions("rollback")):
        asked = cloud.input_of(rollback)
        if deployment == asked.get("deployment") or deploy == asked.get("ended"):
            found.append(("rollback", cloud.entered(rollback)))
    return found


@pytest.mark.parametrize(
    ("name", "scenario"),
    [
        pytest.param("first_release", "first", id="first-release"),
        pytest.param("good_release", "healthy", id="good-release"),
        pytest.param("wrong_version", "wrong", id="rolled-back"),
    ],
)
def test_the_states_are_those_of_the_simulation(
    cloud: Cloud, request: pytest.FixtureRequest, name: str, scenario: str
) -> None:
    """Of the deployment and of every rollback that it brings about, loops counted once."""
    rehearsal = request.getfixturevalue(name)
    assert isinstance(rehearsal, Rehearsal)
    cloud.settled()

    entered = executions_of(cloud, rehearsal.execution.name)

    simulated = [(machine, without_waits(states)) for machine, states in paths(scenario)]
    assert simulated == [(machine, collapsed(without_waits(states))) for machine, states in entered]
