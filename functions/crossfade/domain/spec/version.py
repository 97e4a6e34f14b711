"""How a service says which version answers: where it is asked, what is good, and what is to be found."""

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from crossfade.domain.model import Model

TAG = "{tag}"


def _groups(value: str, least: int) -> str:
    try:
        groups = re.compile(value).groups
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from error
    if not least <= groups <= 1:
        raise ValueError(f"must have one group, which is the version; it has {groups}")
    return value


def _span(value: str) -> str:
    low, _, high = value.partition("-")
    if not re.fullmatch(r"[2-4]\d\d(-[2-4]\d\d)?", value) or (high and high < low):
        raise ValueError("must be a status, or the first and the last of several, such as 200-299")
    return value


class Place(Model):
    """Where an answer names its version: at a JSON pointer (RFC 6901), in a header, in the group of a regular
    expression that is searched in its text (its whole match without a group), or nowhere."""

    model_config = ConfigDict(serialize_by_alias=True)

    pointer: str | None = Field(default=None, alias="json", pattern=r"^(/([^~/]|~[01])*)*$")
    header: str | None = Field(default=None, pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
    regex: Annotated[str, Field(min_length=1), AfterValidator(lambda value: _groups(value, 0))] | None = None
    none: bool = False

    @model_validator(mode="after")
    def _one(self) -> Self:
        places = [place is not None for place in (self.pointer, self.header, self.regex)]
        if sum(places) + self.none != 1:
            raise ValueError('must be one of {"json": …}, {"header": …}, {"regex": …} and "none"')
        return self

    @property
    def text(self) -> str:
        """As the probe reads it, e.g. ``json:/version``."""
        for kind, at in (("json", self.pointer), ("header", self.header), ("regex", self.regex)):
            if at is not None:
                return f"{kind}:{at}"
        return "none"


class Expectation(Model):
    """What of an image's tag is the version: ``text`` has the tag's place in it, ``v{tag}``; or ``tag`` is a
    regular expression whose group is the version, ``^prod-(.*)$``."""

    text: str | None = None
    tag: Annotated[str, AfterValidator(lambda value: _groups(value, 1))] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.text is None) == (self.tag is None) or (self.text is not None and TAG not in self.text):
            raise ValueError(f'must be a text with {TAG} in it, or {{"tag": a regular expression}}')
        return self

    def of(self, tag: str) -> str:
        """The version that an image with this tag is to answer with; empty where the tag does not say it."""
        if self.text is not None:
            return self.text.replace(TAG, tag)
        found = re.search(self.tag or "", tag)
        return (found and found[1]) or ""


def _named(key: str, value: Any) -> Any:
    """A text is short for an object."""
    return {key: value} if isinstance(value, str) else value


def _place(value: Any) -> Any:
    return {"none": True} if value == "none" else value


class VersionSource(Model):
    """``path`` is asked at each of the service's addresses. An answer is good with a status of ``ok`` and
    the version that ``expect`` makes of the image's tag; where ``from`` is ``none``, by its status alone."""

    model_config = ConfigDict(serialize_by_alias=True)

    path: str = Field(pattern=r"^/")
    from_: Annotated[Place, BeforeValidator(_place)] = Field(
        default=Place.model_validate({"json": "/version"}), alias="from"
    )
    expect: Annotated[Expectation, BeforeValidator(lambda value: _named("text", value))] = Expectation(
        text=TAG
    )
    ok: tuple[Annotated[str, AfterValidator(_span)], ...] = Field(default=("200-299",), min_length=1)

    @property
    def named(self) -> bool:
        """Whether answers name their version."""
        return not self.from_.none

    @property
    def text(self) -> str:
        """All of it in one text, to be compared with that of another time."""
        return self.model_dump_json()

    def expected(self, tag: str) -> str:
        """The version that answers of an image with this tag name; empty where that is not known, or none."""
        return self.expect.of(tag) if self.named else ""

    def accepts(self, status: int) -> bool:
        """Whether an answer with this status is good."""
        spans = [span.partition("-") for span in self.ok]
        return any(int(low) <= status <= int(high or low) for low, _, high in spans)

    @property
    def good(self) -> str:
        """Which status is expected, in words: ``200`` where that is good."""
        spans = [span.partition("-") for span in self.ok]
        return "200" if any(low <= "200" <= (high or low) for low, _, high in spans) else ", ".join(self.ok)
