"""The same for stacks: ministack's provisioners write the load balancer's state past its API.

All for ministack 1.5.33: they keep only the first target group of a ForwardConfig, give a DNSName that no
resolver knows, check no priorities, and mangle query-string conditions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import provisioners

from sandbox.load_balancer import rules
from sandbox.load_balancer.actions import Action, complete, problem_with
from sandbox.load_balancer.api import DNS_NAME
from sandbox.load_balancer.listeners import PortTaken, data_plane

Properties = dict[str, Any]
Provisioner = Callable[..., Any]


def _local_name(provision: Provisioner) -> Provisioner:
    @functools.wraps(provision)
    def provisioned(*args: Any, **kwargs: Any) -> Any:
        physical_id, attributes = provision(*args, **kwargs)
        return physical_id, {**attributes, "DNSName": DNS_NAME}

    return provisioned


def _listener_create(create: Provisioner) -> Provisioner:
    @functools.wraps(create)
    def created(logical_id: str, props: Properties, stack_name: str) -> Any:
        return _on_its_port(props, "", lambda: create(logical_id, props, stack_name))

    return created


def _listener_update(update: Provisioner) -> Provisioner:
    @functools.wraps(update)
    def updated(physical_id: str, old: Properties, new: Properties, *args: Any, **kwargs: Any) -> Any:
        return _on_its_port(new, physical_id, lambda: update(physical_id, old, new, *args, **kwargs))

    return updated


def _on_its_port(props: Properties, listener: str, provision: Callable[[], Any]) -> Any:
    try:
        with data_plane.claim(int(props.get("Port", 80) or 80), props.get("LoadBalancerArn", ""), listener):
            return provision()
    except PortTaken as taken:
        raise ValueError(str(taken)) from None


def _rule_create(create: Provisioner) -> Provisioner:
    @functools.wraps(create)
    def created(logical_id: str, props: Properties, stack_name: str) -> Any:
        _refuse_taken_priority(props, set())
        return create(logical_id, props, stack_name)

    return created


def _rule_update(update: Provisioner) -> Provisioner:
    @functools.wraps(update)
    def updated(physical_id: str, old: Properties, new: Properties, *args: Any, **kwargs: Any) -> Any:
        _refuse_taken_priority(new, {physical_id})
        return update(physical_id, old, new, *args, **kwargs)

    return updated


def _refuse_taken_priority(props: Properties, but: set[str]) -> None:
    priority = str(props.get("Priority", 1))
    if rules.priority_in_use(props.get("ListenerArn", ""), priority, but):
        raise ValueError(f"Priority '{priority}' is currently in use")


def _with_forward_config(read: Callable[..., list[Action]]) -> Callable[..., list[Action]]:
    def actions(props: Properties, lb_arn: str | None, prop: str = "DefaultActions") -> list[Action]:
        given = [action for action in props.get(prop) or [] if isinstance(action, dict)]
        stored = []
        for source, action in zip(given, read(props, lb_arn, prop), strict=True):
            if source.get("ForwardConfig") and not source.get("TargetGroupArn"):
                action.pop("TargetGroupArn", None)  # ministack's guess: the first group
            stored.append(complete(action, source.get("ForwardConfig")))
        if problem := problem_with(stored):
            raise ValueError(problem[1])
        return stored

    return actions


def _with_query_strings(
    flatten: Callable[[Any], list[rules.Condition]],
) -> Callable[[Any], list[rules.Condition]]:
    def conditions(given: Any) -> list[rules.Condition]:
        stored = flatten(given)
        for place, condition in enumerate(given or []):
            if condition.get("Field") == "query-string":
                pairs = (condition.get("QueryStringConfig") or {}).get("Values") or []
                stored[place] = rules.query_condition({"Field": "query-string"}, list(pairs))
        return stored

    return conditions


def install() -> None:
    """Wrap the provisioners of load balancers, listeners and rules in ministack's table."""
    kinds = provisioners._RESOURCE_HANDLERS
    balancer = kinds["AWS::ElasticLoadBalancingV2::LoadBalancer"]
    balancer["create"], balancer["update"] = _local_name(balancer["create"]), _local_name(balancer["update"])
    listener = kinds["AWS::ElasticLoadBalancingV2::Listener"]
    listener["create"] = _listener_create(listener["create"])
    listener["update"] = _listener_update(listener["update"])
    rule = kinds["AWS::ElasticLoadBalancingV2::ListenerRule"]
    rule["create"], rule["update"] = _rule_create(rule["create"]), _rule_update(rule["update"])
    provisioners._elbv2_listener_actions = _with_forward_config(provisioners._elbv2_listener_actions)
    provisioners._flatten_listener_rule_conditions = _with_query_strings(
        provisioners._flatten_listener_rule_conditions
    )
