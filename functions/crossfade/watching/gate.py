"""The gate at work: analyses the evidence during one invocation, with all that it needs from AWS."""

from datetime import datetime

from crossfade.domain.gate.analysis import analyse
from crossfade.domain.gate.caution import decided
from crossfade.domain.gate.course import Course
from crossfade.domain.gate.state import GateState, Rates, Watch
from crossfade.domain.ledger import Record
from crossfade.domain.model import Model
from crossfade.domain.planning.plan import Plan
from crossfade.domain.rollout.drain import DrainProgress, of_candidate
from crossfade.domain.rollout.step_backs import refuse_endless
from crossfade.domain.verdict import Verdict
from crossfade.watching.filters import filters
from crossfade.watching.users import Outcomes


class Watching(Model):
    """What was found so far, for the next invocation; in the workflow it is JSON in a string.

    ``gate`` is all evidence of the deployment, which no stage begins anew. ``quiet`` is what production has
    answered since the last shift. ``cursor`` is how far the ledger was read. ``course`` is the evidence over
    time, for the report: nothing is judged by it.
    """

    gate: GateState = GateState()
    quiet: DrainProgress = DrainProgress()
    cursor: str | None = None
    course: Course = Course()


class Gate:
    """Takes in what is new, and has in ``state``, ``quiet`` and ``course`` what is known with it."""

    def __init__(self, plan: Plan, watch: Watch, found: Watching) -> None:
        self.state, self.quiet, self.course = found.gate, found.quiet, found.course
        self._plan, self._watch = plan, watch
        self._outcomes, self._filters = Outcomes(plan), filters(plan, watch, found.gate.caution)

    def analyse(self, records: list[Record], now: datetime) -> Verdict:
        """Take in new records of the ledger and users' outcomes, and filter the verdict."""
        verdict = self._judged(records, now)
        self.course = self.course.plus(self.state.evidence, now)
        return refuse_endless(verdict, self.state.caution.step_backs)

    def decide(self, verdict: Verdict, now: datetime) -> None:
        """Note a verdict by which the weight changes: just before the state is handed on."""
        self.state = decided(self.state, verdict, self._watch, now)
        if verdict.action == "step_back":  # clients are to leave the old slot once more
            self.quiet = DrainProgress()

    def _judged(self, records: list[Record], now: datetime) -> Verdict:
        settings, watch = self._plan.spec.gate, self._watch
        if watch.next_weight is None:
            awaited, seconds = of_candidate(self._plan), self._plan.spec.retire.quiet_seconds
            self.quiet = self.quiet.after(records, awaited, shifted=watch.began, seconds=seconds)
        self.state, verdict = analyse(self.state, records, [], settings=settings, watch=watch, now=now)
        if verdict.action in {"roll_back", "step_back"}:  # nothing that takes time may come before it
            return verdict
        # Only now: the probe's own requests are taken out of the users' minutes.
        state, blocks = self._outcomes.new_blocks(self.state, now)
        if blocks or state is not self.state:  # else the same would be found again: most looks find nothing
            self.state, verdict = analyse(state, [], blocks, settings=settings, watch=watch, now=now)
        for filtered in self._filters:
            verdict = filtered(verdict, now)
        return verdict

    def watching(self, cursor: str | None) -> Watching:
        """What was found, with the place in the ledger that was reached."""
        return Watching(gate=self.state, quiet=self.quiet, cursor=cursor, course=self.course)


def watch_at(
    plan: Plan,
    place: int,
    *,
    weight: int | None = None,
    began: datetime,
    shown: datetime | None = None,
    deadline: datetime,
    since: datetime,
) -> Watch:
    """What stays the same while the stage at that place in the plan is watched.

    ``weight`` is that of a retry, after which the stage itself is next; ``shown`` is when the load balancer
    showed the weights. ``since``: since when all targets of the candidate are healthy.
    """
    following = place if weight is not None else place + 1
    return Watch(
        stage=plan.stage(place, weight),
        next_weight=plan.stages[following].weight if following < len(plan.stages) else None,
        place=place,
        weights=tuple(stage.weight for stage in plan.stages),
        began=began,
        shown=shown,
        deadline=deadline,
        candidate=plan.candidate,
        candidate_since=since,
        expected=plan.answers,
        previous=plan.stable_answers,
        rates=Rates(plan.spec.probe.production_rate, plan.spec.probe.slot_rate),
        url=plan.spec.probe.url + plan.spec.version.path,
        good_status=plan.spec.version.good,
    )
