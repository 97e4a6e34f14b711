"""Placing: whether the owner's ECS service takes the place of a slot, and of which."""

from typing import Any

import pytest

from crossfade.domain.errors import ForeignChange, InvalidServiceSpec, NothingToLeave, PatternUnusable
from crossfade.domain.journal import State, WarmSlot
from crossfade.domain.planning.placing import image_tag, place, refuse_others_traffic
from crossfade.domain.slots import Slot, TargetGroups, other
from crossfade.domain.spec.placed import Placed, Target
from crossfade.domain.traffic.shown import Shown, ShownRoute
from crossfade.domain.traffic.weights import Weights
from faults.cases.service import RULE, document
from tests.unit.examples import at, forward, live_rule, origin_placed, pattern, placed, spec

OWN = placed().target_groups
BLUE, GREEN = Weights.share("blue", 100), Weights.share("green", 100)


def _place(state: State, *, leaves: bool = False, **weights: int) -> Placed:
    return place(
        spec(),
        pattern(),
        [OWN],
        [live_rule(forward(**weights))],
        state,
        preview_secret=placed().preview_secret,
        leaves=leaves,
    )


ADMIN = Target(target_group=pattern().target_group.replace("/web/", "/admin/"), container="app", port=9000)
OWN_ADMIN = TargetGroups(blue="b", green="g", pattern=ADMIN.target_group)


def _place_all(*actions: dict[str, Any], state: State | None = None, leaves: bool = False) -> Placed:
    """A service of two ports, whose rules stand on two listeners."""
    rules = [live_rule(one, arn=f"{RULE[:-1]}{n}") for n, one in enumerate(actions)]
    return place(
        spec(traffic=[{"rule": rule.arn} for rule in rules]),
        pattern(also=[ADMIN.model_dump()]),
        [OWN, OWN_ADMIN],
        rules,
        state or State(),
        preview_secret=placed().preview_secret,
        leaves=leaves,
    )


def test_each_rule_is_a_route_to_one_port() -> None:
    """What the first one leads to is what the probe asks, and so the pattern's first port."""
    found = _place_all(forward(**{ADMIN.target_group: 1}), forward(pattern=1))
    assert [route.rule for route in found.routes] == [f"{RULE[:-1]}0", f"{RULE[:-1]}1"]
    assert [target.name for target in found.pattern.targets] == ["app:9000", "app:8080"]
    assert found.slot_groups("blue") == ("b", OWN.blue)
    assert found.slot_groups("green") == (ADMIN.target_group, pattern().target_group)  # the origin's place
    assert [groups.replaced for _, groups in found.ports] == ["g", OWN.green]
    both = _place_all(
        forward(blue=100), forward(b=100, g=0), forward(green=0, blue=1), state=_state("blue", "green")
    )
    assert [route.target_groups.blue for route in both.routes] == [OWN.blue, "b", OWN.blue]
    assert both.origin is None


def test_a_port_that_no_rule_leads_to() -> None:
    """Its clients would stay with the version of before."""
    with pytest.raises(PatternUnusable, match=r"No rule in traffic of web leads to app:9000 \("):
        _place_all(forward(pattern=1), forward(pattern=1))


def test_two_entries_that_are_one_rule() -> None:
    """One is by its ARN, the other one by its place."""
    twice = spec(traffic=[{"rule": RULE}, *document()["traffic"]])
    rules = [live_rule(forward(pattern=1))] * 2
    with pytest.raises(InvalidServiceSpec, match=f"names the rule {RULE} twice"):
        place(twice, pattern(), [OWN], rules, State(), preview_secret="p", leaves=False)


def test_a_service_of_which_one_rule_is_elsewhere_has_not_left() -> None:
    """All that it has at home is what its owner has."""
    home, away = forward(pattern=100), forward(b=100)
    left = _state("green", "green").model_copy(update={"weights": GREEN})
    with pytest.raises(NothingToLeave):
        _place_all(home, forward(**{ADMIN.target_group: 1}), state=left, leaves=True)
    assert _place_all(home, away, state=left, leaves=True).origin == "green"


def _state(stable: Slot | None, origin: Slot | None = None, *, warm: bool = False) -> State:
    kept = WarmSlot(slot="green", deployment="d0", execution="e", until=at(900)) if warm else None
    return State(stable=stable, origin=origin, weights=BLUE, digest="sha256:1", warm=kept)


@pytest.mark.parametrize(
    ("state", "weights", "origin"),
    [
        pytest.param(State(), {"pattern": 1}, "green", id="adopted"),
        pytest.param(_state("blue", "green"), {"blue": 100, "green": 0}, None, id="after-its-first-release"),
        pytest.param(_state(None, "green"), {"blue": 0, "pattern": 100}, "green", id="a-first-one-failed"),
        pytest.param(_state("green", None), {"blue": 0, "green": 100}, None, id="from-then-on"),
        pytest.param(_state("blue", "blue"), {"pattern": 100}, "blue", id="handed-back"),
        pytest.param(_state("green", None), {"pattern": 1}, "blue", id="the-owner-has-set-the-rule-back"),
    ],
)
def test_where_the_origin_is(state: State, weights: dict[str, int], origin: Slot | None) -> None:
    """It is bound to a slot as long as it has traffic."""
    found = _place(state, **weights)
    assert found.origin == origin
    groups = found.target_groups
    assert groups.pattern == pattern().target_group
    assert groups.replaced == (OWN.of(found.origin) if found.origin else "")
    for slot in ("blue", "green"):
        assert groups.of(slot) == (groups.pattern if slot == origin else OWN.of(slot))


def test_a_service_that_leaves_goes_to_the_idle_slots_place() -> None:
    """Whichever that is."""
    assert _place(_state("blue"), leaves=True, blue=100, green=0).origin == "green"
    assert _place(_state("green"), leaves=True, blue=0, green=100).origin == "blue"


@pytest.mark.parametrize(("stable", "weights"), [("blue", BLUE), ("green", GREEN)])
def test_a_rule_that_names_both_slots_is_no_foreign_one_as_a_service_leaves(
    stable: Slot, weights: Weights
) -> None:
    """The idle slot's group stands in the rule with 0; the origin takes that slot's place."""
    found = _place(_state(stable), leaves=True, blue=weights.blue, green=weights.green)
    rule = live_rule(forward(blue=weights.blue, green=weights.green))
    assert rule.weights(found.target_groups) == weights
    idle = {other(stable): 0, "beside": 50}
    split = live_rule(forward(blue=50, green=50)).weights(found.target_groups)
    assert split == Weights.share(stable, 50).model_copy(update=idle)


@pytest.mark.parametrize("leaves", [True, False])
def test_a_rule_that_still_shows_the_slot_of_before_is_measured_by_where_the_service_is(leaves: bool) -> None:
    """The service has left a moment ago, and ELB shows weights of before: its owner's has that slot."""
    left = _state("green", "green")
    found = _place(left.model_copy(update={"weights": GREEN}), leaves=leaves, blue=100, pattern=0)
    assert found.origin == "green"
    assert live_rule(forward(blue=100, pattern=0)).weights(found.target_groups) == BLUE


@pytest.mark.parametrize("state", [_state("green", "green"), State()], ids=["left", "never-came"])
def test_what_is_with_its_owner_cannot_leave(state: State) -> None:
    """The sentence says how to go on."""
    with pytest.raises(NothingToLeave, match=r"live in its owner's ECS service .* crossfade leave"):
        _place(state, leaves=True, pattern=1)


def _shown(live: Weights) -> Shown:
    rule = live_rule(forward(blue=live.blue, pattern=live.green))
    return Shown((ShownRoute(origin_placed().routes[0], rule),))


def test_what_is_warm_and_in_no_slots_place_is_left_over() -> None:
    """The next deployment uses its slot, and it must not run on without a word."""
    assert _place(_state("blue", "green", warm=True), blue=100, green=0).leftover_service == "web"
    leaving = _place(_state("blue", None, warm=True), leaves=True, blue=100, green=0)
    assert leaving.leftover_service == "web-green"
    assert not _place(_state("blue", "green", warm=True), leaves=True, blue=100, green=0).leftover
    assert not _place(_state("blue", None, warm=True), blue=100, green=0).leftover
    assert not _place(State(), pattern=1).leftover


@pytest.mark.parametrize("live", [BLUE, Weights.share("green", 50)])
def test_before_a_first_release_all_traffic_is_its_owners(live: Weights) -> None:
    """Anything else was made by nobody that is known."""
    with pytest.raises(ForeignChange, match=r"never deployed by Crossfade, and .* alone\. It is left alone"):
        refuse_others_traffic(State(), _shown(live), origin_placed())
    refuse_others_traffic(State(), _shown(GREEN), origin_placed())
    refuse_others_traffic(_state("blue"), _shown(live), placed())


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/web:1.2.3", "1.2.3"),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/web@sha256:1", None),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/other-team/web:1.2.3", None),
        ("web", None),
    ],
)
def test_the_owners_version_is_the_image_tag_its_image(image: str, tag: str | None) -> None:
    """Only of the repository that is released."""
    assert image_tag(image, "team/web") == tag
