"""An exercise that went well, for every test that doctors one."""

import pytest

from tests.unit.demo.exercise_records import Exercise, went_well


@pytest.fixture
def exercise() -> Exercise:
    """Records that bear out every claim."""
    return went_well()
