"""The failure limit: whether one side fails more than it may, whatever the other side does."""

from typing import NamedTuple

from crossfade.domain.gate.evidence.e_process import EProcess
from crossfade.domain.gate.evidence.e_values import above, below
from crossfade.domain.spec.gate import GateSettings

SOURCES = 2
"""The probe's lanes and the users' requests share the limit's α."""
MOST_RECOVERED = 100.0
"""A bound, so that a long good time does not outweigh a bad one that has begun."""


class FailureLimit(NamedTuple):
    """``exceeded``: evidence of too many failures; ``recovered``: evidence in this stage that they are over.

    Without the second, a shared outage that is over would hold every later stage.
    """

    exceeded: EProcess = EProcess()
    recovered: EProcess = EProcess()

    def after(self, requests: int, failures: int, settings: GateSettings, cap: float) -> "FailureLimit":
        """The limit after one more block."""
        if not requests:
            return self
        unspent, held = self.recovered.after(below(requests, failures, settings.failing), cap)
        return FailureLimit(
            exceeded=self.exceeded.after(above(requests, failures, settings.failing), cap),
            recovered=EProcess(unspent, tuple([min(stake, MOST_RECOVERED) for stake in held])),
        )

    def at_stage(self) -> "FailureLimit":
        """The limit at the beginning of a stage: recovery must be shown again in each."""
        return self._replace(recovered=EProcess())

    def failing(self, settings: GateSettings) -> bool:
        """Whether there are too many failures, and nothing says yet that they are over."""
        return (
            self.exceeded.evidence >= SOURCES / settings.alpha and self.recovered.evidence < 1 / settings.beta
        )
