"""What target groups are made with: the same one once, and what MiniStack drops of it.

A service's owner has groups of any kind, and who makes others like them reads all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import alb
from ministack.services.cloudformation import provisioners

from sandbox.load_balancer.gates import Params
from sandbox.patching import replaces

Group = dict[str, Any]

_DROPPED = {"ProtocolVersion": "HTTP1", "IpAddressType": "ipv4"}
"""What MiniStack does not keep, and AWS's defaults, as CreateTargetGroup's documentation has them."""
_SETTINGS = _DROPPED | {
    "Protocol": "HTTP",
    "Port": "80",
    "VpcId": "",
    "TargetType": "instance",
    "HealthCheckProtocol": "HTTP",
    "HealthCheckPort": "traffic-port",
    "HealthCheckEnabled": "true",
    "HealthCheckPath": "/",
    "HealthCheckIntervalSeconds": "30",
    "HealthCheckTimeoutSeconds": "5",
    "HealthyThresholdCount": "5",
    "UnhealthyThresholdCount": "2",
}
"""What a target group is made with, and what it is when it is not given."""


@replaces(alb, "_ACTION_MAP", "CreateTargetGroup", version="1.5.33")
def make_a_group_once(emulator: Callable[[Params], Any], params: Params) -> Any:
    """The same group again is an answer, says CreateTargetGroup's documentation; MiniStack refuses it.

    Of tags AWS says nothing: here they do not count, and stay as they are.
    """
    name = alb._p(params, "Name")
    known = _named(name)
    if known is None:
        answer = emulator(params)
        known = _named(name)
        if known is None:  # it was refused
            return answer
        known |= {key: alb._p(params, key) or value for key, value in _DROPPED.items()}
    elif not _made_with(known, params):
        message = f"A target group with the same name '{name}' exists, but with different settings"
        return alb._error("DuplicateTargetGroupName", message)
    return alb._xml(200, "CreateTargetGroup", f"<TargetGroups>{alb._tg_xml(known)}</TargetGroups>")


def _named(name: str) -> Group | None:
    found: Group | None = next((g for g in alb._tgs.values() if g["TargetGroupName"] == name), None)
    return found


def _made_with(group: Group, params: Params) -> bool:
    asked = {key: alb._p(params, key) or value for key, value in _SETTINGS.items()}
    has = {**_DROPPED, **group}
    same = all(str(has[key]).lower() == value.lower() for key, value in asked.items())
    return same and group["Matcher"]["HttpCode"] == (alb._p(params, "Matcher.HttpCode") or "200")


@replaces(
    provisioners, "_RESOURCE_HANDLERS", "AWS::ElasticLoadBalancingV2::TargetGroup", "create", version="1.5.33"
)
def keep_what_a_stack_gives(
    emulator: Callable[..., Any], logical_id: str, props: Group, stack_name: str
) -> Any:
    """A template's group keeps the same."""
    made = emulator(logical_id, props, stack_name)
    alb._tgs[made[0]] |= {key: str(props.get(key) or value) for key, value in _DROPPED.items()}
    return made


@replaces(alb, "_tg_xml", version="1.5.33")
def show_what_was_given(emulator: Callable[[Group], str], group: Group) -> str:
    """Every group of an answer is shown by this name."""
    more = "".join(f"<{key}>{alb._esc(group.get(key, value))}</{key}>" for key, value in _DROPPED.items())
    return emulator(group).removesuffix("</member>") + more + "</member>"
