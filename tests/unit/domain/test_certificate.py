"""The certificate: exactly the names that were promised, computed from the ledger."""

import json
import tracemalloc
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.domain.answers import MOST_KINDS
from crossfade.domain.ledger import Record, Request, read_record
from crossfade.domain.planning.plan import Contents
from crossfade.domain.proof.certificate import Certificate, Harm, History, Reading, StageRecord, certify
from crossfade.domain.proof.tally import MISSING, MOST_VERSIONS, OTHERS, Gap
from faults.cases.service import document
from tests.unit.checked import differences
from tests.unit.examples import (
    NEW,
    OLD,
    at,
    closed,
    first_plan,
    nameless,
    of_two_ports,
    opened,
    placed,
    plan,
    release,
    request,
    requests,
)


def _stage(weight: int, began: float, ended: float | None) -> StageRecord:
    return StageRecord(weight=weight, began=at(began), ended=None if ended is None else at(ended))


CONTENTS = Contents(released=("app",), kept={"proxy": "proxy:1"}, left_out=(), tags={})


def _history(**changes: Any) -> History:
    values = {
        "plan": plan(contents=CONTENTS),
        "launched": at(2),
        "healthy": at(9),
        "stages": (_stage(0, 10, 16), _stage(10, 16, 30), _stage(100, 30, 52)),
        **changes,
    }
    return History.model_validate(values)


def _certify(
    records: list[Record], history: History | None = None, ended: float = 60, winner: str | None = None
) -> Certificate:
    lines = [record.model_dump_json() for record in records]
    reading = Reading(history or _history(), winner)
    reading.seal.take(lines)
    for line in lines:
        reading.take(read_record(line))
    certificate = certify(
        reading,
        outcome="promoted",
        reason="0.0.2 answered well at every stage",
        ended=at(ended),
        transitions=40,
    )
    assert differences(json.loads(certificate.model_dump_json(by_alias=True)), lines) == []
    return certificate


WHOLE = [opened(0), request(n=1), closed(3, green=1)]


def _harm(certificate: Certificate) -> Harm:
    """What the rollback took away."""
    harm = certificate.rolled_back
    assert harm is not None
    return harm


def test_the_document_has_exactly_the_promised_names() -> None:
    """`certificate.json` is read by others."""
    records = [*requests("production", ".", version="0.0.1"), closed(production=1)]
    document = json.loads(_certify(records).model_dump_json(by_alias=True))
    nothing = {"sent": 0, "ok": 0, "failed": 0, "missing": 0, "at_most": None}
    text = "".join(f"{record.model_dump_json()}\n" for record in records).encode()
    link = bytes(32)
    for line in text.splitlines():
        link = sha256(link + line).digest()
    assert document == {
        "crossfade": "certificate/6",
        "service": "web",
        "deployment": "d1",
        "outcome": "promoted",
        "reason": "0.0.2 answered well at every stage",
        "from": {"version": "0.0.1", "digest": OLD},
        "to": {"version": "0.0.2", "digest": NEW},
        "requests": {
            "production": nothing | {"sent": 1, "ok": 1, "at_most": 0.95},
            "blue": nothing,
            "green": nothing,
        },
        "paths": [
            {
                "path": "/version",
                "requests": {"production": 1, "blue": 0, "green": 0},
                "failed": {"production": 0, "blue": 0, "green": 0},
            }
        ],
        "failures": {"production": [], "blue": [], "green": []},
        "versions": {
            "production": [
                {
                    "version": "0.0.1",
                    "first": "2026-11-23T04:00:00.100Z",
                    "last": "2026-11-23T04:00:00.100Z",
                    "count": 1,
                }
            ],
            "blue": [],
            "green": [],
        },
        "harm": [],
        "ledger": {
            "file": "ledger.jsonl.gz",
            "lines": 2,
            "unread": 0,
            "records": 1,
            "repeated": 0,
            "late": 0,
            "complete": True,
            "gaps": [],
            "sha256": sha256(text).hexdigest(),
            "chain": link.hex(),
        },
        "not_proved": [],
        "reported": {
            "contents": {
                "released": ["app"],
                "kept": {"proxy": "proxy:1"},
                "left_out": [],
                "changes": [],
                "tags": {},
                "warnings": [],
            },
            "stages": [
                {
                    "weight": weight,
                    "retry": False,
                    "step_backs": 0,
                    "began": began,
                    "shown": None,
                    "ended": ended,
                    "verdict": None,
                    "reason": None,
                }
                for weight, began, ended in [
                    (0, "2026-11-23T04:00:10.000Z", "2026-11-23T04:00:16.000Z"),
                    (10, "2026-11-23T04:00:16.000Z", "2026-11-23T04:00:30.000Z"),
                    (100, "2026-11-23T04:00:30.000Z", "2026-11-23T04:00:52.000Z"),
                ]
            ],
            "step_backs": [],
            "timing": {
                "total": 60.0,
                "bake": 35.0,
                "evidence": 7.0,
                "container_start": 7.0,
                "overhead": 11.0,
                "held": 0.0,
            },
            "transitions": 40,
            "given": {
                "candidate": "green",
                "right": {"production": ["0.0.1", "0.0.2"], "green": ["0.0.2"]},
                "healthy": "2026-11-23T04:00:09.000Z",
                "judged": None,
                "restored": None,
                "winner": None,
                "quiet_seconds": 10.0,
                "failing": 0.05,
            },
        },
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({}, [], id="all-is-told"),
        pytest.param(
            {"spec": nameless()},
            [
                "Which image answered: ",
                "When clients ceased to meet a slot: it is let go by the clock, 20 s ",
            ],
            id="no-version",
        ),
        pytest.param({"previous": None}, ["That clients met no third version: "], id="an-unknown-version"),
        pytest.param(
            {"release": release("0.0.1")},
            [
                "When clients went from one slot to the other: ",
                f"Which image answered production: the tag 0.0.1 was moved from {OLD} to {NEW}, ",
            ],
            id="a-tag-that-moved",
        ),
        pytest.param(
            {
                "release": release("v0.0.1"),
                "spec": placed(version={"path": "/version", "expect": {"tag": "^v?(.*)$"}}),
            },
            ["When clients went from one slot to the other: "],
            id="another-tag-that-answers-alike",
        ),
        pytest.param(
            {"stable": None, "previous": None, "candidate": "blue"},
            ["That the service answers as it did: this is its first release, "],
            id="the-first-release",
        ),
        pytest.param({"spec": of_two_ports()}, ["What clients of arn:aws:elastic"], id="several-rules"),
    ],
)
def test_what_the_answers_do_not_show_is_said(changes: dict[str, Any], said: list[str]) -> None:
    """A certificate that is silent on it would be taken for a proof of it."""
    found = _certify(WHOLE, _history(plan=plan(**changes))).not_proved
    assert [len(found), *map(str.startswith, found, said)] == [len(said), *(True for _ in said)]


def test_without_a_version_the_status_alone_counts() -> None:
    """On every lane, and nobody knows when clients were rid of the loser."""
    history = _history(plan=plan(spec=nameless()), judged=at(40), restored=at(41.5))
    records = [
        request("green", 1, 20, version=None),
        request("green", 2, 30, status=500, version=None),
        *[request("production", n, 20 + n, version=None) for n in range(1, 60)],
    ]
    found = _certify(records, history, ended=90)
    assert (found.requests["green"].failed, found.requests["production"].failed) == (1, 0)
    assert (_harm(found).restored_api, _harm(found).restored) == (11.5, None)


@pytest.mark.parametrize(
    ("records", "count"),
    [
        pytest.param([], (0, 0, 0, 0), id="nothing"),
        pytest.param(requests("green", "..x"), (3, 2, 1, 0), id="one-failed"),
        pytest.param([request(n=1), request(n=3)], (3, 2, 1, 1), id="a-gap"),
        pytest.param([request(n=1), request(n=1), request(n=2)], (2, 2, 0, 0), id="written-twice"),
        pytest.param([request(n=1), closed(green=5)], (5, 1, 4, 4), id="the-end-is-missing"),
        pytest.param([request(n=2), request(n=1)], (2, 2, 0, 0), id="out-of-order"),
        pytest.param([request("blue", 1)], (0, 0, 0, 0), id="another-lane"),
    ],
)
def test_counts(records: list[Record], count: tuple[int, int, int, int]) -> None:
    """Sent, ok, failed and missing of a lane."""
    green = _certify(records).requests["green"]
    assert (green.sent, green.ok, green.failed, green.missing) == count


def test_a_wrong_version_has_failed() -> None:
    """As it has for the gate: a cause that counts 91 failures must not stand beside none."""
    odd = [request("green", n, 9 + n / 10, version="0.1.1\n") for n in range(1, 92)]
    certificate = _certify(
        [*odd, request("green", 92, 30), request("green", 93, 31, status=502, version=None)]
    )
    green = certificate.requests["green"]
    assert (green.sent, green.ok, green.failed, green.missing) == (93, 1, 92, 0)
    assert [(failed.what, failed.count) for failed in certificate.failures["green"]] == [
        ('version "0.1.1\\n"', 91),
        ("HTTP 502", 1),
    ]
    assert certificate.versions["green"][0].version == "0.1.1\n"


def test_what_the_slot_answered_before_the_candidate_was_healthy_has_not_failed() -> None:
    """A warm slot's old tasks answer until the candidate is there; nor does the gate judge it."""
    before = [request("green", n, n, version="0.0.0") for n in range(1, 9)]
    assert _certify([*before, request("green", 9, 10)]).requests["green"].failed == 0
    assert _certify(before, _history(healthy=None, stages=())).requests["green"].failed == 0


@pytest.mark.parametrize(
    ("version", "changes", "failed"),
    [
        pytest.param("0.0.1", {}, 0, id="the-stable-version"),
        pytest.param("0.0.2", {}, 0, id="the-candidate"),
        pytest.param("9.9.9", {}, 1, id="another-service"),
        pytest.param(None, {}, 1, id="none-at-all"),
        pytest.param("9.9.9", {"previous": None}, 0, id="what-ran-before-is-not-known"),
    ],
)
def test_production_may_give_either_version(
    version: str | None, changes: dict[str, Any], failed: int
) -> None:
    """And no third one."""
    history = _history(plan=plan(**changes))
    found = _certify([request("production", 1, 20, version=version)], history)
    assert found.requests["production"].failed == failed


def test_kinds_of_failure_without_end_are_counted_together() -> None:
    """The certificate does not grow with them."""
    records = [request(n=n, seconds=20 + n, status=400 + n) for n in range(1, 99)]
    found = _certify(records).failures["green"]
    assert len(found) == MOST_KINDS + 1
    assert (found[-1].what, sum(failed.count for failed in found)) == (OTHERS, 98)


@pytest.mark.parametrize(
    ("records", "complete"),
    [
        pytest.param([request(n=1), closed(green=1)], True, id="complete"),
        pytest.param([request(n=1)], False, id="not-closed"),
        pytest.param([closed(green=1)], False, id="missing"),
        pytest.param([request(n=2), closed(green=2)], False, id="gap"),
        pytest.param([request(n=1), closed(rejected=1, green=1)], False, id="rejected"),
        pytest.param([closed()], True, id="closed-and-empty"),
    ],
)
def test_completeness(records: list[Record], complete: bool) -> None:
    """A reader can tell a complete ledger from a cut one."""
    assert _certify(records).ledger.complete is complete


FIRST = [opened(0), *requests("green", ".x", seconds=1), closed(3, green=2)]
SECOND = [opened(10), *requests("green", "...", seconds=11), closed(14, green=3)]


@pytest.mark.parametrize(
    ("records", "count"),
    [
        pytest.param([*FIRST, *SECOND], (5, 4, 1, 0), id="numbers-begin-anew"),
        pytest.param([*FIRST[:-1], *SECOND], (5, 4, 1, 0), id="the-first-one-died"),
        pytest.param(
            [opened(0), request(n=1), request(n=3), opened(10), request(n=2, seconds=11)],
            (5, 3, 2, 2),
            id="each-has-its-own-missing-ones",
        ),
        pytest.param([*FIRST, opened(10), closed(14, green=4)], (6, 1, 5, 4), id="the-second-lost-its-lines"),
        pytest.param([*FIRST[:3], *FIRST[1:]], (2, 1, 1, 0), id="a-batch-came-twice"),
        pytest.param([*FIRST[:3], *FIRST], (2, 1, 1, 0), id="the-first-record-as-well"),
        pytest.param([*FIRST, *SECOND[:3], *SECOND], (5, 4, 1, 0), id="a-batch-of-the-second-came-twice"),
    ],
)
def test_counts_of_two_probes(records: list[Record], count: tuple[int, int, int, int]) -> None:
    """A probe that died was started once more: what both have sent adds up."""
    green = _certify(records).requests["green"]
    assert (green.sent, green.ok, green.failed, green.missing) == count


@pytest.mark.parametrize(
    ("records", "complete", "gaps"),
    [
        pytest.param(FIRST, True, [], id="one-probe"),
        pytest.param([*FIRST[:3], *FIRST], True, [], id="its-first-batch-came-twice"),
        pytest.param([*FIRST, *SECOND], True, [(3, 10)], id="two-that-ended-well"),
        pytest.param([*FIRST[:-1], *SECOND], False, [(1.2, 10)], id="one-that-died"),
        pytest.param([*FIRST, *SECOND[:-1]], False, [(3, 10)], id="the-second-is-not-closed"),
        pytest.param([opened(0), *SECOND], False, [(0, 10)], id="one-that-died-before-its-first-request"),
        pytest.param(
            [*FIRST, opened(10), closed(14, rejected=1)], False, [(3, 10)], id="the-second-lost-records"
        ),
        pytest.param([], False, [], id="no-probe-at-all"),
    ],
)
def test_a_gap_between_two_probes_is_told(
    records: list[Record], complete: bool, gaps: list[tuple[float, float]]
) -> None:
    """From the last that the one has seen to the first of the next; a cut run is never complete."""
    ledger = _certify(records).ledger
    assert ledger.complete is complete
    assert list(ledger.gaps) == [Gap(began=at(began), ended=at(ended)) for began, ended in gaps]


def test_two_probes_have_seen_the_same_versions() -> None:
    """First and last sight go over the gap."""
    (seen,) = _certify([*FIRST, *SECOND]).versions["green"]
    assert (seen.first, seen.last, seen.count) == (at(1.1), at(11.3), 4)


def test_versions_are_told_by_their_first_sight() -> None:
    """First and last time, and how often; failed answers give no version."""
    records = [
        request("production", 1, 1, version="0.0.1"),
        request("production", 2, 2, version="0.0.2"),
        request("production", 3, 3, version="0.0.1"),
        request("production", 4, 4, version="0.0.1", status=500),
    ]
    found = _certify(records).versions["production"]
    assert [(seen.version, seen.first, seen.last, seen.count) for seen in found] == [
        ("0.0.1", at(1), at(3), 2),
        ("0.0.2", at(2), at(2), 1),
    ]


def test_a_first_release_comes_from_nothing() -> None:
    """`from` is null, and lanes without a slot have sent 0."""
    found = _certify([], _history(plan=first_plan()))
    assert (found.from_.version, found.from_.digest) == (None, None)
    assert found.requests["green"].sent == 0


@pytest.mark.parametrize(
    ("records", "detected", "restored_api"),
    [
        pytest.param([], None, None, id="no-bad-answer"),
        pytest.param([request("production", 1, 20, status=502)], 20.0, 21.5, id="failed-production-request"),
        pytest.param([request("green", 1, 30, status=500)], 10.0, 11.5, id="failed-candidate"),
        pytest.param([request("green", 1, 30, version="0.0.1")], 10.0, 11.5, id="wrong-version"),
        pytest.param([request("green", 1, 5, status=500)], None, None, id="not-before-it-was-healthy"),
        pytest.param([request("blue", 1, 20, status=500)], None, None, id="the-old-version-is-no-news"),
        pytest.param([request("production", 1, 12, status=500)], None, None, id="before-clients-met-it"),
        pytest.param([request("production", 1, 43, status=500)], None, None, id="after-the-verdict"),
        pytest.param(
            [request("green", 1, 38, status=500), request("green", 2, 35, status=500)],
            5.0,
            6.5,
            id="earliest",
        ),
    ],
)
def test_detection(records: list[Record], detected: float | None, restored_api: float | None) -> None:
    """From the first bad answer to the verdict, and to the weights read back."""
    harm = _harm(_certify(records, _history(judged=at(40), restored=at(41.5))))
    assert (harm.detected, harm.restored_api) == (detected, restored_api)


def _production(*answers: tuple[float, float, str]) -> list[Request]:
    """Ten answers a second from one moment to another: `old`, `new`, or `failed` without a version."""
    moments = [
        (begin + tenth / 10, kind)
        for begin, end, kind in answers
        for tenth in range(round((end - begin) * 10))
    ]
    kinds = {"old": {"version": "0.0.1"}, "new": {}, "failed": {"status": 500, "version": None}}
    return [
        request("production", n, moment, **kinds[kind])  # type: ignore[arg-type]
        for n, (moment, kind) in enumerate(sorted(moments), start=1)
    ]


@pytest.mark.parametrize(
    ("answers", "restored"),
    [
        pytest.param([(20, 60, "old"), (41.05, 44, "new")], 13.95, id="until-the-load-balancer-follows"),
        pytest.param([(20, 60, "old"), (30, 44, "failed")], 13.9, id="failures-may-be-the-losers"),
        pytest.param(
            [(20, 75, "old"), (30, 44, "failed"), (58, 58.1, "failed")], 13.9, id="later-ones-are-the-winners"
        ),
        pytest.param(
            [(20, 75, "old"), (30, 44, "failed"), (58, 58.1, "new")], 28.0, id="a-straggler-is-the-losers"
        ),
        pytest.param([(20, 60, "old"), (20, 25, "new")], 0.0, id="gone-before-the-first-bad-answer"),
        pytest.param([(20, 60, "old")], None, id="no-client-met-it"),
        pytest.param([(20, 48, "old"), (30, 44, "failed")], None, id="the-winner-alone-for-too-short"),
        pytest.param([(20, 44, "old"), (20, 44, "new")], None, id="silence-is-no-proof"),
        pytest.param([(20, 75, "old"), (30, 75, "failed")], None, id="still-failing"),
    ],
)
def test_clients_are_restored_with_the_losers_last_answer(
    answers: list[tuple[float, float, str]], restored: float | None
) -> None:
    """The weights were read back at 41.5, and the first bad answer was at 30."""
    history = _history(judged=at(40), restored=at(41.5))
    records = [request("green", 1, 30, status=500), *_production(*answers)]
    harm = _harm(_certify(records, history, ended=90, winner="0.0.1"))
    assert (harm.first_bad, harm.restored_api, harm.restored) == (at(30), 11.5, restored)


def test_natural_failures_do_not_stretch_the_time() -> None:
    """A stable version that fails one request in 30 from then on: at most the quiet time is added."""
    failing = [(second, second + 0.1, "failed") for second in range(32, 90, 3)]
    records = [
        request("green", 1, 30, status=500),
        *_production((20, 90, "old"), (30, 44, "new"), *failing),
    ]
    history = _history(judged=at(40), restored=at(41.5))
    restored = _harm(_certify(records, history, ended=90, winner="0.0.1")).restored
    assert restored is not None
    assert 13.9 <= restored <= 13.9 + 10


def test_good_answers_of_other_paths_are_nobodys() -> None:
    """They name no version; what failed there may have been the loser's."""
    asked = plan(spec=placed(probe=document()["probe"] | {"paths": ["/version", "/a"]}))
    history = _history(plan=asked, judged=at(40), restored=at(41.5))
    elsewhere = [request("production", 500 + n, 20 + n, version=None, path="/a") for n in range(70)]
    failed = request("production", 600, 46, status=500, version=None, path="/a")
    records = [
        request("green", 1, 30, status=500),
        *_production((20, 90, "old"), (20, 44, "new")),
        *elsewhere,
    ]
    assert _harm(_certify(records, history, ended=90, winner="0.0.1")).restored == 13.9
    records = sorted([*records, failed], key=lambda record: record.at)
    assert _harm(_certify(records, history, ended=90, winner="0.0.1")).restored == 16.0


def test_each_path_is_counted() -> None:
    """All that the spec names, in the order in which the probe has them, asked or not."""
    paths = ["/a", {"path": "/version", "weight": 2}, "/b"]
    asked = plan(spec=placed(probe=document()["probe"] | {"paths": paths}))
    records = [
        *requests("green", "..x", seconds=10),
        request("green", 4, 11, version=None, path="/a"),
        request("green", 5, 11, version=None, status=500, path="/a"),
        request("green", 5, 11, version=None, status=500, path="/a"),
        request("production", 1, 11, version=None, path="/a"),
    ]
    certificate = _certify(records, _history(plan=asked))
    assert [count.path for count in certificate.paths] == ["/version", "/a", "/b"]
    assert certificate.paths[0].requests == {"production": 0, "blue": 0, "green": 3}
    assert certificate.paths[0].failed == {"production": 0, "blue": 0, "green": 1}
    assert certificate.paths[1].requests == {"production": 1, "blue": 0, "green": 2}
    assert certificate.paths[1].failed == {"production": 0, "blue": 0, "green": 1}
    assert certificate.failures["green"][0].what == "HTTP 500"
    assert certificate.failures["green"][1].what == "HTTP 500 at /a"


@pytest.mark.parametrize(
    ("changes", "winner"),
    [
        pytest.param({"plan": plan(release=release("0.0.1"))}, "0.0.1", id="same-version"),
        pytest.param({"plan": first_plan()}, None, id="nothing-to-go-back-to"),
        pytest.param({"restored": None}, "0.0.1", id="weights-left-alone"),
        pytest.param({"stages": (_stage(0, 10, 30),)}, "0.0.1", id="before-it-had-weight"),
    ],
)
def test_where_nobody_can_tell_there_is_no_time(changes: dict[str, Any], winner: str | None) -> None:
    """Null, not a number that looks well."""
    history = _history(**{"judged": at(40), "restored": at(41.5), **changes})
    records = [request("green", 1, 30, status=500), *_production((20, 90, "old"), (20, 44, "new"))]
    assert _harm(_certify(records, history, ended=90, winner=winner)).restored is None


def test_a_new_probe_begins_the_proof_anew() -> None:
    """Nobody saw what clients got while there was none."""
    history = _history(judged=at(40), restored=at(41.5))
    records: list[Record] = [
        opened(0),
        request("green", 1, 30, status=500),
        *_production((20, 53, "old"), (20, 43, "new")),
        opened(60),
        *_production((60, 65, "old")),
    ]
    assert _harm(_certify(records, history, ended=90, winner="0.0.1")).restored is None
    records += [request("production", 100, 70.5, version="0.0.1")]
    assert _harm(_certify(records, history, ended=90, winner="0.0.1")).restored == 12.9


def test_versions_without_end_are_counted_together() -> None:
    """An application may answer another one each time; the certificate does not grow with them."""
    found = _certify([request(n=n, seconds=n, version=f"v{n}") for n in range(1, 1001)]).versions["green"]
    assert len(found) == MOST_VERSIONS + 1
    (others,) = [seen for seen in found if seen.version == OTHERS]
    assert (others.count, others.last) == (1000 - MOST_VERSIONS, at(1000))


def test_what_is_kept_does_not_grow_with_the_ledger() -> None:
    """A hundred times as many requests, with a gap at their beginning, a few bits more for each."""

    def kept(requests: int) -> int:
        tracemalloc.start()
        reading = Reading(_history(judged=at(40), restored=at(41.5)), "0.0.1")
        one = request("production", 1, 20, version="0.0.1")
        for n in range(2, requests + 2):
            reading.take(one.model_copy(update={"n": n}))
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert reading.tally.records == requests
        return size

    assert kept(100_000) - kept(1_000) < 100_000


def test_a_stage_that_was_cut_off_bakes_as_long_as_it_lasted() -> None:
    """So that the overhead of a rolled-back deployment is no negative time."""
    cut = _history(stages=(_stage(0, 10, 16), _stage(10, 16, 19)))
    timing = _certify([], cut).reported.timing
    assert (timing.bake, timing.evidence) == (5 + 3, 1)


def test_a_stage_without_an_end_lasted_until_the_end() -> None:
    """It was cut off by something else than its verdict."""
    assert _certify([], _history(stages=(_stage(100, 50, None),)), ended=55).reported.timing.bake == 5


def test_a_candidate_that_never_was_healthy_has_no_start_time() -> None:
    """Nothing is made up."""
    assert _certify([], _history(healthy=None, stages=())).reported.timing.container_start == 0


# Stepped back from 50 at 40, read back at 42, held until 60, tried at 10, and at 50 from 90 on.
SPELL = (
    _stage(0, 10, 16),
    _stage(50, 16, 40).model_copy(update={"verdict": "step_back", "reason": "46 of 46 failed"}),
    _stage(0, 41, 60).model_copy(update={"step_backs": 1, "shown": at(42)}),
    _stage(10, 60, 85).model_copy(update={"step_backs": 1, "retry": True}),
    _stage(50, 85, 100).model_copy(update={"step_backs": 1}),
)
BAD_IN_SPELL = [
    request("green", 1, 12, status=500),  # before it had clients: no part of their harm
    request("production", 1, 37, status=500),
    request("green", 2, 38, status=500),
    request("green", 3, 45, status=500),  # held at weight 0
]


def test_a_step_back_is_told_with_how_quick_it_was() -> None:
    """From the first bad answer with clients on it; what went well in the end has no other times."""
    found = _certify(BAD_IN_SPELL, _history(stages=SPELL), ended=110)
    (back,), (harm,) = found.reported.step_backs, found.harm
    assert (back.weight, back.decided, back.restored) == (50, at(40), at(42))
    assert back.reason == "46 of 46 failed"
    assert harm == Harm(by="step_back", first_bad=at(37), detected=3, restored_api=5, restored=None)
    assert found.rolled_back is None


def test_the_time_at_0_after_a_step_back_is_told() -> None:
    """It is evidence. A stage's minimum is baked once, however often it is entered; a retry bakes nothing."""
    timing = _certify([], _history(stages=SPELL), ended=110).reported.timing
    minimum = {stage.weight: stage.min_seconds for stage in plan().stages}
    assert minimum[0] == 5
    assert (timing.held, timing.bake) == (19, 5)
    assert timing.evidence == 6 + 24 + 19 + 25 + 15 - timing.bake


@pytest.mark.parametrize(
    ("bad", "detected", "restored_api"),
    [
        pytest.param(request("production", 2, 95, status=500), 25, 28, id="with-clients-again"),
        pytest.param(request("green", 4, 50, status=500), 70, 73, id="at-weight-0"),
        pytest.param(request("production", 2, 50, status=500), None, None, id="the-old-version-s"),
    ],
)
def test_a_rollback_after_a_step_back_counts_from_then(
    bad: Record, detected: float | None, restored_api: float | None
) -> None:
    """What the step back has ended is told there."""
    records = [*BAD_IN_SPELL[:3], bad]
    history = _history(stages=SPELL, judged=at(120), restored=at(123))
    _, harm = _certify(records, history, ended=130, winner="0.0.1").harm
    assert (harm.by, harm.detected, harm.restored_api) == ("roll_back", detected, restored_api)


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from([200, 500, None])), max_size=40))
def test_every_number_is_accounted_for(answers: list[tuple[int, int | None]]) -> None:
    """Law: sent = ok + failed on each lane, and what is missing has failed."""
    certificate = _certify([request(n=n, status=status) for n, status in answers])
    for lane, count in certificate.requests.items():
        assert count.sent == count.ok + count.failed
        assert sum(failed.count for failed in certificate.failures[lane]) == count.failed
        found = [failed.count for failed in certificate.failures[lane] if failed.what == MISSING]
        assert found == [count.missing] * (count.missing > 0)


@given(st.lists(st.lists(st.tuples(st.integers(1, 9), st.sampled_from([200, 500])), max_size=9), max_size=4))
def test_several_probes_add_up(runs: list[list[tuple[int, int]]]) -> None:
    """Law: a ledger of several runs counts as its runs do one by one, and tells the gaps between them."""
    ledgers = [
        [opened(20 * place), *[request(n=n, status=status, seconds=20 * place + n) for n, status in run]]
        for place, run in enumerate(runs)
    ]
    together = _certify([record for ledger in ledgers for record in ledger])
    alone = [_certify(ledger).requests["green"] for ledger in ledgers]
    green = together.requests["green"]
    assert green.sent == sum(count.sent for count in alone)
    assert green.failed == sum(count.failed for count in alone)
    assert green.missing == sum(count.missing for count in alone)
    assert len(together.ledger.gaps) == max(len(runs) - 1, 0)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        pytest.param(WHOLE, [], id="whole"),
        pytest.param([], ["Anything about requests: "], id="nothing"),
        pytest.param(WHOLE[:-1], ["That no request is missing at a probe's end: "], id="cut"),
        pytest.param([*WHOLE[:2], closed(3, green=3)], ["How 2 requests ended that are not in "], id="gaps"),
        pytest.param(
            [*WHOLE, opened(10.5), closed(14)],
            ["What clients met while no probe ran: 7.5 s in 1 gaps."],
            id="no-probe",
        ),
        pytest.param(
            [*WHOLE[:2], closed(3, not_sent=2, green=1)],
            ["What clients met at 2 moments: the probe "],
            id="late-probe",
        ),
    ],
)
def test_what_the_ledger_has_not_is_said(records: list[Record], said: list[str]) -> None:
    """Silence would be taken for success."""
    found = _certify(records).not_proved
    assert [len(found), *map(str.startswith, found, said)] == [len(said), *(True for _ in said)]


def test_the_order_of_the_ledger_is_in_the_certificate() -> None:
    """What came again, what stands behind a higher number, and a chain through all lines."""
    records = [request(n=n, seconds=n) for n in (1, 3, 2, 2, 4)]
    ledger = _certify(records).ledger
    assert (ledger.lines, ledger.records, ledger.repeated, ledger.late) == (5, 4, 1, 1)
    assert ledger.chain != _certify([*records[:3], records[4], records[3]]).ledger.chain
