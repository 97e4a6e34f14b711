"""The simulated service is prepared as the product prepares one, and its owner's service is a pattern."""

from typing import Any

import pytest

from crossfade.aws.patterns import Patterns
from crossfade.domain.spec.service import read_spec
from faults.aws import pattern
from faults.aws.images import Image
from faults.cases.scenarios import OF_OWNER, SCENARIOS, SPEC, TWO_OF_OWNER, TWO_RULES, before
from faults.cases.service import document, found
from faults.world import SECRET, World
from tests.faults.direct import Direct, preparation


@pytest.mark.parametrize(
    "changes",
    [{}, OF_OWNER, TWO_RULES, TWO_OF_OWNER],
    ids=["own-rule", "of-its-owner", "two-own-rules", "two-of-its-owner"],
)
@pytest.mark.parametrize("runs", [None, Image("0.0.1")], ids=["new", "runs"])
def test_nothing_is_missing(changes: dict[str, Any], runs: Image | None) -> None:
    """What the product would make is what is there: target groups, rules, tags, the secret."""
    world = World(document(**SPEC | changes), runs)
    spec = read_spec("web", world.parameters.values[world.spec_name])
    assert preparation(world).missing(spec) == []


def test_a_rule_that_is_gone_is_missing() -> None:
    """The test above can fail."""
    world = World(document())
    (rule,) = [rule for _, rule in world.balancer.listed() if rule["Priority"] == "3"]
    world.balancer.delete_rule(RuleArn=rule["RuleArn"])
    spec = read_spec("web", world.parameters.values[world.spec_name])
    assert [step.what for step in preparation(world).missing(spec)] == ["the preview rule of pattern"]


def test_the_owners_service_is_a_pattern() -> None:
    """It is what the placed spec of the simulation says, and settings that a slot gets as well."""
    world = before(SCENARIOS["takeover"])
    read = Patterns(Direct(world, "ecs"), Direct(world, "elbv2")).read(world.own)
    known = world.own.pattern
    assert (read.target_group, read.container, read.port) == (known.target_group, known.container, known.port)
    assert read.settings["networkConfiguration"] == found()["pattern"]["settings"]["networkConfiguration"]
    assert (read.desired, read.tags, read.left_out) == (2, {"team": "web"}, ())


def test_its_stack_sends_all_properties() -> None:
    """What was scaled or released since is taken back: the update is another rollout."""
    world = before(SCENARIOS["takeover"])
    service = world.ecs.services["web"]
    world.ecs.ask_by_hand("web", 3)
    before_it, rollout = service.definition, service.primary.id
    pattern.apply(world)
    assert (service.desired, service.primary.id != rollout) == (pattern.COUNT, True)
    assert service.definition.rpartition(":")[2] == "2"
    known = world.ecs.describe_task_definition(taskDefinition=before_it)["taskDefinition"]
    assert known["status"] == "INACTIVE"
    world.clock.run_for(30)
    assert world.live()["green"] == ("0.0.1",) * 2


def test_who_asks_by_the_secret_meets_one_side() -> None:
    """Whatever the weights are; the secret is read as AWS gives it."""
    world = before(SCENARIOS["takeover"])
    groups = world.own.target_groups
    assert world.balancer.previews == {
        f"{SECRET}-blue": groups.blue,
        f"{SECRET}-green": groups.green,
        f"{SECRET}-pattern": groups.pattern,
    }
    name = world.own.preview_secret
    assert world.parameters.get_parameter(Name=name)["Parameter"]["Value"] != SECRET
    clear = world.parameters.get_parameter(Name=name, WithDecryption=True)
    assert (clear["Parameter"]["Type"], clear["Parameter"]["Value"]) == ("SecureString", SECRET)
