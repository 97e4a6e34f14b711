"""What runs here and what runs in the images is pinned to the same versions."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
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


def test_every_requirement_is_locked() -> None:
    """requirements.txt holds exact versions, and no address of an index."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not PIN.match(line)] == []
