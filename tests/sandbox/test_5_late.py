"""AWS at its slowest: all that a function reads first after a write is stale, and the live slot grows.

Application Auto Scaling checks its caller's own rights, and brings the count of what it is told of within the
bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import pytest

from tests.figures import FIGURES
from tests.sandbox.beginning import deployed, started
from tests.sandbox.client import failed, versions
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.rest import live
from tests.sandbox.scaling import EVERYTHING, NOTHING, SCALE_IN, raise_alarm, register
from tests.sandbox.stage import Stage

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Stage]:
    """A stage in a sandbox of its own, where every first read after a write is stale."""
    state, home, clients = (tmp_path_factory.mktemp(name) for name in ("late", "home", "clients"))
    with started(state, pytestconfig, SANDBOX_STALE_READS="first") as sandbox:
        yield Stage(deployed(sandbox, home, pytestconfig), sandbox, clients, pytestconfig.stash[FIGURES])


@pytest.fixture(scope="module")
def first(late: Stage) -> Rehearsal:
    """The first release, whose rule and service are missing at first."""
    return late.rehearse("first release, every first read stale", late.push("0.0.1"))


@pytest.fixture(scope="module")
def scaled(late: Stage, first: Rehearsal) -> Rehearsal:
    """The next one, right after it, of a service that scales: its load rises in the middle of the shift."""
    register(late.cloud, live(late.cloud))

    def grow(execution: str) -> None:
        late.reach(10)
        raise_alarm(late.cloud, "blue", -1)
        late.cloud.grown_to = 4
        raise_alarm(late.cloud, "blue", 2)

    return late.rehearse("scaled release, every first read stale", late.push("0.0.2"), grow)


def test_the_sandbox_is_as_late_as_that(late: Stage) -> None:
    """Its log says so, with the seed that repeats the run."""
    assert "SANDBOX_STALE_READS=first" in late.sandbox.log.read_text()


@pytest.mark.parametrize("name", ["first", "scaled"])
def test_it_is_promoted(request: pytest.FixtureRequest, name: str) -> None:
    """What is not seen yet is waited for; the service is at rest afterwards."""
    rehearsal: Rehearsal = request.getfixturevalue(name)

    assert (rehearsal.execution.status, rehearsal.execution.error) == ("SUCCEEDED", "")
    assert rehearsal.certificate["outcome"] == "promoted"
    assert rehearsal.unrest == []


def test_no_client_failed(scaled: Rehearsal) -> None:
    """By a client's own record, from the old version to the new one."""
    assert failed(scaled.requests) == []
    assert versions(scaled.requests) == ["0.0.1", "0.0.2"]
    assert scaled.certificate["requests"]["production"]["failed"] == 0


def test_the_live_slot_may_grow_and_does_not_shrink(scaled: Rehearsal) -> None:
    """For as long as clients met both; the alarm that asked for fewer tasks changed nothing."""
    moving = [sample for sample in scaled.samples if sample.weights and 0 not in sample.weights]

    assert scaled.samples[0].suspended == {"blue": NOTHING}
    assert {sample.suspended["blue"] for sample in moving} == {SCALE_IN}
    assert 4 in {sample.desired[0] for sample in moving}
    assert [desired for desired, _ in groupby(sample.desired[0] for sample in scaled.samples)] == [2, 4, 0]


def test_the_candidate_has_grown_before_the_old_slot_goes(scaled: Rehearsal) -> None:
    """To as many tasks as the live slot was asked to have."""
    stopped = next(number for number, sample in enumerate(scaled.samples) if sample.desired[0] == 0)

    assert scaled.samples[stopped - 1].desired == (4, 4)
    assert scaled.samples[stopped - 1].suspended["blue"] == EVERYTHING


def test_a_slot_at_0_is_left_there(scaled: Rehearsal) -> None:
    """Nothing is written of the loser's target after its stop, which would start it again."""
    stopped = next(number for number, sample in enumerate(scaled.samples) if sample.desired == (0, 4))

    assert {sample.desired for sample in scaled.samples[stopped:]} == {(0, 4)}
