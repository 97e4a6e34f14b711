"""Where an answer names the version that gave it: in its JSON, in a header, in its text, or nowhere."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from probe.shown import visible

MOST_VERSION_CHARACTERS = 128
MOST_NOTE_CHARACTERS = 80
MOST_JSON_BYTES = 65_536
"""A longer document is a fault: one that names a version is a few words."""
MOST_BYTES = 1_048_576
"""The same of a page, which is read to its end as a client reads it."""
FORMS = "json:POINTER, header:NAME, regex:EXPRESSION or none"

_POINTER = re.compile(r"(/([^~/]|~[01])*)*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_INDEX = re.compile(r"0|[1-9][0-9]*")

Found = tuple[str | None, str | None]
"""The version, or a note on what there is instead."""


@dataclass(frozen=True, slots=True)
class VersionFrom:
    """A place in an answer; `at` is the JSON pointer (RFC 6901), the header's name, or the expression."""

    kind: Literal["json", "header", "regex", "none"]
    at: str = ""

    @property
    def most_bytes(self) -> int:
        """How long an answer may be."""
        return MOST_JSON_BYTES if self.kind == "json" else MOST_BYTES

    def read(self, body: bytes, headers: Mapping[str, str]) -> Found:
        """The version, or what there is instead, and never more of an answer: it may hold anything."""
        if self.kind == "json":
            return self._from_json(body, headers.get("Content-Type", ""))
        if self.kind == "header":
            value = headers.get(self.at)
            if value is None:
                return None, note(f"no header {self.at}")
            return _version(value.strip()) if value.strip() else (None, note(f"header {self.at} is empty"))
        if self.kind == "regex":
            matched = re.search(self.at, body.decode("utf-8", "replace"))
            text = matched and matched[matched.re.groups]
            return _version(text) if text else (None, "nothing in the text matches")
        return None, None

    def _from_json(self, body: bytes, content_type: str) -> Found:
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            kind = content_type.partition(";")[0].strip()
            return None, note(f"not JSON but {kind or 'of no content type'}")
        tokens = [token.replace("~1", "/").replace("~0", "~") for token in self.at.split("/")[1:]]
        name = "/".join(tokens)
        try:
            value = _value_at(document, tokens)
        except LookupError:
            if not isinstance(document, dict | list) or (isinstance(document, list) and len(tokens) == 1):
                return None, "JSON, but no object"
            return None, note(f'no "{name}" in the JSON')
        if isinstance(value, str) and value:
            return _version(value)
        return None, note(f'"{name}" is {_kind(value)}, not a text')


BY_DEFAULT = VersionFrom("json", "/version")
UNNAMED = VersionFrom("none")


def version_from(text: str) -> VersionFrom:
    """Read `json:/version`, `header:X-Version`, `regex:v([0-9.]+)` or `none`; raises ValueError."""
    kind, _, at = text.partition(":")
    if text == "none":
        return VersionFrom("none")
    if kind == "json" and _POINTER.fullmatch(at):
        return VersionFrom("json", at)
    if kind == "header" and _HEADER_NAME.fullmatch(at):
        return VersionFrom("header", at)
    if kind == "regex" and at:
        try:
            groups = re.compile(at).groups
        except re.error as error:
            raise ValueError(f"{at!r} is not a regular expression: {error}") from error
        if groups > 1:
            raise ValueError(f"{at!r} has more than one group: which of them is the version?")
        return VersionFrom("regex", at)
    raise ValueError(f"{text!r} is none of {FORMS}")


def note(text: str) -> str:
    """A note as it is written down: one line of a few words."""
    return visible(_writable(text[:MOST_NOTE_CHARACTERS]))[:MOST_NOTE_CHARACTERS]


def _value_at(document: Any, tokens: list[str]) -> Any:
    for token in tokens:
        if isinstance(document, dict):
            document = document[token]
        elif isinstance(document, list) and _INDEX.fullmatch(token):
            document = document[int(token)]
        else:
            raise LookupError(token)
    return document


def _version(text: str) -> Found:
    return _writable(text)[:MOST_VERSION_CHARACTERS], None


def _kind(value: Any) -> str:
    if isinstance(value, str | list | dict):
        return "empty" if isinstance(value, str) else "a list" if isinstance(value, list) else "an object"
    return json.dumps(value)


def _writable(text: str) -> str:
    """Replace what UTF-8 cannot hold (JSON can name half of a surrogate pair)."""
    return text.encode("utf-8", "replace").decode()
