"""The load balancer's missing half: weights, health, draining, metrics, and listeners that really answer.

`install()` patches the emulator inside this process and starts the data plane.
"""

from __future__ import annotations

from sandbox import patching
from sandbox.load_balancer import (
    actions,
    api,
    checks,
    cloudformation,
    conditions,
    groups,
    health,
    rules,
    targets,
)
from sandbox.load_balancer.listeners import data_plane
from sandbox.load_balancer.metrics import request_metrics

__all__ = ["PATCHES", "drained", "healthy", "in_use", "install", "patch", "start", "stop"]

PATCHES = (actions, conditions, api, groups, checks, targets, health, cloudformation)
"""What changes the emulator, in the order in which it is installed."""

_patched = False


def install() -> None:
    """Patch MiniStack and start to serve its listeners; call it before `ministack.app.main`."""
    patch()
    start()


def patch() -> None:
    """Put the missing half into MiniStack's modules, once; opens nothing."""
    global _patched
    if not _patched:
        patching.install(*PATCHES)
        _patched = True


def start() -> None:
    """Start to serve MiniStack's listeners, and to count; returns at once."""
    data_plane.start()
    request_metrics.start()


def stop() -> None:
    """Close all listeners. The patches stay."""
    data_plane.stop()
    request_metrics.stop()


def drained(ip: str) -> bool:
    """True when no target group has the address registered or draining: its process may get SIGTERM."""
    return targets.table.drained(ip)


def in_use(group: str) -> bool:
    """True when a rule of a load balancer, one of weight 0 too, forwards to a target group."""
    return group in rules.groups_in_use()


def healthy(group: str, ip: str) -> bool:
    """True when a target group has the address as healthy, or when nobody checks the group."""
    return any(
        target.ip == ip and target.state in {"healthy", "unused"} for target in targets.table.members(group)
    )
