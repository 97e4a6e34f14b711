"""Whether an answer that the probe got is good; if not, its fault in words, and what to do about it.

The gate, the drain and the certificate all use this, so that a cause and a certificate count alike.
"""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from crossfade.domain.ledger import Lane
from crossfade.domain.slots import Slot
from crossfade.domain.text import visible

Versions = Collection[str] | None
"""The versions that are right; None where that is not known, and any is."""

_OPENSSL = re.compile(r"\[SSL: \w+\] | \(_ssl\.c:\d+\)$")
"""What OpenSSL's errors have beside their words."""
VERSION = "version "
"""How the kinds begin that are another version."""
MOST_KINDS = 5
"""The most kinds of failure that are counted apart: an application may fail in a new way each time."""
MOST_CHARACTERS = 80
NAMED_KINDS = 2
"""How many kinds a sentence names, the commonest first."""


def right_versions(candidate: Slot, version: str, previous: str | None) -> Mapping[Lane, Versions]:
    """Which versions the candidate's lane and production may answer with; any where a lane is not there.

    ``version`` is the candidate's, ``previous`` the stable slot's: None where there is no stable slot, empty
    where its version is not known. Both are empty where answers name none.
    """
    if not version:
        return {}
    production = None if previous == "" else {version, previous or version}
    return {candidate: {version}, "production": production}


class Answered(Protocol):
    """A request in the ledger: see ``ledger.Request``."""

    @property
    def ok(self) -> bool: ...
    @property
    def status(self) -> int | None: ...
    @property
    def version(self) -> str | None: ...
    @property
    def error(self) -> str | None: ...
    @property
    def note(self) -> str | None: ...
    @property
    def path(self) -> str | None: ...


def is_good(answer: Answered, right: Versions) -> bool:
    """Whether it is an answer with a good status, of a version that is right.

    What another path than the version path answers names no version: its status alone counts.
    """
    return answer.ok and (right is None or answer.path is not None or answer.version in right)


def fault(answer: Answered) -> str:
    """What is wrong with an answer that is not good: the transport's error, the status, or the version.

    E.g. ``HTTP 401``, ``ConnectionRefusedError: Connection refused``, ``version "0.1.1\\n"``. The same fault
    has the same words each time. Where it is not the version path's, the path follows: ``HTTP 500 at /a``.
    """
    if answer.status is None:
        said = _OPENSSL.sub("", answer.error or "no answer")
    elif not answer.ok:
        said = f"HTTP {answer.status}" + (f" {answer.note}" if answer.note else "")
    elif answer.version is None:
        said = f"no version ({answer.note or 'none was found'})"
    else:
        said = f"{VERSION}{quoted(answer.version)}"
    return shortened(said if answer.path is None else f"{said} at {answer.path}")


def quoted(version: str) -> str:
    """A version as it is, with what cannot be seen written out: a line's end as ``\\n``."""
    return f'"{visible(version)}"'


def shortened(text: str) -> str:
    """One line of at most `MOST_CHARACTERS`."""
    shown = visible(text, MOST_CHARACTERS)
    return shown if len(shown) <= MOST_CHARACTERS else f"{shown[: MOST_CHARACTERS - 1]}…"


class Kinds(NamedTuple):
    """Failures counted by kind, in the order of the words; ``others`` are of further kinds."""

    counts: tuple[tuple[str, int], ...] = ()
    others: int = 0

    def plus(self, kind: str) -> "Kinds":
        """With one more."""
        counts = dict(self.counts)
        if kind not in counts and len(counts) >= MOST_KINDS:
            return Kinds(self.counts, self.others + 1)
        counts[kind] = counts.get(kind, 0) + 1
        return Kinds(tuple(sorted(counts.items())), self.others)

    @property
    def commonest(self) -> list[tuple[str, int]]:
        """The kinds and their counts, the commonest first."""
        return sorted(self.counts, key=lambda kind: -kind[1])

    @property
    def total(self) -> int:
        """How many there are."""
        return sum([count for _, count in self.counts]) + self.others

    def summary(self, requests: int, right: Versions = None, status: str = "200") -> str:
        """The commonest ones of ``requests``, what was expected and what to do; empty without failures.

        ``right`` and ``status`` are what was expected.
        E.g. ``98 of 98: HTTP 401, expected 200. A login or a web ACL …``.
        """
        ordered = self.commonest
        if not ordered:
            return ""
        first, count = ordered[0]
        parts = [f"{count:,} of {requests:,}: {first}{expected(first, right, status)}"]
        parts += [f"{count:,}: {kind}" for kind, count in ordered[1:NAMED_KINDS]]
        rest = self.total - sum(count for _, count in ordered[:NAMED_KINDS])
        parts += [f"{rest:,} of other kinds"] if rest else []
        return f"{'; '.join(parts)}. {advice(first)}"


def expected(kind: str, right: Versions, status: str) -> str:
    """What was expected instead, to follow the kind; empty where there was no answer at all."""
    if kind.startswith("HTTP "):
        return f", expected {status}"
    if kind.startswith((VERSION, "no version")) and right:
        return f", expected {' or '.join(quoted(version) for version in sorted(right))}"
    return ""


def advice(kind: str) -> str:
    """What to look at, for a kind of failure; a sentence."""
    return next(sentence for starts, sentence in ADVICE if kind.startswith(starts))


ADVICE: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("HTTP 401", "HTTP 403"),
        "A login or a web ACL stands before the version path: let the probe pass. A rate rule of AWS WAF "
        "counts the probe too, which sends production_rate + 2 × slot_rate requests/s from one address",
    ),
    (
        ("HTTP 429",),
        "A rate limit meets the probe, which sends production_rate + 2 × slot_rate requests a second from "
        "one address: exempt it, or lower the rates",
    ),
    (
        ("HTTP 301", "HTTP 302", "HTTP 303", "HTTP 307", "HTTP 308"),
        "A login or a redirect to HTTPS answers, and the probe follows none: give probe.url "
        "as an address that answers itself, and let the version path pass without a login",
    ),
    (
        ("HTTP 404", "HTTP 405", "HTTP 410"),
        "Nothing is served at that path: look at version.path and probe.paths, and at which listener rule "
        "answers",
    ),
    (
        ("HTTP 502", "HTTP 504"),
        "The application did not answer the load balancer properly, or not in time: read its log",
    ),
    (
        ("HTTP 503 by the load balancer",),
        "The load balancer has no target for it, or no rule that sends it to this service",
    ),
    (("HTTP 5",), "The application failed: read its log"),
    (("HTTP ",), "version.path must answer with a status of version.ok, and so must each of probe.paths"),
    (
        (VERSION,),
        "What the application answers must be what version.expect makes of the image's tag; look also at "
        "whether another service answers at that address",
    ),
    (
        ("no version",),
        "An answer of version.path must name its version, as a text, where version.from says",
    ),
    (
        ("ConnectionRefusedError",),
        "Nobody listens there: look at the address and port of probe.url, or of probe.connect_to",
    ),
    (
        ("gaierror", "NameResolutionError"),
        "The probe cannot resolve the name: look at probe.url, or at probe.connect_to, "
        "and at the DNS of the probe's network",
    ),
    (
        ("SSLCertVerificationError",),
        "The probe trusts public certificate authorities only, and checks the name: give an address that the "
        "certificate is for, and in probe.connect_to the host to connect to where that is another one",
    ),
    (("SSLError", "SSLEOFError"), "TLS failed: look at whether that port speaks HTTPS"),
    (
        ("no connection within", "OSError"),
        "The probe does not get through: look at the security groups and subnets in probe.network, and at "
        "the port of probe.url, or of probe.connect_to",
    ),
    (("no answer",), "The application takes longer than the probe waits: read its log"),
    (("",), "Read the application's log, and look at what stands between the probe and it"),
)
"""By how the kind's words begin; the first that fits."""
