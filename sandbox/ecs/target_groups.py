"""MiniStack: a service may be put behind any target group. On AWS behind one that a load balancer uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import ecs

from sandbox.load_balancer import in_use
from sandbox.patching import replaces

Response = tuple[int, dict[str, str], bytes]


@replaces(ecs, "_ACTION_MAP", "CreateService", version="1.5.33")
@replaces(ecs, "_ACTION_MAP", "UpdateService", version="1.5.33")
def refuse_unused_groups(emulator: Callable[[dict[str, Any]], Response], data: dict[str, Any]) -> Response:
    """The sentence is AWS's, as in hashicorp/terraform#32908; a rule of weight 0 is use enough."""
    for balancer in data.get("loadBalancers") or []:
        group = balancer.get("targetGroupArn")
        if group and not in_use(group):
            message = (
                f"The target group with targetGroupArn {group} does not have an associated load balancer."
            )
            return error_response_json("InvalidParameterException", message, 400)
    return emulator(data)
