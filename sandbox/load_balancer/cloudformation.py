"""The same for stacks: MiniStack's provisioners write the load balancer's state past its API.

They keep only the first target group of a ForwardConfig, give a DNSName that no resolver knows, check no
priorities, and mangle query-string conditions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import provisioners

from sandbox.load_balancer import rules
from sandbox.load_balancer.actions import Action, complete, problem_with
from sandbox.load_balancer.api import DNS_NAME
from sandbox.load_balancer.listeners import PortTaken, data_plane
from sandbox.patching import replaces

Properties = dict[str, Any]
Provisioner = Callable[..., Any]

_HANDLERS = "_RESOURCE_HANDLERS"
_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
_LISTENER = "AWS::ElasticLoadBalancingV2::Listener"
_RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"


@replaces(provisioners, _HANDLERS, _BALANCER, "create", version="1.5.33")
@replaces(provisioners, _HANDLERS, _BALANCER, "update", version="1.5.33")
def give_a_name_that_resolves(emulator: Provisioner, *args: Any, **kwargs: Any) -> Any:
    """What Fn::GetAtt finds as DNSName."""
    physical_id, attributes = emulator(*args, **kwargs)
    return physical_id, {**attributes, "DNSName": DNS_NAME}


@replaces(provisioners, _HANDLERS, _LISTENER, "create", version="1.5.33")
def create_on_its_port(emulator: Provisioner, logical_id: str, props: Properties, stack_name: str) -> Any:
    """A listener that cannot listen fails the stack."""
    return _on_its_port(props, "", lambda: emulator(logical_id, props, stack_name))


@replaces(provisioners, _HANDLERS, _LISTENER, "update", version="1.5.33")
def update_on_its_port(
    emulator: Provisioner, physical_id: str, old: Properties, new: Properties, *args: Any, **kwargs: Any
) -> Any:
    """So does one that is changed."""
    return _on_its_port(new, physical_id, lambda: emulator(physical_id, old, new, *args, **kwargs))


def _on_its_port(props: Properties, listener: str, provision: Callable[[], Any]) -> Any:
    try:
        with data_plane.claim(int(props.get("Port", 80) or 80), props.get("LoadBalancerArn", ""), listener):
            return provision()
    except PortTaken as taken:
        raise ValueError(str(taken)) from None


@replaces(provisioners, _HANDLERS, _RULE, "create", version="1.5.33")
def create_with_free_priority(
    emulator: Provisioner, logical_id: str, props: Properties, stack_name: str
) -> Any:
    """A rule whose priority another one has fails the stack."""
    _refuse_taken_priority(props, set())
    return emulator(logical_id, props, stack_name)


@replaces(provisioners, _HANDLERS, _RULE, "update", version="1.5.33")
def update_with_free_priority(
    emulator: Provisioner, physical_id: str, old: Properties, new: Properties, *args: Any, **kwargs: Any
) -> Any:
    """So does one that is changed."""
    _refuse_taken_priority(new, {physical_id})
    return emulator(physical_id, old, new, *args, **kwargs)


def _refuse_taken_priority(props: Properties, but: set[str]) -> None:
    priority = str(props.get("Priority", 1))
    if rules.priority_in_use(props.get("ListenerArn", ""), priority, but):
        raise ValueError(f"Priority '{priority}' is currently in use")


@replaces(provisioners, "_elbv2_listener_actions", version="1.5.33")
def read_forward_config(
    emulator: Callable[..., list[Action]],
    props: Properties,
    lb_arn: str | None,
    prop: str = "DefaultActions",
) -> list[Action]:
    """All target groups of an action, with their weights."""
    given = [action for action in props.get(prop) or [] if isinstance(action, dict)]
    stored = []
    for source, action in zip(given, emulator(props, lb_arn, prop), strict=True):
        if source.get("ForwardConfig") and not source.get("TargetGroupArn"):
            action.pop("TargetGroupArn", None)  # MiniStack's guess: the first group
        stored.append(complete(action, source.get("ForwardConfig")))
    if problem := problem_with(stored):
        raise ValueError(problem[1])
    return stored


@replaces(provisioners, "_flatten_listener_rule_conditions", version="1.5.33")
def read_query_strings(emulator: Callable[[Any], list[rules.Condition]], given: Any) -> list[rules.Condition]:
    """Query-string conditions as the API stores them."""
    stored = emulator(given)
    for place, condition in enumerate(given or []):
        if condition.get("Field") == "query-string":
            pairs = (condition.get("QueryStringConfig") or {}).get("Values") or []
            stored[place] = rules.query_condition({"Field": "query-string"}, list(pairs))
    return stored
