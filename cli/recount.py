"""A deployment's figures, counted from its ledger by code of its own: it imports nothing of Crossfade.

It reads the lines by itself, and takes from the certificate only what the ledger does not say: what is
``given``, the stages' moments, and the names of the paths. What is kept does not grow with the ledger.
"""

import hashlib
import json
import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import UnionType
from typing import Any

LANES = ("production", "blue", "green")
KINDS, VERSIONS = 5, 50
"""As many kinds of failure and versions of a lane are counted apart."""
OTHERS, MISSING = "(others)", "not in the ledger"
PARTS = 20
"""The quiet time is counted in parts, which are this many."""
KIND_CHARACTERS, TEXT_CHARACTERS = 80, 60

Json = dict[str, Any]


class NoRecord(ValueError):
    """A line that is no record of a probe."""


def moment(text: str) -> datetime:
    """A moment of the ledger or of the certificate, in UTC; raises ValueError."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    try:
        return found.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text} is before the year 1 or after 9999 in UTC") from error


def written(at: datetime | None) -> str | None:
    """A moment as the certificate has it."""
    return (
        None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


@dataclass(slots=True)
class Answer:
    """A request's record."""

    lane: str
    n: int
    at: datetime
    status: int | None
    version: str | None
    error: str | None
    note: str | None
    path: str | None
    ok: bool

    def good(self, right: frozenset[str] | None) -> bool:
        """A good status, and where the version path was asked, a version that is right."""
        return self.ok and (right is None or self.path is not None or self.version in right)


def read(line: bytes) -> Json:
    """A record: its moment is read, the rest is as it stands. Raises NoRecord."""
    try:
        record = json.loads(line)
        kind, record["at"] = record["type"], moment(record["at"])
        if kind == "request":
            _need(record, lane=str, n=int, ms=int | float)
            _need(record, status=int | None, version=str | None, error=str | None)
            for name in ("note", "path", "accepted"):
                record.setdefault(name, None)
            _need(record, note=str | None, path=str | None)
            _one_of("accepted", record["accepted"], (True, False, None))
        elif kind == "opened":
            _need(record, deployment=str, lanes=list)
            for lane in record["lanes"]:
                _one_of("lanes", lane, LANES)
        elif kind == "closed":
            _need(record, lanes=dict, rejected=int, reason=str)
            _one_of("reason", record["reason"], ("stopped", "deadline"))
            for lane, totals in record["lanes"].items():
                _one_of("lanes", lane, LANES)
                _need(totals, sent=int, ok=int, failed=int, missed=int)
        elif kind == "lane":
            _need(record, lane=str, event=str)
            _one_of("event", record["event"], ("paused", "resumed"))
        elif kind in {"unanswered", "knock"}:
            _need(record, lane=str, asked=int)
            _need(record, status=int | None, version=str | None, error=str | None, note=str | None)
        else:
            raise NoRecord(kind)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NoRecord(str(error)) from error
    return dict(record)


def _one_of(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    """Raises TypeError where it is none of these, which are compared with their types."""
    if not any(value == one and type(value) is type(one) for one in allowed):
        raise TypeError(name)


def _need(record: Json, **types: type | UnionType) -> None:
    """Raises TypeError where a field has another type, KeyError where it is not there."""
    for name, kind in types.items():
        value = record[name]
        if not isinstance(value, kind) or isinstance(value, bool) or (name == "lane" and value not in LANES):
            raise TypeError(name)


@dataclass
class Numbers:
    """Which numbers were met, as spans: one span where none is missing."""

    begins: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def add(self, n: int) -> bool:
        """Whether it is new."""
        place = bisect_right(self.begins, n)
        if place and n <= self.ends[place - 1]:
            return False
        before = place > 0 and self.ends[place - 1] == n - 1
        after = place < len(self.begins) and self.begins[place] == n + 1
        if before and after:
            self.ends[place - 1] = self.ends.pop(place)
            del self.begins[place]
        elif before:
            self.ends[place - 1] = n
        elif after:
            self.begins[place] = n
        else:
            self.begins.insert(place, n)
            self.ends.insert(place, n)
        return True

    @property
    def highest(self) -> int:
        """0 where there is none."""
        return max(self.ends[-1], 0) if self.ends else 0


@dataclass
class Part:
    """What one probe task wrote."""

    first: datetime | None = None
    last: datetime | None = None
    closing: Json | None = None
    numbers: dict[str, Numbers] = field(default_factory=lambda: {lane: Numbers() for lane in LANES})
    there: Counter[str] = field(default_factory=Counter)

    def sent(self, lane: str) -> int:
        """How many it says that it has sent, or at least must have."""
        said = self.closing["lanes"].get(lane, {}).get("sent", 0) if self.closing else 0
        return max(said, self.numbers[lane].highest)


@dataclass
class Return:
    """Clients were taken away: the first bad answer from ``met`` or ``since`` on, up to ``until``."""

    by: str
    since: datetime | None
    met: datetime | None
    decided: datetime | None
    shown: datetime | None
    first_bad: datetime | None = None

    @property
    def until(self) -> datetime | None:
        """The last moment that counts."""
        return self.decided or (self.shown if self.by == "roll_back" else None)


class Recount:
    """Takes a ledger's lines in, in their order, each with its end.

    ``certificate`` is read for what the ledger does not say. Raises KeyError, ValueError, TypeError or
    AttributeError where it does not have the form of one.
    """

    def __init__(self, certificate: Mapping[str, Any]) -> None:
        reported = certificate["reported"]
        given = reported["given"]
        self.lines = self.unread = self.repeated = self.late = 0
        self.deployments: set[str] = set()
        self._file, self._chain = hashlib.sha256(), bytes(32)
        self._named = [path["path"] for path in certificate["paths"]]
        self._paths = [name if isinstance(name, str) else "" for name in self._named]
        self._right = {lane: frozenset(found) for lane, found in given["right"].items()}
        self._healthy = _moment(given["healthy"])
        self._candidate: str = given["candidate"]
        self._returns = list(_returns(reported["stages"], given))
        self._loser = _loser(reported["stages"], given)
        self._parts = [Part()]
        self._opened: tuple[Any, ...] | None = None
        self._good: Counter[str] = Counter()
        self._asked: Counter[tuple[str | None, str, bool]] = Counter()
        self._kinds: dict[str, Counter[str]] = {lane: Counter() for lane in LANES}
        self._seen: dict[str, dict[str, list[Any]]] = {lane: {} for lane in LANES}

    def take(self, line: bytes) -> None:
        """Take in one more line."""
        self.lines += 1
        self._file.update(line)
        line = line.removesuffix(b"\n")
        self._chain = hashlib.sha256(self._chain + line).digest()
        try:
            record = read(line)
        except NoRecord:
            self.unread += 1
            return
        at, kind = record["at"], record["type"]
        if kind == "opened":
            self._open(record)
        part = self._parts[-1]
        part.first = at if part.first is None else min(part.first, at)
        part.last = at if part.last is None else max(part.last, at)
        if kind == "closed":
            part.closing = record
        elif kind == "opened" and self._loser:
            self._loser.opened(at)
        elif kind == "request":
            self._request(part, record)

    def _open(self, record: Json) -> None:
        found = (record["deployment"], record["at"], tuple(record["lanes"]))
        self.deployments.add(record["deployment"])
        if found != self._opened:
            self._opened = found
            if self._parts[-1].first is not None:
                self._parts.append(Part())

    def _request(self, part: Part, record: Json) -> None:
        lane, n, at = record["lane"], record["n"], record["at"]
        behind = n < part.numbers[lane].highest
        if not part.numbers[lane].add(n):
            self.repeated += 1
            return
        self.late += behind
        part.there[lane] += 1
        status, accepted = record["status"], record.get("accepted")
        ok = (status is not None and 200 <= status < 300) if accepted is None else bool(accepted)
        answer = Answer(
            lane,
            n,
            at,
            status,
            record["version"],
            record["error"],
            record.get("note"),
            record.get("path"),
            ok,
        )
        counts = self._healthy is not None and at >= self._healthy
        right = self._right.get(lane)
        good = answer.good(right if counts else None)
        self._asked[answer.path, lane, good] += 1
        if good:
            self._good[lane] += 1
        else:
            _apart(self._kinds[lane], kind_of(answer), KINDS)
        if ok and answer.version is not None:
            self._saw(lane, answer.version, at)
        if not answer.good(right):
            self._bad(lane, at)
        if self._loser and lane == "production":
            self._loser.answer(answer)

    def _saw(self, lane: str, version: str, at: datetime) -> None:
        seen = self._seen[lane]
        if version not in seen and len(seen) >= VERSIONS:
            version = OTHERS
        if found := seen.get(version):
            found[:] = [min(found[0], at), max(found[1], at), found[2] + 1]
        else:
            seen[version] = [at, at, 1]

    def _bad(self, lane: str, at: datetime) -> None:
        for one in self._returns:
            since = one.met if lane == "production" else one.since if lane == self._candidate else None
            if since and one.until and since <= at <= one.until:
                one.first_bad = min(at, one.first_bad or at)

    # ---- what a certificate is to say --------------------------------------------------------------------

    def figures(self) -> Json:
        """The parts of a certificate that the ledger supports, in its form; without ``at_most``."""
        missing = {lane: sum(part.sent(lane) - part.there[lane] for part in self._parts) for lane in LANES}
        sent = {lane: sum(part.sent(lane) for part in self._parts) for lane in LANES}
        return {
            "requests": {
                lane: {
                    "sent": sent[lane],
                    "ok": self._good[lane],
                    "failed": sent[lane] - self._good[lane],
                    "missing": missing[lane],
                }
                for lane in LANES
            },
            "paths": [
                {"requests": self._by_path(path, (True, False)), "failed": self._by_path(path, (False,))}
                for path in (None, *self._paths[1:])
            ],
            "failures": {lane: self._failures(lane, missing[lane]) for lane in LANES},
            "versions": {
                lane: [
                    {"version": version, "first": written(first), "last": written(last), "count": count}
                    for version, (first, last, count) in sorted(seen.items(), key=lambda one: one[1][0])
                ]
                for lane, seen in self._seen.items()
            },
            "harm": [self._harm(one) for one in self._returns if one.by == "step_back" or one.until],
            "ledger": {
                "lines": self.lines,
                "unread": self.unread,
                "records": self.requests,
                "repeated": self.repeated,
                "late": self.late,
                "complete": self.closed and not self.missing,
                "gaps": [
                    {"began": written(before.last), "ended": written(after.first)}
                    for before, after in zip(self._parts, self._parts[1:], strict=False)
                ],
                "sha256": self._file.hexdigest(),
                "chain": self._chain.hex(),
            },
        }

    @property
    def missing(self) -> int:
        """How many requests were sent, and are not there."""
        return sum(part.sent(lane) - part.there[lane] for part in self._parts for lane in LANES)

    @property
    def not_sent(self) -> int:
        """How many requests the probes say that they could not send in time."""
        closings = [part.closing["lanes"] for part in self._parts if part.closing]
        return sum(totals["missed"] for lanes in closings for totals in lanes.values())

    @property
    def requests(self) -> int:
        """How many requests are there."""
        return sum(sum(part.there.values()) for part in self._parts)

    @property
    def closed(self) -> bool:
        """Whether each probe has closed its part, and could write all of it."""
        return all(part.closing and part.closing["rejected"] == 0 for part in self._parts)

    @property
    def paths(self) -> tuple[list[Any], list[str]]:
        """What the certificate names as paths, and what it is to name: each once, and all that were asked."""
        unnamed = {path for path, _, _ in self._asked if path is not None} - {*self._paths[1:]}
        return self._named, [*filter(None, dict.fromkeys(self._paths)), *sorted(unnamed)]

    @property
    def limits(self) -> dict[str, str]:
        """What the ledger cannot show, in the certificate's sentences by their beginnings; empty: nothing."""
        pauses = [
            max((after.first - before.last).total_seconds(), 0.0)
            for before, after in zip(self._parts, self._parts[1:], strict=False)
            if before.last and after.first
        ]
        nothing, gap = "Anything about requests:", "What clients met while no probe ran:"
        end = "That no request is missing at a probe's end:"
        late, not_sent = "What clients met at ", self.not_sent
        found = {
            nothing: "" if self.requests else f"{nothing} the ledger has none.",
            gap: f"{gap} {sum(pauses):,.1f} s in {len(pauses)} gaps." if pauses else "",
            end: "" if self.closed else f"{end} it has not closed the ledger, or not in full.",
            "How ": f"How {self.missing:,} requests ended that are not in the ledger: they count as failed."
            if self.missing
            else "",
            late: f"{late}{not_sent:,} moments: the probe could not send its requests of then in time."
            if not_sent
            else "",
        }
        return found if self.requests else dict.fromkeys(found, "") | {nothing: found[nothing]}

    def _by_path(self, path: str | None, good: tuple[bool, ...]) -> dict[str, int]:
        return {lane: sum(self._asked[path, lane, one] for one in good) for lane in LANES}

    def _failures(self, lane: str, missing: int) -> list[Json]:
        kinds = self._kinds[lane]
        others = kinds[OTHERS]
        found = sorted(
            (kind for kind in kinds.items() if kind[0] != OTHERS), key=lambda kind: (-kind[1], kind[0])
        )
        return [
            {"what": what, "count": count}
            for what, count in (*found, (OTHERS, others), (MISSING, missing))
            if count
        ]

    def _harm(self, one: Return) -> Json:
        last = self._loser.last if self._loser and one.by == "roll_back" else None
        return {
            "by": one.by,
            "first_bad": written(one.first_bad),
            "detected": _seconds(one.first_bad, one.decided),
            "restored_api": _seconds(one.first_bad, one.shown),
            "restored": _seconds(one.first_bad, last),
        }


class Loser:
    """The last production answer that was, or may have been, the losing version's; see docs/operations.md."""

    def __init__(
        self, winner: str, met: datetime, weights: datetime, quiet_seconds: float, failing: float
    ) -> None:
        self._winner, self._met, self._weights = winner, met, weights
        self._quiet, self._failing = quiet_seconds, failing
        self._seen: datetime | None = None
        self._alone = False
        self._winner_last: datetime | None = None
        self._other_last = weights
        self._parts: dict[int, list[int]] = {}

    @property
    def last(self) -> datetime | None:
        """None where it was not seen that clients got the winner alone."""
        return self._seen if self._alone else None

    def opened(self, at: datetime) -> None:
        """A new probe began: what came before it was not seen."""
        if at >= self._weights:
            self._alone, self._other_last = False, max(self._other_last, at)

    def answer(self, answer: Answer) -> None:
        """One more answer of production."""
        at = answer.at
        if at < self._met:
            return
        elsewhere = answer.ok and answer.path is not None
        names = answer.version is not None or (answer.ok and not elsewhere)
        winners = answer.version == self._winner
        if names and not winners:
            self._seen, self._alone = max(at, self._seen or at), False
            self._other_last = max(self._other_last, at)
        elif self._alone:
            return
        elif not names and not elsewhere:
            self._seen = max(at, self._seen or at)
        if at >= self._weights:
            self._count(answer, winners=winners, elsewhere=elsewhere)

    def _count(self, answer: Answer, *, winners: bool, elsewhere: bool) -> None:
        at = answer.at
        counted = self._parts.setdefault(int(at.timestamp() * PARTS // max(self._quiet, 1)), [0, 0])
        counted[0] += 1
        counted[1] += not answer.ok
        newest = max(self._parts)
        self._parts = {part: counts for part, counts in self._parts.items() if part >= newest - PARTS}
        if answer.ok and not elsewhere:
            if winners:
                self._winner_last = max(at, self._winner_last or at)
            else:
                self._other_last = max(self._other_last, at)
        requests, failures = (sum(counts[place] for counts in self._parts.values()) for place in (0, 1))
        covered = self._winner_last and (self._winner_last - self._other_last).total_seconds() >= self._quiet
        self._alone = bool(covered) and failures <= self._failing * requests


def kind_of(answer: Answer) -> str:
    """A failure in the words of the certificate."""
    if answer.status is None:
        words = re.sub(r"\[SSL: \w+\] | \(_ssl\.c:\d+\)$", "", answer.error or "no answer")
    elif not answer.ok:
        words = f"HTTP {answer.status} {answer.note}" if answer.note else f"HTTP {answer.status}"
    elif answer.version is None:
        words = f"no version ({answer.note or 'none was found'})"
    else:
        words = f'version "{legible(answer.version, TEXT_CHARACTERS)}"'
    if answer.path is not None:
        words += f" at {answer.path}"
    words = legible(words, KIND_CHARACTERS)
    return words if len(words) <= KIND_CHARACTERS else words[: KIND_CHARACTERS - 1] + "…"


def legible(text: str, most: int) -> str:
    """A text on one line, of ``most`` characters, with what cannot be seen written out."""
    shown = [one if one.isprintable() else one.encode("unicode_escape").decode() for one in text[:most]]
    return "".join(shown) + ("…" if len(text) > most else "")


def is_bound(at_most: Any, failed: int, sent: int) -> bool:
    """Whether it is the 95 % bound of the share that fails, rounded up to three digits.

    At the bound the chance of ``failed`` or fewer is 5 % or less, and one digit below it is more.
    """
    if isinstance(at_most, bool):
        return False
    if sent == 0 or failed >= sent:
        return bool(at_most == (1.0 if sent else None))
    if not isinstance(at_most, float | int) or not failed / sent < at_most <= 1:
        return False
    digits, power = f"{at_most:.2e}".split("e")
    below = float(f"{float(digits) - 0.01 if digits != '1.00' else 0.999}e{power}")
    holds = at_most == 1 or _tail(failed, sent, at_most) <= 0.05 * (1 + 1e-5)
    tight = below <= failed / sent or _tail(failed, sent, below) > 0.05 * (1 - 1e-5)
    return float(f"{digits}e{power}") == at_most and holds and tight


def _tail(failed: int, sent: int, share: float) -> float:
    """The chance of ``failed`` or fewer: the sum of its terms, from the largest down."""
    logarithm = failed * math.log(share) + (sent - failed) * math.log1p(-share)
    logarithm += math.lgamma(sent + 1) - math.lgamma(failed + 1) - math.lgamma(sent - failed + 1)
    terms, ratio = [1.0], 1.0
    for k in range(failed, 0, -1):
        ratio *= k * (1 - share) / ((sent - k + 1) * share)
        terms.append(ratio)
        if ratio < 1e-15:
            break
    return math.exp(logarithm) * math.fsum(terms)


def _apart(counter: Counter[str], what: str, most: int) -> None:
    """Count it by itself, or with the others where there are enough."""
    named = len(counter) - (OTHERS in counter)
    counter[what if what in counter or named < most else OTHERS] += 1


def _moment(text: str | None) -> datetime | None:
    return None if text is None else moment(text)


def _within(most: float, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError(f"{value!r} is no number from 0 to {most:g}")
    return float(value)


def _seconds(since: datetime | None, until: datetime | None) -> float | None:
    if since is None or until is None:
        return None
    return max(round((until - since).total_seconds(), 3), 0.0)


def _returns(stages: Iterable[Json], given: Json) -> Iterable[Return]:
    """Every step back, and the rollback or the end, by the stages' moments."""
    since, met = _moment(given["healthy"]), None
    listed = list(stages)
    for stage, after in zip(listed, [*listed[1:], None], strict=False):
        if stage["weight"] > 0 and met is None:
            met = moment(stage["began"])
        if stage["verdict"] == "step_back":
            ended, shown = _moment(stage["ended"]), _moment(after["shown"]) if after else None
            yield Return("step_back", met, met, ended, shown)
            since, met = shown or ended, None
    yield Return("roll_back", since, met, _moment(given["judged"]), _moment(given["restored"]))


def _loser(stages: Iterable[Json], given: Json) -> Loser | None:
    met = min((moment(stage["began"]) for stage in stages if stage["weight"] > 0), default=None)
    weights = _moment(given["restored"])
    if given["winner"] is None or met is None or weights is None:
        return None
    quiet_seconds, failing = _within(1e9, given["quiet_seconds"]), _within(1, given["failing"])
    return Loser(given["winner"], met, weights, quiet_seconds, failing)
