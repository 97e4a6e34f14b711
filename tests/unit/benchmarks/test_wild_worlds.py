"""The wild worlds do what their names say, and a release meets them as a service on AWS would."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from benchmarks.gate import stages as simulation
from benchmarks.gate.__main__ import publish
from benchmarks.gate.contender import EPOCH, FEED, METRICS
from benchmarks.gate.kept import Kept
from benchmarks.gate.lanes import EACH, ProbeLanes
from benchmarks.gate.more_spells import CHOICES, curve
from benchmarks.gate.report import targets
from benchmarks.gate.stages import (
    OVERHEAD_SECONDS,
    SPREAD_SECONDS,
    STAGES,
    Release,
    Rollout,
    Weights,
    moment,
    stages,
)
from benchmarks.gate.weather import Glitches, Piece, Pieces, Second, Spells, Weather, Wild
from benchmarks.gate.wild import HEALTHY, OFTEN_BOTH, OFTEN_CANDIDATE, REGRESSIONS, WORLDS
from benchmarks.gate.wild_measure import (
    PEERS,
    Cell,
    Choice,
    End,
    Outcome,
    PeerCell,
    commit,
    peers_in,
    read,
    release,
    write,
)
from benchmarks.gate.wild_report import Report
from cli.proposal import STAGES as PROPOSED
from crossfade.domain.gate.blocks.from_ledger import Lanes, ledger_blocks
from crossfade.domain.gate.state import Watch
from crossfade.domain.ledger import Lane, Record, Request
from crossfade.domain.verdict import Climb, Verdict

LONG = 36_000
_HOLD = Verdict(action="hold", reason="")


def _seconds(world: Wild, seconds: int, users_at: float | None = 0.0) -> list[Second]:
    weather = Weather(world, Random(1))
    return [weather.second(at, users_at) for at in range(seconds)]


def _mean(pieces: Pieces, what: Callable[[Piece], float]) -> float:
    return sum(what(piece) * (piece.ended - piece.began) for piece in pieces)


def _failing(seconds: list[Second], side: str) -> float:
    """The share of a side's users' requests that fail over all seconds."""
    return sum(_mean(getattr(second, side), lambda piece: piece.users) for second in seconds) / len(seconds)


@pytest.mark.parametrize("name", [world.name for world in HEALTHY if world.spells])
def test_spells_come_by_one_law_on_both_sides(name: str) -> None:
    """As often and as long as the name says, at moments of their own."""
    world = WORLDS[name]
    assert world.spells
    law = world.spells
    found = _seconds(world, int(200 * law.every))
    share = world.base + law.failing * law.seconds / (law.every + law.seconds)
    assert world.stable_rate == pytest.approx(share, rel=0.01)
    assert _failing(found, "candidate") == pytest.approx(share, rel=0.3)
    assert _failing(found, "stable") == pytest.approx(share, rel=0.3)
    alone = [
        second
        for second in found
        if len(second.candidate) > 1 and len(second.stable) == 1 and second.stable[0].users == world.base
    ]
    both = [second for second in found if len(second.candidate) > 1 and len(second.stable) > 1]
    assert len(alone) > 5 * len(both)


def test_a_spell_is_drawn_in_length() -> None:
    """Some are far longer than the mean."""
    drawn = Spells(60, 1, 1.0).drawn(Random(1))
    lengths = [next(drawn) for _ in range(1000)]
    seconds = [spell.ended - spell.began for spell in lengths]
    assert sum(seconds) / 1000 == pytest.approx(1, rel=0.1)
    assert max(seconds) > 4
    assert all(earlier.ended <= later.began for earlier, later in pairwise(lengths))


def test_a_candidate_with_more_spells() -> None:
    """Three times as often, and no longer."""
    found = _seconds(WORLDS["3 × more spells than stable"], LONG)
    assert _failing(found, "candidate") == pytest.approx(3 * _failing(found, "stable"), rel=0.2)


def test_outages_meet_both_sides_at_once() -> None:
    """To the moment; the probe meets them on both lanes."""
    found = _seconds(WORLDS["outages of both sides, 10 s every 300 s"], LONG)
    assert _failing(found, "candidate") == _failing(found, "stable") == pytest.approx(1 / 31, rel=0.3)
    assert all(second.candidate == second.stable for second in found)


@pytest.mark.parametrize("seconds", [30, 60, 120])
def test_a_cold_candidate_gets_warm(seconds: int) -> None:
    """Three times slower at first, less than 1.2 times from then on; the stable side never is."""
    found = _seconds(WORLDS[f"warm-up, {seconds} s"], 600)
    slowness = [second.candidate[0].slowness for second in found]
    assert slowness[0] == 3
    assert slowness[seconds * 3 // 4] > 1.2
    assert slowness[seconds + 1] <= 1.2
    assert slowness[-1] == 1
    assert {second.stable[0].slowness for second in found} == {1}


@pytest.mark.parametrize(("name", "least", "most"), [
    ("glitch of the preview path, 3.5 s", 3.5, 3.5),
    ("glitch of the preview path, 10 s", 10, 10),
    ("glitches of the preview path, 3 of 2 s", 2, 6),
    ("glitch of the preview path, 0.5 to 10 s", 0.5, 10),
])  # fmt: skip
def test_a_glitch_meets_the_lane_alone(name: str, least: float, most: float) -> None:
    """No user, and not the production lane."""
    found = _seconds(WORLDS[name], 600)
    lost = sum(_mean(second.candidate, lambda piece: piece.lane - piece.asked) for second in found)
    assert 0.99 * least <= lost <= most
    assert _failing(found, "candidate") == pytest.approx(0.001)
    assert _failing(found, "stable") == pytest.approx(0.001)


def test_pauses_are_out_of_phase() -> None:
    """Each side has its own, one every 30 s for 0.4 s, and nothing fails in them."""
    found = _seconds(WORLDS["pauses out of phase, 0.4 s every 30 s"], 3000)
    for side in ("candidate", "stable"):
        paused = sum(_mean(getattr(second, side), lambda piece: piece.slowness > 1) for second in found)
        assert paused == pytest.approx(40, rel=0.02)
    assert not any(len(second.candidate) > 1 and len(second.stable) > 1 for second in found)
    assert _failing(found, "candidate") == pytest.approx(0.001)


def test_a_rate_drifts_on_both_sides() -> None:
    """Up and down between its bounds."""
    found = _seconds(WORLDS["0.01 … 0.41 % fail, drifting"], 600)
    rates = [second.candidate[0].users for second in found]
    assert min(rates) < 0.0005
    assert max(rates) > 0.0035
    assert rates == [second.stable[0].users for second in found]


@pytest.mark.parametrize("world", REGRESSIONS, ids=lambda world: world.name)
def test_a_fault_begins_when_it_is_said_to(world: Wild) -> None:
    """From launch on, with users, or 100 s after them; the probe meets it unless it is for users only."""
    users_at, fault = 50.0, world.fault
    assert fault
    begins = 0 if fault.after is None else users_at + fault.after
    assert begins == (150 if "100 s after" in world.name else 50 if "from users on" in world.name else 0)
    assert fault.probed == ("users only" not in world.name)
    weather = Weather(Wild("", fault=fault), Random(1))
    for at in range(300):
        second = weather.second(at, users_at if at >= users_at else None)
        now = second.candidate[0]
        assert second.bad == (at >= begins)
        assert now.users == pytest.approx(min(0.001 + fault.failing, 1) if second.bad else 0.001)
        assert now.asked == now.lane == (now.users if fault.probed else 0.001)
        assert second.stable[0].users == 0.001
    assert now.slowness == pytest.approx(fault.slowness + fault.leak * (299 - begins), abs=0.05)


def test_the_lanes_are_those_of_the_ledger() -> None:
    """Seconds and records of the same outcomes come to the same runs, blocks and times."""
    world = Wild(
        "", base=0.0, spells=Spells(15, 4, 1.0), candidate_spells=1.5, glitches=Glitches(3, 1, 5, within=100)
    )
    weather, lanes, read_lanes, blocks, read_blocks = Weather(world, Random(2)), _lanes(), Lanes(), [], []
    longest = 0
    for at in range(200):
        second = weather.second(at, 0.0)
        lanes.second(EPOCH + at, second, 0)
        if (at + 1) % 5 == 0:
            blocks.append(lanes.close(EPOCH + at + 1))
        read_ = ledger_blocks(
            read_lanes, _records(at, second), candidate="green", since=moment(EPOCH), right={}, settings=FEED
        )
        read_lanes = read_.lanes
        read_blocks += zip(read_.blocks, read_.production, strict=True)
        for ours, theirs in (
            (lanes.lanes.candidate, read_lanes.candidate),
            (lanes.lanes.stable, read_lanes.stable),
        ):
            assert ours.run.length == theirs.run.length
            assert ours.run.began == pytest.approx(theirs.run.began, abs=0.001)
            assert ours.recent == theirs.recent
            assert ours.failing_at == pytest.approx(theirs.failing_at, abs=0.001)
            longest = max(longest, ours.run.length)
        assert lanes.lanes.dead(FEED, alone=False) == read_lanes.dead(FEED, alone=False)
    assert longest > 3 * EACH
    assert any(block.alone for block, _ in blocks)
    for (block, _), (theirs_, _) in zip(blocks, read_blocks, strict=False):
        assert block.failing == theirs_.failing
        assert block.alone == theirs_.alone


def _lanes() -> ProbeLanes:
    return ProbeLanes(Random(1), FEED)


def _records(at: int, second: Second) -> list[Record]:
    """The ledger of a second in which each request's outcome is certain."""
    found: list[Record] = []
    for tick in range(EACH):
        lanes: list[tuple[Lane, Pieces]] = [("green", second.candidate), ("blue", second.stable)]
        for lane, pieces in lanes:
            piece = next(piece for piece in pieces if at + tick / EACH < piece.ended)
            found.append(
                Request(
                    type="request", lane=lane, n=at * EACH + tick + 1,
                    at=moment(EPOCH + at) + timedelta(seconds=tick / EACH),
                    status=500 if piece.lane == 1 else 200, version="1", ms=20.0, error=None,
                )
            )  # fmt: skip
    return found


def test_weights_reach_clients_late() -> None:
    """Up to 10 s, in both directions, and in their order."""
    delays = set()
    for seed in range(200):
        weights = Weights(Random(seed))
        weights.change(0, 50)
        weights.change(3, 0)
        met = [weights.pass_to(clock) for clock in range(20)]
        assert met[-1] == 0
        assert weights.gone
        delays.add(met.index(50) if 50 in met else None)
    assert delays >= {0, 10}
    assert max(delay for delay in delays if delay is not None) == 10


def test_users_are_harmed_until_no_client_meets_the_candidate() -> None:
    """From the moment at which the first one does."""
    failed = Rollout(WORLDS["all fail, users only"], FEED, "1").run().failed
    found = [Rollout(WORLDS["all fail, users only"], FEED, f"{seed}").run() for seed in range(8)]
    assert failed == Rollout(WORLDS["all fail, users only"], FEED, "1").run().failed
    assert all(not release_.promoted and release_.failed > 10 for release_ in found)


def test_a_dead_candidate_meets_nobody() -> None:
    """It is found before users come, by the run on its lane."""
    found = Rollout(WORLDS["all fail, from launch"], METRICS, "1").run()
    assert (found.failed, found.stages[0].bad, len(found.stages)) == (0, True, 1)
    assert "in a row" in found.stages[0].verdict.reason


def test_a_step_back_takes_the_weight_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stage 0 begins anew, and from there the release goes to where it is sent."""
    climbed = [
        Verdict(action="advance", reason=""),
        Verdict(action="step_back", reason="", cause="dead"),
        Verdict(action="advance", reason="", climb=Climb(stage=1, weight=4)),
        Verdict(action="advance", reason="", climb=Climb(stage=2)),
        Verdict(action="advance", reason=""),
    ]
    found = _scripted(climbed, monkeypatch)
    assert [stage.weight for stage in found.stages] == [0, 10, 0, 4, 50, 100]
    assert found.promoted


def test_no_user_meets_a_candidate_that_stepped_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once clients have the weight of 0: it fails all of 10 requests a second until then."""

    def judge(_: object, *, watch: Watch, now: datetime, **__: object) -> object:
        if watch.stage.weight:
            return (
                _HOLD if now - watch.began < timedelta(seconds=30) else Verdict(action="step_back", reason="")
            )
        if judged and now - watch.began < timedelta(seconds=600):
            return _HOLD
        judged.append(now)
        return (
            Verdict(action="advance", reason="")
            if len(judged) == 1
            else Verdict(action="roll_back", reason="")
        )

    judged: list[datetime] = []
    monkeypatch.setattr(simulation, "verdict_of", judge)
    found = Rollout(WORLDS["all fail, users only"], FEED, "1", stages(0, 10, 50, 100)).run()
    assert [stage.weight for stage in found.stages] == [0, 10, 0]
    assert 200 < found.failed <= 10 * 1.2 * (30 + OVERHEAD_SECONDS + SPREAD_SECONDS)


def _scripted(verdicts: list[Verdict], monkeypatch: pytest.MonkeyPatch) -> Release:
    script = iter([*verdicts, Verdict(action="advance", reason="")])
    monkeypatch.setattr(simulation, "verdict_of", lambda *_, **__: next(script))
    return Rollout(WORLDS["calm, 0.1 % fail"], FEED, "1", stages(0, 10, 50, 100)).run()


def test_an_emergency_goes_to_the_last_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stable slot serves nothing."""
    found = _scripted([Verdict(action="advance", reason="", emergency=True)], monkeypatch)
    assert [stage.weight for stage in found.stages] == [0, 100]


def test_the_rules_of_others_meet_the_same_weather() -> None:
    """They find a candidate that fails for users, an hour's spells or not."""
    found = peers_in(WORLDS["all fail, users only"], seed=1, number=1)
    assert [rolled_back for rolled_back, _ in found] == [True] * 4
    assert all(500 < failed < 6000 for _, failed in found)


def test_figures_are_kept(tmp_path: Path) -> None:
    """With the commit, and as they were."""
    outcomes = [
        release(WORLDS["all fail, from launch"], "feed", seed=1, number=number) for number in range(2)
    ]
    cell = Cell.of([*outcomes, Outcome(None, 300, 1, 0.0, ((0, "proved"), (2, "waited")), 9)])
    assert (cell.rolled_back, cell.promoted_seconds) == (2, 300)
    assert cell.advances == {"0": [1, 3], "2": [1, 1]}
    assert (cell.waited, cell.harmed) == ({"2": 1}, 9)
    path = tmp_path / "before.json"
    assert read(path) == {}
    write({"a": {"feed": cell}}, commit(), 3, 1, path)
    assert read(path) == {"a": {"feed": cell}}


def test_a_run_that_was_cut_short_goes_on(tmp_path: Path) -> None:
    """Parts that are kept are not made again; without a file each run makes its own."""
    made: list[str] = []

    def make() -> int:
        made.append("part")
        return 1

    for path, expected in ((tmp_path / "kept", 2), (None, 4)):
        made.clear()
        for _ in range(2):
            kept = Kept(path)
            for name in ("a", "b"):
                assert kept.part(name, make) == 1
        assert len(made) == expected


def test_only_a_full_run_is_kept(tmp_path: Path) -> None:
    """A short one prints."""
    path = tmp_path / "gate.md"
    publish("short", full=False, path=path)
    assert not path.exists()
    publish("long", full=True, path=path)
    assert path.read_text() == "long\n"


def test_the_default_stages_are_the_proposed_ones() -> None:
    """What ``crossfade adopt`` writes."""
    assert [stage.model_dump(include=set(PROPOSED[0])) for stage in STAGES] == list(PROPOSED)


def test_the_tables_have_the_figures_of_before() -> None:
    """Of each world and source; an advance counts where the candidate is beyond the margin."""
    before = read()
    assert set(before) == set(WORLDS) - {"+5 points, from launch, in spells"}
    name, other = "+1 point, users only", "+5 points, from launch"
    cell = Cell(1, {}, 9, 9, 7.0, 0.0, {"2": [1, 1], "10": [1, 1]})
    peer = {rule: PeerCell(1, 0, 3.0) for rule in PEERS}
    now = {name: {"feed": cell, "metrics": cell}, other: {"feed": cell, "metrics": cell}}
    report = Report(now, before, {name: peer, other: peer})
    lines = report.text
    row = next(line for line in lines if line.startswith(f"| {name} "))
    assert f"{before[name]['feed'].failed:,.1f}" in row
    assert "7.0; 100% missed" in row
    row = next(line for line in lines if line.startswith(f"| {name}, feed"))
    assert [cell.strip() for cell in row.split("|")[2:6]] == ["–", "–", "1 of 1", "–"]
    lines = targets(report.targets)
    row = next(line for line in lines if "feed: found as often" in line)
    assert [cell.strip() for cell in row.split("|")[2:4]] == ["in 0 of 2 worlds", "NO"]
    assert f"| - {other}: found " in lines[lines.index(row) + 1]
    assert f"| - {name}: found " in lines[lines.index(row) + 2]


def test_an_advance_that_only_waited_is_told_from_one_that_was_proved() -> None:
    """Two in three by the proof are too many; a retry is no stage's end."""
    ends: list[End] = [*["proved"] * 40, *["waited"] * 2, *["back"] * 18]
    outcomes = [Outcome("CandidateWorse", 9, 1, 0.0, ((10, end),)) for end in ends]
    now = {"+1 point, users only": {"feed": Cell.of(outcomes), "metrics": Cell.of(outcomes)}}
    rows = {target.what: target for target in Report(now, {}, {}).targets}
    proved = rows["bad, feed: false advances by proof, at most 5%"]
    assert (proved.measured, proved.reached) == ("40 of 60 (+1 point, users only, 10 %)", False)
    waited = rows["bad, feed: advances without users' proof, at most 5%"]
    assert (waited.measured, waited.reached) == ("2 of 60 (+1 point, users only, 10 %)", True)


def test_retries_are_no_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are left out where advances are counted."""
    climbed = [
        Verdict(action="advance", reason=""),
        Verdict(action="step_back", reason="", cause="strike"),
        Verdict(action="advance", reason="", climb=Climb(stage=1, weight=4)),
        Verdict(action="advance", reason="", climb=Climb(stage=4)),
        Verdict(action="advance", reason="x; user evidence insufficient: y"),
    ]
    script = iter([*climbed, Verdict(action="advance", reason="")])
    monkeypatch.setattr(simulation, "verdict_of", lambda *_, **__: next(script))
    found = release(WORLDS["all fail, users only"], "feed", seed=1, number=1)
    assert found.stages == ((0, "proved"), (2, "back"), (0, "proved"), (90, "waited"), (100, "proved"))


@pytest.mark.parametrize("source", ["feed", "metrics"])
def test_clients_are_harmed_until_the_weight_is_taken_away(source: str) -> None:
    """From the first that meets the candidate, by the step back, whatever comes later."""
    found = release(WORLDS["all fail, users only"], source, seed=1, number=2)
    assert found.harmed is not None
    assert 10 < found.harmed < 200
    assert found.harmed < found.seconds
    assert release(WORLDS["all fail, from launch"], source, seed=1, number=2).harmed is None


def test_another_choice_is_another_release() -> None:
    """A candidate with more spells is given up when that was chosen."""
    world = WORLDS[OFTEN_CANDIDATE]
    soon = release(world, "feed", seed=1, number=1, choice=Choice(bar=1.5, give_up_seconds=300))
    assert soon.error == "EvidenceMissing"
    assert 250 < soon.seconds < 400
    table = curve(
        {choice: {name: Cell.of([soon]) for name in (OFTEN_BOTH, OFTEN_CANDIDATE)} for choice in CHOICES}
    )
    assert sum("the default" in line for line in table) == 1
