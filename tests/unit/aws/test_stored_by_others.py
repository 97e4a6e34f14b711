"""What another version of Crossfade has stored is understood: its deployment may be under way in an update.

``stored/journal-0.1.0.json`` is the journal in the middle of a deployment, as 0.1.0 wrote it. It is not made
anew when a field comes or goes; a later release adds a file of its own.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.domain.planning.plan import Plan
from crossfade.domain.spec.service import DEPLOYMENT_SECONDS
from tests.unit.account import TABLE, Account

STORED = sorted((Path(__file__).parent / "stored").glob("journal-*.json"))


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


@pytest.mark.parametrize("change", [as_it_is, with_more], ids=["older", "newer"])
@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_the_journal_is_read(account: Account, path: Path, change: Callable[[Any], Any]) -> None:
    """The state, the milestones and the plan; and the plan travels on through the workflow."""
    for item in change(json.loads(path.read_text())):
        account.dynamodb.put_item(TableName=TABLE, Item=item)
    journal = Journal(account.dynamodb, TABLE)
    state = journal.state("web")
    assert (state.stable, state.weights, state.intended) != (None, None, None)
    assert state.waiting is not None
    assert state.warm is not None
    history = journal.history.of("web", state.deployment or "")
    assert [stage.weight for stage in history.stages] == [0, 10]
    assert history.scaling is not None
    assert Plan.model_validate(history.plan.model_dump(mode="json")) == history.plan


def test_a_service_is_found_that_another_version_has_claimed(account: Account) -> None:
    """Crossfade was updated in the middle of its deployment, and its spec is gone."""
    for item in json.loads(STORED[0].read_text()):
        account.dynamodb.put_item(TableName=TABLE, Item=item)
    journal = Journal(account.dynamodb, TABLE)
    assert journal.services() == ["web"]
    assert (
        journal.history.last_plan("web")
        == journal.history.of("web", journal.state("web").deployment or "").plan
    )


def test_a_plan_is_not_judged_again(account: Account) -> None:
    """A bound that is newer than the deployment would keep its rollback from ever getting through."""
    (item,) = [item for item in json.loads(STORED[0].read_text()) if "plan" in item]
    plan = json.loads(item["plan"]["S"])
    plan["spec"]["launch"]["deadline_seconds"] = DEPLOYMENT_SECONDS
    assert Plan.model_validate(plan).spec.launch.deadline_seconds == DEPLOYMENT_SECONDS
