"""The bound on the share that fails is the exact one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.domain.proof.bound import at_most
from tests.unit.domain.gate.binomial import chance


@pytest.mark.parametrize(
    ("failed", "sent", "bound"),
    [
        pytest.param(0, 0, None, id="nothing-is-known-of-nothing"),
        pytest.param(0, 1, 0.95, id="one"),
        pytest.param(0, 3000, 0.000999, id="about-3-over-n"),
        pytest.param(0, 1_000_000, 3.0e-6, id="a-million"),
        pytest.param(3, 3, 1.0, id="all"),
        pytest.param(9_999, 10_000, 1.0, id="all-but-one"),
        pytest.param(2_500_000, 5_000_000, 0.501, id="half-of-five-million"),
    ],
)
def test_bounds(failed: int, sent: int, bound: float | None) -> None:
    """Rounded up to three digits."""
    assert at_most(failed, sent) == bound


@given(st.data(), st.integers(1, 300))
def test_so_few_failures_are_not_too_unlikely(data: st.DataObject, sent: int) -> None:
    """Law: at the bound they have 5 % or less, at a digit below it more; and it is no less than was seen."""
    failed = data.draw(st.integers(0, sent - 1))
    bound = at_most(failed, sent)
    assert bound is not None
    assert failed / sent < bound <= 1

    def so_few(share: float) -> float:
        return sum(chance(fewer, sent, share) for fewer in range(failed + 1))

    assert so_few(bound) <= 0.05 + 1e-6
    digit = 10.0 ** (-3 if bound >= 0.1 else -4 if bound >= 0.01 else -5)
    assert so_few(bound - digit) >= 0.05 - 1e-6
