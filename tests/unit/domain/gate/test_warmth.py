"""Whether the candidate is warm: its latency beside the stable side's, block after block."""

from crossfade.domain.gate.blocks.block import Block, Tally
from crossfade.domain.gate.blocks.latency import bucket
from crossfade.domain.gate.evidence.warmth import Warmth


def _block(number: int, times: float, seconds: int = 5) -> Block:
    ours, theirs = ((bucket(20 * factor), 100) for factor in (times, 1.0))
    return Block(number * seconds, seconds, Tally(100, 0, (ours,)), Tally(100, 0, (theirs,)))


def _after(times: list[float], clump: float = 15) -> Warmth:
    warmth = Warmth()
    for number, factor in enumerate(times):
        warmth = warmth.after(_block(number, factor), clump, launched=0)
    return warmth


def test_as_fast_as_the_stable_side_is_warm() -> None:
    """After twenty seconds of it, at once."""
    assert not _after([1.0] * 3).ready(0, 15, 15)
    warmth = _after([1.0] * 4)
    assert (warmth.warm_at, warmth.late, warmth.ready(0, 15, 20)) == (20, False, True)


def test_one_that_becomes_faster_is_awaited() -> None:
    """Three times slower at first, and as fast as the other after a minute and a half."""
    falling = [3.0 * 0.92**number for number in range(14)]
    assert _after(falling).warm_at == 0
    assert _after([*falling, 1.0, 1.0, 1.0, 1.0]).warm_at


def test_one_that_stays_slow_is_warm_too() -> None:
    """Then bets are made on its slowness, and half a minute passes before users come."""
    warmth = _after([1.5] * 12)
    assert (warmth.warm_at, warmth.late) == (60, True)
    assert not warmth.ready(0, 15, 89)
    assert warmth.ready(0, 15, 90)


def test_nobody_is_awaited_for_ever() -> None:
    """Sixteen spells long at most, whatever is seen, and if nothing is."""
    assert Warmth().ready(0, 15, 240)
    assert not Warmth().ready(0, 15, 239)
    assert _after([9.0 * 0.97**number for number in range(48)]).late


def test_in_a_rehearsal_it_is_seen_sooner() -> None:
    """Its spells are shorter."""
    assert _after([1.0], clump=3).warm_at == 5


def test_bets_on_slowness_pause_while_users_are_served_faster_and_faster() -> None:
    """What is slow then is no fault yet."""
    assert _after([1.5, 1.5, 1.5, 1.2, 1.2, 1.2]).cooling(15, 5)
    assert not _after([1.2, 1.2, 1.2, 1.5, 1.5, 1.5]).cooling(15, 5)
    assert not Warmth().cooling(15, 5)


def test_a_path_is_compared_with_itself() -> None:
    """A slow path of which the candidate's lane was asked more often makes no candidate cold."""
    quick, slow = bucket(10), bucket(200)

    def block(number: int, ours: tuple[int, int], theirs: tuple[int, int]) -> Block:
        candidate, stable = [
            Tally(sum(counts), 0, ((quick, counts[0]),), (((slow, counts[1]),),)) for counts in (ours, theirs)
        ]
        return Block(number * 5, 5, candidate, stable)

    warmth = Warmth()
    for number in range(4):
        warmth = warmth.after(block(number, (40, 60), (80, 20)), 15, launched=0)
    assert (warmth.warm_at, warmth.late, warmth.slower) == (20, False, (0, 0, 0, 0))
    nothing = Block(20, 5, Tally(9, 0, ((quick, 9),)), Tally(9, 0, (), (((slow, 9),),)))
    assert warmth.after(nothing, 15, launched=0).slower == warmth.slower
