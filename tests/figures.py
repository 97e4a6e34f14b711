"""What the rehearsals measure on the way, for the end of pytest's output."""

import pytest

FIGURES = pytest.StashKey[list[str]]()
