"""Shares as a person reads them."""

import pytest

from crossfade.domain.page.tables import percent


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1.0, "100 %"),
        (0.0, "0 %"),
        (0.0023, "0.23 %"),
        (0.000030, "0.003 %"),
        (0.9995, "100 %"),
        (0.95, "95 %"),
    ],
)
def test_a_share_is_written_without_a_power_of_ten(share: float, text: str) -> None:
    """Two digits; a bound of 1 is a hundred percent."""
    assert percent(share) == text
