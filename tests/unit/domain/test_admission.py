"""Whose turn it is: pushes come twice, late or not at all, and people mean what they say."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.domain.admission import (
    ENDED,
    ROLL_BACK,
    TAGS_FOLLOW,
    busy,
    decline,
    enqueue,
    held,
    is_given_up,
    is_late_tag,
    missed,
    released_before,
    tries_by,
)
from crossfade.domain.errors import ServiceBusy
from crossfade.domain.journal import DELETION, LatestImage, State, Tried
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import Release
from crossfade.domain.proof.certificate import History
from faults.files import definition
from tests.unit.examples import (
    EXECUTION,
    NEW,
    NEWER,
    OLD,
    ROLLBACKS,
    at,
    candidate,
    plan,
    release,
    spec,
    waiting,
)

PUSHED = release(pushed=at(10))
RUNNING = State(holder=f"{EXECUTION}:d1", deployment="d1", candidate=candidate())


def _newest(seconds: float, digest: str = OLD) -> LatestImage:
    return LatestImage(at=at(seconds), digest=digest)


def _action(given: Release, state: State, seconds: float | None, *, given_up: bool = False) -> str:
    ordered_at = None if seconds is None else at(seconds)
    found = decline("web", given, state, ordered_at=ordered_at, given_up=given_up)
    return found.action if found else "deploy"


def test_a_push_does_not_take_a_service_away_from_its_owner_again() -> None:
    """While it is handed back; what a person asks for waits."""
    leaving = RUNNING.model_copy(update={"origin": "green"})
    found = decline("web", release("0.0.3", NEWER, pushed=at(10)), leaving, ordered_at=at(10))
    assert found is not None
    assert found.action == "ignore"
    assert "0.0.3 gives way: web is being handed back to its owner by d1." in found.reason
    assert _action(release("0.0.3", NEWER), leaving, None) == "deploy"
    assert _action(release("0.0.3", NEWER, pushed=at(10)), RUNNING, 10) == "deploy"


@pytest.mark.parametrize(
    ("state", "action"),
    [
        pytest.param({}, "deploy", id="first-image-ever"),
        pytest.param({"newest": _newest(5)}, "deploy", id="newer-than-all-that-were-tried"),
        pytest.param({"newest": _newest(10)}, "deploy", id="pushed-in-the-same-second"),
        pytest.param({"newest": _newest(15)}, "ignore", id="out-of-order"),
        pytest.param({"newest": _newest(10, NEW)}, "ignore", id="event-came-twice"),
        pytest.param({"candidate": candidate()}, "nothing_to_do", id="is-being-deployed"),
        pytest.param({"candidate": candidate(digest=OLD)}, "deploy", id="another-one-is-being-deployed"),
        pytest.param({"waiting": waiting(digest=NEW)}, "nothing_to_do", id="waits-already"),
        pytest.param({"waiting": waiting(seconds=5)}, "deploy", id="an-older-one-waits"),
        pytest.param({"waiting": waiting(seconds=10)}, "ignore", id="one-of-the-same-second-waits"),
        pytest.param({"waiting": waiting(seconds=15)}, "ignore", id="a-newer-one-waits"),
    ],
)
def test_a_push(state: dict[str, Any], action: str) -> None:
    """It gives way to what was pushed later, whenever its event arrives; here it was pushed after 10 s."""
    assert action == _action(release(), State(**state), 10)


@pytest.mark.parametrize(
    ("state", "action"),
    [
        pytest.param({"newest": _newest(15)}, "deploy", id="an-older-release"),
        pytest.param({"newest": _newest(15, NEW)}, "deploy", id="the-one-that-was-tried-last"),
        pytest.param({"waiting": waiting(seconds=15)}, "deploy", id="a-newer-one-waits"),
        pytest.param({"waiting": waiting(digest=NEW)}, "nothing_to_do", id="waits-already"),
        pytest.param({"candidate": candidate()}, "nothing_to_do", id="is-being-deployed"),
    ],
)
def test_a_person(state: dict[str, Any], action: str) -> None:
    """Whoever asks by name means exactly this release, older or not."""
    assert action == _action(release(), State(**state), None)


@pytest.mark.parametrize(
    ("seconds", "state", "action"),
    [
        pytest.param(None, {}, "deploy", id="a-person"),
        pytest.param(10, {"newest": _newest(10, NEW)}, "ignore", id="a-push-that-is-told-again"),
        pytest.param(10, {"newest": _newest(10, OLD)}, "ignore", id="that-push-came-second-in-its-second"),
        pytest.param(40, {"newest": _newest(10, NEW)}, "deploy", id="a-person-who-has-waited"),
        pytest.param(None, {"waiting": waiting(digest=NEW)}, "nothing_to_do", id="waits-again-already"),
    ],
)
def test_what_is_given_up_may_be_asked_for_anew(
    seconds: float | None, state: dict[str, Any], action: str
) -> None:
    """By a person, who knows what has become of it; an event that comes twice is no second opinion."""
    held = State(**RUNNING.model_dump() | state)
    assert action == _action(PUSHED, held, seconds, given_up=True)


TAKEN_OVER = RUNNING.model_copy(update={"holder": f"{ROLLBACKS}:r1"})


@pytest.mark.parametrize(
    ("state", "milestones", "entered", "expected"),
    [
        pytest.param(RUNNING, {}, "WatchStage", False, id="is-watched"),
        pytest.param(RUNNING, {}, None, False, id="began-just-now"),
        pytest.param(RUNNING, {"judged": at(50)}, "WatchStage", True, id="judged"),
        pytest.param(RUNNING, {}, ROLL_BACK, True, id="a-function-has-failed"),
        pytest.param(RUNNING, {}, ENDED, True, id="stopped"),
        pytest.param(
            RUNNING.model_copy(update={"waiting": waiting(supersede=True)}), {}, "WatchStage", True,
            id="superseded",
        ),
        pytest.param(
            RUNNING.model_copy(update={"waiting": waiting()}), {}, "WatchStage", False, id="another-one-waits"
        ),
        pytest.param(TAKEN_OVER, {}, None, True, id="is-rolled-back"),
        pytest.param(
            RUNNING.model_copy(update={"holder": DELETION}), {}, None, True, id="its-service-is-deleted"
        ),
        pytest.param(RUNNING, {"promoted": at(50)}, "WriteReport", False, id="promoted"),
        pytest.param(RUNNING, {"promoted": at(50)}, ENDED, False, id="stopped-when-it-was-promoted"),
        pytest.param(TAKEN_OVER, {"promoted": at(50)}, None, False, id="a-rollback-finishes-it"),
    ],
)  # fmt: skip
def test_when_a_deployment_is_given_up(
    state: State, milestones: dict[str, Any], entered: str | None, expected: bool
) -> None:
    """From the verdict, the failure or the stop on, not only when a rollback has taken it over."""
    history = History(plan=plan(), **milestones)
    assert is_given_up(state, history, f"{EXECUTION}:d2", entered) is expected


def test_the_state_that_a_deployment_fails_in_is_there() -> None:
    """It is known by its name."""
    assert ROLL_BACK in definition("deploy")["States"]


@pytest.mark.parametrize("changed", [{"pattern": f"{release().pattern}1"}, {"settings": "of-other-subnets"}])
def test_a_changed_pattern_is_another_release(changed: dict[str, str]) -> None:
    """The same image with a new configuration is not being deployed yet."""
    assert _action(release().model_copy(update=changed), RUNNING, None) == "deploy"


def test_what_has_waited_takes_its_turn() -> None:
    """It may still stand in the line when it is started: it does not wait for itself."""
    mine = waiting(version="0.0.2", digest=NEW, seconds=10)
    assert _action(release(), State(waiting=mine), 10) == "deploy"


def test_what_a_person_asked_for_does_not_get_lost_in_the_line() -> None:
    """A new configuration of the newest image waited: no image was pushed since, so it has its turn."""
    assert _action(release(), State(newest=_newest(5, NEW)), 10) == "deploy"


def test_what_has_waited_gives_way_to_what_was_tried_meanwhile() -> None:
    """A person was quicker with a later push."""
    assert _action(release(), State(newest=_newest(15, NEWER)), 10) == "ignore"


BY_HAND = (
    " To deploy 0.0.2 all the same, start by hand: "
    f'{{"service": "web", "image_tag": "0.0.2", "image_digest": "{NEW}"}}.'
)
OTHER_TAG = release("0.0")


@pytest.mark.parametrize(
    ("given", "state", "said"),
    [
        pytest.param(PUSHED, RUNNING, "0.0.2 is being deployed by d1.", id="is-being-deployed"),
        pytest.param(
            OTHER_TAG,
            RUNNING,
            f"0.0 is the same image as 0.0.2 ({NEW}), which is being deployed by d1.",
            id="is-being-deployed-by-another-tag",
        ),
        pytest.param(
            PUSHED,
            State(waiting=waiting("0.0.2", NEW)),
            f"0.0.2 waits already: {waiting().deployment} will deploy it.",
            id="waits",
        ),
        pytest.param(
            OTHER_TAG,
            State(waiting=waiting("0.0.2", NEW)),
            f"0.0 is the same image as 0.0.2 ({NEW}), which waits already: "
            f"{waiting().deployment} will deploy it.",
            id="waits-by-another-tag",
        ),
        pytest.param(
            PUSHED,
            State(newest=_newest(15, NEWER), version="0.0.3", digest=NEWER),
            "0.0.2 gives way: its image was pushed at 2026-11-23T04:00:10.000Z, and the live one came "
            f"later, at 2026-11-23T04:00:15.000Z. Live is 0.0.3.{BY_HAND}",
            id="older-than-the-live-one",
        ),
        pytest.param(
            PUSHED,
            State(newest=_newest(15, NEWER), version="0.0.1", digest=OLD),
            "0.0.2 gives way: its image was pushed at 2026-11-23T04:00:10.000Z, and one that was deployed or "
            f"tried ({NEWER}) came later, at 2026-11-23T04:00:15.000Z. Live is 0.0.1.{BY_HAND}",
            id="older-than-one-that-was-rolled-back",
        ),
        pytest.param(
            release(pushed=at(1)),
            State(newest=_newest(15, NEWER)),
            "0.0.2 gives way: it was asked for at 2026-11-23T04:00:10.000Z, and one that was deployed or "
            f"tried ({NEWER}) came later, at 2026-11-23T04:00:15.000Z.{BY_HAND}",
            id="has-waited",
        ),
        pytest.param(
            PUSHED,
            State(newest=_newest(10, NEW), version="0.0.1", digest=OLD),
            "0.0.2 gives way: its image, pushed at 2026-11-23T04:00:10.000Z, was deployed or tried before. "
            f"Live is 0.0.1.{BY_HAND}",
            id="was-tried",
        ),
        pytest.param(
            PUSHED,
            State(waiting=waiting(), version="0.0.1", digest=OLD),
            "0.0.2 gives way to 0.0.3, which is newer and waits.",
            id="a-newer-one-waits",
        ),
    ],
)
def test_reasons(given: Release, state: State, said: str) -> None:
    """What a person reads who wonders where the push has gone: what is live, why, and the way out."""
    found = decline("web", given, state, ordered_at=at(10))
    assert found is not None
    assert found.reason == said


moments = st.integers(0, 20)
digests = st.sampled_from([OLD, NEW, NEWER])
states = st.builds(
    State,
    candidate=st.none() | st.builds(lambda digest: candidate(digest=digest), digests),
    newest=st.none() | st.builds(_newest, moments, digests),
    waiting=st.none()
    | st.builds(lambda digest, when: waiting(digest=digest, seconds=when), digests, moments),
)


@given(states, digests, moments)
def test_nothing_ever_goes_back_by_itself(state: State, digest: str, pushed: int) -> None:
    """Law: a push that is deployed was pushed no earlier than any that was tried or waits."""
    if _action(release(digest=digest), state, pushed) == "deploy":
        assert state.newest is None or at(pushed) >= state.newest.at
        assert state.waiting is None or at(pushed) >= state.waiting.at


@given(states, digests, moments)
def test_a_person_is_never_refused_for_age(state: State, digest: str, pushed: int) -> None:
    """Law: what is ignored as a push is deployed, or known already, when a person asks for it."""
    assert _action(release(digest=digest), state, None) != "ignore"


LATE = TAGS_FOLLOW.total_seconds() + 10
BUILT = release(pushed=at(10))


@pytest.mark.parametrize(
    ("state", "seconds", "expected"),
    [
        pytest.param({"newest": _newest(20)}, LATE, True, id="an-old-build-is-tagged"),
        pytest.param({"newest": _newest(10, NEW)}, LATE, True, id="what-was-rolled-back-is-tagged"),
        pytest.param({"newest": _newest(LATE, NEW)}, LATE, True, id="the-event-of-the-tag-came-twice"),
        pytest.param({"newest": _newest(20)}, LATE - 1, False, id="one-tag-of-several"),
        pytest.param({"newest": _newest(20)}, None, False, id="nobody-says-when"),
        pytest.param({"newest": _newest(5)}, LATE, False, id="it-is-the-newest-build"),
        pytest.param({}, LATE, False, id="nothing-was-ever-deployed"),
        pytest.param({"newest": _newest(LATE)}, LATE, False, id="an-event-that-came-late"),
        pytest.param({"newest": _newest(20), "digest": NEW}, LATE, False, id="it-is-live"),
        pytest.param({"newest": _newest(20), "candidate": candidate()}, LATE, False, id="is-being-deployed"),
        pytest.param({"newest": _newest(20), "waiting": waiting(digest=NEW)}, LATE, False, id="waits"),
    ],
)
def test_a_tag_that_comes_long_after_its_image(
    state: dict[str, Any], seconds: float | None, expected: bool
) -> None:
    """The image was pushed after 10 s. What is no such tag is what it always was: a push, in its place."""
    assert is_late_tag(BUILT, State(**state), None if seconds is None else at(seconds)) is expected


def test_a_tag_gives_an_old_build_a_new_place_in_time() -> None:
    """It is deployed over what came before the tag, once, and gives way to what came after it."""
    tagged = BUILT.model_copy(update={"tagged": at(LATE)})
    assert tagged.came == at(LATE)
    assert _action(tagged, State(newest=_newest(20)), LATE) == "deploy"
    for newest, said in (
        (_newest(LATE, NEW), f"its image, tagged at {iso(at(LATE))}, was deployed or tried before."),
        (_newest(LATE + 1), f"its image was tagged at {iso(at(LATE))}, and one that was deployed or tried"),
    ):
        found = decline("web", tagged, State(newest=newest), ordered_at=at(LATE))
        assert found is not None
        assert (found.action, said in found.reason) == ("ignore", True)


def test_a_tag_on_what_was_a_release_before_is_refused_by_name() -> None:
    """The sentence says when the tag came, what is live, and the way out."""
    state = State(newest=_newest(20, NEWER), version="0.0.3", digest=NEWER)
    assert str(released_before("web", BUILT, state, at(LATE))) == (
        f"0.0.2 gives way: its tag came at {iso(at(LATE))} to an image that has another release's tag, or "
        f"was deployed or tried before. Live is 0.0.3.{BY_HAND}"
    )


@pytest.mark.parametrize(("when_busy", "supersede"), [("queue", False), ("supersede", True)])
def test_a_release_waits(when_busy: str, supersede: bool) -> None:
    """As the spec says: until the running deployment ends, or so that it ends at once."""
    found = enqueue(release(), spec(when_busy=when_busy), RUNNING, at=at(7), execution="mine")
    assert (found.version, found.digest, found.at, found.execution) == ("0.0.2", NEW, at(7), "mine")
    assert found.supersede is supersede


LIVE = State(**RUNNING.model_dump() | {"digest": OLD, "version": "0.0.1"})


@pytest.mark.parametrize("when_busy", ["queue", "reject", "supersede"])
def test_who_asks_for_what_is_live_has_the_other_one_go_back(when_busy: str) -> None:
    """Whatever the spec says: to wait for the end, or to be refused, would promote what nobody wants."""
    asked = release("0.0.1", OLD)
    found = enqueue(asked, spec(when_busy=when_busy), LIVE, at=at(7), execution="mine", by_hand=True)
    assert found.supersede
    assert held("web", found, LIVE) == f"{EXECUTION}:d1 holds web, and d1 goes back"


def test_what_has_waited_sends_nobody_back() -> None:
    """It is live by now, and another one was quicker: that one was asked for later."""
    found = enqueue(release("0.0.1", OLD), spec(when_busy="queue"), LIVE, at=at(7), execution="mine")
    assert not found.supersede
    assert held("web", found, LIVE).startswith(f"{EXECUTION}:d1 holds web")


def test_a_new_configuration_of_what_is_live_waits_as_any_other() -> None:
    """Its image is live and is being deployed: nobody asks to go back."""
    state = LIVE.model_copy(update={"candidate": candidate(digest=OLD)})
    with pytest.raises(ServiceBusy):
        enqueue(
            release("0.0.1", OLD), spec(when_busy="reject"), state, at=at(7), execution="mine", by_hand=True
        )


@pytest.mark.parametrize(("times", "told"), [(1, ""), (2, "1 rollback of"), (5, "4 rollbacks of")])
def test_who_waits_for_a_service_in_trouble_is_told_so(times: int, told: str) -> None:
    """It may take hours; the refusal says so too."""
    state = RUNNING.model_copy(update={"tried": Tried(times=times, at=at(60))})
    reason, refused = held("web", waiting(), state), str(busy("web", state))
    assert (told in reason, told in refused) == (True, True)
    assert ("did not succeed: read the last one" in reason) is bool(told)


@pytest.mark.parametrize(
    ("when_busy", "holder"),
    [
        pytest.param("reject", f"{EXECUTION}:d1", id="the-spec-rejects"),
        pytest.param("queue", DELETION, id="nothing-waits-for-a-service-that-goes"),
    ],
)
def test_a_release_that_may_not_wait_is_refused(when_busy: str, holder: str) -> None:
    """The sentence names who holds the service."""
    state = State(holder=holder, deployment="d1")
    with pytest.raises(ServiceBusy, match=f"held by {holder}"):
        enqueue(release(), spec(when_busy=when_busy), state, at=at(7), execution="mine")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param({}, True, id="nothing-was-ever-deployed"),
        pytest.param({"newest": _newest(5)}, True, id="its-event-never-came"),
        pytest.param({"newest": _newest(15)}, False, id="older-than-what-was-tried"),
        pytest.param({"newest": _newest(10)}, False, id="one-of-the-same-second-was-tried"),
        pytest.param({"newest": _newest(10, NEW)}, False, id="was-tried-and-rolled-back"),
        pytest.param({"newest": _newest(5), "digest": NEW}, False, id="is-live"),
        pytest.param({"newest": _newest(5), "candidate": candidate()}, False, id="is-being-deployed"),
        pytest.param({"newest": _newest(5), "waiting": waiting(digest=NEW)}, False, id="waits"),
        pytest.param({"newest": _newest(5), "waiting": waiting()}, True, id="another-one-waits"),
    ],
)
def test_missed(state: dict[str, Any], expected: bool) -> None:
    """The newest image was pushed after 10 s; whether anybody has heard of it."""
    assert missed(NEW, at(10), State(**state)) is expected


@pytest.mark.parametrize(
    ("minutes", "tries"),
    [(-1, 1), (0, 1), (14, 1), (15, 2), (44, 2), (45, 3), (465, 6), (824, 6), (825, 7), (1184, 7), (1185, 8)],
)
def test_the_waits_between_two_tries_grow(minutes: float, tries: int) -> None:
    """15 minutes, then twice as long each time, up to six hours."""
    assert tries_by(timedelta(minutes=minutes)) == tries
