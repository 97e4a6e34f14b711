"""docs/what-crossfade-changes.md says what the roles allow, in words of the APIs; what it says is kept to."""

from typing import Any

import botocore.session
import pytest

from faults.law import NOTHING, PREFIXES, READS, Change, Law, Resource, changes, rows, settings, unnamed
from tests.statemachine.permissions import ACTIONS, IMPLIED
from tests.statemachine.roles import calls_in

PARTS = {"s3:CreateMultipartUpload", "s3:UploadPart", "s3:CompleteMultipartUpload"}
"""What IAM knows as s3:PutObject."""
NAMES = {
    "listener": "listener/app/web/1/2", "rule_priority": 100, "cluster": "main", "service": "web",
    "pattern": "shop", "stack": "crossfade",
}  # fmt: skip
RULE = Resource("listener rule", "listener/app/web/1/2 100")
ACTION = {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "a", "Weight": 1}]}}


def shape(call: str) -> Any:
    """The model of what a call takes."""
    prefix, _, operation = call.partition(":")
    services = {found: service for service, found in PREFIXES.items()}
    service = botocore.session.get_session().get_service_model(services.get(prefix, prefix))
    return service.operation_model(operation).input_shape


def test_what_the_roles_allow_is_listed() -> None:
    """A write that a role has and the page does not, or the other way round, is a gap in one of them."""
    implied = {action for actions in IMPLIED.values() for action in actions}
    granted = {action for actions in ACTIONS.values() for action in actions}
    granted |= {f"{service}:{operation}" for service, operation in calls_in("probe")}
    writes = {
        action for action in granted if not action.partition(":")[2].startswith((*READS, "ConditionCheck"))
    }
    assert settings().keys() - PARTS | implied == writes | implied


@pytest.mark.parametrize("call", settings())
def test_what_a_call_sets_is_in_its_model(call: str) -> None:
    """A name that the API does not have would allow nothing and look as if it did."""
    assert settings()[call][1] <= shape(call).members.keys()


@pytest.mark.parametrize("call", settings())
def test_one_attribute_more_is_found(call: str) -> None:
    """Each that the API takes and the page does not name, one after the other."""
    named = settings()[call][1]
    for more in shape(call).members.keys() - named:
        (found,) = unnamed(call, dict.fromkeys([*named, more]))
        assert f"{call} sets {more}," in found
    assert list(unnamed(call, dict.fromkeys(named))) == []


def test_a_call_that_is_not_listed_is_found() -> None:
    """Whatever it sets."""
    assert list(unnamed("elasticloadbalancing:ModifyListener", {}))


def test_every_kind_has_its_rows() -> None:
    """What a call changes is something that may differ, and what may not differ has no ground."""
    assert {kind for kind, _ in settings().values()} == {row.kind for row in rows() if row.ground}
    for row in rows():
        assert bool(row.ground) == (row.what != {NOTHING}), row
        assert bool(row.ground) == bool(row.which), row


def test_only_where_a_rule_leads_may_differ() -> None:
    """All else is its owner's: conditions, other actions, settings. Its groups are told by each call."""
    law = Law(**NAMES)
    before = {RULE: {"Conditions": [], "Actions": [{"Type": "authenticate-oidc", "Order": 1}, ACTION]}}
    after = {RULE: {"Conditions": ["x"], "Actions": [ACTION]}}
    found = {change.what: law.allows(change, made=True) for change in changes(before, after)}
    weight = "Actions[].ForwardConfig.TargetGroups[].Weight"
    assert found == {
        "Conditions": False, "Conditions[]": False, "Actions[].Type": False, "Actions[].Order": False,
        "Actions[].ForwardConfig.TargetGroups[].TargetGroupArn": True, weight: True,
    }  # fmt: skip


def test_another_rule_may_not_differ() -> None:
    """Unless Crossfade has made it; and none of another listener, or made or not."""
    law = Law(**NAMES)
    assert not law.covers(Resource("listener rule", "listener/app/web/1/3 100"))
    other = Resource("listener rule", "listener/app/web/1/2 101")
    assert not law.allows(Change(other, "Conditions"), made=False)
    assert not law.allows(Change(other, "goes"), made=False)
    assert law.allows(Change(other, "goes"), made=True)
    assert law.covers(RULE)


def test_only_what_was_made_is_deleted() -> None:
    """A rule at the spec's priority that somebody else has made stays, and may be weighed."""
    law = Law(**NAMES)
    assert law.allows(Change(RULE, "goes"), made=True)
    assert not law.allows(Change(RULE, "goes"), made=False)
    assert law.allows(Change(RULE, "Actions[].ForwardConfig.TargetGroups[].Weight"), made=False)


def test_the_bounds_of_others_scalable_targets_may_not_differ() -> None:
    """Of the pattern's, and of one that was registered by hand, only whether it is suspended."""
    law = Law(**NAMES)
    for name in ("service/main/shop", "service/main/web-blue"):
        target = Resource("scalable target", name)
        assert law.allows(Change(target, "SuspendedState.DynamicScalingInSuspended"), made=False)
        assert not law.allows(Change(target, "MinCapacity"), made=False)
        assert not law.allows(Change(target, "goes"), made=False)
    assert not law.allows(Change(Resource("scalable target", "service/main/shop"), "comes"), made=False)


def test_a_slots_scaling_is_made_and_removed() -> None:
    """Its target is Crossfade's own, and its alarms are; those of others are not touched."""
    law = Law(**NAMES)
    slots, alarms = (
        Resource("scalable target", "service/main/web-green"),
        Resource("alarm", "cf-web-1-blue-a"),
    )
    for resource in (slots, alarms):
        assert law.allows(Change(resource, "comes"), made=False)
        assert law.allows(Change(resource, "goes"), made=True)
    assert law.allows(Change(slots, "MaxCapacity"), made=True)
    tracking = "TargetTracking-service/main/{}-AlarmHigh-1"
    assert law.allows(Change(Resource("alarm", tracking.format("web-blue")), "comes"), made=False)
    for others in ("web-blue-a", tracking.format("shop")):
        assert not law.covers(Resource("alarm", others))


def test_of_the_owners_service_only_what_runs_and_how_many_may_differ() -> None:
    """All else of it is its owner's, and it is never made or deleted."""
    law, service = Law(**NAMES), Resource("ECS service", "main/shop")
    assert law.allows(Change(service, "taskDefinition"), made=False)
    assert law.allows(Change(service, "desiredCount"), made=False)
    for what in ("networkConfiguration.awsvpcConfiguration.subnets[]", "tags", "comes", "goes"):
        assert not law.allows(Change(service, what), made=False)
