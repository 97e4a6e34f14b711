"""A service of Crossfade 0.1 meets 0.2: what is refused, in which words, and that the described ways go.

docs/adopting.md describes them under "A service of Crossfade 0.1". What becomes of a deployment that
was under way is in test_updated_meanwhile.py.
"""

import json
from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.domain import errors
from crossfade.domain.planning.plan import HeldPlan
from tests.unit.account import SPECS, TABLE, Account
from tests.unit.aws.test_stored_by_others import FIRST, put, stored
from tests.unit.examples import EXECUTION
from tests.unit.handlers.conftest import Aws, Clock, Context, Invoke, module_of
from tests.unit.handlers.test_custom_resource import Answers, answers, custom_resource

__all__ = ["answers"]
HISTORY = [item for item in stored(FIRST) if item["item"]["S"] != "state"]
"""What the journal keeps of a service of 0.1 whose stack was deleted: its deployments, and no state."""


def _spec() -> dict[str, Any]:
    """The spec of 0.1: the one that its plan was made of, and what that calls otherwise."""
    (plan,) = [json.loads(item["plan"]["S"]) for item in HISTORY]
    spec: dict[str, Any] = plan["spec"]
    return spec


def _plan(account: Account, invoke: Invoke) -> dict[str, Any]:
    account.push("0.0.2")
    asked = {"service": "web", "image_tag": "0.0.2"}
    return invoke("plan_release", input=asked, execution=f"{EXECUTION}:d9", deployment="d9")


def _resource(kind: str) -> None:
    context = Context()
    context.remaining = 900_000
    module_of("cleanup").handler(custom_resource(kind, "web"), context)


def test_its_spec_is_refused_with_the_way_to_go(account: Account, invoke: Invoke) -> None:
    """Each field that is missing, and where the changeover is described."""
    account.ssm.put_parameter(Name=f"{SPECS}web", Value=json.dumps(_spec()), Type="String", Overwrite=True)
    said = r"like: Field required.*traffic: Field required.*form of Crossfade 0\.1.*docs/adopting\.md"
    with pytest.raises(errors.InvalidServiceSpec, match=said):
        _plan(account, invoke)


def test_deleted_and_created_anew(
    account: Account, invoke: Invoke, aws: Aws, answers: Answers, journal: Journal
) -> None:
    """What 0.1 has left in the history keeps neither a release nor a deletion from its way."""
    put(account, HISTORY)
    _resource("Create")
    decision = _plan(account, invoke)
    assert (decision["action"], decision["plan"]["stable"]) == ("deploy", None)
    _resource("Delete")  # before its first release, where the last plan in the journal is still that of 0.1
    assert [(body["Status"], body["Reason"]) for body in answers.bodies] == [("SUCCESS", "")] * 2


def test_created_anew_and_released(
    account: Account, invoke: Invoke, aws: Aws, clock: Clock, answers: Answers, journal: Journal
) -> None:
    """Then the last plan is one of 0.2, and the service goes with its stack."""
    put(account, HISTORY)
    clock.sleep(60)
    _resource("Create")
    journal.holding.claim(HeldPlan.model_validate(_plan(account, invoke)["plan"]))
    _resource("Delete")
    assert [(body["Status"], body["Reason"]) for body in answers.bodies] == [("SUCCESS", "")] * 2
    assert Journal(account.dynamodb, TABLE).state("web").holder is None
