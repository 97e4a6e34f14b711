"""Which path a request asks, where a lane asks several: by weight, and in the same order on every lane.

What two lanes are compared by must be asked alike, so nothing is left to chance: the n-th request of a lane
asks the n-th path of the sequence, which begins anew at its end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MOST_PATHS = 8
MOST_WEIGHT = 100


@dataclass(frozen=True, slots=True)
class OtherPath:
    """A path that is asked besides the lane's own; its answers name no version, and count by their status.

    `url` is all of its address, `path` how records name it.
    """

    path: str
    url: str
    weight: int = 1


def sequence(weights: Sequence[int]) -> tuple[int, ...]:
    """The places of the weights, each as often as its weight says, and spread as evenly as can be.

    Each turn goes to the place that is furthest behind its share, to the first of several.
    """
    total, behind, turns = sum(weights), [0] * len(weights), list[int]()
    for _ in range(total):
        behind = [owed + weight for owed, weight in zip(behind, weights, strict=True)]
        turns.append(behind.index(max(behind)))
        behind[turns[-1]] -= total
    return tuple(turns)
