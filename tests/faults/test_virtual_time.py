"""The clock, and the threads that take turns."""

import pytest

from faults.workflow.clock import Clock, NeverSettles, Strand


class Worker(Strand):
    """Notes the time, sleeps, and notes it again."""

    def __init__(self, clock: Clock, name: str, seconds: list[float], notes: list[tuple[str, float]]) -> None:
        super().__init__(clock)
        self._name, self._seconds, self._notes = name, seconds, notes

    def work(self) -> None:
        """Note, sleep, note."""
        for seconds in self._seconds:
            self._notes.append((self._name, self._clock.now))
            self.sleep(seconds)
        self._notes.append((self._name, self._clock.now))


def test_events_happen_in_the_order_of_their_moments() -> None:
    """At one moment in the order in which they were asked for."""
    clock, seen = Clock(), list[str]()
    for seconds, name in ((2, "c"), (1, "a"), (1, "b")):
        clock.after(seconds, seen.append, name)
    clock.after(1.5, seen.append, "x").cancel()
    clock.run()
    assert (seen, clock.now) == (["a", "b", "c"], 2)


def test_what_is_in_the_background_keeps_nothing_running() -> None:
    """It happens as long as something else is awaited."""
    clock, seen = Clock(), list[str]()
    clock.after(1, seen.append, "soon", background=True)
    clock.after(9, seen.append, "late", background=True)
    clock.after(2, seen.append, "awaited")
    clock.run()
    assert (seen, clock.now) == (["soon", "awaited"], 2)
    clock.run_for(10)
    assert (seen[-1], clock.now) == ("late", 12)


def test_strands_take_turns_while_they_sleep() -> None:
    """Each goes on when its time has come, whoever else is at work."""
    clock, notes = Clock(), list[tuple[str, float]]()
    Worker(clock, "a", [1, 3], notes)
    Worker(clock, "b", [2, 1], notes)
    clock.run()
    assert notes == [("a", 0), ("b", 0), ("a", 1), ("b", 2), ("b", 3), ("a", 4)]


def test_what_breaks_in_a_strand_breaks_the_run() -> None:
    """Else it would go unseen."""
    clock = Clock()
    Worker(clock, "a", ["x"], [])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        clock.run()


def test_a_run_without_an_end_is_broken_off() -> None:
    """A watchdog that starts itself over and over is found."""
    clock = Clock()

    def again() -> None:
        clock.after(3600, again)

    again()
    with pytest.raises(NeverSettles):
        clock.run()
