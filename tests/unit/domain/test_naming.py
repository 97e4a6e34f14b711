"""What a release answers as: one of the tags that its image has."""

import pytest

from crossfade.domain.errors import InvalidInput
from crossfade.domain.journal import State
from crossfade.domain.planning.naming import as_it_answers, called, other_answers, refuse_unnamed, tag_of
from crossfade.domain.planning.plan import RunningRelease
from tests.unit.examples import (
    NEW,
    OLD,
    at,
    first_plan,
    lane_event,
    nameless,
    opened,
    placed,
    plan,
    release,
    request,
    running,
    spec,
)


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


def test_without_a_version_there_is_nothing_to_learn() -> None:
    """Nor is there a version that the tag would have to be."""
    found = plan(spec=nameless())
    assert other_answers([request(version=None)], found, at(0)) == ()
    assert (found.answers, found.stable_answers, found.alike) == ("", "", True)
    refuse_unnamed(found.spec, "any-tag")


RETAGGED = {
    "version": {"path": "/version", "expect": {"tag": "^prod-(.*)$"}},
    "release": {"repository": "web", "push_tags": "^prod-"},
}


def test_a_version_is_found_in_the_tag() -> None:
    """CI gives a release tag to what it has built; the application says what it was built as."""
    service = placed(**RETAGGED)
    found = plan(spec=service, release=release("prod-1.2.3"))
    assert found.answers == "1.2.3"
    assert other_answers([request(version="1.2.3")], found, at(0)) == ()
    assert other_answers([request(version="1.2.4")], found, at(0)) == ("1.2.4",)
    assert tag_of("1.2.4", ["1.2.4", "prod-1.2.3", "prod-1.2.4"], found) == "prod-1.2.4"
    assert tag_of("1.2.4", ["1.2.4", "prod-1.2.3"], found) is None


def test_a_tag_without_a_version_is_no_release() -> None:
    """Nobody could say what it is to answer."""
    with pytest.raises(InvalidInput, match="finds no version in the tag latest"):
        refuse_unnamed(spec(**RETAGGED), "latest")


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
    known = as_it_answers(found, state, spec())
    assert (known.version if known else None) == version


@pytest.mark.parametrize(
    ("state", "answers"),
    [
        pytest.param(State(digest=OLD, version="0.0.1"), "0.0.1", id="it-was-judged"),
        pytest.param(State(digest=OLD, version="0.0.1", verified=False), "", id="it-had-to-serve-unjudged"),
        pytest.param(State(digest=NEW, version="0.0.1", verified=False), "0.0.1", id="another-image-runs"),
        pytest.param(
            State(digest=OLD, version="0.0.1", verified_by=spec().version.text), "0.0.1", id="asked-as-now"
        ),
        pytest.param(
            State(digest=OLD, version="0.0.1", verified_by=nameless().version.text), "", id="asked-otherwise"
        ),
    ],
)
def test_what_was_not_judged_may_answer_anything(state: State, answers: str) -> None:
    """No deployment is held because production answers another version than its tag."""
    found = as_it_answers(running(), state, spec())
    assert plan().model_copy(update={"previous": found}).stable_answers == answers
