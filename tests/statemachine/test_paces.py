"""The paces of the sample service: each is a spec that Crossfade takes, and each fits where it is allowed."""

import json
import re
from typing import Any

import pytest
from ministack.core import responses
from ministack.services.cloudformation import engine

from crossfade.domain.spec.service import ServiceSpec
from faults.cases.service import document
from faults.files import resources, template

SAMPLE = "sample_app/template.yaml"
PACES = template(SAMPLE)["Parameters"]["Pace"]["AllowedValues"]
SANDBOX, AWS = "000000000000", "123456789012"


def spec_of(pace: str) -> ServiceSpec:
    """The spec that the sample's stack writes for a pace, with example ARNs."""
    text, settings = next(iter(resources("AWS::SSM::Parameter", SAMPLE).values()))["Value"]["Fn::Sub"]
    chosen = template(SAMPLE)["Mappings"]["Pace"][pace]
    for name, lookup in settings.items():
        if isinstance(lookup, dict) and "Fn::FindInMap" in lookup:
            text = text.replace(f"${{{name}}}", chosen[lookup["Fn::FindInMap"][2]])
    text = text.replace("${TaskCount}", "2")
    text = text.replace("http://${LoadBalancer.DNSName}:${ProductionPort}", "http://localhost:8080")
    found = json.loads(re.sub(r"\$\{\w[\w.]*\}", "x", text))
    return ServiceSpec.model_validate(
        found | {name: document()[name] for name in ("service", "like", "traffic", "preview")}
    )


@pytest.mark.parametrize("pace", PACES)
def test_crossfade_takes_every_pace(pace: str) -> None:
    """A pace that the spec's own checks refuse would fail at the first deployment."""
    assert spec_of(pace).stages[-1].weight == 100


def test_a_trial_launches_and_drains_as_production_does() -> None:
    """AWS needs that long, however short the stages are."""
    trial, production = spec_of("trial"), spec_of("production")

    assert trial.launch == production.launch
    assert trial.retire.model_copy(update={"warm_seconds": 0}) == production.retire.model_copy(
        update={"warm_seconds": 0}
    )


def test_a_trial_does_not_wait_for_users_who_are_few() -> None:
    """A first look has no users, or one test client: a stage goes on within a minute all the same."""
    trial = spec_of("trial")

    assert max(trial.gate.users_seconds, trial.gate.users_reported_after) <= 45
    assert max(stage.min_seconds for stage in trial.stages) <= 15
    assert trial.retire.warm_seconds == 0


def refusal(monkeypatch: pytest.MonkeyPatch, account: str, pace: str) -> str | None:
    """What CloudFormation says before it makes anything; None when it goes on."""
    monkeypatch.setattr(engine, "get_account_id", lambda: account)
    parameters: dict[str, Any] = {
        name: {"Value": str(given.get("Default", ""))} for name, given in template()["Parameters"].items()
    }
    parameters["SamplePace"] = {"Value": pace}
    try:
        engine._evaluate_rules(template(), parameters, {})
    except ValueError as error:
        return str(error)
    return None


def test_a_rehearsal_is_refused_on_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would fail at every launch; the refusal comes before anything is made, and says what to use."""
    said = refusal(monkeypatch, AWS, "rehearsal")

    assert said is not None
    assert "SamplePace=rehearsal is for the sandbox" in said
    assert "SamplePace=trial" in said


@pytest.mark.parametrize(("account", "pace"), [(SANDBOX, "rehearsal"), (AWS, "trial"), (AWS, "production")])
def test_no_other_pace_is_refused(monkeypatch: pytest.MonkeyPatch, account: str, pace: str) -> None:
    """Nor the rehearsal in the sandbox, whose account is all zeros."""
    assert refusal(monkeypatch, account, pace) is None


def test_the_sandbox_is_the_account_of_zeros() -> None:
    """The rule knows it by that."""
    assert responses.get_account_id() == SANDBOX
