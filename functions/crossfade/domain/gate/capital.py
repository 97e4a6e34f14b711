"""An e-process: the capital of somebody who bets against a hypothesis, block after block.

It begins at 1 and is at most 1 on average, at any moment, while the hypothesis holds; so it ever reaches
1/α with probability at most α (Ville), however often it is looked at.
"""

from math import exp
from typing import NamedTuple

FIRST = 0.5
"""The share that is bet from the first block on: for a candidate that was bad from the start."""
LATER = 0.5 / 720
"""The share that each later block adds until all is spent: for one that turns bad; an hour of 5 s blocks."""
MOST = 1e100
"""More is not counted, so that numbers stay finite. It is far beyond every threshold."""


class Capital(NamedTuple):
    """What each bet holds after so many blocks; nothing was bet before the first."""

    blocks: int = 0
    held: tuple[float, ...] = ()

    @property
    def evidence(self) -> float:
        """The mean of what the bets hold, and what was not bet yet."""
        if not self.blocks:
            return 1.0
        return sum(self.held) / len(self.held) + max(0.0, 1 - FIRST - LATER * (self.blocks - 1))

    def after(self, gains: list[float], cap: float) -> "Capital":
        """The capital after a block; ``gains`` are logarithms, and a block gains ``cap`` at most.

        The cap makes one short burst too little to decide on. Losing gains keeps the process valid.
        """
        if not self.blocks:
            return Capital(1, tuple([FIRST * exp(min(gain, cap)) for gain in gains]))
        left = 1 - FIRST - LATER * (self.blocks - 1)
        fresh = min(LATER, left) if left > 0 else 0.0
        held = [
            min((had + fresh) * exp(gain if gain < cap else cap), MOST)
            for had, gain in zip(self.held, gains, strict=True)
        ]
        return Capital(self.blocks + 1, tuple(held))
