"""The stages: watch until there is a verdict, shift by compare and set, retire what clients left."""

from collections.abc import Callable
from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.domain import errors
from crossfade.domain.ledger import Record, Unanswered
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.proof.certificate import StageRecord
from crossfade.domain.rollout.drain import DrainProgress
from crossfade.domain.traffic.weights import RULE_SECONDS, Weights
from crossfade.watching.gate import Watching
from crossfade.watching.ledger_tail import PAUSE_SECONDS
from tests.unit.account import Account, nameless_of, rule_of, weights_of
from tests.unit.examples import (
    FIRST_TRY,
    OLD,
    ROLLBACKS,
    at,
    both_lanes,
    candidate,
    every_lane,
    lane_event,
    opened,
    request,
    requests,
    waiting,
    warm_spec,
)
from tests.unit.handlers.conftest import Aws, Clock, Invoke, Logged, looked

MINE = f"{ROLLBACKS}:mine"
BLUE, SOME, GREEN = (Weights.share("green", weight) for weight in (0, 10, 100))


@pytest.fixture
def held(account: Account, journal: Journal, aws: Aws, probe: str, blue_live: None) -> HeldPlan:
    """Return a deployment into green that holds the service; 0.0.1 is live in blue, and a probe runs."""
    plan = account.plan()
    journal.holding.claim(plan)
    journal.history.probing(plan.hold, probe)
    return plan


def _watch(
    account: Account, invoke: Invoke, plan: HeldPlan, /, *, stage: int = 0, **given: Any
) -> dict[str, Any]:
    """Watch the stage at weight 0, in which no users are asked for, with what earlier watches handed on."""
    return invoke(
        "watch_stage",
        plan=plan,
        probe=account.item("deployment#d1")["probe"],
        stage=stage,
        began=at(0),
        deadline=at(60),
        candidate_since=at(0),
        watching=given.get("watching", "{}"),
    )


def _found(answer: dict[str, Any]) -> Watching:
    return Watching.model_validate_json(answer["watching"])


def _numbers(answer: dict[str, Any]) -> tuple[int, int, int]:
    """How far each lane was read: green, blue, production."""
    lanes = _found(answer).gate.lanes
    return lanes.candidate.number, lanes.stable.number, lanes.production.number


def test_a_good_stage_advances(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan
) -> None:
    """And stands in the journal, with the reason."""
    account.write_ledger(held.ledger, *every_lane("." * 150))
    clock.seconds = 15
    answer = _watch(account, invoke, held)
    assert answer["verdict"] == {
        "action": "advance",
        "reason": "candidate (green) fails 0 of 149, stable (blue) 0 of 149",
        "emergency": False,
        "error": None,
        "cause": None,
        "climb": None,
    }
    (stage,) = journal.history.of("web", "d1").stages
    assert (stage.weight, stage.began, stage.ended, stage.verdict) == (0, at(0), at(15), "advance")
    assert stage.reason == answer["verdict"]["reason"]


def test_the_evidence_of_each_watch_stands_in_the_journal(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan
) -> None:
    """Over time, for the report: the second watch goes on where the first one ended."""
    account.write_ledger(held.ledger, *every_lane("." * 50))
    clock.seconds = 5
    first = _watch(account, invoke, held)
    assert first["verdict"]["action"] == "hold"
    before = journal.history.of("web", "d1").course
    account.write_ledger(held.ledger, *every_lane("x" * 80, "." * 80, seconds=20, first=51))
    clock.seconds = 28
    second = _watch(account, invoke, held, watching=first["watching"])
    assert second["verdict"]["action"] == "roll_back"
    course = journal.history.of("web", "d1").course
    assert course.points[: len(before.points)] == before.points
    assert course.points[-1].at == at(28).timestamp()
    assert course.points[-1].evidence > before.points[-1].evidence
    assert course == _found(second).course


def test_a_stage_holds_until_the_candidate_can_carry_the_next_weight(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """The live slot has grown: the candidate is asked for as many tasks, and watched until they are there."""
    account.resize("blue", 40)
    account.write_ledger(held.ledger, *every_lane("." * 350))
    clock.seconds = 15
    verdict = _watch(account, invoke, held)["verdict"]
    assert account.desired("green") == 40
    assert (verdict["action"], verdict["reason"], clock.seconds) == (
        "hold",
        "candidate (green) fails 0 of 349, stable (blue) 0 of 349; held back: "
        "green has 2 healthy targets of 40 tasks and needs 4 for weight 10",
        looked(35),
    )
    clock.meanwhile = [lambda: account.register_targets("green", "10.0.0.12", "10.0.0.13")]
    assert _watch(account, invoke, held)["verdict"]["action"] == "advance"


def test_at_its_deadline_a_stage_holds_nobody_back(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """The shift then says by name what is missing."""
    account.resize("blue", 40)
    account.write_ledger(held.ledger, *every_lane("." * 600))
    clock.seconds = 60
    assert _watch(account, invoke, held)["verdict"]["action"] == "advance"


def test_a_candidate_grows_within_its_bounds(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """Also while a stage is held for another reason; its rollout stays the same."""
    account.scale("green")
    account.resize("blue", 40)
    rollout = account.rollout("green")
    assert _watch(account, invoke, held)["verdict"]["action"] == "hold"
    assert (account.desired("green"), account.rollout("green")) == (8, rollout)


def test_a_candidate_is_never_shrunk(account: Account, invoke: Invoke, clock: Clock, held: HeldPlan) -> None:
    """It has grown by its own load, or the live slot was shrunk by its owner."""
    account.resize("green", 5)
    _watch(account, invoke, held)
    assert account.desired("green") == 5


def test_a_watch_returns_as_soon_as_it_has_a_verdict(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan
) -> None:
    """It looks several times a second; the journal keeps when it was judged."""
    clock.meanwhile = [
        lambda: account.write_ledger(held.ledger, *every_lane("." * 10)),
        lambda: account.write_ledger(held.ledger, *every_lane("x" * 31, first=11)),
    ]
    verdict = _watch(account, invoke, held)["verdict"]
    assert (verdict["action"], verdict["error"], clock.seconds) == (
        "roll_back",
        "CandidateWorse",
        2 * PAUSE_SECONDS,
    )
    assert verdict["reason"] == (
        "candidate (green) failed the last 31 requests in a row, for 3.0 s, while stable (blue) answers; "
        "31 of 41: HTTP 500, expected 200. The application failed: read its log"
    )
    assert journal.history.of("web", "d1").judged == at(2 * PAUSE_SECONDS)
    assert journal.history.of("web", "d1").refused == 0


def test_a_watch_ends_without_a_verdict(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan
) -> None:
    """After some seconds, so that the state machine takes its turn; the stage is still open."""
    answer = _watch(account, invoke, held)
    assert (answer["verdict"]["action"], answer["probe_died"], clock.seconds) == ("hold", False, looked(20))
    assert journal.history.of("web", "d1").stages[0].ended is None


def test_a_request_that_becomes_visible_late_is_not_lost(
    account: Account, invoke: Invoke, aws: Aws, held: HeldPlan
) -> None:
    """GetLogEvents' token leads past it; the gap in the numbers tells that it is still to come."""
    account.write_ledger(held.ledger, *every_lane("." * 49 + "x" + "." * 200, "." * 250))
    readings = iter(range(9))

    def hide(answer: dict[str, Any]) -> dict[str, Any]:
        if next(readings, 9) < 3:
            answer["events"] = [event for event in answer["events"] if '"status":500' not in event["message"]]
        return answer

    aws.edit("GetLogEvents", hide)
    state = _found(_watch(account, invoke, held)).gate
    assert state.probe.proof.counts.x_c == 1


def test_a_watch_reads_on_from_the_last_one(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """Two watches see what one would have seen: their evidence is the same to the last digit."""
    account.write_ledger(held.ledger, *every_lane("." * 90))
    first = _watch(account, invoke, held)
    assert (first["verdict"]["action"], _numbers(first)) == ("hold", (90, 90, 90))
    account.write_ledger(held.ledger, *every_lane("." * 60, first=91))
    second = _watch(account, invoke, held, **first)
    whole = _watch(account, invoke, held)
    assert (_found(second).gate, second["verdict"]) == (_found(whole).gate, whole["verdict"])
    assert (second["verdict"]["action"], _numbers(second)) == ("advance", (150, 150, 150))


def _answers(plan: HeldPlan, version: str, count: int = 150) -> list[Record]:
    """Every lane answers, the candidate's with this version."""
    green = requests("green", "." * count, version=version)
    others = [requests(lane, "." * count, version="0.0.1") for lane in ("blue", "production")]
    return sorted([*green, *others[0], *others[1]], key=lambda record: record.at)


@pytest.fixture
def tagged(account: Account, journal: Journal, aws: Aws, probe: str, blue_live: None) -> HeldPlan:
    """Return a deployment of an image that came as 2, while CI gives it more tags; its spec deploys all."""
    wanted = account.spec.release.model_copy(update={"push_tags": "^[0-9]+([.][0-9]+)*$"})
    spec = account.spec.model_copy(update={"release": wanted})
    plan = account.plan(release=account.release("2")).model_copy(update={"spec": spec})
    journal.holding.claim(plan)
    journal.history.probing(plan.hold, probe)
    return plan


def test_a_candidate_may_answer_another_tag_of_its_image(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, tagged: HeldPlan
) -> None:
    """The tag came when the deployment had begun. From then on this is the version, in the journal too."""
    account.tag(tagged.release.digest, "2.0.1")
    account.write_ledger(tagged.ledger, *_answers(tagged, "2.0.1"))
    clock.seconds = 15
    answer = _watch(account, invoke, tagged)
    assert (answer["verdict"]["action"], answer["verdict"]["reason"]) == (
        "advance",
        "candidate (green) fails 0 of 149, stable (blue) 0 of 149",
    )
    assert answer["plan"]["release"] == tagged.release.model_dump(mode="json") | {"version": "2.0.1"}
    known = HeldPlan.model_validate(answer["plan"])
    assert journal.history.of("web", "d1").plan.held_by(known.hold) == known
    assert journal.state("web").candidate == candidate(
        digest=tagged.release.digest, version="2.0.1"
    ).model_copy(update={"pattern": tagged.release.pattern, "settings": tagged.release.settings})


def test_a_tag_that_ecr_does_not_show_yet_is_looked_for_again(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, tagged: HeldPlan
) -> None:
    """It was pushed a moment ago; until it is found nothing is judged."""
    account.tag(tagged.release.digest, "2.0.1")
    shown = iter((["2"], ["2"], ["2", "2.0.1"]))

    def hide(answer: dict[str, Any]) -> dict[str, Any]:
        answer["imageDetails"][0]["imageTags"] = next(shown)
        return answer

    aws.edit("DescribeImages", hide)
    account.write_ledger(tagged.ledger, *_answers(tagged, "2.0.1"))
    clock.seconds = 15
    assert _watch(account, invoke, tagged)["verdict"]["action"] == "advance"
    assert next(shown, None) is None


@pytest.mark.parametrize(
    ("tag", "answered"),
    [
        pytest.param("2.0.1", "2.0.2", id="no-tag-of-its-image"),
        pytest.param("nightly", "nightly", id="a-tag-that-push-tags-does-not-match"),
    ],
)
def test_any_other_version_is_wrong(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, tagged: HeldPlan, tag: str, answered: str
) -> None:
    """ECR is asked a few times, and never again once that was judged."""
    account.tag(tagged.release.digest, tag)
    asked = 0

    def count(answer: dict[str, Any]) -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return answer

    aws.edit("DescribeImages", count)
    account.write_ledger(tagged.ledger, *_answers(tagged, answered, 20))
    first = _watch(account, invoke, tagged)
    account.write_ledger(tagged.ledger, *requests("green", "." * 20, version=answered, first=21))
    verdict = _watch(account, invoke, tagged, **first)["verdict"]
    assert (verdict["action"], verdict["error"]) == ("roll_back", "CandidateWorse")
    assert f'version "{answered}", expected "2"' in verdict["reason"]
    assert asked == 3


def test_once_clients_are_sent_to_it_another_version_is_wrong(
    account: Account, invoke: Invoke, aws: Aws, tagged: HeldPlan
) -> None:
    """What it answers as was found before; no look at ECR keeps a verdict waiting then."""
    account.tag(tagged.release.digest, "2.0.1")
    aws.refuse("DescribeImages", "NotAsked")
    account.write_ledger(tagged.ledger, *_answers(tagged, "2.0.1", 40))
    assert _watch(account, invoke, tagged, stage=1)["verdict"]["cause"] == "dead"


def test_a_watch_that_runs_again_says_the_same(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan
) -> None:
    """Its first answer may have been lost on its way to the state machine."""
    account.write_ledger(held.ledger, *every_lane("." * 90))
    before = _watch(account, invoke, held)
    account.write_ledger(held.ledger, *every_lane("x" * 60, first=91))
    clock.seconds = 15
    first, second = (_watch(account, invoke, held, **before) for _ in range(2))
    assert first == second
    assert first["verdict"]["action"] == "roll_back"
    assert len(journal.history.of("web", "d1").stages) == 1


def test_what_came_before_the_candidate_was_healthy_is_not_judged(
    account: Account, invoke: Invoke, held: HeldPlan
) -> None:
    """Its lane begins with the first answer, and a task that starts may fail a few more."""
    account.write_ledger(held.ledger, *every_lane("x" * 50, seconds=-5.1))
    answer = _watch(account, invoke, held)
    assert (answer["verdict"]["action"], _numbers(answer)) == ("hold", (50, 50, 50))


def test_the_answer_is_logged_without_the_evidence(
    account: Account, invoke: Invoke, held: HeldPlan, logged: Logged
) -> None:
    """It is of no use to a reader, and long."""
    answer = _watch(account, invoke, held)
    (line,) = logged()
    assert line["answer"] == {
        name: answer[name] for name in ("verdict", "next_stage", "next_weight", "probe_died")
    }


def test_a_silent_stage_is_rolled_back_at_its_deadline(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan
) -> None:
    """Silence is not success; the journal keeps when that was judged."""
    clock.seconds = 59.5
    answer = _watch(account, invoke, held)
    assert answer["verdict"]["error"] == "EvidenceMissing"
    assert journal.history.of("web", "d1").judged == at(59.5 + looked(0.5))


def test_the_place_in_the_ledger_is_kept(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """For a rollback that nobody hands it to."""
    account.write_ledger(held.ledger, *every_lane("..."))
    answer = _watch(account, invoke, held)
    assert journal.history.of("web", "d1").cursor == _found(answer).cursor is not None


def test_a_probe_that_died_ends_the_watch(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, probe: str, held: HeldPlan
) -> None:
    """After some seconds of silence: there is no point in waiting for what nobody writes."""
    account.write_ledger(held.ledger, *every_lane("." * 20))
    clock.meanwhile = [lambda: account.kill(probe)]
    answer = _watch(account, invoke, held)
    assert (answer["verdict"]["action"], answer["probe_died"], clock.seconds) == ("hold", True, looked(6))
    assert _numbers(answer) == (20, 20, 20)
    assert journal.history.of("web", "d1").cursor == _found(answer).cursor


def test_silence_counts_from_the_last_word(
    account: Account, invoke: Invoke, clock: Clock, probe: str, held: HeldPlan
) -> None:
    """A probe that dies while it is listened to is found out as soon."""
    clock.meanwhile = [
        lambda: None,
        lambda: account.write_ledger(held.ledger, request("green", 1, 1)),
        lambda: account.kill(probe),
    ]
    assert _watch(account, invoke, held)["probe_died"] is True
    assert clock.seconds == 2 * PAUSE_SECONDS + looked(6)


def test_a_verdict_needs_no_probe_any_more(
    account: Account, invoke: Invoke, clock: Clock, probe: str, held: HeldPlan
) -> None:
    """What the ledger holds was seen, whoever has died since."""
    account.write_ledger(held.ledger, *every_lane("." * 150))
    account.kill(probe)
    clock.seconds = 15
    answer = _watch(account, invoke, held)
    assert (answer["verdict"]["action"], answer["probe_died"]) == ("advance", False)


def test_the_next_probe_is_read_on_from_there(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, probe: str, held: HeldPlan
) -> None:
    """Both write to the same ledger: what the first one has seen counts, and the second counts from 1."""
    account.write_ledger(held.ledger, opened(0), *every_lane("." * 90))
    account.kill(probe)
    first = _watch(account, invoke, held)
    assert (first["verdict"]["action"], first["probe_died"]) == ("hold", True)
    task = invoke("start_probe", plan=held, attempt=2)["task"]
    account.write_ledger(held.ledger, opened(12), *every_lane("." * 60, seconds=12))
    clock.seconds = 19
    second = _watch(account, invoke, held, **first)
    assert (second["verdict"]["action"], _numbers(second)) == ("advance", (60, 60, 60))
    assert second["verdict"]["reason"] == "candidate (green) fails 0 of 119, stable (blue) 0 of 119"
    assert journal.history.of("web", "d1").probe == task != probe


def _stable_gone(count: int) -> list[Record]:
    """The candidate answers so often, and nobody is in the stable slot to be asked."""
    values: dict[str, Any] = {"status": 503, "version": None, "error": None, "note": "by the load balancer"}
    unanswered = [
        Unanswered(type="unanswered", lane="blue", at=at(n), asked=n + 1, **values)
        for n in range(0, count // 10, 5)
    ]
    records: list[Record] = [*requests("green", "." * count), *unanswered]
    return [lane_event("paused", lane="blue"), *sorted(records, key=lambda record: record.at)]


@pytest.mark.parametrize("stage", [0, 1], ids=["once-verified", "at-once"])
def test_adr_13_where_stable_serves_nothing_the_last_stage_is_next(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan, stage: int
) -> None:
    """It is the watch that says which stage follows."""
    account.write_ledger(held.ledger, *_stable_gone(250))
    clock.seconds = 25
    answer = _watch(account, invoke, held, stage=stage)
    assert answer["verdict"] == {
        "action": "advance",
        "reason": "stable serves nothing: candidate judged by itself (stable (blue) has no target left); "
        "candidate (green) fails 0 of 249",
        "emergency": True,
        "error": None,
        "cause": None,
        "climb": None,
    }
    assert answer["next_stage"] == len(held.stages) - 1


def test_where_stable_serves_nothing_the_tasks_that_there_are_must_do(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """It is asked for the others, and gets the traffic meanwhile; it is not promoted without them."""
    account.resize("blue", 4)
    account.write_ledger(held.ledger, *_stable_gone(450))
    clock.seconds = 25
    assert _watch(account, invoke, held)["verdict"]["action"] == "advance"
    assert account.desired("green") == 4
    last = len(held.stages) - 1
    assert _shift(invoke, held, stage=last)["status"] == "waiting"
    assert _shift(invoke, held, stage=last, emergency=True)["status"] == "shifted"


def test_an_ordinary_stage_leads_to_the_next_one(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """Whatever there is after that."""
    account.write_ledger(held.ledger, *every_lane("." * 150))
    clock.seconds = 15
    assert _watch(account, invoke, held)["next_stage"] == 1


def test_a_newer_release_that_need_not_wait_ends_the_watch(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan
) -> None:
    """It came in the middle of a look; one that is only queued waits for the end."""
    clock.meanwhile = [
        lambda: account.waits(waiting()),
        lambda: account.waits(waiting(supersede=True)),
    ]
    with pytest.raises(errors.Superseded, match=r"0\.0\.3 was asked for"):
        _watch(account, invoke, held)
    assert clock.seconds == 2 * PAUSE_SECONDS


def test_a_rollback_that_takes_over_ends_the_watch(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan
) -> None:
    """In the middle of a look; no verdict is written over what the rollback writes."""
    account.write_ledger(held.ledger, *requests("green", "."))
    clock.meanwhile = [lambda: None, lambda: journal.holding.take_over(held.hold, MINE, FIRST_TRY)]
    with pytest.raises(errors.ServiceLost):
        _watch(account, invoke, held)
    assert clock.seconds == 2 * PAUSE_SECONDS
    assert journal.history.of("web", "d1").stages == ()


def _shift(
    invoke: Invoke,
    plan: HeldPlan,
    stage: int = 1,
    deadline: float = 60,
    written: str | None = None,
    **given: Any,
) -> dict[str, Any]:
    event = {"stage": stage, "deadline": at(deadline), "written": written}
    return invoke("shift_traffic", plan=plan, **event | given)


def test_a_shift_sets_the_stages_weights(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, held: HeldPlan
) -> None:
    """Live, in the journal, and in the deployment's history."""
    clock.seconds = 5
    assert _shift(invoke, held) == {
        "status": "shifted",
        "reason": "blue 90, green 10",
        "written": None,
        "began": iso(at(5)),
        "shown": iso(at(5)),
        "deadline": iso(at(185)),
    }
    assert weights_of(Traffic(account.elbv2, account.spec)) == SOME
    assert (journal.state("web").weights, journal.state("web").intended) == (SOME, None)
    assert [stage.weight for stage in journal.history.of("web", "d1").stages] == [10]


def test_a_shift_keeps_how_far_the_ledger_was_read(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """A rollback that nobody hands it to reads on from there."""
    account.write_ledger(held.ledger, *every_lane("..."))
    watched = _watch(account, invoke, held)
    _shift(invoke, held)
    assert journal.history.of("web", "d1").cursor == _found(watched).cursor is not None


def test_shifting_twice_is_shifting_once(account: Account, invoke: Invoke, held: HeldPlan) -> None:
    """Absolute weights, never steps."""
    _shift(invoke, held)
    _shift(invoke, held)
    assert weights_of(Traffic(account.elbv2, account.spec)) == SOME


def test_a_first_release_gets_the_traffic_of_an_empty_group(
    account: Account, invoke: Invoke, journal: Journal
) -> None:
    """The rule leads to the pattern's group until then."""
    account.run("blue", account.spec.pattern.task_definition)
    account.register_targets("blue", "10.0.0.10", "10.0.0.11")
    plan = account.first_plan(stages=(account.spec.stages[0], account.spec.stages[-1]))
    journal.holding.claim(plan)
    assert _shift(invoke, plan)["status"] == "shifted"
    assert weights_of(Traffic(account.elbv2, plan.spec)) == BLUE


def test_a_shift_that_was_cut_off_goes_on(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """Written to the load balancer and not yet to the journal is no foreign change."""
    journal.live.intend(held.hold, SOME)
    Traffic(account.elbv2, account.spec).write(SOME)
    assert _shift(invoke, held)["status"] == "shifted"


def test_weights_that_somebody_else_set_are_left_alone(
    account: Account, invoke: Invoke, held: HeldPlan
) -> None:
    """Compare and set: the comparison fails."""
    foreign = Weights(blue=70, green=30)
    Traffic(account.elbv2, account.spec).write(foreign)
    with pytest.raises(errors.ForeignChange, match="found blue 70, green 30"):
        _shift(invoke, held)
    assert weights_of(Traffic(account.elbv2, account.spec)) == foreign


def test_a_rule_that_somebody_deleted_is_not_made_again(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """Whoever took the service off the air had a reason."""
    account.delete_rule()
    clock.seconds = RULE_SECONDS
    with pytest.raises(errors.ForeignChange, match="found no rule"):
        _shift(invoke, held, deadline=RULE_SECONDS + 60)
    assert rule_of(Traffic(account.elbv2, account.spec)) is None


def test_a_new_rule_that_is_not_shown_yet_is_waited_for(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal
) -> None:
    """It was made with the service's stack, and the image was pushed a moment later."""
    plan = account.first_plan()
    journal.holding.claim(plan)
    account.register_targets("blue", "10.0.0.10", "10.0.0.11")
    account.run("blue", account.spec.pattern.task_definition)
    account.delete_rule()
    with pytest.raises(errors.NotYetVisible, match="does not show the production rule"):
        _shift(invoke, plan)
    clock.seconds = RULE_SECONDS
    with pytest.raises(errors.ForeignChange, match="found no rule"):
        _shift(invoke, plan, deadline=RULE_SECONDS + 60)


class Killed(Exception):
    """What ends a handler from outside."""


def _dies(answer: dict[str, Any]) -> dict[str, Any]:
    """Let the handler die after a call has had its effect."""
    raise Killed


def _meanwhile(*happens: Callable[[], object]) -> Any:
    """Let things happen after a call has had its effect, and before the handler goes on."""

    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        for each in happens:
            each()
        return answer

    return edit


def test_a_shift_that_comes_too_late_is_taken_back_by_the_second_round(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, held: HeldPlan
) -> None:
    """The rollback has put the weights back already; what was intended is no foreign change."""
    mine = held.held_by(held.hold._replace(holder=MINE))
    aws.edit(
        "ModifyRule",
        _meanwhile(
            lambda: journal.holding.take_over(held.hold, MINE, FIRST_TRY),
            lambda: journal.live.reinstate(mine, "blue", at(9)),
        ),
    )
    with pytest.raises(errors.ServiceLost):
        _shift(invoke, held)
    assert weights_of(Traffic(account.elbv2, account.spec)) == SOME
    aws.edit("ModifyRule", lambda answer: answer)
    assert (
        invoke(
            "restore_weights", plan=mine, deadline=at(300), tasks_deadline=at(120), rounds=1, written=None
        )["status"]
        == "moved"
    )
    assert weights_of(Traffic(account.elbv2, account.spec)) == BLUE


def test_a_first_shift_that_comes_too_late_is_taken_back_by_the_second_round(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal
) -> None:
    """The rule leads to the pattern's group again."""
    account.run("blue", account.spec.pattern.task_definition)
    account.register_targets("blue", "10.0.0.10", "10.0.0.11")
    plan = account.first_plan(stages=(account.spec.stages[0], account.spec.stages[-1]))
    journal.holding.claim(plan)
    mine = plan.held_by(plan.hold._replace(holder=MINE))
    aws.edit(
        "ModifyRule",
        _meanwhile(
            lambda: journal.holding.take_over(plan.hold, MINE, FIRST_TRY),
            lambda: journal.live.reinstate(mine, None, at(9)),
        ),
    )
    with pytest.raises(errors.ServiceLost):
        _shift(invoke, plan)
    aws.edit("ModifyRule", lambda answer: answer)
    assert (
        invoke(
            "restore_weights", plan=mine, deadline=at(300), tasks_deadline=at(120), rounds=1, written=None
        )["status"]
        == "moved"
    )
    assert weights_of(Traffic(account.elbv2, plan.spec)) == GREEN


def test_a_rollback_at_work_takes_back_what_was_intended(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, held: HeldPlan
) -> None:
    """It was written down before the write, so it is known."""
    _shift(invoke, held)
    aws.edit("ModifyRule", _meanwhile(lambda: journal.holding.take_over(held.hold, MINE, FIRST_TRY)))
    with pytest.raises(errors.ServiceLost):
        _shift(invoke, held, stage=2)
    assert weights_of(Traffic(account.elbv2, account.spec)) == GREEN
    assert (journal.state("web").weights, journal.state("web").intended) == (SOME, GREEN)


def test_adr_03_a_rollback_that_takes_over_between_look_and_write_stops_the_write(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, held: HeldPlan
) -> None:
    """The shift has seen that it holds the service; when it writes, a rollback does."""
    aws.edit("DescribeRules", _meanwhile(lambda: journal.holding.take_over(held.hold, MINE, FIRST_TRY)))
    with pytest.raises(errors.ServiceLost):
        _shift(invoke, held)
    assert weights_of(Traffic(account.elbv2, account.spec)) == BLUE


def test_adr_04_a_shift_that_dies_after_its_write_knows_its_own_weights(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, held: HeldPlan
) -> None:
    """The intent was written before the weights: the next try takes them for nobody else's change."""
    aws.edit("ModifyRule", _dies)
    with pytest.raises(Killed):
        _shift(invoke, held)
    state = journal.state("web")
    assert (weights_of(Traffic(account.elbv2, account.spec)), state.weights, state.intended) == (
        SOME,
        BLUE,
        SOME,
    )
    aws.edit("ModifyRule", lambda answer: answer)
    assert _shift(invoke, held)["status"] == "shifted"


def test_a_deployment_that_lost_the_service_shifts_nothing(
    account: Account, invoke: Invoke, journal: Journal, held: HeldPlan
) -> None:
    """A rollback has taken it over."""
    journal.holding.take_over(held.hold, MINE, FIRST_TRY)
    with pytest.raises(errors.ServiceLost):
        _shift(invoke, held)
    assert weights_of(Traffic(account.elbv2, account.spec)) == BLUE


def _rules(account: Account) -> dict[str, Any]:
    """What the load balancer tells of its rules now."""
    return dict(account.elbv2.describe_rules(ListenerArn=account.spec.listener))


def test_weights_that_do_not_show_yet_are_waited_for(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, journal: Journal, held: HeldPlan
) -> None:
    """For 15 s at a time, without writing again; the stage began before the write, its time is from now."""
    aws.go_on_answering("DescribeRules", _rules(account), after="ModifyRule")
    first = _shift(invoke, held)
    assert (first["status"], first["written"], clock.seconds) == ("waiting", iso(at(0)), 15)
    assert "does not show the new weights (blue 90, green 10) yet" in first["reason"]
    # Clients may meet the candidate from here on, also where a rollback comes before the weights show.
    assert journal.history.of("web", "d1").stages == (StageRecord(weight=10, began=at(0)),)
    aws.refuse("ModifyRule", "TooManyWrites")
    clock.seconds = 100
    second = _shift(invoke, held, written=first["written"])
    assert (second["status"], second["written"]) == ("waiting", first["written"])
    aws.allow("DescribeRules")
    clock.seconds = 200
    third = _shift(invoke, held, written=first["written"])
    assert (third["status"], third["began"]) == ("shifted", iso(at(0)))
    assert third["deadline"] == iso(at(380))
    assert weights_of(Traffic(account.elbv2, account.spec)) == SOME


def test_weights_that_never_show_are_somebody_elses(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, held: HeldPlan
) -> None:
    """After five minutes."""
    aws.go_on_answering("DescribeRules", _rules(account), after="ModifyRule")
    written = _shift(invoke, held)["written"]
    clock.seconds = 280
    assert _shift(invoke, held, written=written)["status"] == "waiting"
    clock.seconds = 300
    with pytest.raises(errors.ForeignChange, match="found blue 100, green 0"):
        _shift(invoke, held, written=written)


def test_weights_that_somebody_sets_just_after_the_write_are_seen_at_once(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, held: HeldPlan
) -> None:
    """Values that Crossfade never wrote are nothing to wait for."""
    foreign = Weights(blue=70, green=30)
    aws.edit("ModifyRule", _meanwhile(lambda: Traffic(account.elbv2, account.spec).write(foreign)))
    with pytest.raises(errors.ForeignChange, match="found blue 70, green 30"):
        _shift(invoke, held)
    assert clock.seconds == 0


def test_a_shift_goes_on_from_a_rule_that_is_read_as_before_the_last_one(
    account: Account, invoke: Invoke, aws: Aws, held: HeldPlan
) -> None:
    """The weights are absolute, and those that it reads are its own."""
    before = _rules(account)
    _shift(invoke, held)
    aws.answer("DescribeRules", before)
    aws.edit("ModifyRule", _meanwhile(lambda: aws.allow("DescribeRules")))
    assert _shift(invoke, held, stage=2)["status"] == "shifted"
    assert weights_of(Traffic(account.elbv2, account.spec)) == GREEN


def test_too_few_targets_are_waited_for_and_then_given_up(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """The weights stay as they are."""
    account.deregister_targets("green", "10.0.0.10", "10.0.0.11")
    assert _shift(invoke, held)["status"] == "waiting"
    clock.seconds = 60
    with pytest.raises(errors.TargetsBelowFloor, match="green has 0 healthy targets"):
        _shift(invoke, held)
    assert weights_of(Traffic(account.elbv2, account.spec)) == BLUE


def test_a_candidate_that_has_clients_and_no_target_is_not_waited_for(
    account: Account, invoke: Invoke, held: HeldPlan
) -> None:
    """Nobody would answer them meanwhile."""
    assert _shift(invoke, held)["status"] == "shifted"
    account.deregister_targets("green", "10.0.0.10", "10.0.0.11")
    with pytest.raises(errors.TargetsBelowFloor, match="green has 0 healthy targets"):
        _shift(invoke, held, stage=2)


def test_a_newer_release_does_not_wait_for_targets(account: Account, invoke: Invoke, held: HeldPlan) -> None:
    """Where it may take this one's place."""
    account.deregister_targets("green", "10.0.0.10", "10.0.0.11")
    account.waits(waiting(supersede=True))
    with pytest.raises(errors.Superseded):
        _shift(invoke, held)


def test_a_stable_slot_without_targets_is_left_at_once(
    account: Account, invoke: Invoke, held: HeldPlan
) -> None:
    """Each percent that leaves it is served again; the stage that begins says what comes of the rest."""
    account.deregister_targets("blue", "10.0.0.10", "10.0.0.11")
    assert _shift(invoke, held)["status"] == "shifted"
    assert weights_of(Traffic(account.elbv2, account.spec)) == SOME


def test_a_shift_counts_what_the_live_slot_is_wanted_to_have(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """It has grown since the launch: the candidate is asked for as many, and its share is waited for."""
    account.resize("blue", 4)
    assert _shift(invoke, held, stage=2) == {
        "status": "waiting",
        "reason": "green has 2 healthy targets of 4 tasks and needs 4 for weight 100",
        "written": None,
        "began": None,
        "shown": None,
        "deadline": None,
    }
    assert account.desired("green") == 4
    account.register_targets("green", "10.0.0.12", "10.0.0.13")
    assert _shift(invoke, held, stage=2)["status"] == "shifted"


def test_a_live_slot_that_grows_is_no_reason_to_wait(
    account: Account, invoke: Invoke, clock: Clock, held: HeldPlan
) -> None:
    """Its new tasks still start, and the shift takes load away from it."""
    account.resize("blue", 4)
    assert _shift(invoke, held)["status"] == "shifted"


@pytest.fixture
def shifted(account: Account, journal: Journal, held: HeldPlan) -> HeldPlan:
    """Return a deployment that has shifted all traffic."""
    Traffic(account.elbv2, account.spec).write(GREEN)
    journal.live.wrote(held, GREEN, at(0))
    return held


def _clients(account: Account, plan: HeldPlan, *records: Record, seconds: int = 20) -> None:
    """Write what clients met, while both slots' lanes are well for so many seconds."""
    found = sorted([*records, *both_lanes("." * 10 * seconds)], key=lambda record: record.at)
    account.write_ledger(plan.ledger, *found)


def _retire(account: Account, invoke: Invoke, plan: HeldPlan, **given: Any) -> dict[str, Any]:
    """Retire blue, with what an earlier look has handed on."""
    probe = given.get("probe") or account.item("deployment#d1").get("probe", "task")
    return invoke(
        "retire_stable",
        plan=plan,
        shifted=at(0),
        candidate_since=at(0),
        probe=probe,
        watching=given.get("watching", "{}"),
    )


def _stopped(left: int) -> Any:
    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        answer["service"]["runningCount"] = left
        return answer

    return edit


def test_blue_stays_until_clients_have_left_it(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, shifted: HeldPlan
) -> None:
    """The way back stays open that long."""
    _clients(account, shifted, request("production", 1, 5, version="0.0.1"))
    assert _retire(account, invoke, shifted)["verdict"]["action"] == "hold"
    assert journal.history.of("web", "d1").promoted is None
    assert account.desired("blue") == 2


def test_what_clients_got_in_the_last_stage_counts(
    account: Account, invoke: Invoke, clock: Clock, shifted: HeldPlan
) -> None:
    """Nothing of it is read again, and blue need not wait for another quiet time."""
    _clients(account, shifted, *[request("production", n, n) for n in range(1, 21)])
    clock.seconds = 20
    first = _watch(account, invoke, shifted, stage=len(shifted.stages) - 1)
    second = _retire(account, invoke, shifted, watching=first["watching"])
    assert (first["verdict"]["action"], second["verdict"]["reason"]) == ("advance", "only 0.0.2 for 10 s")


def test_what_clients_got_before_the_last_stage_does_not_count(
    account: Account, invoke: Invoke, held: HeldPlan
) -> None:
    """Both versions answer there, as they should."""
    account.write_ledger(held.ledger, *every_lane("." * 50))
    assert _found(_watch(account, invoke, held)).quiet == DrainProgress()


@pytest.mark.parametrize("late", [False, True], ids=["before-the-look", "in-the-middle-of-it"])
def test_blue_stays_where_somebody_asks_for_what_it_runs(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, shifted: HeldPlan, late: bool
) -> None:
    """Clients have left it, and the next thing would be its stop."""

    def ask() -> None:
        account.waits(waiting("0.0.1", OLD, supersede=True))

    _clients(account, shifted, *[request("production", n, n) for n in range(1, 21)])
    account.live_is("0.0.1", OLD)
    clock.meanwhile = [ask] if late else []
    if not late:
        ask()
    with pytest.raises(errors.Superseded, match=r"0\.0\.1, which is live, was asked for"):
        _retire(account, invoke, shifted)
    assert journal.history.of("web", "d1").promoted is None
    assert account.desired("blue") == 2


def test_blue_is_stopped_and_seen_gone(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, journal: Journal, shifted: HeldPlan
) -> None:
    """First the promotion is written, then the slot is stopped."""
    _clients(account, shifted, *[request("production", n, n) for n in range(1, 21)])
    aws.edit("UpdateService", _stopped(1))
    first = _retire(account, invoke, shifted)
    assert first["verdict"]["action"] == "hold"
    assert (first["verdict"]["reason"], clock.seconds) == (
        "only 0.0.2 for 10 s; 1 tasks of the old slot run",
        looked(20),
    )
    assert account.desired("blue") == 0
    aws.edit("UpdateService", _stopped(0))
    assert _retire(account, invoke, shifted, **first)["verdict"]["action"] == "advance"
    assert journal.history.of("web", "d1").promoted == at(looked(20))


def test_adr_05_promoted_is_written_before_the_old_slot_is_stopped(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, journal: Journal, shifted: HeldPlan
) -> None:
    """A handler that dies at the stop leaves a promotion, from which no rollback goes back by weights."""
    _clients(account, shifted, *[request("production", n, n) for n in range(1, 21)])
    clock.seconds = 20
    aws.fail("UpdateService", Killed())
    with pytest.raises(Killed):
        _retire(account, invoke, shifted)
    assert journal.history.of("web", "d1").promoted == at(20)


def test_adr_05_the_old_slot_runs_on_while_promoted_cannot_be_written(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, journal: Journal, shifted: HeldPlan
) -> None:
    """A rollback would go back to it."""
    _clients(account, shifted, *[request("production", n, n) for n in range(1, 21)])
    clock.seconds = 20
    journal.history.wanted(shifted.hold, 2)  # else this would be the first thing to be written
    aws.refuse("TransactWriteItems", "ThrottlingException")
    with pytest.raises(errors.AwsUnavailable):
        _retire(account, invoke, shifted)
    assert (account.desired("blue"), journal.history.of("web", "d1").promoted) == (2, None)


def test_blue_stays_until_the_candidate_has_as_many_targets(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, shifted: HeldPlan
) -> None:
    """Somebody has asked for more of blue at the last moment: the candidate follows before it goes."""
    _clients(account, shifted, *[request("production", n, n) for n in range(1, 21)])
    account.resize("blue", 3)
    clock.seconds = 20
    first = _retire(account, invoke, shifted)
    assert first["verdict"] == {
        "action": "hold",
        "reason": "only 0.0.2 for 10 s; held back: "
        "green has 2 healthy targets of 3 tasks and needs 3 for weight 100",
        "emergency": False,
        "error": None,
        "cause": None,
        "climb": None,
    }
    assert (account.desired("blue"), account.desired("green")) == (3, 3)
    assert journal.history.of("web", "d1").promoted is None
    account.register_targets("green", "10.0.0.12")
    assert _retire(account, invoke, shifted, **first)["verdict"]["action"] == "advance"
    assert (account.desired("blue"), account.desired("green")) == (0, 3)


def test_a_candidate_that_stays_too_small_is_taken_back(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, shifted: HeldPlan
) -> None:
    """Blue is still there to go back to."""
    _clients(account, shifted, *[request("production", n, n) for n in range(1, 120)], seconds=120)
    account.deregister_targets("green", "10.0.0.11")
    clock.seconds = 120
    verdict = _retire(account, invoke, shifted)["verdict"]
    assert (verdict["action"], verdict["error"]) == ("roll_back", "TargetsBelowFloor")
    assert verdict["reason"] == (
        "120 s after the last shift: green has 1 healthy targets of 2 tasks and needs 2 for weight 100. "
        "Look at that slot's tasks."
    )
    assert journal.history.of("web", "d1").judged == at(120)
    assert account.desired("blue") == 2


def test_an_owner_who_shrinks_the_old_slot_lets_no_release_through_short(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, shifted: HeldPlan
) -> None:
    """It has no clients left, and the new one has one of its two tasks: what was wanted at most counts."""
    _clients(account, shifted, *[request("production", n, n) for n in range(1, 120)], seconds=120)
    journal.history.wanted(shifted.hold, 2)
    account.resize("blue", 1)
    account.deregister_targets("green", "10.0.0.11")
    clock.seconds = 120
    verdict = _retire(account, invoke, shifted)["verdict"]
    assert (verdict["action"], verdict["error"]) == ("roll_back", "TargetsBelowFloor")
    assert "1 healthy targets of 2 tasks and needs 2" in verdict["reason"]


def test_an_old_slot_may_be_kept_warm(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, shifted: HeldPlan
) -> None:
    """It is promoted as any other; nobody waits for tasks that are to run on."""
    spec = account.spec.model_copy(update={"retire": warm_spec().retire})
    plan = shifted.model_copy(update={"spec": spec})
    _clients(account, shifted, *[request("production", n, n) for n in range(1, 21)])
    clock.seconds = 20
    answer = _retire(account, invoke, plan)
    assert answer["verdict"] == {
        "action": "advance",
        "reason": "only 0.0.2 for 10 s",
        "emergency": False,
        "error": None,
        "cause": None,
        "climb": None,
    }
    assert journal.history.of("web", "d1").promoted == at(20)
    warm = journal.state("web").warm
    assert warm is not None
    assert (warm.slot, warm.execution, warm.until) == ("blue", plan.execution, at(620))
    assert account.desired("blue") == 2


def test_a_probe_that_dies_while_clients_leave(
    account: Account, invoke: Invoke, clock: Clock, probe: str, shifted: HeldPlan
) -> None:
    """Nobody has seen what they got since: the quiet time starts anew with the next probe."""
    _clients(account, shifted, opened(0), *[request("production", n, n) for n in range(1, 9)])
    clock.meanwhile = [lambda: account.kill(probe)]
    first = _retire(account, invoke, shifted)
    assert (first["verdict"]["action"], first["probe_died"], clock.seconds) == ("hold", True, looked(6))
    task = invoke("start_probe", plan=shifted, attempt=2)["task"]
    found = [*[request("production", n, 12 + n) for n in range(1, 10)], *both_lanes("." * 130, seconds=12)]
    account.write_ledger(shifted.ledger, opened(12), *sorted(found, key=lambda record: record.at))
    clock.seconds = 25
    second = _retire(account, invoke, shifted, **first | {"probe": task})
    assert second["verdict"]["action"] == "hold"
    later = both_lanes("." * 210, seconds=25, first=131)
    found = [*[request("production", n, 12 + n) for n in range(10, 34)], *later]
    account.write_ledger(shifted.ledger, *sorted(found, key=lambda record: record.at))
    third = _retire(account, invoke, shifted, **second | {"probe": task})
    assert third["verdict"]["reason"].startswith("only 0.0.2 for 10 s")


def test_where_answers_name_no_version_blue_has_its_drain_time(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, shifted: HeldPlan
) -> None:
    """Its certificate says so. What was promoted was not seen to answer with its version."""
    plan = shifted.model_copy(update={"spec": nameless_of(account.spec)})
    lanes = [request(lane, n, n / 10, version=None) for lane in ("blue", "green") for n in range(1, 241)]
    clients = [request("production", n, n, version=None) for n in range(1, 25)]
    account.write_ledger(plan.ledger, *sorted([*lanes, *clients], key=lambda record: record.at))
    early = _retire(account, invoke, plan)
    assert clock.seconds >= 20
    assert early["verdict"]["reason"].startswith("20 s since the load balancer showed the weights")
    assert early["verdict"]["action"] == "advance"
    assert not journal.state("web").verified


def test_a_task_that_does_not_end_is_not_waited_for_for_ever(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, shifted: HeldPlan
) -> None:
    """ECS finishes what it has begun."""
    _clients(account, shifted, *[request("production", n, n) for n in range(1, 241)], seconds=240)
    aws.edit("UpdateService", _stopped(1))
    clock.seconds = 240
    assert _retire(account, invoke, shifted)["verdict"]["action"] == "advance"


def test_an_old_version_that_does_not_go_is_a_failure(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, shifted: HeldPlan
) -> None:
    """Blue keeps running."""
    _clients(
        account, shifted, *[request("production", n, n, version="0.0.1") for n in range(1, 120)], seconds=120
    )
    clock.seconds = 120
    verdict = _retire(account, invoke, shifted)["verdict"]
    assert (verdict["action"], verdict["error"]) == ("roll_back", "OldVersionStillSeen")
    assert verdict["reason"].startswith(
        "120 s after the last shift: production has not answered with 0.0.2 only for 10 s; "
        '1 s ago it answered version "0.0.1".'
    )
    assert account.desired("blue") == 2


def test_a_candidate_that_turns_bad_while_clients_leave_blue(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, shifted: HeldPlan
) -> None:
    """The gate watches on: blue is still there to go back to, and nobody waits for a deadline."""
    _clients(account, shifted, *[request("production", n, n) for n in range(1, 16)], seconds=15)
    clock.meanwhile = [
        lambda: account.write_ledger(shifted.ledger, *both_lanes("x" * 40, "." * 40, seconds=15, first=151))
    ]
    clock.seconds = 19
    verdict = _retire(account, invoke, shifted)["verdict"]
    assert (verdict["action"], verdict["cause"]) == ("step_back", "dead")
    assert clock.seconds == 19 + PAUSE_SECONDS
    assert account.desired("blue") == 2


def test_an_alarm_is_heeded_until_blue_is_retired(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, shifted: HeldPlan
) -> None:
    """Clients leave it, and one that is raised meanwhile steps back: they are to meet it again."""
    account.alarm("errors", "ALARM")

    def since(answer: dict[str, Any]) -> dict[str, Any]:
        answer["MetricAlarms"][0]["StateTransitionedTimestamp"] = at(10)
        return answer

    aws.edit("DescribeAlarms", since)
    plan = shifted.model_copy(update={"spec": shifted.spec.model_copy(update={"alarms": ("errors",)})})
    _clients(account, plan, *[request("production", n, n) for n in range(1, 21)])
    clock.seconds = 20
    verdict = _retire(account, invoke, plan)["verdict"]
    assert (verdict["action"], verdict["cause"]) == ("step_back", "alarm")
    assert account.desired("blue") == 2


def test_a_candidate_under_suspicion_does_not_retire_blue(
    account: Account, invoke: Invoke, clock: Clock, shifted: HeldPlan
) -> None:
    """Clients left blue long ago, and the evidence to go on is missing: blue stays until the deadline."""
    account.write_ledger(shifted.ledger, *[request("production", n, n) for n in range(1, 110)])
    clock.seconds = 90
    assert _retire(account, invoke, shifted)["verdict"] == {
        "action": "hold",
        "reason": "probe evidence missing: no answer from candidate (green) and stable (blue) for 110 s",
        "emergency": False,
        "error": None,
        "cause": None,
        "climb": None,
    }
    clock.seconds = 120
    verdict = _retire(account, invoke, shifted)["verdict"]
    assert (verdict["action"], verdict["error"]) == ("roll_back", "EvidenceMissing")
    assert verdict["reason"].startswith("after 120 s at weight 100: probe evidence missing")


def test_what_was_promoted_is_judged_no_more(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, shifted: HeldPlan
) -> None:
    """There is no way back by weights: the old tasks are waited for, whatever the candidate does."""
    _clients(account, shifted, *[request("production", n, n) for n in range(1, 21)])
    clock.seconds = 20
    aws.edit("UpdateService", _stopped(1))
    first = _retire(account, invoke, shifted)
    account.write_ledger(shifted.ledger, *both_lanes("x" * 150, seconds=20, first=151))
    clock.seconds = 40
    aws.edit("UpdateService", _stopped(0))
    assert _retire(account, invoke, shifted, **first)["verdict"]["action"] == "advance"


def test_a_slot_with_traffic_is_not_retired(
    account: Account, invoke: Invoke, clock: Clock, shifted: HeldPlan
) -> None:
    """Somebody moved the traffic back meanwhile."""
    _clients(account, shifted, *[request("production", n, n) for n in range(1, 21)])
    Traffic(account.elbv2, account.spec).write(SOME)
    clock.seconds = 20
    with pytest.raises(errors.SlotHasTraffic):
        _retire(account, invoke, shifted)
    assert account.desired("blue") == 2


def test_weights_that_do_not_show_yet_hold_and_what_was_seen_is_kept(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, shifted: HeldPlan
) -> None:
    """The load balancer answers as before the last write: no look begins at an old place of the ledger."""
    _clients(account, shifted, *[request("production", n, n) for n in range(1, 21)])
    journal.live.wrote(shifted, SOME, at(-1))
    journal.live.wrote(shifted, GREEN, at(0))
    Traffic(account.elbv2, account.spec).write(SOME)
    clock.seconds = 20
    first = _retire(account, invoke, shifted)
    assert first["verdict"]["action"] == "hold"
    assert "Crossfade looks again" in first["verdict"]["reason"]
    assert _found(first).cursor
    assert account.desired("blue") == 2
    Traffic(account.elbv2, account.spec).write(GREEN)
    assert _retire(account, invoke, shifted, **first)["verdict"]["action"] == "advance"


def test_a_deployment_that_lost_the_service_retires_nothing(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, shifted: HeldPlan
) -> None:
    """A rollback is on its way to blue."""
    _clients(account, shifted, *[request("production", n, n) for n in range(1, 21)])
    journal.holding.take_over(shifted.hold, MINE, FIRST_TRY)
    clock.seconds = 20
    with pytest.raises(errors.ServiceLost):
        _retire(account, invoke, shifted)
    assert account.desired("blue") == 2


def test_a_promotion_needs_news(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, shifted: HeldPlan
) -> None:
    """Clients left blue, and the probe fell silent before the drain time was over: the old way stays open."""
    _clients(account, shifted, *[request("production", n, n / 2) for n in range(1, 25)], seconds=12)
    clock.seconds = 24
    answer = _retire(account, invoke, shifted)
    assert answer["verdict"]["action"] == "hold"
    assert answer["verdict"]["reason"].startswith(
        "probe evidence missing: no answer from candidate (green), stable (blue) and production for "
    )
    assert journal.history.of("web", "d1").promoted is None
    assert account.desired("blue") == 2


@pytest.fixture
def first(account: Account, journal: Journal, probe: str) -> HeldPlan:
    """Return a first release that has all the traffic."""
    plan = account.first_plan()
    journal.holding.claim(plan)
    journal.history.probing(plan.hold, probe)
    return plan


def _all_well(account: Account, plan: HeldPlan, *lanes: str) -> None:
    """20 s of good answers on some lanes."""
    found = [record for lane in lanes for record in requests(lane, "." * 200)]
    account.write_ledger(plan.ledger, *sorted(found, key=lambda record: record.at))


def test_a_first_release_is_promoted_when_it_is_what_clients_get(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, first: HeldPlan
) -> None:
    """There is nothing to retire, and from here on nothing to take back."""
    _all_well(account, first, "blue", "production")
    clock.seconds = 20
    assert _retire(account, invoke, first)["verdict"]["action"] == "advance"
    assert journal.history.of("web", "d1").promoted == at(20)


def test_a_first_release_that_no_client_can_get_is_not(
    account: Account, invoke: Invoke, clock: Clock, journal: Journal, first: HeldPlan
) -> None:
    """Its own lane answers well, and production does not at all."""
    _all_well(account, first, "blue")
    clock.seconds = 20
    answer = _retire(account, invoke, first)
    assert answer["verdict"]["action"] == "hold"
    assert answer["verdict"]["reason"].startswith(
        "probe evidence missing: no answer from candidate (blue) and production"
    )
    assert journal.history.of("web", "d1").promoted is None
