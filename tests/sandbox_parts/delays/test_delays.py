"""What is late in the sandbox: repeatable, bounded, and never seen in the wrong order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbox.delays import LONGEST_STALE, PACES, Delay, Delays, Past, Stale, reader
from tests.sandbox_parts.delays.conftest import Clock

EVERY_FIRST = {"SANDBOX_STALE_READS": "first"}


def drawn(seed: str, subjects: list[str]) -> dict[str, list[float]]:
    """What a sandbox with this seed draws when it is asked in this order."""
    delays, found = Delays({"SANDBOX_SEED": seed}), {}
    for subject in subjects:
        found.setdefault(subject, []).append(delays.seconds(Delay.ECS_READ, subject))
    return found


def test_the_documentation_has_these_figures():
    """The table of docs/sandbox.md, row by row in the order of the delays."""
    page = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text()
    table = page.partition("## As late as AWS")[2].partition("## What differs")[0]
    rows = [line.split("|")[2:5] for line in table.splitlines() if re.match(r"\| [^w-]", line)]
    told = [[cell.strip() for cell in row] for row in rows]
    bounds = {60.0: "60 s", 300.0: "5 min"}

    assert [row[:2] for row in told] == [
        [f"{low:g}–{high:g} s" for low, high in (PACES[pace][delay] for pace in ("rehearsal", "aws"))]
        for delay in Delay
    ]
    assert {delay: row[2] for delay, row in zip(Delay, told, strict=True) if delay in LONGEST_STALE} == {
        delay: bounds[seconds] for delay, seconds in LONGEST_STALE.items()
    }


def test_a_seed_repeats_a_run():
    """The order in which subjects come does not matter; another seed gives other delays."""
    assert drawn("7", ["a", "b", "a", "a"]) == drawn("7", ["a", "a", "b", "a"])
    assert drawn("7", ["a"]) != drawn("8", ["a"])


def test_each_draw_is_a_new_one():
    """The second write of a thing is not as late as the first one was."""
    assert len(set(drawn("7", ["a"] * 5)["a"])) == 5


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("delay", Delay)
def test_delays_keep_to_their_range(pace: str, delay: Delay):
    """At both paces, and none of them is ever 0."""
    shortest, longest = PACES[pace][delay]
    found = [Delays({"SANDBOX_PACE": pace}).seconds(delay, str(number)) for number in range(50)]

    assert 0 < shortest <= min(found) <= max(found) <= longest <= LONGEST_STALE.get(delay, 60.0)


@pytest.mark.parametrize("name", ["SANDBOX_PACE", "SANDBOX_STALE_READS"])
def test_a_setting_that_does_not_exist(name: str):
    """It is refused, and the message names those that do."""
    with pytest.raises(ValueError, match=f"{name} is 'never': one of"):
        Delays({name: "never"})


def test_a_write_is_seen_after_its_delay(clock: Clock):
    """Until then there is what was before, to whoever looks."""
    past = Past(Delay.RULE_READ, Delays({}), clock)
    past.wrote("rule", {"weight": 10}, "rule")
    at_once = past.shown("rule")
    clock.now += PACES["rehearsal"][Delay.RULE_READ][1]

    assert at_once == Stale({"weight": 10})
    assert past.shown("rule") is None


def test_what_did_not_exist(clock: Clock):
    """Nothing is a value as well: what was just made is missing."""
    past = Past(Delay.ECS_READ, Delays({}), clock)
    past.wrote("service", None, "service")

    assert past.shown("service") == Stale(None)
    assert past.shown("another") is None


def test_writes_are_seen_in_their_order(clock: Clock):
    """Never the second one before the first one, whatever is drawn for them."""
    for seed in range(20):
        past = Past(Delay.CLIENTS, Delays({"SANDBOX_SEED": str(seed)}), clock)
        past.wrote("rule", 0, "rule")
        clock.now += 0.5
        past.wrote("rule", 1, "rule")
        seen = []
        for _ in range(60):
            stale = past.shown("rule")
            seen.append(stale.value if stale else 2)
            clock.now += 0.1

        assert seen == sorted(seen)
        assert set(seen) == {0, 1, 2} or set(seen) == {0, 2}


def test_a_late_first_read_is_current(clock: Clock):
    """Ordinarily a delay is over when it is over, for those too who have not looked yet."""
    past = Past(Delay.ECS_READ, Delays({}), clock)
    past.wrote("service", 0, "service")
    clock.now += 10

    assert past.shown("service", "role") is None


def test_every_first_read_is_stale(clock: Clock, as_role: str):
    """With the switch: each role's first one after each write, its second one not."""
    past = Past(Delay.ECS_READ, Delays(EVERY_FIRST), clock)
    past.wrote("service", 0, "service")
    clock.now += 10
    first = [past.shown("service", role) for role in ("a", "a", "b", "b")]
    past.wrote("service", 1, "service")
    clock.now += 10

    assert first == [Stale(0), None, Stale(0), None]
    assert [past.shown("service", role) for role in ("a", "a", "c", "c")] == [Stale(1), None, Stale(1), None]


def test_a_read_at_once_is_the_first_one(clock: Clock, as_role: str):
    """Whoever was shown what was before during the delay is not shown it again after it."""
    past = Past(Delay.ECS_READ, Delays(EVERY_FIRST), clock)
    past.wrote("service", 0, "service")
    at_once = past.shown("service", "a")
    clock.now += 10

    assert (at_once, past.shown("service", "a")) == (Stale(0), None)


def test_no_read_is_stale_for_ever(clock: Clock, as_role: str):
    """A first read after AWS's own bound is current."""
    past = Past(Delay.ECS_READ, Delays(EVERY_FIRST), clock)
    past.wrote("service", 0, "service")
    clock.now += LONGEST_STALE[Delay.ECS_READ]

    assert past.shown("service", "a") is None


def test_what_the_owner_wrote_is_seen_in_time(clock: Clock):
    """Nobody deploys in the moment in which he sets something up by hand."""
    past = Past(Delay.SCALING_READ, Delays(EVERY_FIRST), clock)
    past.wrote("target", None, "target")
    at_once = past.shown("target", "a")
    clock.now += 10

    assert (at_once, past.shown("target", "b")) == (Stale(None), None)


def test_the_account_itself_sees_what_is(clock: Clock):
    """Tests, the demo and people at a shell are the account's own user."""
    past = Past(Delay.ECS_READ, Delays({}), clock)
    past.wrote("service", 0, "service")

    assert reader() is None
    assert past.read("service") is None


def test_a_role_does_not(clock: Clock, as_role: str):
    """Functions and tasks are roles."""
    past = Past(Delay.ECS_READ, Delays({}), clock)
    past.wrote("service", 0, "service")

    assert reader() == as_role
    assert past.read("service") == Stale(0)
