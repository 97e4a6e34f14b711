"""The certificate: what the ledger proves about a deployment."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import Field

from crossfade.domain.answers import quoted, right_versions
from crossfade.domain.ledger import Lane, Record
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.planning.plan import Contents, Plan
from crossfade.domain.proof.restoration import FirstBad, LoserSeen
from crossfade.domain.proof.tally import Failed, Gap, LaneCount, PathCount, Tally, VersionSeen
from crossfade.domain.slots import Slot
from crossfade.domain.tasks.scaling import SuspendedState

Outcome = Literal["promoted", "rolled_back", "failed"]
STEP_BACK = "step_back"
"""The verdict of a stage after which the candidate was held at weight 0."""


class StageRecord(Model):
    """A stage as it went. ``ended`` and the verdict are missing where a stage was cut off.

    ``step_backs``: how often the candidate was stepped back before. ``retry``: a short stage at a weight of
    its own, after a step back. ``shown`` is when the weights were read back; None at first, when none were
    set.
    """

    weight: int
    retry: bool = False
    step_backs: int = 0
    began: Timestamp
    shown: Timestamp | None = None
    ended: Timestamp | None = None
    verdict: str | None = None
    reason: str | None = None

    @property
    def key(self) -> str:
        """What it is known by in its deployment: the weight; once the candidate was stepped back, more."""
        return (
            f"{self.weight}{f' after {self.step_backs}' if self.step_backs else ''}{self.retry * ' retried'}"
        )


class SteppedBack(Model):
    """A step back: from which weight, when it was decided, why, and when weight 0 was read back.

    ``detected`` and ``restored_api`` are the seconds from the first bad answer since the candidate had
    climbed to these two moments; null where there was none, and where weight 0 was not read back.
    """

    weight: int
    decided: Timestamp
    restored: Timestamp | None
    reason: str
    detected: float | None
    restored_api: float | None


class History(Model):
    """A deployment's milestones, as the journal holds them.

    When: ``launched`` and ``healthy`` are the candidate's; ``judged`` is the verdict to roll back; from
    ``promoted`` on the old slot may be stopped, so no weights are restored any more; ``restored`` is when the
    stable slot's weights were read back.

    What: ``wanted`` is the highest desired count of the live slot since the launch. ``refused`` is the weight
    at which the gate found the candidate worse, or the one that it was stepped back from before (0: no client
    had met it). ``stopped`` is the slot that a rollback has stopped, or was about to. ``probe`` is the newest
    probe task, asked for at ``probe_asked``; without ``probe`` it is not known whether it was started.
    ``cursor`` is how far the ledger was read. ``scaling`` is the live slot's automatic scaling before the
    deployment suspended it.

    The end: ``outcome`` is set when the deployment has ended, ``certificate``, its key, when the report is
    written. If it could not be written, ``not_reported`` says why, and ``reason``, ``ended`` and
    ``executions`` are kept for a report by hand.
    """

    plan: Plan
    launched: Timestamp | None = None
    healthy: Timestamp | None = None
    wanted: int | None = None
    judged: Timestamp | None = None
    refused: int | None = None
    promoted: Timestamp | None = None
    restored: Timestamp | None = None
    stopped: Slot | None = None
    probe: str | None = None
    probe_asked: Timestamp | None = None
    cursor: str | None = None
    scaling: SuspendedState | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    ended: Timestamp | None = None
    certificate: str | None = None
    not_reported: str | None = None
    executions: tuple[str, ...] = ()
    stages: tuple[StageRecord, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether the candidate was seen to answer as it is to: it was judged before clients met it."""
        return any(stage.weight > 0 or stage.verdict == "advance" for stage in self.stages)


class Version(Model):
    """A release: its version and digest; both null before a service's first release."""

    version: str | None
    digest: str | None


class Timing(Model):
    """Seconds. ``bake`` is the stages' minimum times, ``evidence`` what they took beyond those, and
    ``overhead`` what Crossfade itself takes: total − bake − evidence − container_start. ``held`` is how long
    the candidate was held at weight 0 after step-backs, a part of ``evidence``.

    The last three count from the first bad answer in the ledger, or the first one after the last step back:
    to the verdict to roll back, to the weights read back,
    and to the last production request whose answer was, or may have been, the losing version's. Null where
    there was no bad answer; ``restored`` also where the two versions cannot be distinguished, where no client
    met the loser, and where it was not seen that clients got the winner alone.
    """

    total: float
    bake: float
    evidence: float
    container_start: float
    overhead: float
    held: float
    detected: float | None
    restored_api: float | None
    restored: float | None


class LedgerCount(Model):
    """The ledger itself: how many records, whether none is missing, and the SHA-256 of ``ledger.jsonl``.

    A probe that died has left a gap, and what it had sent last may be missing.
    """

    records: int
    complete: bool
    gaps: tuple[Gap, ...]
    sha256: str


class Certificate(Model):
    """The document ``certificate.json``; ``crossfade`` says which form it has.

    ``not_proved`` says, in sentences, what the answers do not show.
    """

    crossfade: Literal["certificate/5"] = "certificate/5"
    service: str
    deployment: str
    outcome: Outcome
    reason: str
    from_: Version = Field(serialization_alias="from")
    to: Version
    contents: Contents | None
    requests: dict[Lane, LaneCount]
    paths: tuple[PathCount, ...]
    failures: dict[Lane, tuple[Failed, ...]]
    versions: dict[Lane, tuple[VersionSeen, ...]]
    stages: tuple[StageRecord, ...]
    step_backs: tuple[SteppedBack, ...]
    timing: Timing
    transitions: int | None
    ledger: LedgerCount
    not_proved: tuple[str, ...]


class Reading:
    """A deployment's ledger, taken in record by record; what is kept does not grow with it.

    ``winner`` is the version that clients are to get after a rollback; None where there is none.
    """

    def __init__(self, history: History, winner: str | None) -> None:
        plan, restored = history.plan, history.restored
        right = right_versions(plan.candidate, plan.answers, plan.stable_answers)
        before = plan.spec.version.expected(plan.previous.version) if plan.previous else None
        versions = {plan.answers, before}
        met = min((stage.began for stage in history.stages if stage.weight > 0), default=None)
        self.history, self.tally = history, Tally(right, history.healthy)
        found = (
            FirstBad(candidate=plan.candidate, right=right, healthy=one.since, met=one.met, until=one.until)
            for one in _returns(history)
        )
        self._first_bad = tuple(found)
        self.loser = (
            LoserSeen(
                winner=winner,
                met=met,
                weights=restored,
                quiet_seconds=plan.spec.retire.quiet_seconds,
                failing=plan.spec.gate.failing,
            )
            if winner is not None and len(versions) == 2 and met is not None and restored is not None
            else None
        )

    def take(self, record: Record) -> None:
        """Take in one more record; one that was written twice counts once."""
        if not self.tally.take(record):
            return
        for bad in self._first_bad:
            bad.take(record)
        if self.loser:
            self.loser.take(record)

    def since_bad(self, moment: datetime | None, way: int = -1) -> float | None:
        """Seconds from the first bad answer, not less than 0; None where one of the two is missing.

        ``way``: before which step back that was, by its number from 0; -1: before the end.
        """
        bad = self._first_bad[way].at
        return None if bad is None or moment is None else max(round((moment - bad).total_seconds(), 3), 0.0)

    @property
    def step_backs(self) -> tuple[SteppedBack, ...]:
        """The step-backs, in their order."""
        found = [(stage, after) for stage, after in _with_next(self.history) if stage.verdict == STEP_BACK]
        return tuple(
            SteppedBack(
                weight=stage.weight,
                decided=stage.ended or stage.began,
                restored=after.shown if after else None,
                reason=stage.reason or "",
                detected=self.since_bad(stage.ended, way),
                restored_api=self.since_bad(after.shown if after else None, way),
            )
            for way, (stage, after) in enumerate(found)
        )


def _with_next(history: History) -> Iterator[tuple[StageRecord, StageRecord | None]]:
    """The stages, each with the one that came after it."""
    return zip(history.stages, (*history.stages[1:], None), strict=False)


class _Return(NamedTuple):
    """The candidate's clients are taken away, by a decision at ``until``, if there was one.

    From ``met`` on clients may have met the candidate, from ``since`` on its own lane's answers count.
    """

    since: datetime | None
    met: datetime | None
    until: datetime | None


def _returns(history: History) -> Iterator[_Return]:
    """Every step back, and the rollback or the end."""
    since: datetime | None = history.healthy
    met: datetime | None = None
    for stage, after in _with_next(history):
        met = met or (stage.began if stage.weight > 0 else None)
        if stage.verdict == STEP_BACK:
            # What its own lane met at weight 0, before it climbed, is no part of the harm.
            yield _Return(met, met, stage.ended)
            since, met = (after.shown if after else None) or stage.ended, None
    yield _Return(since, met, history.judged or history.restored)


def certify(
    reading: Reading,
    *,
    sha256: str,
    outcome: Outcome,
    reason: str,
    ended: datetime,
    transitions: int | None,
) -> Certificate:
    """Draw the certificate up from a deployment's history and its ledger, which was read to its end."""
    history, tally = reading.history, reading.tally
    plan = history.plan
    previous = plan.previous
    return Certificate(
        service=plan.service,
        deployment=plan.deployment,
        outcome=outcome,
        reason=reason,
        from_=Version(
            version=previous.version if previous else None,
            digest=(previous.digest or None) if previous else None,
        ),
        to=Version(version=plan.release.version, digest=plan.release.digest),
        contents=plan.contents,
        requests=tally.counts(),
        paths=tally.paths(plan.spec.version.path, [asked.path for asked in plan.spec.asked_paths[1:]]),
        failures=tally.failures(),
        versions=tally.versions(),
        stages=history.stages,
        step_backs=reading.step_backs,
        timing=_timing(reading, ended),
        transitions=transitions,
        ledger=LedgerCount(records=tally.records, complete=tally.complete, gaps=tally.gaps, sha256=sha256),
        not_proved=_not_proved(plan),
    )


def _not_proved(plan: Plan) -> tuple[str, ...]:
    """What cannot be read off the answers, because of what they name."""
    if not plan.answers:
        drain = f"{plan.spec.retire.drain_seconds:g} s after the load balancer showed the weights"
        return (
            "Which image answered: the answers name no version (version.from is none), so those of a slot's "
            "lane count for the release in that slot, and those of production for either.",
            f"When clients ceased to meet a slot: it is let go by the clock, {drain}.",
        )
    if plan.stable_answers == "":
        return ("That clients met no third version: it was not known what the stable slot answers with.",)
    if plan.stable_answers == plan.answers:
        return (
            f"When clients went from one slot to the other: both answer {quoted(plan.answers)}, so what "
            "production answers does not tell them apart.",
        )
    return ()


def _timing(reading: Reading, ended: datetime) -> Timing:
    history = reading.history
    plan = history.plan
    total = (ended - plan.began).total_seconds()
    lasted = [(record, _lasted(record, ended)) for record in history.stages]
    # However often a stage was entered, and in whatever pieces it went on: its minimum is baked once.
    bake = sum(
        min(
            stage.min_seconds,
            sum(seconds for record, seconds in lasted if record.weight == stage.weight and not record.retry),
        )
        for stage in plan.stages
    )
    evidence = sum(seconds for _, seconds in lasted) - bake
    start = (
        (history.healthy - history.launched).total_seconds() if history.launched and history.healthy else 0.0
    )
    return Timing(
        total=round(total, 3),
        bake=round(bake, 3),
        evidence=round(evidence, 3),
        container_start=round(start, 3),
        overhead=round(total - bake - evidence - start, 3),
        held=round(sum(seconds for record, seconds in lasted if record.step_backs and not record.weight), 3),
        detected=reading.since_bad(history.judged),
        restored_api=reading.since_bad(history.restored),
        restored=reading.since_bad(reading.loser.last if reading.loser else None),
    )


def _lasted(record: StageRecord, ended: datetime) -> float:
    """Seconds; a stage that was cut off has baked less than its minimum."""
    return ((record.ended or ended) - record.began).total_seconds()
