"""The gate with real requests: what is worse goes back, with a reason in counts; what is not stays."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.sandbox.client import failed
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.stage import Stage
from tests.sandbox.users import Users

pytestmark = pytest.mark.enable_socket

SLOW_MS = "20"
"""Added to an answer that takes 2 to 6 ms: three times as long, at least."""
VERY_SLOW_MS = "200"
"""Plain within a rehearsal's stages though only some requests meet it, on a machine that is busy too."""
FEW = 2
PATIENT = 150
"""The evidence decides here and not a deadline: a share of failures that is drawn by chance may come late."""
MANY = 40


def patient(stage: Stage) -> list[dict[str, Any]]:
    """The spec's stages, with later deadlines."""
    return [{**each, "max_seconds": PATIENT} for each in stage.cloud.spec["stages"]]


@pytest.fixture(scope="module")
def few_users(stage: Stage, first_release: Rehearsal) -> Rehearsal:
    """A healthy version while there are two requests a second."""
    return stage.rehearse("few users", stage.push("0.5.0"), rate=FEW)


def worse(stage: Stage, name: str, version: str, **faults: str) -> Rehearsal:
    """A release that is worse than ``few_users`` left the service."""
    with stage.spec(stages=patient(stage)):
        return stage.rehearse(name, stage.push(version, **faults))


@pytest.fixture(scope="module")
def fails_all(stage: Stage, few_users: Rehearsal) -> Rehearsal:
    """A version that fails every request, and looks healthy to the load balancer."""
    return worse(stage, "fails 100 %", "0.5.1", FAULT_ERROR_RATE="1")


@pytest.fixture(scope="module")
def fails_a_fifth(stage: Stage, few_users: Rehearsal) -> Rehearsal:
    """A version that fails every fifth request, by chance."""
    return worse(stage, "fails 20 %", "0.5.2", FAULT_ERROR_RATE="0.2")


@pytest.fixture(scope="module")
def fails_some(stage: Stage, few_users: Rehearsal) -> Rehearsal:
    """A version that fails every twentieth request, by chance."""
    return worse(stage, "fails 5 %", "0.5.3", FAULT_ERROR_RATE="0.05")


@pytest.fixture(scope="module")
def slow(stage: Stage, few_users: Rehearsal) -> Rehearsal:
    """A version that takes at least three times as long."""
    return worse(stage, "3 x slower", "0.5.4", FAULT_LATENCY_MS=SLOW_MS)


@pytest.fixture(scope="module")
def slow_elsewhere(stage: Stage, few_users: Rehearsal) -> Rehearsal:
    """A version that is as fast as ever on /version, and slow on the other path that the probe asks."""
    paths = ["/version", {"path": "/", "weight": 2}]
    with stage.spec(stages=patient(stage), probe={"paths": paths}):
        return stage.rehearse("slow on /", stage.push("0.5.8", FAULT_USERS_LATENCY_MS=VERY_SLOW_MS))


@pytest.fixture(scope="module")
def fails_users(stage: Stage, few_users: Rehearsal) -> Rehearsal:
    """A version that answers well on /version and fails whoever asks for anything else."""
    wait = {"users_seconds": PATIENT}
    with stage.spec(stages=patient(stage), gate=wait), Users(stage.cloud.url, MANY) as users:
        begin = stage.push("0.5.5", FAULT_USERS_ERROR_RATE="1")
        rehearsal = stage.rehearse("fails users only", begin)
    met = users.statuses
    stage.note(f"fails users only: {met.total() - met[200]} of {met.total()} requests of users failed")
    rehearsal.seen["statuses"] = met
    return rehearsal


WORSE = [
    "fails_all",
    "fails_users",
    pytest.param("slow_elsewhere", marks=pytest.mark.long),
    pytest.param("fails_a_fifth", marks=pytest.mark.long),
    pytest.param("fails_some", marks=pytest.mark.long),
    pytest.param("slow", marks=pytest.mark.long),
]


@pytest.fixture(params=WORSE)
def rehearsal(request: pytest.FixtureRequest) -> Rehearsal:
    """One of the releases that are worse."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Rehearsal)
    return found


def test_few_users_are_no_reason_to_go_back(few_users: Rehearsal) -> None:
    """It is promoted, no client failed, and the stages say that the users' evidence alone was too little."""
    reasons = [each["reason"] for each in few_users.certificate["reported"]["stages"]]

    assert few_users.certificate["outcome"] == "promoted"
    assert failed(few_users.requests) == []
    assert any("user evidence insufficient" in reason for reason in reasons), reasons


def test_what_is_worse_goes_back(rehearsal: Rehearsal) -> None:
    """By the evidence, and the stable version has all traffic again."""
    assert (rehearsal.execution.status, rehearsal.execution.error) == ("FAILED", "CandidateWorse")
    assert rehearsal.certificate["outcome"] == "rolled_back"
    assert rehearsal.after == rehearsal.before
    assert rehearsal.unrest == []


def test_the_times_are_in_the_certificate(fails_all: Rehearsal) -> None:
    """From the first bad answer in the ledger to the verdict, and to the weights read back."""
    *_, harm = fails_all.certificate["harm"]

    assert 0 < harm["detected"] <= harm["restored_api"] < 15


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("fails_all", "in a row", id="dead"),
        pytest.param("fails_users", "of the users' requests (evidence 1 : ", id="seen-by-users-alone"),
        pytest.param("fails_a_fifth", "(evidence 1 : ", id="a-fifth", marks=pytest.mark.long),
        pytest.param("fails_some", "(evidence 1 : ", id="a-twentieth", marks=pytest.mark.long),
        pytest.param("slow", " ms in ", id="slow", marks=pytest.mark.long),
        pytest.param("slow_elsewhere", " at / (evidence 1 : ", id="slow-elsewhere", marks=pytest.mark.long),
    ],
)
def test_the_reason_says_what_it_rests_on(request: pytest.FixtureRequest, name: str, says: str) -> None:
    """In counts that a person can check against the ledger."""
    found = request.getfixturevalue(name)

    assert says in found.execution.cause
    assert says in found.certificate["reason"]


@pytest.mark.long
def test_each_path_is_in_the_certificate(slow_elsewhere: Rehearsal) -> None:
    """Asked by their weights, and slow is not failed."""
    paths = slow_elsewhere.certificate["paths"]
    asked = [sum(each["requests"].values()) for each in paths]

    assert [each["path"] for each in paths] == ["/version", "/"]
    assert asked[0] > 20
    assert abs(asked[1] / asked[0] - 2) < 0.2
    assert not any(sum(each["failed"].values()) for each in paths)


def test_users_alone_saw_it(fails_users: Rehearsal) -> None:
    """The probe met no failure at all."""
    requests = fails_users.certificate["requests"]

    assert {lane: count["failed"] for lane, count in requests.items()} == dict.fromkeys(requests, 0)
    assert fails_users.certificate["harm"][-1]["detected"] is None
    assert fails_users.seen["statuses"][500] > 0


def test_what_users_alone_meet_falls_after_some_tries(fails_users: Rehearsal) -> None:
    """It steps back each time, and what it is tried with again is less than what it had."""
    shares = fails_users.shares_seen
    tries = [share for before, share in pairwise(shares) if not before and share]

    assert 2 <= len(tries) <= 4, shares
    assert max(tries[1:]) < tries[0]
    assert len(fails_users.certificate["reported"]["step_backs"]) in {len(tries) - 1, len(tries)}
