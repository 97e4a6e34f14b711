"""What a release answers as: one of the tags that its image has."""

import pytest

from crossfade.domain.journal import State
from crossfade.domain.planning.naming import as_it_answers, called, other_answers
from crossfade.domain.planning.plan import RunningRelease
from tests.unit.examples import NEW, OLD, at, first_plan, lane_event, opened, plan, request, running


def test_answers_by_another_version_are_told_in_their_order() -> None:
    """Those of the candidate's own lane; each once."""
    versions = ["0.0.2", "2.0", "2.0.1", "2.0"]
    records = [request(n=n, seconds=n, version=version) for n, version in enumerate(versions, start=1)]
    assert other_answers([opened(), *records, lane_event("paused")], plan(), at(0)) == ("2.0", "2.0.1")


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(request(version="0.0.2"), id="as-it-was-pushed"),
        pytest.param(request("blue", version="0.0.1"), id="of-the-stable-slot"),
        pytest.param(request("production", version="0.0.1"), id="of-production"),
        pytest.param(request(status=500, version="2.0"), id="failed"),
        pytest.param(request(version=None), id="without-a-version"),
        pytest.param(request(seconds=-1, version="2.0"), id="before-the-candidate-was-healthy"),
    ],
)
def test_answers_that_say_nothing_of_it(record: object) -> None:
    """They are judged as ever, and no tag is looked for."""
    assert other_answers([record], plan(), at(0)) == ()  # type: ignore[list-item]


def test_only_the_name_changes() -> None:
    """What is deployed is the digest."""
    known = called(plan(), "2.0")
    assert (known.release.version, known.release.digest) == ("2.0", NEW)
    assert called(known, "0.0.2") == plan()
    assert called(first_plan(), "2.0").previous is None


@pytest.mark.parametrize(
    ("found", "state", "version"),
    [
        pytest.param(running(), State(digest=OLD, version="0.0.7"), "0.0.7", id="the-journal-knows-it"),
        pytest.param(running(), State(digest=NEW, version="0.0.7"), "0.0.1", id="another-image-runs"),
        pytest.param(running(), State(), "0.0.1", id="an-empty-journal"),
        pytest.param(running(), State(digest=OLD), "0.0.1", id="a-journal-without-the-version"),
        pytest.param(None, State(digest=OLD, version="0.0.7"), None, id="not-of-crossfade"),
    ],
)
def test_what_runs(found: RunningRelease | None, state: State, version: str | None) -> None:
    """The journal's version is what the image was seen to answer."""
    known = as_it_answers(found, state)
    assert (known.version if known else None) == version


@pytest.mark.parametrize(
    ("state", "answers"),
    [
        pytest.param(State(digest=OLD, version="0.0.1"), "0.0.1", id="it-was-judged"),
        pytest.param(State(digest=OLD, version="0.0.1", verified=False), "", id="it-had-to-serve-unjudged"),
        pytest.param(State(digest=NEW, version="0.0.1", verified=False), "0.0.1", id="another-image-runs"),
    ],
)
def test_what_was_not_judged_may_answer_anything(state: State, answers: str) -> None:
    """No deployment is held because production answers another version than its tag."""
    found = as_it_answers(running(), state)
    assert plan().model_copy(update={"previous": found}).stable_answers == answers
