"""The bench of the gate: the others decide when their settings say, and a seed gives the same numbers."""

from math import inf
from random import Random

import pytest

from benchmarks.gate import cpu
from benchmarks.gate.contender import FEED
from benchmarks.gate.measure import CONTENDERS, run
from benchmarks.gate.peers import high
from benchmarks.gate.report import at_most
from benchmarks.gate.sampling import binomial, poisson
from benchmarks.gate.stages import Rollout
from benchmarks.gate.wild import WORLDS
from benchmarks.gate.worlds import FAULTY, HEALTHY


def test_everybody_finds_a_dead_candidate() -> None:
    """Flagger at the sixth interval, Argo at the fourth, an alarm with its minutes, the gate at once."""
    scores = run(FAULTY[2], range(6), seed=1)
    assert {360.0} == set(scores["Flagger"].seconds)
    assert {240.0} == set(scores["Argo"].seconds)
    assert all(60 < seconds <= 120 for seconds in scores["alarm 1 of 1"].seconds)
    assert all(120 < seconds <= 180 for seconds in scores["alarm 2 of 3"].seconds)
    assert all(3 < seconds <= 5.05 for seconds in scores["gate, feed"].seconds)


def test_a_healthy_candidate_at_one_percent() -> None:
    """Fixed thresholds find it guilty, the gate does not."""
    scores = run(HEALTHY[2], range(1), seed=1)
    rolled_back = {name for name in CONTENDERS if scores[name].seconds[0] < inf}
    assert rolled_back >= {"Flagger", "Argo", "alarm 1 of 1"}
    assert not any(name.startswith("gate") for name in rolled_back)


def test_a_seed_is_a_deployment() -> None:
    """However the deployments are divided."""
    whole = run(FAULTY[1], range(4), seed=3)
    first, second = run(FAULTY[1], range(2), seed=3), run(FAULTY[1], range(2, 4), seed=3)
    for name in CONTENDERS:
        first[name].add(second[name])
        assert whole[name] == first[name]


def test_a_healthy_release_is_promoted_in_four_minutes() -> None:
    """At 1,000 requests a second with a feed; most are within it, see the bench for the rest."""
    release = Rollout(WORLDS["calm, 1,000 users/s"], FEED, "5").run()
    assert release.promoted
    assert release.seconds <= 240


@pytest.mark.parametrize("mean", [0.3, 8.0, 90.0, 900.0])
def test_counts_have_their_mean_and_spread(mean: float) -> None:
    """Poisson: the variance is the mean."""
    random = Random(1)
    drawn = [poisson(random, mean) for _ in range(4000)]
    found = sum(drawn) / len(drawn)
    assert found == pytest.approx(mean, rel=0.1)
    assert sum((one - found) ** 2 for one in drawn) / len(drawn) == pytest.approx(mean, rel=0.15)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.4, 0.95, 1.0])
def test_failures_have_their_share(rate: float) -> None:
    """Binomial, at both ends too."""
    random = Random(1)
    drawn = [binomial(random, 50, rate) for _ in range(4000)]
    assert sum(drawn) / len(drawn) == pytest.approx(50 * rate, rel=0.05)
    assert max(drawn) <= 50


def test_the_judge_needs_a_difference() -> None:
    """Kayenta's classifier: the lower bound of the shift must exceed a quarter of it."""
    stable = [0.1 * place for place in range(10)]
    assert high([one + 5 for one in stable], stable)
    assert not high(stable, stable)


def test_one_look_is_quick() -> None:
    """All streams, with the state read and written: far below the 5 ms that a look may take."""
    look = cpu.one_look(seed=1)
    assert look.milliseconds < 20
    assert look.state < 8_000


@pytest.mark.parametrize(("found", "most"), [(0, "0.30%"), (1, "0.47%"), (3, "0.78%")])
def test_what_is_not_exceeded(found: int, most: str) -> None:
    """The upper limit of a Poisson count with 95 % confidence: 3.00, 4.74, 7.75 in a thousand."""
    assert at_most(found, 1000) == f"at most {most}"
