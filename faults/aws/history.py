"""A value over time."""

from bisect import bisect_right
from typing import Generic, TypeVar

Value = TypeVar("Value")


class History(Generic[Value]):
    """What a value was, and from when on; moments in seconds."""

    def __init__(self, value: Value) -> None:
        self.moments, self.values = [float("-inf")], [value]

    @property
    def last(self) -> Value:
        """The value as it is now."""
        return self.values[-1]

    def set(self, moment: float, value: Value) -> None:
        """From this moment on it is this."""
        self.moments.append(moment)
        self.values.append(value)

    def at(self, moment: float) -> Value:
        """What it was then."""
        return self.values[bisect_right(self.moments, moment) - 1]
