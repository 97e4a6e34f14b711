"""Deployments whose pages are opened: small to make, and each with something of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from crossfade.domain.gate.course import Course
from crossfade.domain.ledger import Record, Request
from crossfade.domain.page.observed import Observed
from crossfade.domain.page.of_deployment import deployment_page
from crossfade.domain.proof.certificate import Certificate, History, Outcome, Reading, StageRecord, certify
from tests.unit.examples import at, opened, plan, release, request

MARKUP = "<img src=x onerror=alert(1)>&amp;'\""


class Written(NamedTuple):
    """A page and the certificate that it is of."""

    html: str
    certificate: Certificate


def written(
    name: str, *, seconds: float = 120, requests: int = 600, failed: int = 12, **changes: Any
) -> Written:
    """The page of a deployment of this length; ``name`` is how it went."""
    outcome: Outcome = "promoted" if name == "promoted" else "rolled_back"
    history = History.model_validate(
        {
            "plan": plan(release=release(version=MARKUP)),
            "launched": at(seconds * 0.02),
            "healthy": at(seconds * 0.1),
            "stages": _stages(name, seconds),
            "judged": None if name == "promoted" else at(seconds * 0.8),
            "restored": None if name == "promoted" else at(seconds * 0.82),
            "promoted": at(seconds * 0.9) if name == "promoted" else None,
            "course": _course(seconds),
            **changes,
        }
    )
    reading, observed = Reading(history, None), Observed()
    for record in _ledger(seconds, requests, failed):
        if reading.take(record) and isinstance(record, Request):
            observed.take(record, good=reading.tally.good(record))
    certificate = certify(
        reading, outcome=outcome, reason=f"because of {MARKUP}", ended=at(seconds), transitions=40
    )
    return Written(deployment_page(certificate, history, observed, at(seconds)), certificate)


def _stages(name: str, seconds: float) -> tuple[StageRecord, ...]:
    verdicts = {
        "promoted": ["advance", "advance", "advance", "advance"],
        "rolled-back": ["advance", "advance", "roll_back"],
        "stepped-back": ["advance", "step_back", "advance", "roll_back"],
    }[name]
    weights, again = (0, 10, 50, 100), {2: (0, 1), 3: (50, 1)} if name == "stepped-back" else {}
    found = []
    for place, verdict in enumerate(verdicts):
        weight, step_backs = again.get(place, (weights[place], 0))
        found.append(
            StageRecord(
                weight=weight,
                step_backs=step_backs,
                began=at(seconds * (0.1 + place * 0.17)),
                shown=at(seconds * (0.11 + place * 0.17)),
                ended=at(seconds * (0.1 + (place + 1) * 0.17)),
                verdict=verdict,
                reason=f"rests on {MARKUP}",
            )
        )
    return tuple(found)


def _course(seconds: float) -> Course:
    course = Course()
    for second in range(int(seconds * 0.1), int(seconds * 0.8)):
        course = course.plus(1.2 if second < seconds * 0.7 else 10.0 ** (second % 7), at(second))
    return course


def _ledger(seconds: float, requests: int, failed: int) -> Iterator[Record]:
    """Three lanes in turn; the failures are spread evenly."""
    yield opened(0)
    sent = dict.fromkeys(("production", "green", "blue"), 0)
    for index in range(requests):
        lane = list(sent)[index % 3]
        sent[lane] += 1
        bad = index * failed // requests < (index + 1) * failed // requests
        version = MARKUP if lane == "green" or (lane == "production" and index % 2) else "0.0.1"
        answer: dict[str, Any] = {"status": 500, "version": None} if bad else {"version": version}
        yield request(lane, sent[lane], index * seconds / requests, ms=3 + index % 40, **answer)
