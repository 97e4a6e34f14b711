"""What another version of Crossfade has stored is understood: its deployment may be under way in an update.

``stored/journal-0.2.0.json`` is the journal in the middle of a deployment, as 0.2.0 wrote it, with a second
service whose old version is warm. It is not made anew when a field comes or goes; a later release adds a file
of its own. Of ``journal-0.1.0.json`` the state alone is understood: the plan had another form.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.domain.errors import PlanOutdated
from crossfade.domain.planning.plan import Plan
from crossfade.domain.spec.service import DEPLOYMENT_SECONDS
from crossfade.domain.traffic.weights import Weights
from tests.unit.account import TABLE, Account
from tests.unit.examples import NEW, NEWER, at

FIRST, *STORED = sorted((Path(__file__).parent / "stored").glob("journal-*.json"))


def _newer(value: Any) -> Any:
    """A value with a key more in each of its objects, whether DynamoDB's own or within a JSON string."""
    if isinstance(value, list):
        return [_newer(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"M"}:
        return {"M": {**_newer(value["M"]), "newer": {"S": "than this version"}}}
    if value.keys() == {"S"} and value["S"].startswith("{"):
        return {"S": json.dumps(_newer_json(json.loads(value["S"])))}
    return {key: _newer(item) for key, item in value.items()}


def _newer_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_newer_json(item) for item in value]
    if isinstance(value, dict):
        return {**{key: _newer_json(item) for key, item in value.items()}, "newer": "than this version"}
    return value


def _stages_apart(item: dict[str, Any]) -> dict[str, Any]:
    """The stages are kept by weight: a key more there is a stage, not a field."""
    if "stages" in item:
        del item["stages"]["M"]["newer"]
    return item


def as_it_is(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return items


def with_more(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [_stages_apart(_newer(item)) for item in items]


def put(account: Account, items: list[dict[str, Any]]) -> Journal:
    """Let the journal be as another version has left it."""
    for item in items:
        account.dynamodb.put_item(TableName=TABLE, Item=item)
    return Journal(account.dynamodb, TABLE)


def stored(path: Path) -> list[dict[str, Any]]:
    """The items of a file."""
    return list(json.loads(path.read_text()))


@pytest.mark.parametrize("change", [as_it_is, with_more], ids=["older", "newer"])
@pytest.mark.parametrize("path", [FIRST, *STORED], ids=lambda path: path.stem)
def test_the_state_is_read(account: Account, path: Path, change: Callable[[Any], Any]) -> None:
    """Who holds the service, what is live, what waits; also of the first form, whose plans are not read."""
    state = put(account, change(stored(path))).state("web")
    assert (state.deployment, state.stable, state.version) == ("d1", "blue", "0.0.1")
    assert (state.weights, state.intended) == (Weights.share("green", 10), Weights.share("green", 100))
    assert state.candidate is not None
    assert (state.candidate.slot, state.candidate.version) == ("green", "0.0.2")
    assert state.waiting is not None
    assert state.waiting.version == "0.0.3"


@pytest.mark.parametrize("change", [as_it_is, with_more], ids=["older", "newer"])
@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_the_journal_is_read(account: Account, path: Path, change: Callable[[Any], Any]) -> None:
    """The rest of the state, the milestones and the plan; and the plan travels on through the workflow."""
    journal = put(account, change(stored(path)))
    state = journal.state("web")
    assert len(state.last_rules) == 1
    assert (state.resumed and state.resumed.slot, state.newest and state.newest.at) == ("blue", at(-60))
    assert [past.until for past in state.overwritten] == [at(41)]
    history = journal.history.of("web", "d1")
    assert [stage.weight for stage in history.stages] == [0, 10]
    assert (history.scaling is None, history.launched, history.wanted) == (False, at(8), 2)
    assert Plan.model_validate(history.plan.model_dump(mode="json")) == history.plan
    shop = journal.state("shop")
    assert shop.warm is not None
    assert (shop.stable, shop.warm.slot, shop.holder, shop.freed) == ("green", "blue", None, at(110))


@pytest.mark.parametrize("path", [FIRST, *STORED], ids=lambda path: path.stem)
def test_services_are_found_that_another_version_has_claimed(account: Account, path: Path) -> None:
    """Crossfade was updated in the middle of a deployment, and its spec is gone."""
    items = stored(path)
    services = {item["service"]["S"] for item in items}
    assert sorted(put(account, items).services()) == sorted(services)


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_the_last_plan_is_found(account: Account, path: Path) -> None:
    """By it a service is removed whose stack is deleted."""
    journal = put(account, stored(path))
    assert journal.history.last_plan("web") == journal.history.of("web", "d1").plan


def test_a_plan_of_the_first_form_is_refused_by_name(account: Account) -> None:
    """Its service stood elsewhere: no part of it may be guessed. The sentence says what to do."""
    journal = put(account, stored(FIRST))
    said = r"deployment d1 of web is of an earlier version .* Install that one again.* docs/adopting\.md"
    with pytest.raises(PlanOutdated, match=said):
        journal.history.of("web", "d1")
    with pytest.raises(PlanOutdated, match=said):
        journal.history.last_plan("web")


def test_what_the_first_form_deployed_is_known(account: Account) -> None:
    """A tag on an image that was released before the update leads back to nothing."""
    journal = put(account, stored(FIRST))
    assert journal.history.knows("web", NEW)
    assert not journal.history.knows("web", NEWER)


def test_a_plan_is_not_judged_again() -> None:
    """A bound that is newer than the deployment would keep its rollback from ever getting through."""
    (text, *_) = [item["plan"]["S"] for item in stored(STORED[0]) if "plan" in item]
    plan = json.loads(text)
    plan["spec"]["launch"]["deadline_seconds"] = DEPLOYMENT_SECONDS
    assert Plan.model_validate(plan).spec.launch.deadline_seconds == DEPLOYMENT_SECONDS
