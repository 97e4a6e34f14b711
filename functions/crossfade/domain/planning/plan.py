"""The plan: what a deployment will do, decided once, from what is live, before anything is changed."""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import ValidationError

from crossfade.domain.errors import (
    AmbiguousRepository,
    InvalidInput,
    NothingToLeave,
    PlanOutdated,
    UnknownService,
)
from crossfade.domain.journal import Hold, Noticed, Waiting
from crossfade.domain.model import Model, Timestamp
from crossfade.domain.planning.request import ImagePushed
from crossfade.domain.slots import Slot, other
from crossfade.domain.spec.history_events import SHIFT_SECONDS
from crossfade.domain.spec.placed import Placed
from crossfade.domain.spec.service import ServiceSpec, Stage
from crossfade.domain.text import visible
from crossfade.domain.traffic.rule import SeenRule
from crossfade.domain.traffic.weights import Weights
from crossfade.domain.verdict import EMERGENCY

ENDING_SECONDS = 3600
"""What a deployment may hold its service for beyond the deadlines of its spec: a rollback waits for targets
three times five minutes at most, and its report is tried for half an hour."""


class Release(Model):
    """An image, pinned by digest, and what it runs with.

    ``pattern`` is the ARN of the task definition that the owner's ECS service had, ``settings`` the
    fingerprint of what else the slots get of it. ``version`` is the image's tag, of several the one that the
    candidate answers with (see ``naming.py``). ``run`` is what tells its log streams from those of the live
    release, where that has the same image; else it is empty. ``pushed`` is when ECR received the image;
    ``tagged`` is when it got its tag, if that was much later.
    """

    version: str
    digest: str
    image: str
    pattern: str
    settings: str = ""
    run: str = ""
    pushed: Timestamp | None = None
    tagged: Timestamp | None = None

    @property
    def came(self) -> datetime | None:
        """Its place in time among the others."""
        return self.tagged or self.pushed


class RunningRelease(Model):
    """The release in the stable slot, read from the tags of the task definition that runs there.

    What its owner runs there has no such tags: its version is the tag of its image, which it need not answer
    with, and ``digest`` is empty where ECS does not say which image of that tag it is.

    ``version`` is the tag that it is known by, see ``naming.py``, ``number`` its place among all that were
    promoted; None where it has none. If it was not ``verified``, it may answer with any version.
    """

    version: str
    digest: str
    pattern: str
    settings: str = ""
    run: str = ""
    number: int | None = None
    verified: bool = True


class LogStreams(Model):
    """The log streams of a release: their group, and how their names begin."""

    group: str
    prefix: str


class Feed(Model):
    """Where both sides' outcome feeds are; the stable side has none where it does not log to CloudWatch."""

    candidate: LogStreams
    stable: LogStreams | None


class Contents(Model):
    """What a release has of the pushed image and of its pattern.

    ``released`` names the containers that run the pushed image, ``kept`` the others with the pattern's own
    image. ``left_out`` is what the pattern has and the release has not, because this version of Crossfade
    or of boto3 does not know it. ``tags`` are those of the pattern's task definition,
    ``warnings`` say what else its owner should know. ``changes`` are what its configuration has that the
    live release has not, and what it has not, see ``changes.py``.
    """

    released: tuple[str, ...]
    kept: dict[str, str]
    left_out: tuple[str, ...]
    tags: dict[str, str]
    warnings: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """A sentence on it; empty where the pushed image is all there is."""
        changed = [f"changed: {', '.join(self.changes)}"] if self.changes else []
        if not (self.kept or self.left_out or self.warnings or len(self.released) > 1):
            return "".join(changed)
        kept = [f"{name} keeps {image}" for name, image in self.kept.items()]
        left_out = [f"not copied from the pattern: {', '.join(self.left_out)}"] if self.left_out else []
        run = "run" if len(self.released) > 1 else "runs"
        released = f"{', '.join(self.released)} {run} the pushed image"
        return "; ".join([released, *kept, *left_out, *self.warnings, *changed])


class Plan(Model):
    """All that a deployment has decided. Only the release's version may change later, in VerifyCandidate.

    ``execution`` has decided it; who may carry it out is in ``HeldPlan``. ``asked_by`` is the execution of
    another workflow that asked for it, or the one that has waited. ``seen``: see the journal's state.
    ``noticed`` is the pattern of now, where this deployment answers it: it has the live image, or is an
    older release.
    """

    deployment: str
    execution: str
    asked_by: str | None = None
    began: Timestamp
    spec: Placed
    release: Release
    stable: Slot | None
    candidate: Slot
    previous: RunningRelease | None
    stages: tuple[Stage, ...]
    feed: Feed | None = None
    contents: Contents | None = None
    seen: tuple[SeenRule, ...] = ()
    noticed: Noticed | None = None

    @property
    def service(self) -> str:
        """The service's name."""
        return self.spec.service

    def stage(self, place: int, weight: int | None = None) -> Stage:
        """The stage at a place; ``weight``: a retry there, at a weight of its own and for a short while."""
        stage = self.stages[place]
        if weight is None:
            return stage
        seconds = self.spec.gate.retry_seconds
        longest = max(stage.max_seconds, 2 * seconds)
        return Stage(weight=weight, min_seconds=seconds, max_seconds=longest)

    @property
    def free_by(self) -> datetime:
        """When the service is free again at the latest, if all goes as it should, a rollback included.

        The probe waits for a place for as long as the candidate does.
        """
        spec = self.spec
        stages = sum(stage.max_seconds + SHIFT_SECONDS for stage in self.stages)
        seconds = 2 * spec.launch.deadline_seconds + stages + spec.gate.give_up_seconds
        return self.began + timedelta(seconds=seconds + 2 * spec.retire.deadline_seconds + ENDING_SECONDS)

    @property
    def before(self) -> Weights:
        """The weights of before the deployment: before a first release the origin has them all."""
        return Weights.share(self.stable or other(self.candidate), 100)

    @property
    def answers(self) -> str:
        """The version that the candidate answers with; empty where answers name none."""
        return self.spec.version.expected(self.release.version)

    @property
    def stable_answers(self) -> str | None:
        """The version that the stable slot answers with: None without such a slot, empty if not known."""
        if self.stable is None:
            return None
        known = self.previous and self.previous.verified
        return self.spec.version.expected(self.previous.version) if self.previous and known else ""

    @property
    def alike(self) -> bool:
        """Whether there are two slots and no answer says which of them gave it: answers name no version."""
        return self.stable is not None and not self.answers

    @property
    def ledger(self) -> str:
        """The log stream that holds the deployment's ledger."""
        return f"{self.spec.service}/{self.deployment}"

    def held_by(self, hold: Hold) -> "HeldPlan":
        """The same plan in the hands of another execution; the hold is on this plan's deployment."""
        return HeldPlan.model_validate({**dict(self), "holder": hold.holder})


def read_plan(service: str, deployment: str, stored: str) -> Plan:
    """Read a plan from the journal.

    Raises
    ------
    PlanOutdated
        It has the form of before version 0.2.0.
    """
    try:
        return Plan.model_validate_json(stored)
    except ValidationError as error:
        raise PlanOutdated(
            f"The plan of deployment {deployment} of {service} is of an earlier version of Crossfade, in a "
            "form that this one can neither carry on nor take back. Nothing was changed. Install that one "
            "again, and let its deployments end before the next update. Then hand the service over as "
            "docs/adopting.md says."
        ) from error


class HeldPlan(Plan):
    """A plan as it travels through a workflow: with the execution that holds the service, or is to claim it.

    ``holder`` is the one that decided the plan, or a rollback that has taken the service over. It is not
    stored with the plan: who holds a service is in its state alone.
    """

    holder: str

    @property
    def hold(self) -> Hold:
        """What every write to the journal asks for."""
        return Hold(self.service, self.deployment, self.holder)


class Decision(Model):
    """PlanRelease's answer: deploy by this plan, wait for the service, or why there is nothing to deploy.

    ``go_back``: take back the promotion by the deployment ``warm``, whose old slot runs what is asked for.
    """

    action: Literal["deploy", "busy", "go_back", "nothing_to_do", "ignore"]
    reason: str
    plan: HeldPlan | None = None
    service: str | None = None
    waiting: Waiting | None = None
    warm: str | None = None


def choose_service(push: ImagePushed, repositories: dict[str, str]) -> str | None:
    """The service that is built from the pushed repository; None when there is none.

    ``repositories`` maps service names to repository names.
    """
    names = sorted(name for name, repository in repositories.items() if repository == push.repository)
    if len(names) > 1:
        raise AmbiguousRepository(
            f"Repository {push.repository} belongs to the services {', '.join(names)}. "
            f'Start one deployment for each: {{"service": "{names[0]}", "image_digest": "{push.digest}"}}.'
        )
    return names[0] if names else None


def built_by_nobody(push: ImagePushed, repositories: dict[str, str]) -> str:
    """Why a push starts nothing: no spec names its repository, as far as the specs can be read."""
    unread = sorted(name for name, repository in repositories.items() if not repository)
    reason = f"no service is built from repository {visible(push.repository)}"
    return reason + (f"; what {', '.join(unread)} is built from cannot be read in its spec" if unread else "")


def unknown_service(service: str, known: list[str], path: str) -> UnknownService:
    """The error for a service that has no spec below ``path``, naming those that have one."""
    return UnknownService(
        f"There is no service {service}: the SSM parameter {path}{service} "
        f"does not exist. Known services: {', '.join(sorted(known)) or 'none'}."
    )


def nothing_live(spec: ServiceSpec, *, leave: bool) -> NothingToLeave | InvalidInput:
    """The error where the live image is meant, and Crossfade has released none."""
    none = f"No release of {spec.service} is live by Crossfade"
    if leave:
        return NothingToLeave(
            f"{none}, so there is nothing to hand back to {spec.like}. Go on with crossfade leave, which "
            "removes what Crossfade made."
        )
    return InvalidInput(f"{none}, and the input names no image. Give image_tag or image_digest beside force.")


def decide(
    *,
    deployment: str,
    execution: str,
    asked_by: str | None = None,
    now: Timestamp,
    spec: Placed,
    release: Release,
    stable: Slot | None,
    serves: bool = True,
    leaves: bool = False,
    force: bool = False,
    running: RunningRelease | None,
    feed: Feed | None = None,
    contents: Contents | None = None,
    seen: tuple[SeenRule, ...] = (),
) -> Decision:
    """Turn a release and what is live into a plan, or into nothing to do.

    A first release has no stable slot, so it goes from the first stage straight to the last. ``serves``: a
    target of the stable slot is healthy; if not, the reason says so, and the gate decides by what that slot
    answers. ``leaves``: what is live goes to the owner's own ECS service. ``force``: what is live is deployed
    once more.
    """
    live = running and (running.digest, running.pattern, running.settings)
    if running and live == (release.digest, release.pattern, release.settings) and not (leaves or force):
        same = "" if release.version == running.version else f"; {release.version} is the same image"
        return Decision(
            action="nothing_to_do",
            reason=f"{spec.service} already runs {running.version} ({release.digest}) in {stable}{same}.",
        )
    candidate: Slot = other(stable or spec.origin or "green")
    plan = HeldPlan(
        deployment=deployment,
        execution=execution,
        holder=execution,
        asked_by=asked_by,
        began=now,
        spec=spec,
        release=release,
        stable=stable,
        candidate=candidate,
        previous=running,
        stages=spec.stages if stable else (spec.stages[0], spec.stages[-1]),
        feed=feed,
        contents=contents,
        seen=seen,
    )
    before, summary = running.version if running else "nothing", contents.summary if contents else ""
    home = f" (back in {spec.slot_service(candidate)})" if leaves else ""
    reason = f"{before} → {release.version} in {candidate}{home}{f': {summary}' if summary else ''}"
    if spec.pattern.desired and spec.origin is None and not spec.leftover:
        reason += f"; {spec.pattern_service} runs {spec.pattern.desired} tasks without traffic"
    if stable and not serves:
        reason += f"; {EMERGENCY} ({stable} has no healthy target)"
    return Decision(action="deploy", reason=reason, plan=plan)
