"""What runs here and what runs in the images is pinned to the same versions."""

import re
from pathlib import Path

import pytest

from demo.probe_tag import content_tag, pinned_tag
from faults.files import template

ROOT = Path(__file__).parents[2]
OTHERS = sorted((ROOT / "tests/sandbox/apps").rglob("requirements.txt"))
PIN = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)$", re.MULTILINE)


def pins(document: str) -> dict[str, str]:
    """The pinned versions of a requirements file, by normalised name."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in PIN.findall(text)}


@pytest.mark.parametrize("image", ["probe", "sample_app"])
def test_an_image_has_the_versions_that_are_tested(image: str) -> None:
    """The images' pins are those of requirements.txt."""
    tested = pins("requirements.txt")
    pinned = pins(f"{image}/requirements.txt")
    assert pinned
    assert {name: tested.get(name) for name in pinned} == pinned


def test_the_functions_layer_is_the_version_that_is_tested() -> None:
    """`latest` would change under a running system."""
    default = str(template()["Parameters"]["PowertoolsLayer"]["Default"])
    assert default.rpartition("/")[2] == pins("requirements.txt")["aws-lambda-powertools"]


def test_every_requirement_is_locked() -> None:
    """requirements.txt holds exact versions, and no address of an index."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not PIN.match(line)] == []


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: "-".join(path.parts[-3:-1]))
def test_other_applications_are_pinned(path: Path) -> None:
    """Exact versions, for each Python, and no address: a release is the same on each machine."""
    for_a_python = re.compile(r'; python_version (<|>=) "3\.\d+"$')
    lines = [for_a_python.sub("", line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert lines
    assert [line for line in lines if not PIN.match(line)] == []


def test_the_probes_tag_names_its_content() -> None:
    """An update of Crossfade brings its own probe; `make probe-tag` writes the tag."""
    assert pinned_tag() == content_tag()


def test_another_content_has_another_tag(tmp_path: Path) -> None:
    """A file's name and each byte of it count; what running the folder leaves behind does not."""
    (tmp_path / "lane.py").write_text("one")
    before = content_tag(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "lane.pyc").write_text("two")
    assert content_tag(tmp_path) == before

    (tmp_path / "lane.py").write_text("two")
    changed = content_tag(tmp_path)
    (tmp_path / "lane.py").rename(tmp_path / "ring.py")
    assert len({before, changed, content_tag(tmp_path)}) == 3
