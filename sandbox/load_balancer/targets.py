"""The registered targets with what the emulator does not keep: health, requests in flight, draining.

Membership stays the emulator's (`alb._targets`); `sync` compares it with this table, so that a target that
left starts to drain, whether the API, ECS or CloudFormation took it out.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack.services import alb

from sandbox.patching import replaces

# MiniStack keeps the first three, and none at all for a group that CloudFormation made with others.
DEFAULT_ATTRIBUTES = {
    "deregistration_delay.timeout_seconds": "300",
    "stickiness.enabled": "false",
    "stickiness.type": "lb_cookie",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "stickiness.app_cookie.cookie_name": "",
    "stickiness.app_cookie.duration_seconds": "86400",
    "slow_start.duration_seconds": "0",
    "load_balancing.algorithm.type": "round_robin",
    "load_balancing.algorithm.anomaly_mitigation": "off",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}


def group_attribute(group: str, key: str) -> str:
    """A target group's attribute, or AWS's default for it."""
    for attribute in alb._tg_attrs.get(group) or []:
        if attribute["Key"] == key:
            return str(attribute["Value"])
    return DEFAULT_ATTRIBUTES[key]


@dataclass
class Target:
    """One address in one target group. Times are of the monotonic clock, in seconds."""

    ip: str
    port: int
    state: str = "initial"
    reason: str = "Elb.RegistrationInProgress"
    description: str = "Target registration is in progress"
    in_flight: int = 0
    drains_until: float | None = None
    check_at: float = 0.0
    checking: bool = False
    passed: int = 0  # checks in a row
    failed: int = 0  # checks in a row; while initial at most one per interval
    failed_at: float = 0.0

    def start_over(self) -> None:
        """Back to the state just after registration; what is in flight stays in flight."""
        fresh = Target(self.ip, self.port)
        self.state, self.reason, self.description = fresh.state, fresh.reason, fresh.description
        self.drains_until, self.check_at, self.passed, self.failed = None, 0.0, 0, 0


class TargetTable:
    """Thread-safe: ECS, the API and CloudFormation write from their threads, the data plane reads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._groups: dict[str, dict[tuple[str, int], Target]] = {}
        self._turns: dict[str, itertools.count[int]] = {}

    def sync(self, group: str) -> None:
        """Follow the emulator's membership: newcomers are initial, leavers drain, deleted groups go."""
        with self._lock:  # held over the read, so that an older reading cannot undo a newer one
            settings = alb._tgs.get(group)
            if settings is None:
                self._groups.pop(group, None)
                self._turns.pop(group, None)
                return
            known = self._groups.setdefault(group, {})
            members = dict.fromkeys(_key(target, settings) for target in alb._targets.get(group) or [])
            for key in members:
                if known.setdefault(key, Target(*key)).drains_until is not None:
                    known[key].start_over()
            for key, target in list(known.items()):
                if key not in members and not self._still_drains(group, target):
                    del known[key]

    def sync_all(self) -> None:
        """`sync` for every group there is, and every group there was."""
        with self._lock:
            for group in {*alb._tgs.keys(), *self._groups}:
                self.sync(group)

    def _still_drains(self, group: str, target: Target) -> bool:
        if target.drains_until is None:
            delay = int(group_attribute(group, "deregistration_delay.timeout_seconds"))
            target.drains_until = self._clock() + delay
        # AWS ends a drain early when nothing is in flight on no connection. The idle connections
        # to a target here are the proxy's own, so they hold nothing up.
        return target.in_flight > 0 and self._clock() < target.drains_until

    def members(self, group: str) -> list[Target]:
        """The registered targets of a group."""
        with self._lock:
            return [t for t in self._groups.get(group, {}).values() if t.drains_until is None]

    def draining(self, group: str) -> list[Target]:
        """The targets that left a group with requests in flight."""
        with self._lock:
            return [t for t in self._groups.get(group, {}).values() if t.drains_until is not None]

    def acquire(self, group: str) -> Target | None:
        """Choose the target of a request, round-robin, and count the request on it; `release` it after.

        Healthy targets only; when there is none, any registered one (ALB fails open). None: no target.
        """
        with self._lock:
            members = self.members(group)
            candidates = [target for target in members if target.state == "healthy"] or members
            if not candidates:
                return None
            turn = next(self._turns.setdefault(group, itertools.count()))
            target = candidates[turn % len(candidates)]
            target.in_flight += 1
            return target

    def release(self, target: Target) -> None:
        """The request that `acquire` counted is over."""
        with self._lock:
            target.in_flight -= 1

    def drained(self, ip: str) -> bool:
        """True when no target group has that address registered or draining."""
        with self._lock:
            holding = [group for group, known in self._groups.items() if any(at == ip for at, _ in known)]
            for group in holding:
                self.sync(group)
            return not any(at == ip for group in holding for at, _ in self._groups.get(group, {}))


def _key(target: dict[str, Any], group: dict[str, Any]) -> tuple[str, int]:
    return str(target["Id"]), int(target.get("Port") or group.get("Port") or 80)


table = TargetTable()


# --- each change enters the table at once, so that no new request reaches a target that left -----------
# MiniStack forgets a deregistered target on the spot; nothing there drains.


@replaces(alb, "set_targets_for_group", version="1.5.33")
def follow_ecs_and_stacks(
    emulator: Callable[..., object], tg_arn: str, targets: Any, previous_ids: Any = ()
) -> bool:
    """A group's targets are set by this name from elsewhere in the emulator."""
    known = bool(emulator(tg_arn, targets, previous_ids))
    table.sync(tg_arn)
    return known


@replaces(alb, "_ACTION_MAP", "RegisterTargets", version="1.5.33")
@replaces(alb, "_ACTION_MAP", "DeregisterTargets", version="1.5.33")
@replaces(alb, "_ACTION_MAP", "DeleteTargetGroup", version="1.5.33")
def follow_calls(emulator: Callable[[dict[str, Any]], Any], params: dict[str, Any]) -> Any:
    """A group's targets are set by a call."""
    answer = emulator(params)
    table.sync(alb._p(params, "TargetGroupArn"))
    return answer
