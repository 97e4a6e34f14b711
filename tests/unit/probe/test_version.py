"""Where an answer names its version: a service that was not made for Crossfade has a way of its own."""

import json

import pytest

from probe.version import version_from

PAGE = b"<p>This is <b>pypiserver 2.3.2</b>, listening.</p>"
DATASETTE = json.dumps({"python": {"version": "3.13"}, "datasette": {"version": "0.65.1"}}).encode()


@pytest.mark.parametrize(
    ("where", "body", "headers", "found"),
    [
        pytest.param("json:/version", b'{"version": "1.2.3"}', {}, "1.2.3", id="json"),
        pytest.param("json:/datasette/version", DATASETTE, {}, "0.65.1", id="nested"),
        pytest.param("json:/apps/1/v", b'{"apps": [{}, {"v": "7"}]}', {}, "7", id="in-a-list"),
        pytest.param("json:/a~1b/~0", b'{"a/b": {"~": "1"}}', {}, "1", id="escaped"),
        pytest.param("json:", b'"1.2.3"', {}, "1.2.3", id="the-document-itself"),
        pytest.param("header:X-Version", b"", {"X-Version": " 6.14.0 "}, "6.14.0", id="header"),
        pytest.param("regex:pypiserver ([0-9.]+)", PAGE, {}, "2.3.2", id="group"),
        pytest.param(r"regex:\d+\.\d+\.\d+", PAGE, {}, "2.3.2", id="whole-match"),
        pytest.param("none", b'{"version": "1.2.3"}', {}, None, id="none"),
    ],
)
def test_a_version_is_found(where: str, body: bytes, headers: dict[str, str], found: str | None) -> None:
    """Each place gives its version, and nothing else to be said."""
    assert version_from(where).read(body, headers) == (found, None)


@pytest.mark.parametrize(
    ("where", "body", "headers", "told"),
    [
        pytest.param("json:/a/b", b'{"a": {"c": 1}}', {}, 'no "a/b" in the JSON', id="no-such-key"),
        pytest.param("json:/a/b", b'{"a": "x"}', {}, 'no "a/b" in the JSON', id="below-a-text"),
        pytest.param("json:/a/9", b'{"a": ["x"]}', {}, 'no "a/9" in the JSON', id="beyond-a-list"),
        pytest.param("json:/a/-1", b'{"a": ["x"]}', {}, 'no "a/-1" in the JSON', id="no-index"),
        pytest.param("json:/a/b", b'{"a": {"b": 3}}', {}, '"a/b" is 3, not a text', id="a-number"),
        pytest.param("header:X-Version", b"", {}, "no header X-Version", id="no-header"),
        pytest.param("header:X-Version", b"", {"X-Version": " "}, "header X-Version is empty", id="empty"),
        pytest.param("regex:v([0-9]+)", b"secret", {}, "nothing in the text matches", id="no-match"),
        pytest.param("regex:v([0-9]*)", b"v", {}, "nothing in the text matches", id="empty-match"),
        pytest.param("regex:a(b)?", b"a", {}, "nothing in the text matches", id="group-not-met"),
    ],
)
def test_what_there_is_instead(where: str, body: bytes, headers: dict[str, str], told: str) -> None:
    """It is told in words, and nothing else of the answer."""
    assert version_from(where).read(body, headers) == (None, told)


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("/version", "none of json:POINTER"),
        ("json:version", "none of"),
        ("json:/a~2", "none of"),
        ("header:", "none of"),
        ("header:X Version", "none of"),
        ("regex:", "none of"),
        ("regex:(", "not a regular expression"),
        ("regex:(a)(b)", "more than one group"),
        ("none:", "none of"),
    ],
)
def test_a_place_that_is_none(where: str, told: str) -> None:
    """It is named with what is wrong."""
    with pytest.raises(ValueError, match=told):
        version_from(where)
