"""The plan: what a deployment is going to do, decided before anything is changed."""

import pytest

from crossfade.domain.errors import AmbiguousRepository
from crossfade.domain.planning.plan import Decision, built_by_nobody, choose_service, decide, unknown_service
from crossfade.domain.planning.request import ImagePushed
from crossfade.domain.slots import Slot
from crossfade.domain.traffic.weights import Weights
from faults.aws.names import ACCOUNT, REGION
from tests.unit.examples import (
    EXECUTION,
    NEW,
    OLD,
    START,
    at,
    first_plan,
    origin_placed,
    placed,
    plan,
    release,
    running,
    warm_spec,
)

PUSH = ImagePushed(account=ACCOUNT, region=REGION, repository="web", digest=NEW, tag="0.0.2")


def _decide(stable: Slot | None, **changes: object) -> Decision:
    return decide(
        **{
            "deployment": "d1",
            "execution": f"{EXECUTION}:d1",
            "now": START,
            "spec": placed() if stable else origin_placed(),
            "release": release(),
            "stable": stable,
            "running": running() if stable else None,
            **changes,
        }
    )


def test_an_ordinary_release_goes_to_the_idle_slot() -> None:
    """All stages, and what is live remembered."""
    decision = _decide("blue")
    assert decision.plan == plan()
    assert decision.reason == "0.0.1 → 0.0.2 in green"


def test_a_live_slot_that_serves_nothing_is_told() -> None:
    """By the load balancer's word; which stages there are is not decided by it."""
    decision = _decide("blue", serves=False)
    assert decision.plan == plan()
    assert decision.reason == (
        "0.0.1 → 0.0.2 in green; stable serves nothing: candidate judged by itself "
        "(blue has no healthy target)"
    )


def test_the_next_release_goes_back() -> None:
    """Slots take turns."""
    decision = _decide("green")
    assert decision.plan is not None
    assert (decision.plan.stable, decision.plan.candidate) == ("green", "blue")


def test_a_first_release_has_no_stable_slot() -> None:
    """It goes from the first stage straight to the last: nobody can be served by a fraction of nothing."""
    stages = placed().stages
    decision = _decide(None)
    assert decision.plan == first_plan(stages=(stages[0], stages[-1]))
    assert decision.reason == "nothing → 0.0.2 in blue"


def test_the_same_release_again_is_nothing_to_do() -> None:
    """Same digest, same pattern: success, and no plan."""
    decision = _decide("blue", release=release(digest=OLD))
    assert (decision.action, decision.plan) == ("nothing_to_do", None)
    assert decision.reason == f"web already runs 0.0.1 ({OLD}) in blue; 0.0.2 is the same image."
    again = _decide("blue", release=release("0.0.1", OLD))
    assert again.reason == f"web already runs 0.0.1 ({OLD}) in blue."


@pytest.mark.parametrize("changed", [{"pattern": f"{release().pattern}2"}, {"settings": "of-other-subnets"}])
def test_a_changed_pattern_is_deployed(changed: dict[str, str]) -> None:
    """A change of configuration goes live the same way as one of the image."""
    newer = release(digest=OLD).model_copy(update=changed)
    assert _decide("blue", release=newer).action == "deploy"


def test_an_unknown_stable_release_is_replaced() -> None:
    """What Crossfade did not register may be anything, so the release is deployed."""
    decision = _decide("blue", running=None)
    assert decision.action == "deploy"
    assert decision.plan is not None
    assert decision.plan.previous is None


def test_a_service_that_leaves_goes_to_its_owners_ecs_service() -> None:
    """The same image and pattern, but in another place."""
    decision = _decide("blue", spec=origin_placed(), release=release("0.0.1", OLD), leaves=True)
    assert decision.reason == "0.0.1 → 0.0.1 in green (back in web)"
    assert decision.plan is not None
    assert decision.plan.candidate == decision.plan.spec.origin == "green"


def test_weights_of_before() -> None:
    """What a rollback restores."""
    assert plan().before == Weights(blue=100, green=0)
    assert first_plan().before == Weights(blue=0, green=100)


def test_plans_survive_the_way_through_the_state_machine() -> None:
    """Law: JSON and back is the same plan."""
    whole = plan(release=release(pushed=at(-60)), spec=warm_spec())
    assert whole == type(whole).model_validate_json(whole.model_dump_json())


def test_the_ledger_is_named_after_the_deployment() -> None:
    """The log stream, and the folder of the evidence."""
    assert plan().ledger == "web/d1"


@pytest.mark.parametrize(
    ("repositories", "service"),
    [
        pytest.param({"web": "web", "shop": "shop"}, "web", id="one"),
        pytest.param({"shop": "shop"}, None, id="none"),
        pytest.param({}, None, id="no-service-at-all"),
        pytest.param({"web": ""}, None, id="a-spec-that-cannot-be-read"),
    ],
)
def test_a_push_finds_its_service(repositories: dict[str, str], service: str | None) -> None:
    """By the repository that the spec names."""
    assert choose_service(PUSH, repositories) == service


def test_a_push_of_nobody_names_the_specs_that_cannot_be_read() -> None:
    """One of them may be of the service that was pushed."""
    assert built_by_nobody(PUSH, {"shop": "shop"}) == "no service is built from repository web"
    assert "; what shop is built from cannot be read" in built_by_nobody(PUSH, {"shop": "", "blog": "blog"})


def test_a_repository_of_two_services_is_ambiguous() -> None:
    """The sentence names both, and how to go on."""
    with pytest.raises(AmbiguousRepository, match="shop, web") as refused:
        choose_service(PUSH, {"web": "web", "shop": "web"})
    assert NEW in str(refused.value)


@pytest.mark.parametrize(("known", "said"), [(["b", "a"], "a, b"), ([], "none")])
def test_an_unknown_service_is_told_the_known_ones(known: list[str], said: str) -> None:
    """A slip of the pen is seen at once."""
    refused = str(unknown_service("c", known, "/Staging/services/"))
    assert f"/Staging/services/c does not exist. Known services: {said}" in refused
