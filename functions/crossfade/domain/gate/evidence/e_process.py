"""An e-process: the capital of somebody who bets against a hypothesis, block after block.

It begins at 1 and is at most 1 on average, at any moment, while the hypothesis holds; so it ever reaches
1/α with probability at most α (Ville), however often it is looked at.
"""

from math import exp
from typing import NamedTuple

FIRST = 0.5
"""The share that is bet from the first block on: for a candidate that was bad from the start."""
LATER = 1 / 720
"""The part of what is unspent that each later block adds: for one that turns bad, be it after hours."""
MOST = 1e100
"""More is not counted, so that numbers stay finite. It is far beyond every threshold."""


class EProcess(NamedTuple):
    """What each bet holds, and what has not been bet yet."""

    unspent: float = 1.0
    held: tuple[float, ...] = ()

    @property
    def evidence(self) -> float:
        """The mean of what the bets hold, and what is unspent."""
        return self.unspent + sum(self.held) / len(self.held) if self.held else self.unspent

    def after(self, gains: list[float], cap: float, first: float = FIRST) -> "EProcess":
        """The capital after a block; ``gains`` are logarithms, and a block gains ``cap`` at most.

        The cap makes one short burst too little to decide on. Losing gains keeps the process valid.
        ``first`` is the share that is bet from the first block on. Where other bets are made than before,
        what the bets hold is dealt out anew: no capital comes of that.
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
