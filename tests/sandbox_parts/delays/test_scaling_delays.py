"""Scalable targets right after a write, as a role reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import ecs

from sandbox.autoscaling import scalable_targets as scaling

TARGET = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/shop/web",
    "ScalableDimension": "ecs:service:DesiredCount",
}
SUSPENDED = dict.fromkeys(scaling._SUSPENDABLE, True)


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch, as_role: str) -> Iterator[None]:
    """A service of 2 tasks, and nothing registered."""
    monkeypatch.setitem(ecs._services, "shop/web", {"status": "ACTIVE", "desiredCount": 2})
    yield
    scaling._targets.clear()
    scaling.seen.forget()


def read() -> list[dict[str, Any]]:
    return list(scaling.describe({"ServiceNamespace": "ecs"})["ScalableTargets"])


def test_a_new_target_is_missing():
    """It is not listed until it is seen."""
    scaling.register(TARGET | {"MinCapacity": 1, "MaxCapacity": 4})
    stale = read()
    scaling.seen.forget()

    assert (stale, len(read())) == ([], 1)


def test_a_suspended_target_is_not():
    """It reads as it was before it was suspended."""
    scaling.register(TARGET | {"MinCapacity": 1, "MaxCapacity": 4})
    scaling.seen.forget()
    scaling.register(TARGET | {"SuspendedState": SUSPENDED})
    stale = read()[0]["SuspendedState"]
    scaling.seen.forget()

    assert not any(stale.values())
    assert read()[0]["SuspendedState"] == SUSPENDED


def test_a_deregistered_target_is_there():
    """Until its end is seen."""
    scaling.register(TARGET | {"MinCapacity": 1, "MaxCapacity": 4})
    scaling.seen.forget()
    scaling.deregister(TARGET)
    stale = read()
    scaling.seen.forget()

    assert (len(stale), read()) == (1, [])
