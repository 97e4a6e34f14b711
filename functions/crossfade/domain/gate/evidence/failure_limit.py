"""The absolute guard: whether one side fails more than it may, whatever the other does."""

from typing import NamedTuple

from crossfade.domain.gate.evidence.e_process import Capital
from crossfade.domain.gate.evidence.e_values import above, below
from crossfade.domain.spec.gate import GateSettings

SOURCES = 2
"""The probe's lanes and the users' requests share the guard's α."""
MOST_WELL = 100.0
"""A long good time must not outweigh a bad one that has begun."""


class Guard(NamedTuple):
    """``sick``: evidence of too many failures. ``well``: evidence, of this stage, that they are over.

    Without the second an outage that both sides shared, and that is over, would hold every later stage.
    """

    sick: Capital = Capital()
    well: Capital = Capital()

    def after(self, requests: int, failures: int, settings: GateSettings, cap: float) -> "Guard":
        """The guard after one more block."""
        if not requests:
            return self
        unspent, held = self.well.after(below(requests, failures, settings.failing), cap)
        return Guard(
            sick=self.sick.after(above(requests, failures, settings.failing), cap),
            well=Capital(unspent, tuple([min(capital, MOST_WELL) for capital in held])),
        )

    def at_stage(self) -> "Guard":
        """The guard at the beginning of a stage: being well is shown anew in each."""
        return self._replace(well=Capital())

    def failing(self, settings: GateSettings) -> bool:
        """Whether there are too many failures, and nothing says yet that they are over."""
        return self.sick.evidence >= SOURCES / settings.alpha and self.well.evidence < 1 / settings.beta
