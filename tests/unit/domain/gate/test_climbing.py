"""After a step back: what is awaited before the candidate climbs, and what counts against it then."""

from typing import Any

import pytest

from crossfade.domain.gate import climbing
from crossfade.domain.gate.blocks.block import Block
from crossfade.domain.gate.caution import decided
from crossfade.domain.gate.evidence.comparison import Comparison
from crossfade.domain.gate.evidence.e_values import Counts
from crossfade.domain.gate.evidence.spells import Spells
from crossfade.domain.gate.evidence.streams import Streams
from crossfade.domain.gate.past import Caution
from crossfade.domain.gate.state import GateState
from crossfade.domain.gate.stepping import why_step_back
from crossfade.domain.spec.gate import GateSettings
from crossfade.domain.verdict import Verdict
from tests.unit.domain.gate.watching import glance as _glance
from tests.unit.domain.gate.watching import ledger, users, watch
from tests.unit.examples import at

FEED, METRICS = GateSettings(users="feed"), GateSettings(users="metrics")
HELD = watch(0, 2, shown=at(3), weights=(0, 2, 50, 100), place=0)
TRIED = watch(2, 50, began=130, shown=at(133), weights=(0, 2, 50, 100), place=1)
BACK = Verdict(action="step_back", reason="24 of 120 failed", cause="strike")
CLIMBS = Verdict(action="advance", reason="well again")


def _at(seconds: float) -> int:
    return int(at(seconds).timestamp())


def _state(until: float, *, bad_at: float = -60, seconds: int = 60, **caution: Any) -> GateState:
    """A candidate of whose 120 users' requests in a minute, at a weight of 2 %, 24 failed."""
    spells = Spells(bad_at=_at(bad_at), last=Counts(120, 24, 5880, 6))
    source = Streams(
        until=_at(until),
        seconds=seconds,
        failing=Comparison(spells=spells),
        met=6000,
        met_seconds=60,
    )
    return GateState(users=source, caution=Caution(**{"step_backs": 1, "cause": "strike", **caution}))


@pytest.mark.parametrize(
    ("settings", "until", "seconds", "now", "waits"),
    [
        pytest.param(METRICS, 0, 60, 40, True, id="a-minute-of-its-users-is-not-known"),
        pytest.param(METRICS, 60, 60, 120, False, id="all-minutes-are"),
        pytest.param(METRICS, 0, 60, 182.9, True, id="later-than-it-should-be"),
        pytest.param(METRICS, 0, 60, 183, False, id="it-never-comes"),
        pytest.param(FEED, 10, 5, 22, True, id="some-meet-new-weights-late"),
        pytest.param(FEED, 15, 5, 25, False, id="they-are-reported-too"),
    ],
)
def test_what_its_users_met_is_known_before_it_climbs(
    settings: GateSettings, until: float, seconds: int, now: float, waits: bool
) -> None:
    """It speaks for or against the candidate, and costs no further request."""
    found = climbing.not_yet(_state(until, seconds=seconds), settings, HELD, at(now))
    assert (found == "climbs again when all outcomes of the users that it had are known") == waits


def test_what_only_the_probe_saw_waits_for_no_users() -> None:
    """A glitch of the preview path would cost two minutes."""
    assert climbing.not_yet(_state(0, cause="dead"), METRICS, HELD, at(40)) is None


def test_a_minute_that_it_climbed_in_counts_where_all_before_was_known() -> None:
    """Nothing in it can be from before; the next full minute would be one more that hurts."""
    known = decided(_state(120), CLIMBS.model_copy(update={"climb": climbing_to(2)}), HELD, at(125)).caution
    assert known.known == _at(120)
    again = _state(180, bad_at=120, known=known.known)
    found = why_step_back(again, METRICS, TRIED)
    assert found is not None
    assert found.cause == "strike"


def test_it_does_not_count_where_something_before_was_not_known() -> None:
    """The failures may be those for which it was stepped back."""
    caution = decided(_state(0), CLIMBS.model_copy(update={"climb": climbing_to(2)}), HELD, at(183)).caution
    assert caution.known == 0
    assert why_step_back(_state(180, bad_at=120), METRICS, TRIED) is None


def climbing_to(weight: int) -> Any:
    """A retry at a weight."""
    return climbing.climb(_state(60, place=2, retry=weight), HELD).climb


@pytest.mark.parametrize(
    ("settings", "seconds", "weight"),
    [
        # Of 100 requests a second a fifth fails: 0.2 a second for each point of weight.
        pytest.param(METRICS, 60, 1, id="six-failures-in-a-minute"),
        pytest.param(FEED, 5, 2, id="two-in-five-seconds"),
    ],
)
def test_a_retry_by_metrics_is_smaller(settings: GateSettings, seconds: int, weight: int) -> None:
    """It lasts until a minute of it is known."""
    watched = watch(2, 50, weights=(0, 2, 50, 100), place=1)
    caution = decided(_state(60, seconds=seconds), BACK, watched, at(60)).caution
    assert caution.retry == weight


def _hour(*spells: int) -> list[Block]:
    """The stable slot's minutes before the launch; in some of them it had a spell of failures."""
    minutes = [(0, 0, 6000, 600 if place in spells else 6) for place in range(50)]
    return [block._replace(candidate=None) for block in users(*minutes, seconds=60, began=-3000)]


def test_how_often_the_stable_slot_had_spells_before_is_known() -> None:
    """A bad minute of the candidate is odder beside an hour without one. Evidence is not divided by them."""
    state, _ = _glance([], _hour(), shown=HELD, gate=METRICS, seconds=0)
    calm = state.users.spells
    assert (calm.blocks, calm.stable, calm.earlier) == (50, 0, 0)
    state, _ = _glance([], _hour(5, 30, 31), shown=HELD, gate=METRICS, seconds=0)
    wild = state.users.spells
    assert (wild.stable, wild.earlier) == (2, 2)
    assert state.evidence == 1
    told = [
        _glance([], users((120, 24, 5880, 6), seconds=60, began=60), state=before, shown=TRIED, gate=METRICS)
        for before in (GateState(users=Streams(failing=Comparison(spells=spells))) for spells in (calm, wild))
    ]
    assert told[0][0].evidence > told[1][0].evidence > 1


def test_two_bad_blocks_of_both_sides_are_no_fault_of_the_candidate() -> None:
    """Every third answer of its lane fails for ten seconds: alone, or while the stable lane fails too."""
    some = "." * 100 + "x.." * 70
    for stable, action in (("." * 310, "step_back"), (some, "hold")):
        assert _glance(ledger(some, stable), seconds=15.6)[1].action == action


def test_what_users_met_in_a_spell_of_the_probe_is_a_part_of_it() -> None:
    """Two of ten in each block, three times: no bad block, and a spell that is known. Alone it is a lot."""
    few = users(*[(10, 2, 490, 0)] * 3, began=30)
    spell = Streams(failing=Comparison(spells=Spells(began=_at(25), bad_at=_at(35))))
    found = [
        _glance([], few, state=GateState(probe=probe), shown=TRIED, gate=FEED)[0].users.failing.evidence
        for probe in (Streams(), spell)
    ]
    assert found[0] > 10 > 1.5 > found[1]
