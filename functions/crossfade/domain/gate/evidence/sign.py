"""Who has more spells of failures: bets on the side on which the next one begins.

Each side is as likely as the other while both have spells as often, whatever a spell looks like, so no bet
gains on average.
"""

from typing import NamedTuple

STAKES = (0.25, 0.5, 0.75)
"""The shares of its money that a bet puts on the candidate: one bet each."""


class Sign(NamedTuple):
    """What each bet has made of 1."""

    held: tuple[float, ...] = (1.0,) * len(STAKES)

    @property
    def evidence(self) -> float:
        """The mean of all bets."""
        return sum(self.held) / len(self.held)

    def after(self, *, candidate: bool, stable: bool) -> "Sign":
        """With spells that begin in a block: on the candidate's side, the stable one, both, or none."""
        if candidate == stable:
            return self
        sign = 1 if candidate else -1
        return Sign(tuple([held * (1 + sign * stake) for held, stake in zip(self.held, STAKES, strict=True)]))
