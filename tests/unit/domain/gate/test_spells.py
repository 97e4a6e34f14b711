"""Spells of failures: what they may add to the evidence, at most and on average."""

from math import exp, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.domain.gate.blocks.block import CAP, Block
from crossfade.domain.gate.evidence.comparison import Comparison, Proof
from crossfade.domain.gate.evidence.e_values import Counts, no_worse, worse_bets
from crossfade.domain.gate.evidence.sign import Sign
from crossfade.domain.gate.evidence.spells import Law, Spells, at_least, most_failures
from tests.unit.domain.gate.binomial import chance

EXCESS = 0.0005
ROUNDING = 1e-9


def _law(at: int = 1000, seconds: int = 5, first: float = CAP) -> Law:
    return Law(at, seconds, clump=15, excess=EXCESS, cap=CAP, first=first)


def _gains(spells: Spells, counts: Counts, guess: float, law: Law) -> list[float]:
    return spells.gains(counts, worse_bets(counts, guess, scale=1.0, excess=EXCESS), guess, law)


def test_how_many_failures_make_a_block_bad() -> None:
    """A few beyond what is expected, however few requests there are; of many, a share of them."""
    assert most_failures(10, 0.001) == 3
    assert most_failures(500, 0.01) == 16
    assert at_least(0, 3.0) == 1
    assert at_least(3, 2.0) == pytest.approx(1 - 5 * exp(-2))
    assert at_least(200, 199.0) == pytest.approx(at_least(201, 201.0), abs=0.05)


histories = st.builds(
    Spells,
    blocks=st.integers(0, 400),
    stable=st.integers(0, 20),
    bad_at=st.sampled_from([0, 500, 985, 990, 995]),
)
sizes = st.sampled_from([(6, 6), (12, 12), (5, 20), (20, 5)])


@given(histories, sizes, st.floats(0, 0.2), st.floats(0, 1), st.floats(0.0005, 0.2), st.sampled_from([5, 60]))
@settings(max_examples=30, deadline=None)
def test_a_spell_of_the_chance_that_is_allowed_adds_nothing_on_average(
    spells: Spells, sizes: tuple[int, int], stable: float, part: float, guess: float, seconds: int
) -> None:
    """Law, by exact sums: with spells as often as allowed, each as bad as can be, no bet gains.

    Where there is no spell, both sides fail independently, the candidate at most the excess more.
    """
    (n_c, n_s), law = sizes, _law(seconds=seconds)
    candidate, by_spell = min(stable + EXCESS * part, 1.0), spells.hazard(law)
    means, by_spells = [0.0] * 7, [0.0] * 7
    for x_s in range(n_s + 1):
        of_stable, worst = chance(x_s, n_s, stable), [0.0] * 7
        for x_c in range(n_c + 1):
            gains = _gains(spells, Counts(n_c, x_c, n_s, x_s), guess, law)
            bad = x_c >= most_failures(n_c, max(guess + EXCESS, x_s / n_s))
            for place, gain in enumerate(gains):
                means[place] += of_stable * chance(x_c, n_c, candidate) * exp(gain)
                worst[place] = max(worst[place], exp(gain) if bad else 0.0)
        by_spells = [spell + of_stable * most for spell, most in zip(by_spells, worst, strict=True)]
    for mean, spell in zip(means, by_spells, strict=True):
        assert mean <= 1 + ROUNDING
        # A minute is longer than a spell: only some of them fill it.
        assert seconds > law.clump or (1 - by_spell) * mean + by_spell * spell <= 1 + ROUNDING


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.integers(0, 10))
@settings(max_examples=40, deadline=None)
def test_a_spell_of_any_length_adds_little(failures: list[int], stable: int) -> None:
    """Law: the first bad block adds its cap at most, each later one a third of a nat."""
    spells, law, guess = Spells(blocks=100, stable=stable), _law(), 0.001
    for number, x_c in enumerate(failures):
        law = _law(1000 + 5 * number)
        counts = Counts(40, x_c, 400, 0)
        bad = x_c >= most_failures(40, guess + EXCESS)
        most = 1 / 3 + 0.01 if law.within(spells.bad_at) else CAP
        assert not bad or max(_gains(spells, counts, guess, law)) <= most
        spells = spells.after(counts, guess, law)


def test_what_both_fail_is_no_spell() -> None:
    """A shared outage, or a rate that is higher than what was seen before."""
    spells = Spells().after(Counts(100, 60, 100, 58), 0.001, _law())
    assert (spells.bad_at, spells.stable_at, spells.stable) == (0, 0, 0)


def test_a_spell_goes_on_for_as_long_as_it_is_said_to() -> None:
    """The last bad block may be 15 s ago; then another one begins."""
    spells = Spells()
    for at, x_s in ((1000, 50), (1005, 0), (1015, 50), (1035, 50)):
        spells = spells.after(Counts(100, 0, 100, x_s), 0.001, _law(at))
    assert spells.stable == 2
    assert spells.sign.evidence < 1


def test_the_stable_sides_spells_make_those_of_the_candidate_less_odd() -> None:
    """They come as often on the one side as on the other, if the release has nothing to do with it."""
    counts = Counts(50, 50, 450, 0)
    calm = max(_gains(Spells(blocks=100), counts, 0.001, _law()))
    wild = max(_gains(Spells(blocks=100, stable=9), counts, 0.001, _law()))
    assert calm > wild + 0.5
    assert Spells(blocks=100, stable=9).hazard(_law()) == pytest.approx(19 / 140)


@given(histories, sizes, st.integers(0, 20), st.integers(0, 20), st.sampled_from([5, 60]))
@settings(max_examples=60, deadline=None)
def test_what_another_source_met_too_adds_less(
    spells: Spells, sizes: tuple[int, int], x_c: int, x_s: int, seconds: int
) -> None:
    """Law: whatever fails in a block of a spell that the probe met, no bet gains more than elsewhere."""
    (n_c, n_s), law = sizes, _law(seconds=seconds)
    counts = Counts(n_c, min(x_c, n_c), n_s, min(x_s, n_s))
    met = _gains(spells, counts, 0.001, law._replace(met=True))
    for ours, elsewhere in zip(met, _gains(spells, counts, 0.001, law), strict=True):
        assert ours <= elsewhere + ROUNDING


def test_a_few_failures_in_a_spell_of_the_probe_are_a_part_of_it() -> None:
    """Two of ten requests: not a bad block, and hardly by chance."""
    spells, counts = Spells(blocks=10), Counts(10, 2, 490, 0)
    assert max(_gains(spells, counts, 0.001, _law())) > 2
    assert max(_gains(spells, counts, 0.001, _law()._replace(met=True))) < 0.4


def test_which_blocks_the_probes_spell_touches() -> None:
    """From its first bad block until fifteen seconds after the last one began."""
    spells = Spells(began=1000, bad_at=1010)
    met = [at for at in range(980, 1050, 5) if spells.meets(Block(at, 5, None, None), 15)]
    assert met == list(range(1000, 1030, 5))
    assert spells.meets(Block(960, 60, None, None), 15)
    assert not Spells().meets(Block(0, 5, None, None), 15)


def test_a_minute_that_is_filled_is_no_short_spell() -> None:
    """All of a minute's requests fail: four times as long as a spell is on average."""
    spells, law = Spells(blocks=5), _law(at=960, seconds=60)
    part = max(_gains(spells, Counts(600, 60, 5400, 0), 0.001, law))
    whole = max(_gains(spells, Counts(600, 600, 5400, 0), 0.001, law))
    assert part < CAP < whole


@given(st.lists(st.sampled_from([(True, False), (False, True), (True, True)]), max_size=4))
def test_who_has_more_spells(begun: list[tuple[bool, bool]]) -> None:
    """Law: with the sides as likely as each other, no bet gains on average."""
    sign = Sign()
    for candidate, stable in begun:
        sign = sign.after(candidate=candidate, stable=stable)
    ours, theirs = sign.after(candidate=True, stable=False), sign.after(candidate=False, stable=True)
    assert (ours.evidence + theirs.evidence) / 2 == pytest.approx(sign.evidence)


def test_the_side_with_more_requests_shows_no_more_spells() -> None:
    """With the weight at 90 % a short spell is seen on the candidate's side, and hardly on the other."""
    spells = Spells().after(Counts(450, 20, 50, 0), 0.001, _law())
    assert spells.bad_at == 1000
    assert spells.sign.evidence == 1


@given(st.integers(1, 60), st.floats(0.002, 0.05), st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_candidate_at_the_margin_proves_nothing_on_average(n: int, margin: float, in_spell: bool) -> None:
    """Law, by exact sums: what a bad block may take from the proof is bounded, and paid for."""
    spells, law, guess = Spells(bad_at=995 if in_spell else 0), _law(), 0.001
    means = [0.0, 0.0]
    for x_c in range(n + 1):
        for x_s in range(4):
            counts = Counts(n, x_c, n, min(x_s, n))
            gains = spells.losses(counts, no_worse(counts, guess, margin=margin), guess, margin, law)
            share = chance(x_c, n, guess + margin) * chance(min(x_s, n), n, guess) if x_s <= n else 0.0
            for place, gain in enumerate(gains):
                means[place] += share * exp(min(gain, CAP))
    assert max(means) <= 1.01


def test_a_spell_does_not_take_all_of_a_proof() -> None:
    """What was proved before it counts on."""
    failing, proof = Comparison(spells=Spells()), Proof()
    good, spell = Counts(500, 0, 500, 0), Counts(500, 100, 500, 0)
    for _ in range(3):
        proof = proof.after(good, failing, _law(), margin=0.01)
    after = proof.after(spell, failing, _law(), margin=0.01)
    assert log(proof.evidence / after.evidence) < CAP + 0.2
    assert after.evidence < proof.evidence
