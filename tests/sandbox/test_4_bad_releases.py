"""Releases that must not stay: each ends FAILED with its reason, and clients keep the stable version."""

from __future__ import annotations

import re
import time
from datetime import datetime
from itertools import pairwise

import pytest

from tests.sandbox.client import failed, moments, versions
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.shell import SERVICE
from tests.sandbox.stage import Stage

pytestmark = pytest.mark.enable_socket

GREEN_ALONE = (0, 100)
BREAK_PATH = "/break"
LONG_SECONDS = 90
"""The stage in which the version turns bad does not end by itself, however slow the machine is."""
WELL_SECONDS = 10


@pytest.fixture(scope="module")
def fails_when_live(stage: Stage, wrong_version: Rehearsal) -> Rehearsal:
    """A version that turns bad 10 s after it has been given half of the clients."""
    half = {"weight": 50, "min_seconds": LONG_SECONDS, "max_seconds": 2 * LONG_SECONDS}
    stages = [half if each["weight"] == 50 else each for each in stage.cloud.spec["stages"]]

    def break_it(execution: str) -> None:
        stage.reach(50)
        time.sleep(WELL_SECONDS)
        stage.tasks.break_all("blue", BREAK_PATH)

    with stage.spec(stages=stages):
        return stage.rehearse("fails when live", stage.push("0.0.4", FAULT_BREAK_PATH=BREAK_PATH), break_it)


@pytest.fixture(scope="module")
def never_healthy(stage: Stage, fails_when_live: Rehearsal) -> Rehearsal:
    """A version whose health check fails for ever, deployed by hand by its tag."""
    return stage.rehearse("never healthy", stage.ask("never-healthy", FAULT_NEVER_HEALTHY="1"))


@pytest.fixture(scope="module")
def crashes(stage: Stage, never_healthy: Rehearsal) -> Rehearsal:
    """A version whose process ends as soon as it has started, deployed by hand by its digest."""

    def begin() -> str:
        digest = stage.cloud.push_app("crashes", FAULT_CRASH_AFTER_SECONDS="0.1")
        stage.cloud.ended(stage.cloud.started_by_push(SERVICE, "crashes"))
        return stage.cloud.start({"service": SERVICE, "image_digest": digest})

    return stage.rehearse("crashes", begin)


NEVER_LIVE = ["wrong_version", "never_healthy", "crashes"]
ALL = [*NEVER_LIVE, "fails_when_live"]


def rehearsal_of(request: pytest.FixtureRequest, name: str) -> Rehearsal:
    """The rehearsal that a fixture's name stands for."""
    found = request.getfixturevalue(name)
    assert isinstance(found, Rehearsal)
    return found


@pytest.mark.parametrize("name", ALL)
def test_it_is_rolled_back(request: pytest.FixtureRequest, name: str) -> None:
    """The certificate says so, and the execution never looks like a success."""
    rehearsal = rehearsal_of(request, name)

    assert rehearsal.certificate["outcome"] == "rolled_back"
    assert rehearsal.execution.status == "FAILED"


@pytest.mark.parametrize("name", ALL)
def test_all_traffic_is_with_the_stable_slot_again(request: pytest.FixtureRequest, name: str) -> None:
    """Its weight is 100, its tasks run, and the candidate's slot stands at 0."""
    last = rehearsal_of(request, name).samples[-1]

    assert (last.weights, last.desired) == (GREEN_ALONE, (0, 2))


@pytest.mark.parametrize("name", ALL)
def test_the_service_is_free(request: pytest.FixtureRequest, name: str) -> None:
    """The next deployment may begin."""
    assert rehearsal_of(request, name).holder is None


@pytest.mark.parametrize("name", ALL)
def test_clients_get_only_the_stable_version_afterwards(request: pytest.FixtureRequest, name: str) -> None:
    """Seen by an independent client."""
    last = rehearsal_of(request, name).requests[-20:]

    assert {(answer.status, answer.version) for answer in last} == {(200, "0.0.2")}


@pytest.mark.parametrize("name", ALL)
def test_the_ledger_is_complete(request: pytest.FixtureRequest, name: str) -> None:
    """A rollback is proved like a promotion, from a ledger that was closed."""
    certificate = rehearsal_of(request, name).certificate

    assert certificate["ledger"]["complete"]
    assert certificate["requests"]["production"]["missing"] == 0
    assert certificate["reported"]["transitions"] > 10


@pytest.mark.parametrize("name", NEVER_LIVE)
def test_a_version_caught_in_time_meets_no_client(request: pytest.FixtureRequest, name: str) -> None:
    """Its weight stayed at 0, no client failed, and no client saw it."""
    rehearsal = rehearsal_of(request, name)

    assert rehearsal.weights_seen == [GREEN_ALONE]
    assert failed(rehearsal.requests) == []
    assert versions(rehearsal.requests) == ["0.0.2"]
    assert rehearsal.certificate["requests"]["production"]["failed"] == 0
    assert [stage["weight"] for stage in rehearsal.certificate["reported"]["stages"]] in ([], [0])


@pytest.mark.parametrize(
    ("name", "error", "sentences"),
    [
        pytest.param("fails_when_live", "CandidateWorse", ["candidate (blue) failed"], id="fails-when-live"),
        pytest.param(
            "never_healthy",
            "CandidateNotHealthy",
            ["did not become healthy within 30 s: 2 of 2 tasks run, 0 targets healthy", "503"],
            id="never-healthy",
        ),
        pytest.param(
            "crashes", "CandidateCannotStart", ["EssentialContainerExited", "exit code 1"], id="crashes"
        ),
        pytest.param(
            "wrong_version",
            "CandidateWorse",
            [
                "in a row",
                'version "9.9.9", expected "0.0.3"',
                "What the application answers must be what version.expect makes of the image's tag",
            ],
            id="wrong-version",
        ),
    ],
)
def test_the_reason_is_one_that_a_person_can_act_on(
    request: pytest.FixtureRequest, name: str, error: str, sentences: list[str]
) -> None:
    """The execution's error and cause say what was found, and the certificate says the same."""
    rehearsal = rehearsal_of(request, name)

    assert rehearsal.execution.error == error
    for sentence in sentences:
        assert sentence in rehearsal.execution.cause
        assert sentence in rehearsal.certificate["reason"]


def test_cause_and_certificate_count_alike(wrong_version: Rehearsal) -> None:
    """A wrong version has failed for both; the certificate also counts what came after the verdict.

    So it may have requests that met the candidate as it was stopped.
    """
    certificate = wrong_version.certificate
    found, *others = certificate["failures"]["blue"]
    counted = re.search(r"; (\d+) of \d+: version", certificate["reason"])

    assert counted
    assert found["what"] == 'version "9.9.9"'
    assert int(counted[1]) <= found["count"]
    assert (
        found["count"] + sum(other["count"] for other in others) == certificate["requests"]["blue"]["failed"]
    )


def test_the_failing_version_had_clients(fails_when_live: Rehearsal) -> None:
    """It was well for two stages: this rollback was one under traffic."""
    seen = fails_when_live.weights_seen

    assert seen == [(0, 100), (10, 90), (50, 50), GREEN_ALONE]
    assert [each["weight"] for each in fails_when_live.certificate["reported"]["step_backs"]] == [50]
    last = fails_when_live.certificate["reported"]["stages"][-1]
    assert (last["weight"], last["verdict"]) == (0, "roll_back")


def test_only_the_failing_version_failed_clients(fails_when_live: Rehearsal, stage: Stage) -> None:
    """Each failure is an answer of the candidate itself, and came while it had weight."""
    shifted = next(each for each in fails_when_live.certificate["reported"]["stages"] if each["weight"] > 0)
    bad = failed(fails_when_live.requests)
    stage.note(f"fails when live: {len(bad)} of {len(fails_when_live.requests)} client requests failed")

    # The stable version has no fault, and what the load balancer answers itself is 502, 503 or 504.
    assert {answer.status for answer in bad} <= {500}
    assert all(answer.at >= shifted["began"] for answer in bad)
    moments = [datetime.fromisoformat(answer.at) for answer in bad]
    lasted = (max(moments) - min(moments)).total_seconds() if moments else 0
    assert lasted <= fails_when_live.certificate["harm"][0]["restored_api"] + 3


def test_the_failing_version_was_taken_from_clients_and_then_put_back(fails_when_live: Rehearsal) -> None:
    """Counted from the first bad answer in the ledger; what came then, at weight 0, met no client."""
    stepped, rolled = fails_when_live.certificate["harm"]

    assert (stepped["by"], rolled["by"]) == ("step_back", "roll_back")
    assert 0 <= stepped["detected"] <= stepped["restored_api"] < 15
    # What was met before the step back may be enough to be sure: then the rollback has no first bad answer.
    if rolled["detected"] is not None:
        assert 0 <= rolled["detected"] <= rolled["restored_api"] < 15


def test_clients_were_restored_when_the_certificate_says(fails_when_live: Rehearsal) -> None:
    """Half of them met the loser until the load balancer followed the rule, not until the rule said so."""
    requests, samples = fails_when_live.requests, fails_when_live.samples
    bad = moments(failed(requests))
    last = max(bad[-1:] + moments([answer for answer in requests if answer.version == "0.0.4"]))
    with_loser = [number for number, sample in enumerate(samples) if sample.weights != GREEN_ALONE]
    taken_back = samples[with_loser[-1] + 1].at

    (stepped,) = fails_when_live.certificate["reported"]["step_backs"]
    said = datetime.fromisoformat(stepped["restored"]).timestamp()
    assert fails_when_live.certificate["harm"][0]["restored_api"] == pytest.approx(said - bad[0], abs=2)
    assert said == pytest.approx(taken_back, abs=2)
    assert 0 < last - taken_back < 3


def test_nothing_was_bad_where_nothing_was_answered(stage: Stage, never_healthy: Rehearsal) -> None:
    """A candidate that never became healthy gave no bad answer to count from: what failed, failed before it.

    The load balancer sends to targets that are not healthy where there are no others, also as they go.
    """
    assert not any(harm["first_bad"] for harm in never_healthy.certificate["harm"])
    ledger = stage.cloud.ledger(never_healthy.execution.name)
    met = {record["status"] for record in ledger if record["type"] == "request" and record["lane"] == "blue"}
    assert met <= {200, 502, 503, 504, None}


def test_times_are_in_order(fails_when_live: Rehearsal) -> None:
    """Stages begin where the one before has ended, or later."""
    stages = fails_when_live.certificate["reported"]["stages"]

    for earlier, later in pairwise(stages):
        assert datetime.fromisoformat(earlier["ended"]) <= datetime.fromisoformat(later["began"])
