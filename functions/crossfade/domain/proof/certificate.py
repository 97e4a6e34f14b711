"""The certificate: what the ledger proves about a deployment."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import Field

from crossfade.domain.answers import quoted, right_versions
from crossfade.domain.gate.course import Course
from crossfade.domain.ledger import Lane, Record
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.planning.plan import Contents, Plan
from crossfade.domain.proof.restoration import FirstBad, LoserSeen
from crossfade.domain.proof.seal import Seal
from crossfade.domain.proof.tally import Failed, Gap, LaneCount, PathCount, Tally, VersionSeen
from crossfade.domain.slots import Slot
from crossfade.domain.tasks.scaling import SuspendedState
from crossfade.domain.text import visible

Outcome = Literal["promoted", "rolled_back", "failed"]
LEDGER_FILE = "ledger.jsonl.gz"
"""The ledger's name in the evidence bucket, beside the certificate."""
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
    """A step back: from which weight, when it was decided, why, and when weight 0 was read back."""

    weight: int
    decided: Timestamp
    restored: Timestamp | None
    reason: str


class Harm(Model):
    """The candidate's clients were taken away, by a step back or for good: how soon after they met harm.

    ``first_bad`` is the first bad answer since it had climbed; null where there was none. The other three are
    seconds from then: to the decision, to the weights read back, and, by a rollback, to the last production
    request whose answer was, or may have been, the losing version's. ``restored`` is null also where the two
    versions cannot be distinguished, where no client met the loser, and where it was not seen that clients
    got the winner alone.
    """

    by: Literal["step_back", "roll_back"]
    first_bad: Timestamp | None
    detected: float | None
    restored_api: float | None
    restored: float | None


class History(Model):
    """A deployment's milestones, as the journal holds them.

    When: ``launched`` and ``healthy`` are the candidate's; ``judged`` is the verdict to roll back; from
    ``promoted`` on the old slot may be stopped, so no weights are restored any more; ``restored`` is when the
    stable slot's weights were read back.

    What: ``release_number`` is what a promoted release is known by, ``task_definition`` the ARN of what was
    launched, which is Crossfade's own; empty where an earlier Crossfade has launched it. ``wanted`` is the
    highest desired count of the live slot since the launch. ``refused`` is the weight at which the gate found
    the candidate worse, or the one that it was stepped back from before (0: no client had met it).
    ``stopped`` is the slot that a rollback has stopped, or was about to. ``probe`` is the newest probe task,
    asked for at ``probe_asked``; without ``probe`` it is not known whether it was started. ``cursor`` is how
    far the ledger was read, ``course`` the evidence over time. ``scaling`` is the live slot's automatic
    scaling before the deployment suspended it.

    The end: ``outcome`` is set when the deployment has ended, ``certificate`` and ``report``, the page, both
    keys, when the report is written. If it could not be written, ``not_reported`` says why, and ``reason``,
    ``ended`` and ``executions`` are kept for a report by hand.
    """

    plan: Plan
    launched: Timestamp | None = None
    healthy: Timestamp | None = None
    wanted: int | None = None
    judged: Timestamp | None = None
    refused: int | None = None
    promoted: Timestamp | None = None
    release_number: int | None = None
    task_definition: str = ""
    restored: Timestamp | None = None
    stopped: Slot | None = None
    probe: str | None = None
    probe_asked: Timestamp | None = None
    cursor: str | None = None
    scaling: SuspendedState | None = None
    course: Course = Course()
    outcome: Outcome | None = None
    reason: str | None = None
    ended: Timestamp | None = None
    certificate: str | None = None
    report: str | None = None
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
    """

    total: float
    bake: float
    evidence: float
    container_start: float
    overhead: float
    held: float


class LedgerCount(Model):
    """The ledger itself: its lines, how many requests they have, and whether none is missing.

    ``unread`` lines are no record, ``repeated`` requests came again, ``late`` ones stand behind one with a
    higher number. A probe that died has left a gap, and what it had sent last may be missing. ``sha256`` is
    that of the lines, not of the compressed ``file``; for ``chain`` see ``seal.py``.
    """

    file: str = LEDGER_FILE
    lines: int
    unread: int
    records: int
    repeated: int
    late: int
    complete: bool
    gaps: tuple[Gap, ...]
    sha256: str
    chain: str


class Given(Model):
    """What the figures are counted by, and the ledger does not say.

    ``right`` are the versions that a lane may answer with once the candidate was ``healthy``, any where it
    has none. ``judged`` and ``restored`` are the verdict to roll back and the weights read back. ``winner``
    is the version that clients are to get after a rollback, null where answers do not tell it from the
    loser's; production has to give it alone for ``quiet_seconds``, and may fail by the share ``failing``.
    """

    candidate: Slot
    right: dict[Lane, tuple[str, ...]]
    healthy: Timestamp | None
    judged: Timestamp | None
    restored: Timestamp | None
    winner: str | None
    quiet_seconds: float
    failing: float


class Reported(Model):
    """What comes from elsewhere than the ledger: the journal, the plan, the workflow's history."""

    contents: Contents | None
    stages: tuple[StageRecord, ...]
    step_backs: tuple[SteppedBack, ...]
    timing: Timing
    transitions: int | None
    given: Given


class Certificate(Model):
    """The document ``certificate.json``; ``crossfade`` says which form it has.

    What is not under ``reported`` can be counted again from the ledger and what is ``given``, except who was
    released, how it ended and why. ``not_proved`` says, in sentences, what the answers do not show.
    """

    crossfade: Literal["certificate/6"] = "certificate/6"
    service: str
    deployment: str
    outcome: Outcome
    reason: str
    from_: Version = Field(serialization_alias="from")
    to: Version
    requests: dict[Lane, LaneCount]
    paths: tuple[PathCount, ...]
    failures: dict[Lane, tuple[Failed, ...]]
    versions: dict[Lane, tuple[VersionSeen, ...]]
    harm: tuple[Harm, ...]
    ledger: LedgerCount
    not_proved: tuple[str, ...]
    reported: Reported

    @property
    def rolled_back(self) -> Harm | None:
        """How soon clients were rid of a release that was rolled back; None where none was."""
        return next((harm for harm in self.harm if harm.by == "roll_back"), None)


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
        self.history, self.tally, self.seal = history, Tally(right, history.healthy), Seal()
        self.unread = 0
        self.given = Given(
            candidate=plan.candidate,
            right={lane: tuple(sorted(found)) for lane, found in right.items() if found is not None},
            healthy=history.healthy,
            judged=history.judged,
            restored=restored,
            winner=winner if len(versions) == 2 else None,
            quiet_seconds=plan.spec.retire.quiet_seconds,
            failing=plan.spec.gate.failing,
        )
        self._returns = [
            (one, FirstBad(plan.candidate, right, healthy=one.since, met=one.met, until=one.until))
            for one in _returns(history)
        ]
        self._loser = (
            LoserSeen(
                winner=self.given.winner,
                met=met,
                weights=restored,
                quiet_seconds=self.given.quiet_seconds,
                failing=self.given.failing,
            )
            if self.given.winner is not None and met is not None and restored is not None
            else None
        )

    def take(self, record: Record | None) -> bool:
        """Take in one more record, None for a line that is not one; what was written twice counts once.

        Returns whether it counts.
        """
        if record is None:
            self.unread += 1
            return False
        if not self.tally.take(record):
            return False
        for _, bad in self._returns:
            bad.take(record)
        if self._loser:
            self._loser.take(record)
        return True

    @property
    def step_backs(self) -> tuple[SteppedBack, ...]:
        """The step-backs, in their order."""
        return tuple(
            SteppedBack(
                weight=stage.weight,
                decided=stage.ended or stage.began,
                restored=after.shown if after else None,
                reason=stage.reason or "",
            )
            for stage, after in _with_next(self.history)
            if stage.verdict == STEP_BACK
        )

    @property
    def harm(self) -> tuple[Harm, ...]:
        """Each time that the candidate's clients were taken away, by decision."""
        last = self._loser.last if self._loser else None
        return tuple(
            Harm(
                by=one.by,
                first_bad=bad.at,
                detected=_seconds(bad.at, one.decided),
                restored_api=_seconds(bad.at, one.shown),
                restored=_seconds(bad.at, last) if one.by == "roll_back" else None,
            )
            for one, bad in self._returns
            if one.by == "step_back" or one.until is not None
        )


def _seconds(since: datetime | None, moment: datetime | None) -> float | None:
    """Not less than 0; None where one of the two is missing."""
    if since is None or moment is None:
        return None
    return max(round((moment - since).total_seconds(), 3), 0.0)


def _with_next(history: History) -> Iterator[tuple[StageRecord, StageRecord | None]]:
    """The stages, each with the one that came after it."""
    return zip(history.stages, (*history.stages[1:], None), strict=False)


class _Return(NamedTuple):
    """The candidate's clients are taken away: ``decided`` when, and the weights read back (``shown``).

    From ``met`` on clients may have met the candidate, from ``since`` on its own lane's answers count, and
    none after ``until``, which is None where nothing was taken away.
    """

    by: Literal["step_back", "roll_back"]
    since: datetime | None
    met: datetime | None
    decided: datetime | None
    shown: datetime | None

    @property
    def until(self) -> datetime | None:
        return self.decided or (self.shown if self.by == "roll_back" else None)


def _returns(history: History) -> Iterator[_Return]:
    """Every step back, and the rollback or the end."""
    since: datetime | None = history.healthy
    met: datetime | None = None
    for stage, after in _with_next(history):
        met = met or (stage.began if stage.weight > 0 else None)
        if stage.verdict == STEP_BACK:
            # What its own lane met at weight 0, before it climbed, is no part of the harm.
            shown = after.shown if after else None
            yield _Return("step_back", met, met, stage.ended, shown)
            since, met = shown or stage.ended, None
    yield _Return("roll_back", since, met, history.judged, history.restored)


def certify(
    reading: Reading,
    *,
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
        requests=tally.counts(),
        paths=tally.paths(plan.spec.version.path, [asked.path for asked in plan.spec.asked_paths[1:]]),
        failures=tally.failures(),
        versions=tally.versions(),
        harm=reading.harm,
        ledger=LedgerCount(
            lines=reading.seal.lines,
            unread=reading.unread,
            records=tally.records,
            repeated=tally.repeated,
            late=tally.late,
            complete=tally.complete,
            gaps=tally.gaps,
            sha256=reading.seal.sha256,
            chain=reading.seal.chain,
        ),
        not_proved=tuple([*_not_in_the_ledger(tally), *_not_in_the_answers(plan)]),
        reported=Reported(
            contents=plan.contents,
            stages=history.stages,
            step_backs=reading.step_backs,
            timing=_timing(history, ended),
            transitions=transitions,
            given=reading.given,
        ),
    )


def _not_in_the_ledger(tally: Tally) -> Iterator[str]:
    """What cannot be read off the ledger, because of what it has not."""
    if not tally.records:
        yield "Anything about requests: the ledger has none."
        return
    if gaps := tally.gaps:
        seconds = sum(max((gap.ended - gap.began).total_seconds(), 0.0) for gap in gaps)
        yield f"What clients met while no probe ran: {seconds:,.1f} s in {len(gaps)} gaps."
    if tally.cut:
        yield "That no request is missing at a probe's end: it has not closed the ledger, or not in full."
    if missing := tally.missing:
        yield f"How {missing:,} requests ended that are not in the ledger: they count as failed."
    if late := tally.not_sent:
        yield f"What clients met at {late:,} moments: the probe could not send its requests of then in time."


def _not_in_the_answers(plan: Plan) -> Iterator[str]:
    """What cannot be read off the answers, because of what they name."""
    previous = plan.previous
    if further := [route.rule for route in plan.spec.also]:
        yield (
            f"What clients of {', '.join(further)} met: the probe asks by {plan.spec.rule} alone. That the "
            "weights there moved as well is what the load balancer answered."
        )
    if plan.stable is None:
        yield "That the service answers as it did: this is its first release, and nothing is compared with."
    if not plan.answers:
        yield (
            "Which image answered: the answers name no version (version.from is none), so those of a slot's "
            "lane count for the release in that slot, and those of production for either."
        )
        drain = f"{plan.spec.retire.drain_seconds:g} s after the load balancer showed the weights"
        yield f"When clients ceased to meet a slot: it is let go by the clock, {drain}."
    elif plan.stable_answers == "":
        yield "That clients met no third version: it was not known what the stable slot answers with."
    elif plan.stable_answers == plan.answers:
        yield (
            f"When clients went from one slot to the other: both answer {quoted(plan.answers)}, so what "
            "production answers does not tell them apart."
        )
        if previous and previous.version == plan.release.version and previous.digest != plan.release.digest:
            yield (
                f"Which image answered production: the tag {visible(previous.version)} was moved from "
                f"{previous.digest or 'another image'} to {plan.release.digest}, and no answer shows it."
            )


def _timing(history: History, ended: datetime) -> Timing:
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
    )


def _lasted(record: StageRecord, ended: datetime) -> float:
    """Seconds; a stage that was cut off has baked less than its minimum."""
    return ((record.ended or ended) - record.began).total_seconds()
