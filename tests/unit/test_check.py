"""`crossfade check` accepts what Crossfade certifies, and finds whatever is changed of it."""

import ast
import copy
import gzip
import json
import tracemalloc
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.__main__ import main
from cli.check import NOT_CHECKED, against
from cli.recount import is_bound
from crossfade.domain.ledger import Record, read_record
from crossfade.domain.proof.bound import at_most
from crossfade.domain.proof.certificate import History, Reading, StageRecord, certify
from faults.cases.service import document
from faults.files import ROOT
from tests.unit.checked import differences
from tests.unit.examples import at, closed, lane_event, opened, placed, plan, request

PATHS = placed(probe=document()["probe"] | {"paths": ["/version", "/a"]})
STAGES = (
    StageRecord(weight=0, began=at(1), ended=at(4), verdict="advance"),
    StageRecord(weight=10, began=at(4), ended=at(9), verdict="step_back", reason="5 of 20 failed"),
    StageRecord(weight=0, step_backs=1, began=at(9), shown=at(10), ended=at(12), verdict="advance"),
    StageRecord(weight=10, step_backs=1, began=at(12), ended=at(16), verdict="roll_back"),
)
HISTORY = History(
    plan=plan(spec=PATHS), launched=at(0), healthy=at(1), judged=at(16), restored=at(17), stages=STAGES
)


def _records() -> Iterator[Record]:
    """A rollback after a step back, by two probes: the first died, and lost a record."""
    yield opened(0)
    yield lane_event("resumed", "green", 0.5)
    numbers = dict.fromkeys(("production", "blue", "green"), 0)

    def asked(lane: str, seconds: float, **changes: Any) -> Record:
        numbers[lane] += 1
        return request(lane, numbers[lane], seconds, **{"ms": 1 + numbers[lane] / 8} | changes)

    bad: dict[str, Any] = {"status": 500, "version": None}
    for tenth in range(10, 160, 2):
        seconds = tenth / 10
        failing = 60 <= tenth < 100 or tenth >= 130
        yield asked("production", seconds, **bad if failing and tenth % 10 == 0 else {"version": "0.0.1"})
        yield asked("green", seconds, **bad if failing else {})
        if tenth % 3 == 0:
            yield asked("blue", seconds, version="0.0.1")
        if tenth % 5 == 0:
            yield asked("green", seconds, version=None, path="/a", status=200 if tenth % 4 else 404)
        if tenth == 100:
            numbers["blue"] += 1
    yield lane_event("paused", "green", 16)
    numbers = dict.fromkeys(numbers, 0)
    yield opened(16.5)
    for tenth in range(170, 300, 2):
        yield asked("production", tenth / 10, version="0.0.2" if tenth == 180 else "0.0.1")
    yield closed(31, production=65, not_sent=4)


def _certified(lines: list[str], history: History = HISTORY, winner: str | None = "0.0.1") -> dict[str, Any]:
    reading = Reading(history, winner)
    reading.seal.take(lines)
    for line in lines:
        reading.take(read_record(line))
    certificate = certify(
        reading, outcome="rolled_back", reason="why", ended=at(32), transitions=40
    ).model_dump_json(by_alias=True)
    return dict(json.loads(certificate))


AT_LEISURE = settings(deadline=None)
LINES = [record.model_dump_json() for record in _records()]
CERTIFICATE = _certified(LINES)
REQUESTS = [place for place, line in enumerate(LINES) if '"type":"request"' in line]


def _fitted(certificate: dict[str, Any], lines: list[str], *digests: str) -> dict[str, Any]:
    """The certificate with these digests of other lines."""
    fitted = copy.deepcopy(certificate)
    text = "".join(f"{line}\n" for line in lines).encode()
    link = bytes(32)
    for line in text.splitlines():
        link = sha256(link + line).digest()
    found = {"sha256": sha256(text).hexdigest(), "chain": link.hex()}
    fitted["ledger"] |= {name: found[name] for name in digests}
    return fitted


def test_the_example_has_all_that_a_certificate_may_have() -> None:
    """Or the tests below would show little."""
    step_back, roll_back = CERTIFICATE["harm"]
    assert None not in {step_back["detected"], step_back["restored_api"]}
    assert None not in roll_back.values()
    assert CERTIFICATE["requests"]["blue"]["missing"] == 1
    assert len(CERTIFICATE["ledger"]["gaps"]) == 1
    assert len(CERTIFICATE["versions"]["production"]) == 2
    assert len(CERTIFICATE["failures"]["green"]) == 2
    assert len(CERTIFICATE["not_proved"]) == 4


def test_what_was_certified_is_accepted() -> None:
    """Every figure is equal."""
    found = against(CERTIFICATE, (f"{line}\n".encode() for line in LINES))
    assert found.differences == ()
    assert found.figures > 60
    assert dict(found.not_checked) == NOT_CHECKED


def test_the_check_imports_nothing_of_what_it_checks() -> None:
    """Two who share their code share its faults."""
    for name in ("recount", "check"):
        tree = ast.parse((ROOT / f"cli/{name}.py").read_text(encoding="utf-8"))
        imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not {module for module in imported if module.startswith("crossfade")}


DIGESTS = [
    pytest.param((), id="old-digests"),
    pytest.param(("sha256",), id="the-files-digest-fits"),
]
"""The tamperer leaves the certificate alone, or makes the digest fit that sha256sum gives."""


def _tampered(lines: list[str], digests: tuple[str, ...]) -> set[str]:
    """The figures that differ."""
    return {one.figure for one in differences(_fitted(CERTIFICATE, lines, *digests), lines)}


@pytest.mark.parametrize("digests", [*DIGESTS, pytest.param(("sha256", "chain"), id="both-digests-fit")])
@AT_LEISURE
@given(place=st.integers(0, len(LINES) - 1))
def test_a_record_that_was_removed(place: int, digests: tuple[str, ...]) -> None:
    """Its line is missed."""
    assert "ledger.lines" in _tampered([*LINES[:place], *LINES[place + 1 :]], digests)


@pytest.mark.parametrize("digests", [*DIGESTS, pytest.param(("sha256", "chain"), id="both-digests-fit")])
@AT_LEISURE
@given(place=st.integers(0, len(LINES)), more=st.sampled_from(LINES), number=st.integers(1, 500))
def test_a_record_that_was_added(place: int, more: str, number: int, digests: tuple[str, ...]) -> None:
    """One that was there already, or one with another number."""
    for line in (more, json.dumps(json.loads(more) | {"n": number})):
        assert "ledger.lines" in _tampered([*LINES[:place], line, *LINES[place:]], digests)


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "n": st.integers(1, 500),
    "at": st.sampled_from([f"2026-11-23T04:00:{second:02}.000Z" for second in range(40)]),
    "status": st.sampled_from([200, 404, 500, None]),
    "version": st.sampled_from(["0.0.1", "0.0.2", "0.0.3", None]),
    "lane": st.sampled_from(["production", "blue", "green"]),
    "ms": st.floats(0.1, 9000),
    "error": st.sampled_from(["refused", None]),
}


@pytest.mark.parametrize("digests", DIGESTS)
@AT_LEISURE
@given(data=st.data(), place=st.sampled_from(REQUESTS), name=st.sampled_from(sorted(FIELDS)))
def test_a_record_that_was_changed(
    data: st.DataObject, place: int, name: str, digests: tuple[str, ...]
) -> None:
    """Any field of it, also one that no count depends on."""
    before = json.loads(LINES[place])
    value = data.draw(FIELDS[name].filter(lambda value: value != before[name]))
    lines = [*LINES[:place], json.dumps(before | {name: value}), *LINES[place + 1 :]]
    assert _tampered(lines, digests)


@pytest.mark.parametrize("digests", [*DIGESTS, pytest.param(("sha256", "chain"), id="both-digests-fit")])
@AT_LEISURE
@given(place=st.sampled_from(REQUESTS))
def test_an_answer_that_was_made_a_good_one(place: int, digests: tuple[str, ...]) -> None:
    """And one that was made bad: the counts differ."""
    before = json.loads(LINES[place])
    status = 500 if before["status"] == 200 else 200
    lines = [*LINES[:place], json.dumps(before | {"status": status}), *LINES[place + 1 :]]
    assert any(figure.startswith("failures.") or ".failed" in figure for figure in _tampered(lines, digests))


@pytest.mark.parametrize("digests", DIGESTS)
@AT_LEISURE
@given(st.data())
def test_two_records_that_were_swapped(digests: tuple[str, ...], data: st.DataObject) -> None:
    """Of the same lane or not."""
    one = data.draw(st.integers(0, len(LINES) - 2))
    other = data.draw(st.integers(one + 1, len(LINES) - 1))
    lines = list(LINES)
    lines[one], lines[other] = lines[other], lines[one]
    assert _tampered(lines, digests)


@AT_LEISURE
@given(st.data(), st.sampled_from(["production", "blue", "green"]))
def test_two_of_a_lane_that_were_swapped_are_seen_by_their_numbers(data: st.DataObject, lane: str) -> None:
    """Even with both digests made to fit, unless they are of two probes, which count each from 1."""
    first = [place for place in REQUESTS if f'"lane":"{lane}"' in LINES[place]]
    first = [place for place in first if place < LINES.index(opened(16.5).model_dump_json())]
    one = data.draw(st.integers(0, len(first) - 2))
    other = data.draw(st.integers(one + 1, len(first) - 1))
    lines = list(LINES)
    lines[first[one]], lines[first[other]] = lines[first[other]], lines[first[one]]
    assert "ledger.late" in _tampered(lines, ("sha256", "chain"))


@pytest.mark.parametrize("digests", [*DIGESTS, pytest.param(("sha256", "chain"), id="both-digests-fit")])
def test_a_closing_record_that_was_cut_off(digests: tuple[str, ...]) -> None:
    """The ledger is not complete then, and the certificate would have to say what that leaves open."""
    whole = [LINES[0], *LINES[REQUESTS[0] : REQUESTS[0] + 1], closed(3, production=1).model_dump_json()]
    certificate = _certified(whole)
    assert certificate["ledger"]["complete"]
    assert differences(certificate, whole) == []
    found = {one.figure for one in differences(_fitted(certificate, whole[:-1], *digests), whole[:-1])}
    assert {"ledger.complete", "not_proved: That no request is missing at a probe's end"} <= found


def _leaves(value: Any, *at_: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, *at_, key)
    else:
        yield at_, value


UNCHECKED = ("outcome", "reason", "service", "from", "to", "not_proved", "reported", "crossfade")
FIGURES = [
    leaf
    for leaf in _leaves(CERTIFICATE)
    if leaf[0][0] not in UNCHECKED and leaf[0] not in {("ledger", "file"), ("paths", 0, "path")}
]


@AT_LEISURE
@given(st.data(), st.sampled_from(FIGURES))
def test_a_figure_of_the_certificate_that_was_changed(
    data: st.DataObject, leaf: tuple[tuple[Any, ...], Any]
) -> None:
    """It is named."""
    where, value = leaf
    other: st.SearchStrategy[Any] = st.none() | st.text(max_size=3)
    if isinstance(value, bool):
        other = st.just(not value)
    elif isinstance(value, int):
        other = st.integers(0, 10**6)
    elif isinstance(value, float):
        other = st.floats(0, 100) | st.integers(1, 9).map(lambda more: value + more / 1000)
    changed = copy.deepcopy(CERTIFICATE)
    inner = changed
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = data.draw(other.filter(lambda found: found != value))
    figures = {one.figure for one in differences(changed, LINES)}
    name = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in where)[1:]
    # With another name, all that was counted of a path is missed.
    assert name in figures or (where[-1] == "path" and any(one.startswith("paths") for one in figures))


@pytest.mark.parametrize("place", range(len(CERTIFICATE["not_proved"])))
def test_a_limit_of_the_proof_that_was_left_out(place: int) -> None:
    """What the ledger lacks has to be said."""
    changed = copy.deepcopy(CERTIFICATE)
    del changed["not_proved"][place]
    assert [one.figure.partition(":")[0] for one in differences(changed, LINES)] == ["not_proved"]


@pytest.mark.parametrize(
    ("place", "before", "after"),
    [
        pytest.param(0, "0.5 s", "0.0 s", id="how-long-no-probe-ran"),
        pytest.param(0, "1 gaps", "0 gaps", id="how-often"),
        pytest.param(2, "How 1 ", "How 2 ", id="how-many-are-missing"),
        pytest.param(2, "they count as failed", "all were answered", id="what-became-of-them"),
        pytest.param(3, "at 4 moments", "at 1 moments", id="how-many-were-not-sent"),
    ],
)
def test_a_limit_of_the_proof_that_was_made_less(place: int, before: str, after: str) -> None:
    """The figures in a sentence are figures too."""
    changed = copy.deepcopy(CERTIFICATE)
    assert before in changed["not_proved"][place]
    changed["not_proved"][place] = changed["not_proved"][place].replace(before, after)
    assert [one.figure.partition(":")[0] for one in differences(changed, LINES)] == ["not_proved"]


def test_a_path_that_is_listed_twice() -> None:
    """Each of its lines is true, and their sum is not."""
    changed = copy.deepcopy(CERTIFICATE)
    changed["paths"].append(changed["paths"][1])
    assert "paths" in {one.figure for one in differences(changed, LINES)}


def test_a_bound_that_is_no_number() -> None:
    """Where all failed it is 1, and not true."""
    lines = [request("production", 1, 20, status=500, version=None).model_dump_json()]
    certificate = _certified(lines)
    assert certificate["requests"]["production"]["at_most"] == 1
    certificate["requests"]["production"]["at_most"] = True
    assert [one.figure for one in differences(certificate, lines)] == ["requests.production.at_most"]


def test_a_name_that_no_record_confirms_is_not_checked() -> None:
    """Only a probe's first record names the deployment."""
    lines = [line for line in LINES if '"type":"opened"' not in line]
    found = against(_certified(lines), (f"{line}\n".encode() for line in lines))
    assert not found.differences
    assert "deployment" in found.not_checked


ODD = {
    "an-unknown-lane": closed(31)
    .model_dump_json()
    .replace('"lanes":{', '"lanes":{"red":{"sent":1,"ok":1,"failed":0,"missed":0},'),
    "another-reason": closed(31).model_dump_json().replace("stopped", "lost"),
    "another-event": lane_event("paused", "green", 16).model_dump_json().replace("paused", "left"),
    "opened-elsewhere": opened(16.5).model_dump_json().replace('"blue"', '"red"'),
    "a-note-of-a-number": request("blue", 90, 20).model_dump_json().replace('"note":null', '"note":5'),
    "accepted-in-words": request("blue", 90, 20)
    .model_dump_json()
    .replace('"accepted":null', '"accepted":"?"'),
    "a-path-of-a-number": request("blue", 90, 20).model_dump_json().replace('"path":null', '"path":5'),
    "nested-deeply": "[" * 100_000,
    "no-json": "\x00",
    "empty": "",
}


@pytest.mark.parametrize("line", [pytest.param(line, id=name) for name, line in ODD.items()])
def test_a_line_that_is_no_record_is_none_to_both(line: str) -> None:
    """It counts as a line, and as unread."""
    lines = [*LINES, line]
    certificate = _certified(lines)
    assert certificate["ledger"]["unread"] == 1
    assert differences(certificate, lines) == []


def test_what_is_not_known_is_not_passed_over() -> None:
    """A figure that another version has, or a person has written into it, is among what was not checked."""
    changed = copy.deepcopy(CERTIFICATE)
    changed["lost"] = 0
    changed["requests"]["production"]["lost"] = 0
    found = against(changed, (f"{line}\n".encode() for line in LINES))
    assert set(found.not_checked) - set(NOT_CHECKED) == {"lost", "requests.production.lost"}


def test_a_forgery_of_both_is_not_found_out_and_it_says_that() -> None:
    """Nothing is signed."""
    lines = [line for place, line in enumerate(LINES) if place != REQUESTS[0]]
    assert differences(_certified(lines), lines) == []
    assert (
        "Neither file is signed"
        in CliRunner().invoke(main, ["check", *_files(_certified(lines), lines)]).output
    )


@AT_LEISURE
@given(st.integers(0, 10**5).flatmap(lambda sent: st.tuples(st.integers(0, sent), st.just(sent))))
def test_the_bound_is_found_to_be_it(counts: tuple[int, int]) -> None:
    """And the numbers beside it are not."""
    failed, sent = counts
    bound = at_most(failed, sent)
    assert is_bound(bound, failed, sent)
    if bound is not None and bound < 0.99:
        assert not is_bound(float(f"{bound * 1.011:.2e}"), failed, sent)
        assert not is_bound(float(f"{bound * 0.989:.2e}"), failed, sent)
        assert not is_bound(bound * 1.0001, failed, sent)


# ---- the command ----------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test in a folder of its own."""
    monkeypatch.chdir(tmp_path)


def _files(certificate: Any, lines: list[str], *, packed: bool = True) -> list[str]:
    Path("certificate.json").write_text(json.dumps(certificate))
    text = "".join(f"{line}\n" for line in lines).encode()
    Path("ledger").write_bytes(gzip.compress(text) if packed else text)
    return ["certificate.json", "ledger"]


@pytest.mark.parametrize("packed", [True, False])
def test_the_command_accepts(packed: bool) -> None:
    """Either form of the ledger; and it says what the counts support."""
    done = CliRunner().invoke(main, ["check", *_files(CERTIFICATE, LINES, packed=packed)])
    assert done.exit_code == 0, done.output
    assert "production: 7 of 140 failed; at 95 % it is" in done.output
    assert "not proved: What clients met while no probe ran" in done.output
    assert "reported: the journal's" in done.output


def test_the_command_names_each_difference() -> None:
    """What the certificate says, and what the ledger says."""
    changed = copy.deepcopy(CERTIFICATE)
    changed["requests"]["production"] |= {"failed": 0, "ok": 140}
    done = CliRunner().invoke(main, ["check", *_files(changed, LINES)])
    assert done.exit_code == 1
    assert "requests.production.failed: the certificate says 0, the ledger 7" in done.output
    said = json.loads(CliRunner().invoke(main, ["check", "--json", *_files(changed, LINES)]).output)
    assert not said["equal"]
    assert {"figure": "requests.production.ok", "certificate": 140, "ledger": 133} in said["differences"]
    assert "reported" in said["not_checked"]


@pytest.mark.parametrize(
    ("certificate", "ledger", "why"),
    [
        pytest.param(b"{", b"", "is no certificate", id="no-json"),
        pytest.param(b'{"crossfade": "certificate/5"}', b"", "certificate/5", id="another-form"),
        pytest.param(b'{"crossfade": "certificate/6"}', b"", "does not have the form", id="cut"),
        pytest.param(b'{"a":' * 100_000, b"", "is no certificate", id="nested-deeply"),
        pytest.param(
            json.dumps(CERTIFICATE)
            .replace('"production": {"sent"', '"production": {}, "production": {"sent"')
            .encode(),
            b"",
            "production stands there twice",
            id="a-name-twice",
        ),
        pytest.param(
            json.dumps(CERTIFICATE).replace('"failing": ', '"failing": 9').encode(),
            b"",
            "does not have the form",
            id="no-share",
        ),
        pytest.param(None, b"a" * 5_000_000, "a line is longer than", id="an-endless-line"),
        pytest.param(None, gzip.compress(b"a" * 99)[:-9], "cannot be read to its end", id="a-cut-archive"),
    ],
)
def test_what_cannot_be_read(certificate: bytes | None, ledger: bytes, why: str) -> None:
    """It is no difference, and no success."""
    Path("certificate.json").write_bytes(certificate or json.dumps(CERTIFICATE).encode())
    Path("ledger").write_bytes(ledger)
    done = CliRunner().invoke(main, ["check", "certificate.json", "ledger"])
    assert (done.exit_code, why in done.output) == (2, True), done.output


def test_what_a_certificate_says_writes_on_no_terminal() -> None:
    """Nor does it add a line that looks like one of the check's own."""
    changed = copy.deepcopy(CERTIFICATE)
    changed |= {"service": "web\x1b[2J", "\x1b[1m": 1}
    changed["not_proved"].append("That clients\n  0 of 0 failed")
    changed["requests"]["all"] = {"sent": 10**9, "failed": 0, "at_most": 1e-9}
    done = CliRunner().invoke(main, ["check", *_files(changed, LINES)])
    assert done.exit_code == 0
    assert "\x1b" not in done.output
    assert "\n  0 of 0" not in done.output
    assert "1,000,000,000" not in done.output


def test_a_file_that_is_not_there() -> None:
    """Wrong use."""
    assert CliRunner().invoke(main, ["check", "a", "b"]).exit_code == 2


def test_what_is_kept_does_not_grow_with_the_ledger() -> None:
    """A hundred times as many requests, with one missing at their beginning."""

    def kept(count: int) -> int:
        one = json.loads(request("production", 1, 20).model_dump_json())
        lines = (json.dumps(one | {"n": n}).encode() + b"\n" for n in range(2, count + 2))
        tracemalloc.start()
        found = against(CERTIFICATE, lines)
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert any(one.ledger == count for one in found.differences if one.figure == "ledger.records")
        return size

    assert kept(20_000) - kept(200) < 50_000
