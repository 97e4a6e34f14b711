"""Each claim of the demo fails on records that do not bear it out, and on no others."""

import errno
import os
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.demo.exercise_records import Exercise, at, certified, closed, in_lines, moment, request

PRODUCTION = [request("production", n, "0.0.1") for n in range(1, 11)]
GREEN = [request("green", n, "0.0.2") for n in range(1, 6)]
CLOSED = closed(production=10, green=5)


def statements(exercise: Exercise) -> list[str]:
    """What is claimed and does not hold."""
    return [claim.statement for claim in exercise.broken()]


def test_all_hold(exercise: Exercise) -> None:
    """Records of an exercise that went well bear out every claim."""
    assert exercise.broken() == []


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        pytest.param({"status": 502, "version": None}, "1 failed", id="error-status"),
        pytest.param({"status": None, "version": None, "error": "refused"}, "refused", id="no-answer"),
    ],
)
def test_failed_request(exercise: Exercise, answer: dict[str, Any], found: str) -> None:
    """One failed request of the client breaks its claim, which says when and how it failed."""
    (broken,) = exercise.with_answer(200, **answer).broken()
    assert broken.statement == "no request of the client failed"
    assert found in broken.found
    assert at(20) in broken.found


def test_missing_number(exercise: Exercise) -> None:
    """A request that is not in the client's file is not taken for one that did not fail."""
    doctored = replace(exercise, client=[record for record in exercise.client if record.n != 200])
    (broken,) = doctored.broken()
    assert "1 numbers missing" in broken.found


def test_no_client(exercise: Exercise) -> None:
    """An empty client's file bears out nothing that is said of the client."""
    assert len(replace(exercise, client=[]).broken()) == 4


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(lambda n: n > 50, id="began-late"),
        pytest.param(lambda n: n < 270, id="ended-early"),
        pytest.param(lambda n: not 150 < n < 200, id="paused"),
    ],
)
def test_client_not_asking(exercise: Exercise, kept: Any) -> None:
    """The client must have asked from before the good push until after the rollback, without pause."""
    client = [record for record in exercise.client if kept(record.n)]
    doctored = replace(exercise, client=client)
    assert "the client asked without pause from before 0.0.2 until after 0.0.3" in statements(doctored)


@pytest.mark.parametrize(
    ("n", "version"),
    [
        pytest.param(1, "0.0.2", id="new-before-old"),
        pytest.param(300, "0.0.1", id="old-at-the-end"),
        pytest.param(121, "0.0.1", id="old-after-all-traffic-was-shifted"),
        pytest.param(200, "0.0.9", id="a-third-version"),
    ],
)
def test_order_of_versions(exercise: Exercise, n: int, version: str) -> None:
    """Every sighting out of order breaks the claim that the version changed once."""
    doctored = exercise.with_answer(n, version=version)
    assert statements(doctored) == [
        "the client saw 0.0.1, then 0.0.2, and only that soon after it was given all traffic"
    ]


def test_weights_take_effect(exercise: Exercise) -> None:
    """A stage begins before its weights are written, so an old answer just after that is in order."""
    assert exercise.with_answer(102, version="0.0.1").broken() == []


def test_a_release_that_was_stepped_back(exercise: Exercise) -> None:
    """It got all traffic twice: the second time counts, and what came in between was no fault."""
    stages = [(0, 1), (100, 6), (0, 8), (100, 10)]
    given = [{"weight": weight, "began": at(seconds)} for weight, seconds in stages]
    said = {"reported": {"stages": given}}
    good = replace(exercise.good, certificate=exercise.good.certificate | said)
    assert replace(exercise, good=good).broken() == []


def test_never_all_traffic(exercise: Exercise) -> None:
    """Without a stage at 100 % nothing is known of when the change was complete."""
    good = exercise.good
    stages = good.certificate["reported"]["stages"][:1]
    cut = replace(good, certificate={**good.certificate, "reported": {"stages": stages}})
    (broken,) = replace(exercise, good=cut).broken()
    assert "100 % never" in broken.found


def test_bad_version_met(exercise: Exercise) -> None:
    """One answer of the bad version to the client is one too many, even where it failed."""
    doctored = exercise.with_answer(200, version="0.0.3", status=500)
    assert "the client never saw 0.0.3" in statements(doctored)


def test_bad_version_in_production(exercise: Exercise) -> None:
    """One production request of the probe that saw the bad version breaks the claim about it."""
    records = [*PRODUCTION[:-1], request("production", 10, "0.0.3")]
    green = [request("green", n, "0.0.3", 500) for n in range(1, 6)]
    bad = certified(exercise.bad, in_lines([*records, *green, CLOSED]))
    assert statements(replace(exercise, bad=bad)) == ["no production request of the probe saw 0.0.3"]


@pytest.mark.parametrize(
    ("records", "found"),
    [
        pytest.param([*PRODUCTION, *GREEN], "0 missing", id="never-closed"),
        pytest.param([*PRODUCTION, *GREEN, CLOSED | {"rejected": 1}], "0 missing", id="records-refused"),
        pytest.param([*PRODUCTION[:-1], *GREEN, CLOSED], "1 missing", id="last-one-missing"),
        pytest.param([*PRODUCTION[1:], *GREEN, CLOSED], "1 missing", id="first-one-missing"),
        pytest.param(
            [*PRODUCTION[:-1], request("production", 10, "0.0.1", 502), *GREEN, CLOSED],
            "1 failed",
            id="one-failed",
        ),
        pytest.param([*GREEN, closed(green=5)], "0 sent", id="nobody-asked"),
    ],
)
def test_production_lane(exercise: Exercise, records: list[dict[str, Any]], found: str) -> None:
    """Production of a promoted deployment is intact only if all is there and nothing failed."""
    doctored = replace(exercise, good=certified(exercise.good, in_lines(records)))
    lane, evidence = doctored.broken()
    assert lane.statement == "deploying 0.0.2 lost no request on the probe's production lane"
    assert found in lane.found
    assert evidence.statement.startswith("0.0.2's ledger is complete")


def test_incomplete_preview_lane(exercise: Exercise) -> None:
    """A ledger is complete only if every lane is."""
    doctored = replace(exercise, good=certified(exercise.good, in_lines([*PRODUCTION, *GREEN[:-1], CLOSED])))
    (broken,) = doctored.broken()
    assert broken.statement.startswith("0.0.2's ledger is complete")
    assert "incomplete" in broken.found


def test_resent_records(exercise: Exercise) -> None:
    """A batch that was sent twice is no harm."""
    ledger = in_lines([*PRODUCTION, *PRODUCTION, *GREEN, CLOSED])
    assert replace(exercise, good=certified(exercise.good, ledger)).broken() == []


def test_cut_line(exercise: Exercise) -> None:
    """A line that cannot be read is a missing request, not a crash."""
    ledger = in_lines([*GREEN, CLOSED]) + in_lines(PRODUCTION)[:-20]
    lane, _ = replace(exercise, good=certified(exercise.good, ledger)).broken()
    assert "1 missing" in lane.found


def test_changed_ledger(exercise: Exercise) -> None:
    """A ledger that is not, byte for byte, the one that was certified is noticed."""
    changed = replace(exercise.first, ledger=exercise.first.ledger.replace(b'"n": 3', b'"n":  3'))
    (broken,) = replace(exercise, first=changed).broken()
    assert "sha256" in broken.found


def test_certificate_that_counts_otherwise(exercise: Exercise) -> None:
    """A certificate is believed only as far as its ledger says the same."""
    bad = exercise.bad
    requests = {**bad.certificate["requests"], "green": {"sent": 5, "ok": 5, "failed": 0, "missing": 0}}
    (broken,) = replace(
        exercise, bad=replace(bad, certificate={**bad.certificate, "requests": requests})
    ).broken()
    assert "green: certified" in broken.found


def test_certificate_of_another_version(exercise: Exercise) -> None:
    """A certificate that is of another version proves nothing of this one."""
    first = exercise.first
    other = replace(first, certificate={**first.certificate, "to": {"version": "0.0.7"}})
    (broken,) = replace(exercise, first=other).broken()
    assert "0.0.7" in broken.found


@pytest.mark.parametrize(
    ("name", "outcome", "status", "statement"),
    [
        pytest.param("good", "rolled_back", "FAILED", "0.0.2 was promoted", id="good-one-rolled-back"),
        pytest.param("bad", "promoted", "SUCCEEDED", "0.0.3 was rolled back", id="bad-one-promoted"),
        pytest.param("bad", "rolled_back", "SUCCEEDED", "0.0.3 was rolled back", id="looks-like-a-success"),
    ],
)
def test_outcomes(exercise: Exercise, name: str, outcome: str, status: str, statement: str) -> None:
    """Certificate and execution must both say how a deployment ended."""
    deployment = getattr(exercise, name)
    other = replace(deployment, status=status, certificate={**deployment.certificate, "outcome": outcome})
    assert statements(replace(exercise, **{name: other})) == [statement]


def test_rollback_after_the_client(exercise: Exercise) -> None:
    """A client that left before the rollback was over has not seen all of it."""
    late = replace(exercise.bad, ended=moment(31))
    assert len(replace(exercise, bad=late).broken()) == 1


@pytest.mark.parametrize(
    "error",
    [
        pytest.param("gaierror: Temporary failure in name resolution", id="no-name"),
        pytest.param(f"OSError: {os.strerror(errno.ENETUNREACH)}", id="no-network"),
        pytest.param(f"OSError: {os.strerror(errno.EHOSTUNREACH)}", id="no-route"),
        pytest.param(f"PermissionError: {os.strerror(errno.EACCES)}", id="refused-by-this-side"),
    ],
)
def test_a_request_that_never_left_is_no_failure_of_the_service(exercise: Exercise, error: str) -> None:
    """It is counted apart, and said."""
    doctored = exercise.with_answer(200, status=None, version=None, error=error)
    claim = next(each for each in doctored.claims() if each.statement == "no request of the client failed")

    assert claim.holds
    assert "0 failed" in claim.found
    assert "1 more never left this machine" in claim.found


def test_a_refused_connection_is_the_services_failure(exercise: Exercise) -> None:
    """The other side answered, and said no."""
    error = f"ConnectionRefusedError: {os.strerror(errno.ECONNREFUSED)}"

    assert len(exercise.with_answer(200, status=None, version=None, error=error).broken()) == 1


def test_a_client_without_a_network_was_not_asking(exercise: Exercise) -> None:
    """What never left proves nothing: too long without a network, and the claim of no pause does not hold."""
    error = {"status": None, "version": None, "error": f"OSError: {os.strerror(errno.ENETUNREACH)}"}
    client = [replace(each, **error) if 150 < each.n < 200 else each for each in exercise.client]

    assert statements(replace(exercise, client=client)) == [
        "the client asked without pause from before 0.0.2 until after 0.0.3"
    ]
