"""Reports that can never be written: no service is held for them."""

from typing import Any
from unittest import mock

import pytest

from faults.aws.answer import AwsError
from faults.aws.functions import Killed
from faults.aws.stores import Buckets
from faults.cases.invariants import INVARIANTS, items_of
from faults.cases.scenarios import SCENARIOS, begun
from faults.inhabit import inhabited
from faults.world import World

REFUSED = AwsError("AccessDenied", "Access Denied")
KILLED = Killed("Runtime.ExitError", "Error: Runtime exited with error: signal: killed")


def _without_reports(scenario: str, failure: BaseException) -> World:
    world = begun(SCENARIOS[scenario])

    def fail(*_: Any, **__: Any) -> None:
        raise failure

    with inhabited(world), mock.patch.object(Buckets, "put_object", fail):
        world.run()
    return world


@pytest.mark.parametrize("failure", [pytest.param(REFUSED, id="refused"), pytest.param(KILLED, id="killed")])
@pytest.mark.parametrize(
    ("scenario", "outcomes", "errors"),
    [
        pytest.param("healthy", ["promoted"], ["ReportNotWritten"], id="promoted"),
        pytest.param("worse", ["rolled_back"], ["CandidateWorse"], id="rolled-back"),
        pytest.param("back-out", ["promoted", "rolled_back"], ["ReportNotWritten"], id="backed-out"),
        pytest.param(
            "queued",
            ["dropped", "promoted", "promoted"],
            ["ReportNotWritten", "ReportNotWritten"],
            id="another-waits",
        ),
    ],
)
def test_everything_but_the_certificate_is_there(
    scenario: str, outcomes: list[str], errors: list[str], failure: BaseException
) -> None:
    """The outcome is recorded, the service is free, what waits is deployed, and a person is told."""
    world = _without_reports(scenario, failure)
    items = {name: item for name, item in items_of(world).items() if name != "release-0.0.1"}
    broken = {
        name: found
        for name, check in INVARIANTS.items()
        if (found := list(check(SCENARIOS[scenario], world)))
    }
    assert broken == {}
    assert sorted(item["outcome"] for item in items.values()) == outcomes
    deployed = [item for item in items.values() if item["outcome"] != "dropped"]
    assert all("could not be written" in item["not_reported"] for item in deployed)
    failed = [execution for execution in world.executions("deploy") if execution.status == "FAILED"]
    assert [execution.error for execution in failed] == errors
    assert all("docs/operations.md" in execution.cause for execution in failed)
