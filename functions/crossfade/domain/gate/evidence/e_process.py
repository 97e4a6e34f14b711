"""An e-process: the stake of a gambler who bets against a hypothesis, block after block.

It begins at 1 and is at most 1 on average, at any moment, while the hypothesis holds; so it ever reaches
1/α with probability at most α (Ville's inequality), however often it is read.
"""

from math import exp
from typing import NamedTuple

FIRST = 0.5
"""The share that is bet from the first block on: for a candidate that was bad from the start."""
LATER = 1 / 720
"""The part of the rest that each later block adds: for a candidate that turns bad, even after hours."""
MOST = 1e100
"""The most that a bet can hold, so that numbers stay finite. It is far beyond every threshold."""


class EProcess(NamedTuple):
    """What each bet holds, and what has not been bet yet."""

    unspent: float = 1.0
    held: tuple[float, ...] = ()

    @property
    def evidence(self) -> float:
        """The mean of what the bets hold, and what is unspent."""
        return self.unspent + sum(self.held) / len(self.held) if self.held else self.unspent

    def after(self, gains: list[float], cap: float, first: float = FIRST) -> "EProcess":
        """The e-process after a block; ``gains`` are logarithms, and a block gains ``cap`` at most.

        With the cap, one short burst is too little to decide on; giving up gains keeps the process valid.
        ``first`` is the share that is bet from the first block on. If the number of bets changes, what they
        hold is distributed equally, which adds nothing.
        """
        had = self.held or (0.0,) * len(gains)
        if len(had) != len(gains):
            had = (sum(had) / len(had),) * len(gains)
        fresh = self.unspent * (LATER if self.held else first)
        held = [
            min((one + fresh) * exp(gain if gain < cap else cap), MOST)
            for one, gain in zip(had, gains, strict=True)
        ]
        return EProcess(self.unspent - fresh, tuple(held))
