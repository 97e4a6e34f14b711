"""What the journal remembers of a service, and who may go on by it."""

import pytest

from crossfade.domain.errors import ServiceLost, Superseded
from crossfade.domain.journal import (
    DELETION,
    Hold,
    State,
    machine_of,
    refuse_going_back,
    refuse_lost,
    refuse_superseded,
)
from crossfade.domain.traffic.rule import LastRule, kept_most
from crossfade.domain.traffic.weights import RULE_SECONDS, Overwritten, Weights
from faults.cases.service import login
from tests.unit.examples import (
    DEPLOY,
    EXECUTION,
    OLD,
    ROLLBACK,
    ROLLBACKS,
    at,
    candidate,
    forward,
    live_rule,
    placed,
    waiting,
)

MINE = f"{EXECUTION}:d1"
HOLD = Hold("web", "d1", MINE)


def test_the_holder_goes_on() -> None:
    """Whatever else the state says."""
    refuse_lost(State(holder=MINE, deployment="d1"), HOLD)


@pytest.mark.parametrize(
    "holder",
    [
        pytest.param(None, id="nobody"),
        pytest.param(f"{ROLLBACKS}:r1", id="its-own-rollback"),
        pytest.param(f"{EXECUTION}:d2", id="another-deployment"),
        pytest.param(DELETION, id="the-service-goes"),
    ],
)
def test_whoever_holds_nothing_changes_nothing(holder: str | None) -> None:
    """Not the deployment counts, but the execution: a rollback works on the same deployment."""
    with pytest.raises(ServiceLost, match="d1 does not hold web any more"):
        refuse_lost(State(holder=holder, deployment="d1"), HOLD)


@pytest.mark.parametrize("state", [State(), State(waiting=waiting())], ids=["nothing-waits", "queued"])
def test_a_deployment_goes_on_while_nothing_takes_its_place(state: State) -> None:
    """What is queued waits for the end."""
    refuse_superseded(state)


def test_a_release_that_need_not_wait_ends_the_deployment() -> None:
    """The sentence says which one, who asked for it, and why it may."""
    with pytest.raises(Superseded, match=rf"0\.0\.3 was asked for by {EXECUTION}:w1, .*supersede"):
        refuse_superseded(State(waiting=waiting(supersede=True)))


def test_a_deployment_goes_back_where_what_is_live_was_asked_for() -> None:
    """At every look, and once more when the old slot is about to go; a queued one is no such word."""
    live = State(digest=OLD, candidate=candidate(), waiting=waiting("0.0.1", OLD, supersede=True))
    for refuse in (refuse_superseded, refuse_going_back):
        with pytest.raises(Superseded, match=rf"0\.0\.1, which is live, was asked for by {EXECUTION}:w1"):
            refuse(live)
    refuse_going_back(live.model_copy(update={"waiting": waiting("0.0.1", OLD)}))
    refuse_going_back(live.model_copy(update={"waiting": waiting(supersede=True)}))


@pytest.mark.parametrize(
    ("execution", "machine"),
    [
        (f"{EXECUTION}:d1", DEPLOY),
        (f"{ROLLBACKS}:r1", ROLLBACK),
        pytest.param(DELETION, "", id="no-execution"),
        pytest.param("", "", id="nobody"),
    ],
)
def test_executions_tell_their_machine(execution: str, machine: str) -> None:
    """By their ARN; what holds a service need not be an execution."""
    assert machine_of(execution) == machine


BLUE, SOME, HALF = (Weights.share("green", weight) for weight in (0, 10, 50))


def _past(*pasts: tuple[Weights | None, float]) -> tuple[Overwritten, ...]:
    return tuple(Overwritten(weights=weights, until=at(until)) for weights, until in pasts)


def test_what_is_overwritten_is_remembered_while_it_may_be_read() -> None:
    """Each once, with what was about to be written; what is written now is not among it."""
    state = State(weights=SOME, intended=HALF, overwritten=_past((None, -400), (BLUE, -10), (SOME, -5)))
    assert state.overwritten_by(HALF, at(0)) == _past((BLUE, -10), (SOME, 0))
    assert state.overwritten_by(BLUE, at(0)) == _past((SOME, 0), (HALF, 0))
    assert state.overwritten_by(None, at(290)) == _past((SOME, 290), (HALF, 290))


def test_a_first_rule_overwrites_that_there_was_none() -> None:
    """It may not be seen for a while."""
    assert State().overwritten_by(BLUE, at(0)) == _past((None, 0))


def test_what_is_read_by_crossfades_own_doing() -> None:
    """What was written, what was about to be, and what was overwritten lately."""
    state = State(weights=SOME, intended=HALF, overwritten=_past((BLUE, -10), (None, -400)))
    assert state.own(at(0)) == (SOME, HALF, BLUE)
    assert State().own(at(0)) == (None,)


@pytest.mark.parametrize(
    ("state", "deployed"),
    [
        pytest.param(State(), False, id="never"),
        pytest.param(State(holder=DELETION), False, id="never-and-about-to-go"),
        pytest.param(State(holder=DELETION, freed=at(60)), True, id="once-though-nothing-is-live"),
        pytest.param(State(holder=DELETION, deployment="d1"), True, id="cut-off"),
        pytest.param(State(weights=Weights.share("blue", 100), stable="blue"), True, id="live"),
    ],
)
def test_a_service_that_was_deployed_is_told_from_one_that_never_was(state: State, deployed: bool) -> None:
    """Whatever a deployment has come to, it leaves something in the state."""
    assert state.was_deployed is deployed


def test_what_was_overwritten_is_known_again_when_the_owners_service_has_left_its_slot() -> None:
    """ELB may still show the rule of the takeover, in which the green slot was the owner's service."""
    past = Overwritten(weights=Weights(blue=10, green=90), until=at(60))
    state = State(weights=Weights(blue=100, green=0), origin="green", overwritten=(past,))
    bound = state.bound(None)
    assert bound.own(at(61)) == (Weights(blue=100, green=0), Weights(blue=10, green=0, beside=90))
    assert (bound.origin, state.bound("green")) == (None, state)
    assert State().bound("green") == State(origin="green")


def test_a_read_that_says_what_the_last_write_says_is_no_news() -> None:
    """It need not be remembered, and leaves one thing that the rule may be."""
    rule, bare = live_rule(login(), forward(blue=90, green=10)), live_rule()
    last = LastRule.of(placed(), rule, at(0))
    state = State(weights=SOME, written_at=at(0), last_rule=last)
    assert state.saw(rule, SOME, at(9)) == ()
    assert state.may_be(bare, BLUE, at(9)) == [rule]  # older than the write
    assert state.may_be(bare, SOME, at(9)) == [bare]  # newer
    again = state.model_copy(update={"last_rule": last.model_copy(update={"again": True})})
    assert again.may_be(bare, SOME, at(9)) == [bare, rule]
    assert again.may_be(bare, SOME, at(RULE_SECONDS)) == [bare]


def test_a_read_of_one_rule_leaves_what_is_known_of_the_others() -> None:
    """Of each the owner may have put something before the forward."""
    other, login_first = "another", live_rule(login(), forward(blue=90, green=10))
    state = State(weights=SOME, written_at=at(0))
    state = state.model_copy(update={"seen": state.saw(login_first, SOME, at(1))})
    seen = state.saw(live_rule(arn=other), SOME, at(2))
    assert [one.arn for one in seen] == [login_first.arn, other]
    state = state.model_copy(update={"seen": seen})
    assert [one.at for one in state.saw(login_first, SOME, at(3))] == [at(2), at(3)]
    assert len(state.may_be(live_rule(), SOME, at(3))) == 2
    assert len(state.may_be(live_rule(arn=other), SOME, at(3))) == 1


def test_rules_that_were_written_are_known_until_a_person_says_otherwise() -> None:
    """Of two rules one may be of an earlier write; without the first one nothing is known."""
    now = LastRule.of(placed(), live_rule(), at(5))
    before = now.model_copy(update={"arn": "another", "at": at(0)})
    state = State(weights=SOME, written_at=at(5), last_rule=before, last_also=(now,))
    assert state.last_rules == (before, now)
    assert (state.written_to(now.arn), state.written_to("another")) == (now, None)
    assert state.model_copy(update={"last_rule": None}).last_rules == ()
    assert state.model_copy(update={"written_at": at(9)}).last_rules == ()


def test_what_reads_have_shown_is_remembered_while_a_read_may_be_older() -> None:
    """Each once, with the last time; one that shows overwritten weights says nothing."""
    bare, rule = live_rule(), live_rule(login(), forward(blue=90, green=10))
    state = State(weights=SOME)
    for seconds, read, weights in ((0, rule, SOME), (5, bare, SOME), (7, bare, BLUE), (9, rule, SOME)):
        state = state.model_copy(update={"seen": state.saw(read, weights, at(seconds))})
    assert [one.at for one in state.seen] == [at(5), at(9)]
    assert kept_most(state.may_be(bare, SOME, at(10))).of_owner == rule.of_owner
    assert len(state.may_be(rule, SOME, at(5 + RULE_SECONDS))) == 1
    assert state.may_be(live_rule(arn="another"), SOME, at(10))[1:] == []
