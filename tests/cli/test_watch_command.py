"""What a person sees of a release: weights, versions, evidence, and what happens next."""

import io
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from cli.account import Account
from cli.clients import Clients, shares, versions_in_words, weights_in_words
from cli.following import BEGINS, WAITS, Sight
from cli.progress import ENDING, PHASES, PHASES_BACK, happens_next, phase, stage
from cli.recorded import Recorded
from cli.view import View
from crossfade.domain.journal import State
from crossfade.domain.planning.plan import Plan
from crossfade.domain.proof.certificate import StageRecord
from crossfade.domain.spec.placed import Route
from faults.aws.names import REGION
from tests.cli.owner import Owner
from tests.statemachine.definitions import states
from tests.unit.examples import START, at, placed, plan, request, requests, waiting

GROUP = "/crossfade/crossfade/ledger"


def sight(state: str, *, taken_back: bool = False, **changes: Any) -> Sight:
    """A deployment of 0.0.2 at weight 10, in a state of the workflow."""
    watched = StageRecord(weight=10, began=at(10), reason="no evidence (1 : 2)")
    values = {"name": "d1", "execution": "arn:d1", "plan": plan(), "stages": (watched,), "launched": at(0)}
    item = Recorded(**values | changes)
    return Sight(START, "arn:d1", state, State(), item, taken_back)


def test_every_state_has_a_phase() -> None:
    """By the definitions: none is named that there is not, and none that takes long is left out."""
    known, back = (
        {name for text in phases.values() for name in text.split()} for phases in (PHASES, PHASES_BACK)
    )
    assert known <= set(states("deploy"))
    assert back <= set(states("rollback"))
    ends = {name for name in states("deploy") if phase(sight(name)) == ENDING}
    assert {"WriteReport", "ReleaseService", "KeepWarm", "Promoted"} <= ends
    assert not ends & {"WatchStage", "RetireStable", "CheckCandidate", "PlanRelease", "StepBack"}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("CheckCandidate", "verified at weight 0; rolled back at 04:01:00 if they are not"),
        ("WatchStage", "not before 04:00:20; without it rolled back at 04:03:10"),
        ("RetireStable", "promoted when production has given 0.0.2 alone for 10 s, 20 s after"),
        ("ShiftTraffic", "the weights are written once it has the tasks"),
        ("RollBack", "all traffic goes back"),
        ("WriteReport", "the report is written"),
        ("StartProbe", "the new version is launched"),
    ],
)
def test_what_happens_next(state: str, said: str) -> None:
    """With the times at which it does."""
    assert said in happens_next(sight(state))


def test_what_happens_next_in_a_rollback() -> None:
    """By the states of the other machine, of which some have the same name."""
    assert phase(sight("RestoreWeights", taken_back=True)) == "rollback: restoring"
    assert "all traffic goes back" in happens_next(sight("RestoreWeights", taken_back=True))
    assert "alone for 10 s the other one is stopped" in happens_next(sight("StartProbe", taken_back=True))
    assert "looks again" in happens_next(sight("WaitLonger", taken_back=True))


def test_what_happens_next_before_the_first_stage_and_after_the_last() -> None:
    """There is no stage to tell of."""
    assert "verified at weight 0, where no client" in happens_next(sight("VerifyCandidate", stages=()))
    last = StageRecord(weight=100, began=at(10))
    assert "the old version is retired when" in happens_next(sight("WatchStage", stages=(last,)))
    ended = last.model_copy(update={"ended": at(20)})
    assert "next stage" in happens_next(sight("WatchStage", stages=(ended,)))


@pytest.mark.parametrize(
    ("record", "shown", "said"),
    [
        (
            StageRecord(weight=0, step_backs=1, began=at(10)),
            "stage 1 of 3, weight 0, after 1 step back",
            "climbs again when the evidence allows it; rolled back at 04:00:40",
        ),
        (
            StageRecord(weight=5, retry=True, step_backs=2, began=at(10)),
            "retry, weight 5, after 2 step backs",
            "back to weight 0 where it does not",
        ),
    ],
)
def test_a_candidate_that_was_stepped_back(record: StageRecord, shown: str, said: str) -> None:
    """It is at weight 0 again, or at a small one, though a higher weight was watched before."""
    now = sight("VerifyCandidate", stages=(StageRecord(weight=10, began=at(0)), record))
    assert stage(now) == shown
    assert said in happens_next(now)


def test_what_happens_next_while_it_waits() -> None:
    """Whom it waits for; and before anything is known of it."""
    state = State(deployment="d0", waiting=waiting())
    waits = Sight(START, "arn:w1", WAITS, state, None)
    assert "when d0 (what is under way) has ended it is deployed" in happens_next(waits)
    assert waits.version == "0.0.3"
    assert "planned" in happens_next(waits._replace(state=BEGINS))


def test_the_share_of_each_version() -> None:
    """Of production's answers in the last five seconds; failures are no version."""
    found = [
        *requests("production", "." * 10, version="0.0.0"),
        *requests("production", "........xx", seconds=20, version="0.0.1", first=11),
        request("green", 1, 21),
    ]
    assert shares(found) == {"0.0.1": 0.8, "failed": 0.2}
    assert shares([]) == {}


# ---- in an account -----------------------------------------------------------------------------------------


@pytest.fixture
def account(owner: Owner) -> Account:
    """The account of a person who watches."""
    return Account(None, REGION, None, "crossfade")


def live_plan(owner: Owner) -> Plan:
    """A plan of the owner's service, whose rule gives the candidate a tenth."""
    groups = {name: owner.target_group(name) for name in ("blue", "green")}
    forward = [
        {"TargetGroupArn": groups["blue"], "Weight": 90},
        {"TargetGroupArn": groups["green"], "Weight": 10},
    ]
    rule = owner.rule("shop.example")
    owner.elbv2.modify_rule(
        RuleArn=rule, Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": forward}}]
    )
    targets = {**groups, "pattern": owner.group}
    return plan(spec=placed(listener=owner.listener, rule=rule, target_groups=targets))


def test_weights_and_versions_that_clients_get(owner: Owner, account: Account) -> None:
    """As the load balancer shows them, and as the probe was answered."""
    made = live_plan(owner)
    clients = Clients(account)
    assert versions_in_words(clients.traffic(made)) == ""
    owner.answers["GetLogEvents"] = {
        "events": [
            {"message": request("production", n, n / 10, version=version).model_dump_json()}
            for n, version in enumerate(["0.0.1", "0.0.1", "0.0.1", "0.0.2"])
        ]
    }
    traffic = Clients(account).traffic(made)
    assert weights_in_words(traffic, made) == "blue 90 (0.0.1), green 10 (0.0.2)"
    assert versions_in_words(traffic) == "0.0.1 75 %, 0.0.2 25 %"


def test_rules_that_differ_are_told(owner: Owner, account: Account) -> None:
    """A shift is under way, or one was changed outside Crossfade."""
    made = live_plan(owner)
    groups = made.spec.target_groups
    (rule,) = owner.elbv2.create_rule(
        ListenerArn=made.spec.listener,
        Priority=99,
        Conditions=[{"Field": "host-header", "Values": ["api.example"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": groups.blue}],
    )["Rules"]
    also = (Route(rule=rule["RuleArn"], listener=made.spec.listener, target_groups=groups),)
    traffic = Clients(account).traffic(
        made.model_copy(update={"spec": made.spec.model_copy(update={"also": also})})
    )
    assert weights_in_words(traffic, made) == ("the rules differ: blue 90, green 10; blue 100, green 0")


def test_a_ledger_is_read_seldom(owner: Owner, account: Account) -> None:
    """A deployment reads it too, and the account's quota is small."""
    made, clients = live_plan(owner), Clients(account)
    owner.answers["GetLogEvents"] = {"events": []}
    for _ in range(3):
        clients.traffic(made)
    asked = [given for _, name, given in owner.calls if name == "GetLogEvents"]
    assert [(one["logGroupName"], one["logStreamName"]) for one in asked] == [(GROUP, "web/d1")]


def test_what_may_not_be_read_is_left_out(owner: Owner, account: Account) -> None:
    """It is no reason to stop watching, and is asked for once."""
    made, clients = live_plan(owner), Clients(account)

    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        said: Any = {"Code": "AccessDenied", "Message": "no"}
        raise ClientError({"Error": said}, "DescribeRules")

    owner.answers |= {"DescribeRules": refuse, "GetLogEvents": refuse}
    owner.calls.clear()
    for _ in range(2):
        traffic = clients.traffic(made)
        assert weights_in_words(traffic, made) == "these credentials may not read the rule"
        clients._read_at = float("-inf")
    asked = [name for _, name, _ in owner.calls if name != "DescribeStacks"]
    assert sorted(asked) == ["DescribeRules", "GetLogEvents"]


def test_a_picture_in_a_terminal(owner: Owner, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Release, stage, weights, versions, evidence and what happens next, each in its row."""
    made = live_plan(owner)
    owner.answers["GetLogEvents"] = {"events": [{"message": request("production", 1).model_dump_json()}]}
    screen = io.StringIO()
    monkeypatch.setattr("cli.view.sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr(
        "cli.view.Console", lambda **_: Console(file=screen, force_terminal=True, width=100, highlight=False)
    )
    with View(account, "web", "0.0.2", out=True) as view:
        view.show(sight("WatchStage", plan=made))
        view.say("to stay")
    text = screen.getvalue()
    for row in (
        "web 0.0.1 → 0.0.2", "watching, stage 2 of 3, weight 10", "blue 90 (0.0.1), green 10 (0.0.2)",
        "0.0.2 100 %", "no evidence (1 : 2)", "weight 100 when the evidence suffices", "to stay",
    ):  # fmt: skip
        assert row in text
