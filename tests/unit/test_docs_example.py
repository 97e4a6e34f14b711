"""docs/example: its records prove what they say, README shows its pictures, its drawing the real names."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from cli.__main__ import main
from demo.cloud import DemoFailed
from demo.example import EXAMPLE, KEPT, TERMINAL
from demo.exercise import BAD, GOOD
from demo.screencast import FILM, MOST_BYTES, chromium, screens, wrapped
from faults.files import MACHINES, ROOT, template
from tests.statemachine.definitions import states

README = (ROOT / "README.md").read_text(encoding="utf-8")
PICTURES = sorted([*EXAMPLE.glob("*.webp"), *EXAMPLE.glob("*.svg")])
NOT_DRAWN = {
    "AWS::IAM::Role", "AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig", "AWS::S3::BucketPolicy",
    "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy", "AWS::Serverless::Application",
}  # fmt: skip
"""Who may do what; and the sample service's stack, of which the drawing has the parts."""


@pytest.mark.parametrize(("version", "outcome"), [(GOOD, "promoted"), (BAD, "rolled_back")])
def test_the_checker_accepts_the_example(version: str, outcome: str) -> None:
    """`crossfade check` counts its certificate again from its ledger."""
    files = [str(EXAMPLE / version / name) for name in ("certificate.json", "ledger.jsonl.gz")]
    found = CliRunner().invoke(main, ["check", *files, "--json"])
    assert found.exit_code == 0, found.output
    said = json.loads(found.output)
    assert (said["outcome"], said["differences"]) == (outcome, [])


@pytest.mark.parametrize("name", KEPT, ids=str)
def test_all_of_the_example_is_there_and_small(name: Path) -> None:
    """Each of the files that a run is kept by."""
    assert 0 < (EXAMPLE / name).stat().st_size < 250_000


def test_the_example_names_no_folder_of_the_machine_that_it_is_from() -> None:
    """Nor the project's own folder there."""
    for file in (path for path in EXAMPLE.rglob("*") if path.is_file() and path.suffix != ".webp"):
        written = file.read_bytes()
        text = (gzip.decompress(written) if file.suffix == ".gz" else written).decode()
        assert not re.search(r"(?<![\w.])/(home|root|Users|work)/", text), file
        assert str(ROOT) not in text, file


def test_the_pages_are_of_the_run_that_the_terminal_shows() -> None:
    """The reason of the rollback was printed as it stands in certificate and page."""
    _, *lines = TERMINAL.read_text(encoding="utf-8").splitlines()
    printed = "".join(json.loads(line)[2] for line in lines)
    assert printed.startswith("$ make demo\r\n")
    assert "✘" not in printed
    for version in (GOOD, BAD):
        certificate = json.loads((EXAMPLE / version / "certificate.json").read_text(encoding="utf-8"))
        page = (EXAMPLE / version / "report.html").read_text(encoding="utf-8")
        assert f"execution {'SUCCEEDED' if version == GOOD else 'FAILED'}: {certificate['reason']}" in printed
        assert certificate["ledger"]["sha256"][:12] in printed
        assert certificate["deployment"] in page


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_readme_shows_every_picture(picture: Path) -> None:
    """No picture is kept that is not seen."""
    assert f'"docs/example/{picture.name}"' in README


def test_readme_shows_no_picture_that_is_missing() -> None:
    """Of those that it has in HTML; each says what it shows to who does not see it."""
    assert all((ROOT / name).exists() for name in re.findall(r'src(?:set)?="([^"]+)"', README))
    assert all(re.search(r' alt="[^"]{20,}"', image) for image in re.findall(r"<img [^>]*>", README))


def test_the_film_is_short_and_small() -> None:
    """By the durations of its pictures (https://developers.google.com/speed/webp/docs/riff_container)."""
    film = FILM.read_bytes()
    assert (film[:4], film[8:12]) == (b"RIFF", b"WEBP")
    durations = [int.from_bytes(body[12:15], "little") for name, body in chunks(film[12:]) if name == b"ANMF"]
    assert 30_000 <= sum(durations) <= 45_000
    assert len(durations) > 40
    assert len(film) <= MOST_BYTES


def chunks(riff: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a RIFF file: their names and bodies."""
    while riff:
        size = int.from_bytes(riff[4:8], "little")
        yield riff[:4], riff[8 : 8 + size]
        riff = riff[8 + size + size % 2 :]


def test_the_film_shows_what_was_printed_when_it_was_printed() -> None:
    """Faster; what comes within a tenth of a second of the film is seen at once."""
    pieces = [(0.0, "$ go\r\n"), (4.0, "one"), (4.1, "\r\ntwo\r\n"), (10.0, "three four\r\n")]
    first, second, last = screens(pieces, columns=6, rows=4, speed=4)
    assert first == (["$ go"], 1.0)
    assert second.lines == ["$ go", "one", "two"]
    assert second.seconds == pytest.approx(1.5)
    assert last.lines == ["one", "two", "three ", "four"]


def test_a_line_is_wrapped_where_the_terminal_ends() -> None:
    """An empty one stays."""
    assert wrapped("abcdef\r\n\r\nab\r\n", 3) == ["abc", "def", "", "ab"]


def test_without_a_browser_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is drawn."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DemoFailed, match=r"install\.sh"), chromium():
        pass


def named(kind: str) -> set[str]:
    """The names that the drawing has in this kind of text."""
    drawing = ET.parse(EXAMPLE / "architecture.svg")
    return {element.text or "" for element in drawing.iter() if element.get("class") == kind}


def test_the_drawing_names_what_the_templates_have() -> None:
    """Resources, and the rules that start a state machine; all but rights, and the functions of states."""
    own, sample = template(), template("sample_app/template.yaml")
    resources = own["Resources"]
    rules = {
        name for resource in resources.values() for name in resource.get("Properties", {}).get("Events", {})
    }
    drawn = named("resource")
    assert drawn <= set(resources) | rules | set(sample["Resources"])
    of_states = {name for name in resources if name.removesuffix("Function") in named("state")}
    to_draw = {name for name, resource in resources.items() if resource["Type"] not in NOT_DRAWN}
    assert (to_draw | rules) - of_states - drawn == set()


def test_the_drawing_names_the_states() -> None:
    """Every state that calls a function or another state machine, in both definitions."""
    every = {name: state for machine in MACHINES for name, state in states(machine).items()}
    drawn = named("state")
    assert drawn <= set(every)
    assert {name for name, state in every.items() if state["Type"] == "Task"} - drawn == set()
