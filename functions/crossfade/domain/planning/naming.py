"""A release's version: of the tags of its image, the one whose version the application answers with.

An image often has several tags, ``2``, ``2.0`` and ``2.0.1``, which come one after the other. Which one the
application answers with is known as soon as the candidate answers, see ADR 26.
"""

from collections.abc import Iterable
from datetime import datetime

from crossfade.domain.errors import InvalidInput
from crossfade.domain.journal import State
from crossfade.domain.ledger import Record, Request
from crossfade.domain.planning.plan import HeldPlan, Plan, RunningRelease
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.text import visible


def other_answers(records: Iterable[Record], plan: Plan, since: datetime) -> tuple[str, ...]:
    """The other versions that the candidate's lane has answered with, in the order of their first answer.

    ``since``: since when all targets of the candidate are healthy.
    """
    answers = (
        record.version
        for record in records
        if isinstance(record, Request) and record.lane == plan.candidate and record.ok and record.at >= since
    )
    return tuple(dict.fromkeys(version for version in answers if version and version != plan.answers))


def tag_of(version: str, tags: Iterable[str], plan: Plan) -> str | None:
    """The tag that an image with these ``tags`` is to answer this version by; None where there is none."""
    spec = plan.spec
    return next((tag for tag in tags if spec.deploys(tag) and spec.version.expected(tag) == version), None)


def refuse_unnamed(spec: ServiceSpec, tag: str) -> None:
    """Refuse a release by a tag that does not say which version its answers are to name.

    Raises
    ------
    InvalidInput
        ``version.expect`` finds none in it.
    """
    if spec.version.named and not spec.version.expected(tag):
        raise InvalidInput(
            f"version.expect in the spec of {spec.service} finds no version in the tag {visible(tag)}. "
            "Deploy the image by a tag that has one; if such pushes are no releases, narrow push_tags."
        )


def called(plan: HeldPlan, tag: str) -> HeldPlan:
    """The same deployment, of a release that is known by this tag."""
    return plan.model_copy(update={"release": plan.release.model_copy(update={"version": tag})})


def as_it_answers(running: RunningRelease | None, state: State, spec: ServiceSpec) -> RunningRelease | None:
    """The running release with the version that it answers with, if the journal knows this image.

    The tags of its task definition were written before the application had answered. Where the spec looks for
    the version in another way than it did then, the release may answer with any.
    """
    if running and state.version and state.digest == running.digest:
        return running.model_copy(
            update={
                "version": state.version,
                "verified": state.knows_the_answers(spec),
                "number": state.release_number,
            }
        )
    return running
