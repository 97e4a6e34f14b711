"""Forward actions with weighted target groups: reading, showing and checking `ForwardConfig`.

MiniStack knows a forward action's `TargetGroupArn` only: `ForwardConfig` is dropped when a rule is
written, and missing when it is read. A canary is nothing but a `ForwardConfig`, so it is supplied here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ministack.services import alb

from sandbox.load_balancer import gates
from sandbox.load_balancer.gates import Action, Params, Problem
from sandbox.patching import replaces

MAX_WEIGHT = 999
MAX_GROUPS = 5


def forward_weights(action: Action) -> list[tuple[str, int]]:
    """(target group ARN, weight) of a forward action, in its order; empty for any other action."""
    if action.get("Type") != "forward":
        return []
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
    if groups:
        return [(group["TargetGroupArn"], int(group.get("Weight", 1))) for group in groups]
    return [(action["TargetGroupArn"], 1)] if action.get("TargetGroupArn") else []


def complete(action: Action, given: dict[str, Any] | None) -> Action:
    """A forward action as AWS stores it: always a ForwardConfig, and TargetGroupArn when it has one group.

    `given` is the request's ForwardConfig, or None; numbers may be strings, as templates write them.
    """
    if action["Type"] != "forward":
        return action
    given = given or {}
    weights = forward_weights({**action, "ForwardConfig": given})
    stickiness = given.get("TargetGroupStickinessConfig") or {}
    shown: dict[str, Any] = {"Enabled": str(stickiness.get("Enabled", False)).lower() == "true"}
    if stickiness.get("DurationSeconds"):
        shown["DurationSeconds"] = int(stickiness["DurationSeconds"])
    action["ForwardConfig"] = {
        "TargetGroups": [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights],
        "TargetGroupStickinessConfig": shown,
    }
    if len(weights) == 1:
        action.setdefault("TargetGroupArn", weights[0][0])
    return action


def problem_with(actions: Iterable[Action]) -> Problem | None:
    """Why AWS refuses these actions, or None. Expects them `complete`d."""
    for number, action in enumerate(actions, start=1):
        if action["Type"] == "forward" and (problem := _problem_with_forward(number, action)):
            return problem
    return None


def _problem_with_forward(number: int, action: Action) -> Problem | None:
    weights = forward_weights(action)
    if not weights:
        return "ValidationError", f"Action {number} of type 'forward' names no target group"
    if len(weights) > MAX_GROUPS:
        return (
            "InvalidLoadBalancerAction",
            f"A forward action takes at most {MAX_GROUPS} target groups, not {len(weights)}",
        )
    if "TargetGroupArn" in action and [arn for arn, _ in weights] != [action["TargetGroupArn"]]:
        return (
            "ValidationError",
            "With both TargetGroupArn and ForwardConfig, ForwardConfig may only name that target group",
        )
    for place, (arn, weight) in enumerate(weights, start=1):
        if not 0 <= weight <= MAX_WEIGHT:
            field = f"actions.{number}.member.forwardConfig.targetGroups.{place}.member.weight"
            return (
                "ValidationError",
                f"1 validation error detected: Value '{weight}' at '{field}' failed to satisfy constraint: "
                f"Member must have value between 0 and {MAX_WEIGHT}",
            )
        if arn not in alb._tgs:
            return "TargetGroupNotFound", f"Target group '{arn}' not found"
    return None


def _given_forward_config(params: Params, at: str) -> dict[str, Any]:
    groups: list[dict[str, Any]] = []
    while arn := alb._p(params, f"{at}.TargetGroups.member.{len(groups) + 1}.TargetGroupArn"):
        weight = alb._p(params, f"{at}.TargetGroups.member.{len(groups) + 1}.Weight", "1")
        groups.append({"TargetGroupArn": arn, "Weight": int(weight)})
    sticky = f"{at}.TargetGroupStickinessConfig"
    return {
        "TargetGroups": groups,
        "TargetGroupStickinessConfig": {
            "Enabled": alb._p(params, f"{sticky}.Enabled", "false"),
            "DurationSeconds": alb._p(params, f"{sticky}.DurationSeconds"),
        },
    }


def _forward_config_xml(config: dict[str, Any]) -> str:
    groups = "".join(
        f"<member><TargetGroupArn>{group['TargetGroupArn']}</TargetGroupArn>"
        f"<Weight>{group['Weight']}</Weight></member>"
        for group in config["TargetGroups"]
    )
    stickiness = config["TargetGroupStickinessConfig"]
    duration = stickiness.get("DurationSeconds")
    seconds = f"<DurationSeconds>{duration}</DurationSeconds>" if duration else ""
    return (
        f"<ForwardConfig><TargetGroups>{groups}</TargetGroups><TargetGroupStickinessConfig>"
        f"<Enabled>{str(stickiness['Enabled']).lower()}</Enabled>{seconds}"
        f"</TargetGroupStickinessConfig></ForwardConfig>"
    )


@replaces(alb, "_parse_actions", version="1.5.33")
def read_configs(
    emulator: Callable[..., list[Action]], params: Params, prefix: str = "DefaultActions"
) -> list[Action]:
    """Every action of a call is read by this name."""
    found = []
    for number, action in enumerate(emulator(params, prefix), start=1):
        at = f"{prefix}.member.{number}"
        gates.read(action, params, at)
        found.append(complete(action, _given_forward_config(params, f"{at}.ForwardConfig")))
    return found


@replaces(alb, "_action_xml", version="1.5.33")
def show_configs(emulator: Callable[[Action], str], action: Action) -> str:
    """Every action of an answer is shown by this name. MiniStack escapes nothing but a redirect's query."""
    escaped: Action = {
        config: {k: v if k == "Query" else alb._esc(str(v)) for k, v in action[config].items()}
        for config in ("FixedResponseConfig", "RedirectConfig")
        if config in action
    }
    others = {name: value for name, value in action.items() if name not in gates.CONFIGS.values()}
    more = gates.xml(action)
    if config := action.get("ForwardConfig"):
        more += _forward_config_xml(config)
    return emulator({**others, **escaped}).removesuffix("</member>") + more + "</member>"
