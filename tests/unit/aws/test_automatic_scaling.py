"""Automatic scaling: suspended and resumed on one slot, and its limits never touched."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from crossfade.aws.scalable_targets import Scaling
from crossfade.domain.tasks.scaling import ACTIVE, SUSPENDED, ScalableTarget, SuspendedState
from tests.unit.account import Account


@pytest.fixture
def scaling(account: Account) -> Scaling:
    """Return the scaling of a service whose blue slot is scaled, and whose green slot is not."""
    for slot in ("blue", "green"):
        account.run(slot, account.spec.pattern.task_definition)
    account.scale("blue")
    return Scaling(account.autoscaling, account.spec)


def test_a_slot_that_is_not_scaled(account: Account, scaling: Scaling) -> None:
    """Nothing is suspended there, and nothing is made."""
    assert scaling.target("green") is None
    scaling.suspend("green", SUSPENDED)
    assert account.scaling("green") is None


def test_a_target_that_is_not_shown_yet_is_suspended(
    account: Account, scaling: Scaling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner has just registered it: what is read may be of before."""
    with monkeypatch.context() as stale:
        stale.setattr(scaling._autoscaling, "describe_scalable_targets", lambda **_: {"ScalableTargets": []})
        scaling.suspend("blue", SUSPENDED)
    assert scaling.target("blue") == ScalableTarget(suspension=SUSPENDED, least=2, most=8)


def test_a_refusal_of_what_is_shown_is_told(
    account: Account, scaling: Scaling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is a target, its absence is not what AWS refuses."""
    error = ClientError({"Error": {"Code": "ValidationException", "Message": "no"}}, "RegisterScalableTarget")

    def refuse(**_: Any) -> None:
        raise error

    monkeypatch.setattr(scaling._autoscaling, "register_scalable_target", refuse)
    with pytest.raises(ClientError):
        scaling.suspend("blue", SUSPENDED)


def test_a_slot_that_is_scaled(scaling: Scaling) -> None:
    """Nothing is suspended until somebody does it."""
    assert scaling.target("blue") == ScalableTarget(suspension=ACTIVE, least=2, most=8)


@pytest.mark.parametrize(
    "wanted",
    [
        SUSPENDED,
        ACTIVE,
        SuspendedState(scale_in=True, scale_out=False, scheduled=False),
        SuspendedState(scale_in=False, scale_out=True, scheduled=False),
        SuspendedState(scale_in=False, scale_out=False, scheduled=True),
    ],
    ids=["all", "none", "scale-in", "scale-out", "scheduled"],
)
def test_a_suspension_is_read_as_it_was_written(
    account: Account, scaling: Scaling, wanted: SuspendedState
) -> None:
    """From whatever was there, and twice; the slot's limits stay its own."""
    for before in (ACTIVE, SUSPENDED):
        scaling.suspend("blue", before)
        for _ in range(2):
            scaling.suspend("blue", wanted)
        assert scaling.target("blue") == ScalableTarget(suspension=wanted, least=2, most=8)
    target = account.scaling("blue")
    assert target is not None
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 8)


def test_what_seems_to_be_so_already_is_written_all_the_same(
    scaling: Scaling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read may be of before the last write."""
    written: list[dict[str, Any]] = []
    monkeypatch.setattr(
        scaling._autoscaling, "register_scalable_target", lambda **given: written.append(given)
    )
    scaling.suspend("blue", ACTIVE)
    assert [call["ResourceId"] for call in written] == ["service/web/web-blue"]


@pytest.mark.parametrize("target", [{}, {"SuspendedState": {}}], ids=["no-state", "empty-state"])
def test_a_target_that_says_nothing_is_active(
    scaling: Scaling, monkeypatch: pytest.MonkeyPatch, target: dict[str, Any]
) -> None:
    """As AWS answers for one that was never suspended."""
    told = target | {"MinCapacity": 2, "MaxCapacity": 8}
    monkeypatch.setattr(
        scaling._autoscaling, "describe_scalable_targets", lambda **_: {"ScalableTargets": [told]}
    )
    assert scaling.target("blue") == ScalableTarget(suspension=ACTIVE, least=2, most=8)
