"""The same for stacks: MiniStack's provisioners write the load balancer's state past its API.

They keep only the first target group of a ForwardConfig and nothing of a login, give a DNSName that no
resolver knows, check no priorities, mangle conditions, and drop a rule's tags.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import alb
from ministack.services.cloudformation import provisioners

from sandbox.load_balancer import rules
from sandbox.load_balancer.actions import complete, problem_with
from sandbox.load_balancer.api import DNS_NAME
from sandbox.load_balancer.checks import problem_with_certificates
from sandbox.load_balancer.conditions import Condition, stored
from sandbox.load_balancer.conditions import problem_with as problem_with_conditions
from sandbox.load_balancer.gates import (
    CONFIGS,
    Action,
    Problem,
    keep_secret,
    problem_with_secrets,
    with_defaults,
)
from sandbox.load_balancer.listeners import PortTaken, data_plane
from sandbox.patching import changes, replaces

Properties = dict[str, Any]
Provisioner = Callable[..., Any]

_HANDLERS = "_RESOURCE_HANDLERS"
_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
_LISTENER = "AWS::ElasticLoadBalancingV2::Listener"
_RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"


@changes(provisioners, "_STACK_TAG_PROPERTY", version="1.5.33")
def tag_rules(emulator: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Rules have those of their stack and of CloudFormation, says their schema: cloudFormationSystemTags."""
    emulator[_RULE] = ("Tags", "list")
    return emulator


@replaces(provisioners, _HANDLERS, _BALANCER, "create", version="1.5.33")
@replaces(provisioners, _HANDLERS, _BALANCER, "update", version="1.5.33")
def give_a_name_that_resolves(emulator: Provisioner, *args: Any, **kwargs: Any) -> Any:
    """What Fn::GetAtt finds as DNSName."""
    physical_id, attributes = emulator(*args, **kwargs)
    return physical_id, {**attributes, "DNSName": DNS_NAME}


@replaces(provisioners, _HANDLERS, _LISTENER, "create", version="1.5.33")
def create_on_its_port(emulator: Provisioner, logical_id: str, props: Properties, stack_name: str) -> Any:
    """A listener that cannot listen fails the stack."""
    _refuse_secrets(props, "DefaultActions", [])
    return _on_its_port(props, "", lambda: emulator(logical_id, props, stack_name))


@replaces(provisioners, _HANDLERS, _LISTENER, "update", version="1.5.33")
def update_on_its_port(
    emulator: Provisioner, physical_id: str, old: Properties, new: Properties, *args: Any, **kwargs: Any
) -> Any:
    """So does one that is changed."""
    stored = alb._listeners.get(physical_id, {}).get("DefaultActions") or []
    _refuse_secrets(new, "DefaultActions", stored)
    answer = _on_its_port(new, physical_id, lambda: emulator(physical_id, old, new, *args, **kwargs))
    keep_secret(alb._listeners[answer[0]]["DefaultActions"], stored)
    return answer


def _on_its_port(props: Properties, listener: str, provision: Callable[[], Any]) -> Any:
    _refuse(problem_with_certificates(props.get("Protocol"), props.get("Certificates") or []))
    try:
        with data_plane.claim(int(props.get("Port", 80) or 80), props.get("LoadBalancerArn", ""), listener):
            return provision()
    except PortTaken as taken:
        raise ValueError(str(taken)) from None


@replaces(provisioners, _HANDLERS, _RULE, "create", version="1.5.33")
def create_with_free_priority(
    emulator: Provisioner, logical_id: str, props: Properties, stack_name: str
) -> Any:
    """A rule whose priority another one has fails the stack, and so does a login without a secret."""
    _refuse_taken_priority(props, set())
    _refuse_secrets(props, "Actions", [])
    made = emulator(logical_id, props, stack_name)
    alb._tags[made[0]] = provisioners._elbv2_tags(props.get("Tags"))
    return made


@replaces(provisioners, _HANDLERS, _RULE, "update", version="1.5.33")
def update_with_free_priority(
    emulator: Provisioner, physical_id: str, old: Properties, new: Properties, *args: Any, **kwargs: Any
) -> Any:
    """So does one that is changed; a login may keep the secret that it has."""
    stored = alb._rules.get(physical_id, {}).get("Actions") or []
    _refuse_taken_priority(new, {physical_id})
    _refuse_secrets(new, "Actions", stored)
    answer = emulator(physical_id, old, new, *args, **kwargs)
    keep_secret(alb._rules[answer[0]]["Actions"], stored)
    tags = alb._tags.setdefault(answer[0], provisioners._elbv2_tags(old.get("Tags")))
    provisioners._reconcile_tag_list(tags, old, new)
    return answer


def _refuse_secrets(props: Properties, name: str, stored: list[Action]) -> None:
    _refuse(problem_with_secrets([action | _gate(action) for action in props.get(name) or []], stored))


def _gate(action: Action) -> Action:
    """What a template's action says of a login, or of what else stands before a forward."""
    config = CONFIGS.get(action.get("Type", ""), "")
    return {config: with_defaults(action["Type"], action[config])} if config in action else {}


def _refuse_taken_priority(props: Properties, but: set[str]) -> None:
    priority = str(props.get("Priority", 1))
    if rules.priority_in_use(props.get("ListenerArn", ""), priority, but):
        raise ValueError(f"Priority '{priority}' is currently in use")


@replaces(provisioners, "_elbv2_listener_actions", version="1.5.33")
def read_actions(
    emulator: Callable[..., list[Action]],
    props: Properties,
    lb_arn: str | None,
    prop: str = "DefaultActions",
) -> list[Action]:
    """All target groups of an action, with their weights, and logins."""
    given = [action for action in props.get(prop) or [] if isinstance(action, dict)]
    found = []
    for source, action in zip(given, emulator(props, lb_arn, prop), strict=True):
        if source.get("ForwardConfig") and not source.get("TargetGroupArn"):
            action.pop("TargetGroupArn", None)  # MiniStack's guess: the first group
        action |= _gate(source)
        found.append(complete(action, source.get("ForwardConfig")))
    _refuse(problem_with(found))
    return found


@replaces(provisioners, "_flatten_listener_rule_conditions", version="1.5.33")
def read_conditions(emulator: Callable[[Any], list[Condition]], given: Any) -> list[Condition]:
    """Conditions as the API stores and refuses them."""
    found = [
        stored(condition, source) for source, condition in zip(given or [], emulator(given), strict=True)
    ]
    _refuse(problem_with_conditions(found))
    return found


def _refuse(problem: Problem | None) -> None:
    if problem:
        raise ValueError(problem[1])
