"""What a check has found: fine, worth knowing, or in the way."""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, TypeVar

from botocore.exceptions import ClientError

from crossfade.aws.errors import error_code
from crossfade.domain.errors import CrossfadeError

Level = Literal["ok", "warning", "wrong"]
T = TypeVar("T")
REFUSALS = ("AccessDenied", "UnauthorizedOperation", "NotAuthorized")
"""How AWS's codes begin for what the caller may not do."""


class Finding(NamedTuple):
    """One line about a service. ``name`` is the error's in docs/operations.md, where it is one."""

    level: Level
    what: str
    text: str
    name: str = ""


class Findings:
    """The findings so far, in the order of the checks."""

    def __init__(self) -> None:
        self.all: list[Finding] = []

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.all)

    @property
    def wrong(self) -> list[Finding]:
        """What stands in the way."""
        return [finding for finding in self.all if finding.level == "wrong"]

    def ok(self, what: str, text: str) -> None:
        """Note what is as it should be."""
        self.all.append(Finding("ok", what, text))

    def warn(self, what: str, text: str) -> None:
        """Note what the owner should know."""
        self.all.append(Finding("warning", what, text))

    def wrongs(self, what: str, text: str, name: str = "") -> None:
        """Note what has to be put right first."""
        self.all.append(Finding("wrong", what, text, name))

    def check(self, what: str, ask: Callable[[], T]) -> T | None:
        """The answer of a check, or None where it refuses: what it says is noted."""
        try:
            return ask()
        except CrossfadeError as refused:
            self.wrongs(what, str(refused), type(refused).__name__)
            return None

    def if_allowed(self, what: str, ask: Callable[[], T]) -> T | None:
        """The answer of a look at what need not be there, or None where the caller may not look."""
        try:
            return ask()
        except ClientError as error:
            if not error_code(error).startswith(REFUSALS):
                raise
            self.warn(what, f"could not be looked at with these credentials: {error}")
            return None
