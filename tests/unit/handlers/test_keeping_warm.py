"""StopOldSlot: the old slot was warm for long enough, and is stopped unless somebody has made use of it."""

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.listener_rules import Traffic
from crossfade.domain import errors
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.rollback.assessment import back_out_plan
from crossfade.domain.traffic.weights import Weights
from tests.unit.account import Account
from tests.unit.examples import EXECUTION, ROLLBACKS, at, warm_spec
from tests.unit.handlers.conftest import Aws, Invoke

SOME, GREEN = (Weights.share("green", weight) for weight in (10, 100))


@pytest.fixture
def warm(account: Account, journal: Journal, blue_live: None) -> HeldPlan:
    """Return a deployment that was promoted and has freed the service; blue is warm."""
    spec = account.spec.model_copy(update={"retire": warm_spec().retire})
    plan = account.plan().model_copy(update={"spec": spec})
    journal.holding.claim(plan)
    Traffic(account.elbv2, account.spec).write(GREEN)
    journal.live.wrote(plan, GREEN, at(40))
    journal.live.promote(plan, at(50))
    journal.holding.release(plan.hold, at(60))
    return plan


@pytest.fixture
def next_plan(account: Account) -> HeldPlan:
    """Return the plan of the next deployment, back into blue."""
    return account.plan(
        deployment="d2", execution=f"{EXECUTION}:d2", stable="green", candidate="blue", began=at(60)
    )


def test_the_old_slot_is_stopped(account: Account, invoke: Invoke, journal: Journal, warm: HeldPlan) -> None:
    """And the service is free again, with no way back at once."""
    assert invoke("stop_old_slot", plan=warm) == {"slot": "blue"}
    assert (account.desired("blue"), account.desired("green")) == (0, 2)
    state = journal.state("web")
    assert (state.holder, state.deployment, state.warm, state.stable) == (None, None, None, "green")


def test_cooling_twice_is_harmless(account: Account, invoke: Invoke, warm: HeldPlan) -> None:
    """The second time nothing is warm."""
    invoke("stop_old_slot", plan=warm)
    assert invoke("stop_old_slot", plan=warm) == {"slot": None}
    assert account.desired("blue") == 0


def test_a_cooling_that_was_cut_off_is_finished(
    account: Account, invoke: Invoke, aws: Aws, journal: Journal, warm: HeldPlan
) -> None:
    """It holds the service already: its own first try."""
    aws.refuse("UpdateService", "ThrottlingException")
    with pytest.raises(errors.AwsUnavailable):
        invoke("stop_old_slot", plan=warm)
    assert journal.state("web").holder == warm.execution
    aws.allow("UpdateService")
    assert invoke("stop_old_slot", plan=warm) == {"slot": "blue"}
    assert (account.desired("blue"), journal.state("web").holder) == (0, None)


def test_a_slot_that_the_next_deployment_has_taken_runs_on(
    account: Account, invoke: Invoke, journal: Journal, warm: HeldPlan, next_plan: HeldPlan
) -> None:
    """During that deployment, and after it."""
    journal.holding.claim(next_plan)
    assert invoke("stop_old_slot", plan=warm) == {"slot": None}
    assert journal.state("web").holder == next_plan.execution
    journal.holding.release(next_plan.hold, at(120))
    assert invoke("stop_old_slot", plan=warm) == {"slot": None}
    assert account.desired("blue") == 2


def test_a_slot_that_was_gone_back_to_runs_on(
    account: Account, invoke: Invoke, journal: Journal, warm: HeldPlan
) -> None:
    """A person has backed the release out."""
    found = journal.state("web").warm
    assert found is not None
    journal.holding.back_out(back_out_plan(warm, execution=f"{ROLLBACKS}:mine", now=at(90)), found, None)
    assert invoke("stop_old_slot", plan=warm) == {"slot": None}
    assert account.desired("blue") == 2


def test_a_slot_with_clients_runs_on(
    account: Account, invoke: Invoke, journal: Journal, warm: HeldPlan
) -> None:
    """Somebody sends them there: the next deployment's first look says so; until then the service is free."""
    Traffic(account.elbv2, account.spec).write(SOME)
    assert invoke("stop_old_slot", plan=warm) == {"slot": None}
    assert account.desired("blue") == 2
    assert journal.state("web").holder is None


def test_the_only_slot_that_serves_is_not_stopped(
    account: Account, invoke: Invoke, journal: Journal, warm: HeldPlan
) -> None:
    """Nobody answers in the live one any more. Once somebody does, the old slot goes."""
    account.deregister_targets("green", "10.0.0.10", "10.0.0.11")
    with pytest.raises(errors.LiveServesNothing, match="none of its 2 tasks in green is healthy any more"):
        invoke("stop_old_slot", plan=warm)
    state = journal.state("web")
    assert (account.desired("blue"), state.holder, state.warm and state.warm.slot) == (2, None, "blue")
    account.register_targets("green", "10.0.0.12")
    assert invoke("stop_old_slot", plan=warm) == {"slot": "blue"}


def test_a_live_slot_that_its_owner_has_switched_off_keeps_nothing_warm(
    account: Account, invoke: Invoke, warm: HeldPlan
) -> None:
    """It is to serve nobody."""
    account.deregister_targets("green", "10.0.0.10", "10.0.0.11")
    account.ecs.update_service(cluster=account.spec.cluster, service="web-green", desiredCount=0)
    assert invoke("stop_old_slot", plan=warm) == {"slot": "blue"}


def test_a_service_that_is_off_the_air_is_cooled(account: Account, invoke: Invoke, warm: HeldPlan) -> None:
    """Somebody has removed the rule, so nobody is sent anywhere."""
    account.delete_rule()
    assert invoke("stop_old_slot", plan=warm) == {"slot": "blue"}


def test_a_first_release_has_nothing_to_cool(account: Account, invoke: Invoke, aws: Aws) -> None:
    """No call is made."""
    assert invoke("stop_old_slot", plan=account.first_plan()) == {"slot": None}
    assert aws.called == set()
