"""Text from outside, as it is shown."""

import pytest

from probe.shown import visible, without_password


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("0.1.1", "0.1.1", id="ordinary"),
        pytest.param("1\t200\n# ended", "1\\t200\\n# ended", id="a-forged-line"),
        pytest.param("\x1b[31m", "\\x1b[31m", id="a-colour"),
        pytest.param("a\u202eb", "a\\u202eb", id="right-to-left"),
        pytest.param("é 0", "é 0", id="letters-of-any-language"),
        pytest.param("\ud800", "\\ud800", id="half-a-pair"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, expected: str) -> None:
    """One line stays one line."""
    assert visible(text) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://host:80/version", "http://host:80/version"),
        ("http://user:p%40w@host/", "http://***@host/"),
        ("https://user:a@b@host", "https://***@host"),
        ("http://host/a@b", "http://host/a@b"),
    ],
)
def test_a_password_is_hidden(address: str, expected: str) -> None:
    """Of an address that is right or wrong."""
    assert without_password(address) == expected
