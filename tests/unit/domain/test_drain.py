"""The drain: when a version may go."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.domain.ledger import Record
from crossfade.domain.rollout.drain import Awaited, DrainProgress, DrainVerdict, check, of_candidate
from crossfade.domain.spec.service import Retire
from tests.unit.examples import at, lane_event, nameless, opened, plan, request

RETIRE = Retire(quiet_seconds=10, drain_seconds=20, deadline_seconds=120)
AWAITED = Awaited("0.0.2")


def _look(
    records: list[Record], seconds: float, quiet: DrainProgress | None = None, *, shown: float = 0
) -> tuple[DrainProgress, DrainVerdict]:
    quiet = (quiet or DrainProgress()).after(records, AWAITED, shifted=at(0), seconds=RETIRE.quiet_seconds)
    return quiet, check(
        quiet, AWAITED, retire=RETIRE, failing=0.05, shifted=at(0), shown=at(shown), now=at(seconds)
    )


def _production(*seconds: float, **changes: object) -> list[Record]:
    return [request("production", n, when, **changes) for n, when in enumerate(seconds, start=1)]


def _often(began: int, ended: int) -> list[Record]:
    """Ten good answers a second."""
    return _production(*[began + number / 10 for number in range(10 * (ended - began) + 1)])


@pytest.mark.parametrize(
    ("records", "seconds", "action"),
    [
        pytest.param([], 60, "wait", id="silence-is-not-success"),
        pytest.param([], 120, "late", id="silence-at-the-deadline"),
        pytest.param(_production(1, 10), 20, "drained", id="quiet-and-drained"),
        pytest.param(_production(1, 10), 19.9, "wait", id="drain-time-not-over"),
        pytest.param(_production(1, 9.9), 20, "wait", id="quiet-time-not-covered"),
        pytest.param(
            _production(15, version="0.0.1") + _production(1, 24.9), 30, "wait", id="old-version-in-between"
        ),
        pytest.param(_production(15, version="0.0.1") + _production(1, 25), 30, "drained", id="quiet-since"),
        pytest.param(
            _production(-5, -1, version="0.0.1") + _production(10), 20, "drained", id="before-the-shift"
        ),
        pytest.param(_production(*range(130), version="0.0.1"), 120, "late", id="old-version-for-ever"),
        pytest.param(_production(*range(60), status=500), 60, "wait", id="failures-are-not-quiet"),
        pytest.param(
            _often(30, 40) + _production(35, status=500, version=None),
            40,
            "drained",
            id="a-failure-that-may-be-anybodys",
        ),
        pytest.param(
            _often(30, 40) + _production(*range(34, 40), status=500, version=None),
            40,
            "wait",
            id="more-of-them-than-may-be",
        ),
        pytest.param(
            _often(1, 40) + _production(*range(1, 21), status=500, version=None),
            40,
            "drained",
            id="failures-that-are-over",
        ),
        pytest.param(
            [request("green", 1, 10), lane_event("resumed", seconds=10)],
            30,
            "wait",
            id="other-lanes-prove-nothing",
        ),
        pytest.param(_production(1, 10), 500, "drained", id="good-evidence-beats-the-deadline"),
        pytest.param(
            _production(1, 20, version=None, path="/orders"),
            30,
            "wait",
            id="what-names-no-version-proves-nothing",
        ),
        pytest.param(
            _production(1, 10) + _production(5, 15, version=None, path="/orders"),
            20,
            "drained",
            id="and-is-no-other-version",
        ),
        pytest.param(
            _production(1, 15) + _production(5, 7, status=500, version=None, path="/orders"),
            20,
            "wait",
            id="its-failures-count",
        ),
        pytest.param([opened(-5), *_production(1, 10)], 20, "drained", id="probe-from-before-the-shift"),
        pytest.param([*_production(1, 10), opened(11)], 20, "wait", id="nobody-saw-the-gap-of-a-new-probe"),
        pytest.param(
            [*_production(1, 10), opened(11), *_production(20.9)], 30, "wait", id="quiet-time-starts-anew"
        ),
        pytest.param(
            [*_production(1, 10), opened(11), *_production(12, 21)], 30, "drained", id="quiet-since-then"
        ),
        pytest.param(
            [opened(11), *_production(12, 21), opened(11)], 30, "drained", id="its-first-record-came-twice"
        ),
    ],
)
def test_rule(records: list[Record], seconds: float, action: str) -> None:
    """Quiet time covered by good answers, and the drain time over; or the deadline."""
    assert _look(records, seconds)[1].action == action


@pytest.mark.parametrize(
    ("records", "seconds", "reason"),
    [
        (_production(1, 10), 20, "only 0.0.2 for 10 s"),
        (_production(1, 10), 15, "the drain time of 20 s is not over"),
        (
            [],
            15,
            "production has not answered with 0.0.2 only for 10 s; the ledger has no request to production",
        ),
        (
            _production(1, 5) + _production(12, version="0.0.1"),
            15,
            'production has not answered with 0.0.2 only for 10 s; 3 s ago it answered version "0.0.1"',
        ),
        (
            _production(1, 2, status=None, version=None, error="ConnectionRefusedError: Connection refused"),
            15,
            "production has not answered with 0.0.2 only for 10 s; "
            "2 of 2: ConnectionRefusedError: Connection refused. "
            "Nobody listens there: look at the address and port of probe.url, or of probe.connect_to",
        ),
        (
            _production(*range(11, 21)) + _production(15, 17, status=502, version=None),
            20,
            "2 of the last 12 production requests failed; 2 of 12: HTTP 502, expected 200. "
            "The application did not answer the load balancer properly, or not in time: read its log",
        ),
    ],
)
def test_reasons(records: list[Record], seconds: float, reason: str) -> None:
    """What is being waited for."""
    assert _look(records, seconds)[1].reason == reason


def test_what_was_seen_before_the_shift_proves_nothing() -> None:
    """The weights were set once more: what an earlier look has seen is silence from here on."""
    earlier = DrainProgress(last_answer=at(-5), last_other=at(-30))
    assert _look([], 30, earlier)[1].action == "wait"
    assert _look(_production(1, 9.9), 30, earlier)[1].action == "wait"
    assert _look(_production(1, 10), 30, earlier)[1].action == "drained"


_records = st.lists(
    st.builds(
        lambda seconds, version: request(
            "production", 1, seconds, version=version, status=200 if version else 500
        ),
        st.floats(-5, 150),
        st.sampled_from(["0.0.1", "0.0.2", None]),
    )
    | st.builds(opened, st.floats(-5, 150)),
    max_size=20,
)


@given(_records, st.integers(0, 20))
def test_splits_do_not_matter(records: list[Record], cut: int) -> None:
    """Law: the same records in two looks end as in one."""
    first, _ = _look(records[:cut], 60)
    assert _look(records, 60) == _look(records[cut:], 60, first)


def test_a_natural_rate_of_failures_is_no_hindrance() -> None:
    """At 1 %, as a fixed threshold would not have it, and whatever the quiet time."""
    random = Random(1)
    for seconds in (10, 60):
        retire = Retire(quiet_seconds=seconds, drain_seconds=20, deadline_seconds=600)
        records = [
            request("production", n, n / 10, status=500, version=None)
            if random.random() < 0.01
            else request("production", n, n / 10)
            for n in range(1, 6000)
        ]
        quiet, looks = DrainProgress(), []
        for begin in range(0, 6000, 30):
            quiet = quiet.after(records[begin : begin + 30], AWAITED, shifted=at(0), seconds=seconds)
            verdict = check(
                quiet,
                AWAITED,
                retire=retire,
                failing=0.05,
                shifted=at(0),
                shown=at(0),
                now=at(begin / 10 + 3),
            )
            looks.append(verdict.action)
        assert looks.index("drained") * 3 <= max(seconds, 20) + 10


def test_time_counts_from_when_the_weights_were_shown() -> None:
    """The load balancer may show them minutes after their write, and no time runs before that."""
    records = _often(1, 240)
    assert _look(records, 250, shown=240)[1].reason == "the drain time of 20 s is not over"
    assert _look(records, 260, shown=240)[1].action == "drained"
    assert _look([], 300, shown=240)[1].action == "wait"
    assert _look([], 360, shown=240)[1].action == "late"


def _look_alike(records: list[Record], seconds: float, *, shown: float = 0) -> DrainVerdict:
    awaited = of_candidate(plan(spec=nameless()))
    return check(
        DrainProgress().after(records, awaited, shifted=at(0), seconds=RETIRE.quiet_seconds),
        awaited,
        retire=RETIRE,
        failing=0.05,
        shifted=at(0),
        shown=at(shown),
        now=at(seconds),
        good_status="204",
    )


@pytest.mark.parametrize(
    ("records", "seconds", "action", "reason"),
    [
        pytest.param(
            _production(1, 12, version=None),
            20,
            "drained",
            "20 s since the load balancer showed the weights; answers name no version",
            id="the-time-is-over",
        ),
        pytest.param(
            _production(1, 12, version=None),
            19.9,
            "wait",
            "the drain time of 20 s is not over",
            id="the-time-is-not-over",
        ),
        pytest.param(
            [],
            30,
            "wait",
            "production has not answered for 10 s; the ledger has no request to production",
            id="silence-is-not-success",
        ),
        pytest.param(
            _production(*range(1, 30), version=None, status=500),
            30,
            "wait",
            "production has not answered for 10 s; 29 of 29: HTTP 500, expected 204. "
            "The application failed: read its log",
            id="failures-are-no-answers",
        ),
        pytest.param(
            [],
            120,
            "late",
            "production has not answered for 10 s; the ledger has no request to production",
            id="the-deadline",
        ),
    ],
)
def test_where_answers_name_no_version_time_counts(
    records: list[Record], seconds: float, action: str, reason: str
) -> None:
    """Nobody sees who answers: a slot goes when the load balancer has had its time, if production is well."""
    assert _look_alike(records, seconds) == DrainVerdict(action=action, reason=reason)  # type: ignore[arg-type]


def test_that_time_counts_from_when_the_weights_were_shown() -> None:
    """Good answers before that may all be the old slot's."""
    records = [record for record in _often(1, 240)]
    assert _look_alike(records, 250, shown=240).action == "wait"
    assert _look_alike(records, 260, shown=240).action == "drained"


@given(_records, st.randoms())
def test_order_does_not_matter(records: list[Record], random: object) -> None:
    """Law: answers come in the order of their completion, not of their sending."""
    mixed = list(records)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert _look(records, 60) == _look(mixed, 60)


@given(_records, st.floats(120, 1000))
def test_no_drain_waits_for_ever(records: list[Record], seconds: float) -> None:
    """Law: after the deadline there is a verdict."""
    assert _look(records, seconds)[1].action != "wait"
