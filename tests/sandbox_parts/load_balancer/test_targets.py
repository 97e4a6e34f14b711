"""Health, draining and routing of targets, with the clock as a variable."""

from __future__ import annotations

import random

import pytest
from ministack.services import alb

from sandbox.load_balancer import health
from sandbox.load_balancer.rules import choose_group
from sandbox.load_balancer.targets import Target, TargetTable, table

GROUP = "arn:group"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def targets(elbv2, clock):
    """A table over one group with the targets 10.0.0.1 and 10.0.0.2 and a delay of 30 s."""
    alb._tgs[GROUP] = {"Port": 8080}
    alb._tg_attrs[GROUP] = [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]
    alb._targets[GROUP] = [{"Id": "10.0.0.1"}, {"Id": "10.0.0.2", "Port": 8080}]
    own = TargetTable(clock)
    own.sync(GROUP)
    return own


def leave(targets: TargetTable, ip: str) -> None:
    alb._targets[GROUP] = [target for target in alb._targets[GROUP] if target["Id"] != ip]
    targets.sync(GROUP)


def test_requests_go_round_the_healthy_targets(targets):
    """Round-robin over healthy targets; one that is not healthy gets nothing meanwhile."""
    for target in targets.members(GROUP):
        target.state = "healthy"
    assert {targets.acquire(GROUP).ip for _ in range(2)} == {"10.0.0.1", "10.0.0.2"}
    targets.members(GROUP)[0].state = "unhealthy"
    assert {targets.acquire(GROUP).ip for _ in range(4)} == {"10.0.0.2"}


def test_a_group_without_healthy_targets_fails_open(targets):
    """With none healthy, all registered targets are used."""
    targets.members(GROUP)[0].state = "unhealthy"
    assert {targets.acquire(GROUP).ip for _ in range(4)} == {"10.0.0.1", "10.0.0.2"}


def test_a_target_drains_until_its_last_request(targets):
    """A leaver gets no new request, drains while one is in flight, and is gone right after it."""
    busy = [targets.acquire(GROUP) for _ in range(2)]
    leave(targets, "10.0.0.1")
    assert [target.ip for target in targets.draining(GROUP)] == ["10.0.0.1"]
    assert {targets.acquire(GROUP).ip for _ in range(4)} == {"10.0.0.2"}
    assert not targets.drained("10.0.0.1")
    targets.release(next(target for target in busy if target.ip == "10.0.0.1"))
    assert targets.drained("10.0.0.1")
    assert targets.draining(GROUP) == []


def test_draining_ends_with_the_deregistration_delay(targets, clock):
    """A request that never ends holds a target for the group's delay and no longer."""
    for _ in range(2):
        targets.acquire(GROUP)
    leave(targets, "10.0.0.1")
    clock.now += 29.9
    assert not targets.drained("10.0.0.1")
    clock.now += 0.2
    assert targets.drained("10.0.0.1")


def test_a_registered_target_is_not_drained(targets):
    """A task that is told to stop before it was deregistered waits for that; strangers do not."""
    assert not targets.drained("10.0.0.1")
    assert targets.drained("10.9.9.9")


def test_a_target_that_comes_back_starts_over(targets):
    """Registering a draining target again makes it initial, with its requests still counted."""
    for _ in range(2):
        targets.acquire(GROUP)
    leave(targets, "10.0.0.1")
    alb._targets[GROUP] = [*alb._targets[GROUP], {"Id": "10.0.0.1", "Port": 8080}]
    targets.sync(GROUP)
    back = next(target for target in targets.members(GROUP) if target.ip == "10.0.0.1")
    assert (back.state, back.in_flight) == ("initial", 1)


def test_a_deleted_group_holds_nobody(targets):
    """Deleting a group ends every drain in it."""
    del alb._tgs[GROUP]
    targets.sync_all()
    assert targets.drained("10.0.0.1")
    assert targets.acquire(GROUP) is None


def test_ecs_taking_a_target_out_starts_its_drain(elbv2, groups):
    """`set_targets_for_group`, ECS's way in, is followed at once."""
    alb.set_targets_for_group(groups[0], [("10.0.0.1", 8080), ("10.0.0.2", 8080)])
    assert table.acquire(groups[0]).ip == "10.0.0.1"
    alb.set_targets_for_group(groups[0], [("10.0.0.2", 8080)], ["10.0.0.1", "10.0.0.2"])
    assert [target.ip for target in table.members(groups[0])] == ["10.0.0.2"]
    shown = elbv2("DescribeTargetHealth", TargetGroupArn=groups[0])["TargetHealthDescriptions"]
    assert [each["TargetHealth"].get("Reason") for each in shown] == [
        "Target.NotInUse",
        "Target.DeregistrationInProgress",
    ]


def test_an_unregistered_target_is_said_to_be(elbv2, groups):
    """Asking for the health of a stranger answers unused, Target.NotRegistered."""
    asked = elbv2("DescribeTargetHealth", TargetGroupArn=groups[0], Targets=[{"Id": "10.9.9.9", "Port": 1}])
    assert asked["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"] == "Target.NotRegistered"


def test_the_first_pass_makes_a_new_target_healthy():
    """One pass is enough for a target that is initial, whatever the threshold."""
    target = Target("10.0.0.1", 8080)
    health.passed(target, threshold=5)
    assert target.state == "healthy"


def test_thresholds_count_checks_in_a_row():
    """Later changes take as many checks in a row as the group says; one of the other kind starts again."""
    target = Target("10.0.0.1", 8080, state="healthy")
    wrong = ("Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]")
    health.failed(target, 2, 5, 0, *wrong)
    health.passed(target, 2)
    health.failed(target, 2, 5, 5, *wrong)
    assert target.state == "healthy"
    health.failed(target, 2, 5, 10, *wrong)
    assert ("unhealthy", *wrong) == (target.state, target.reason, target.description)
    health.passed(target, 2)
    assert target.state == "unhealthy"
    health.passed(target, 2)
    assert (target.state, target.reason) == ("healthy", "")


def test_quick_retries_do_not_make_a_new_target_unhealthy_early():
    """Failures of a new target count once per interval."""
    target = Target("10.0.0.1", 8080)
    for now in (0.0, 0.5, 1.0, 4.9):
        health.failed(target, 2, 5, now, "Target.FailedHealthChecks", "Health checks failed")
    assert (target.state, target.reason) == ("initial", "Elb.InitialHealthChecking")
    health.failed(target, 2, 5, 5.0, "Target.FailedHealthChecks", "Health checks failed")
    assert (target.state, target.reason) == ("unhealthy", "Target.FailedHealthChecks")


@pytest.mark.parametrize(
    ("matcher", "codes"),
    [("200", [200]), ("200,202", [200, 202]), ("200-299", [200, 202]), ("302, 200-201", [200, 302])],
)
def test_matchers(matcher, codes):
    """A matcher is a code, a list, or a range."""
    assert codes == [code for code in (200, 202, 302, 503) if health.expected(code, matcher)]


def test_weights_share_out_the_requests():
    """Groups get requests in proportion to their weights, and none at weight 0."""
    weights = [("blue", 90), ("green", 10), ("grey", 0)]
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    chance = random.Random(1)
    chosen = [choose_group(action, chance) for _ in range(2000)]
    assert chosen.count("green") == pytest.approx(200, abs=50)
    assert "grey" not in chosen


def test_all_weights_zero_choose_nobody():
    """An action whose weights are all 0 has no group, which is a 503."""
    groups = [{"TargetGroupArn": "blue", "Weight": 0}]
    assert (
        choose_group({"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}, random.Random(1)) is None
    )
