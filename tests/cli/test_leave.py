"""`crossfade leave`: the deployment that hands a service back, the removal, and what is left to do."""

import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from crossfade.aws.journal import Journal
from crossfade.domain.journal import DELETION
from faults.aws.names import ACCOUNT, REGION
from tests.cli.owner import OUTPUTS, Owner
from tests.unit.account import SESSION

EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:crossfade-deploy:leave"
LIKE = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/shop/web"
SPEC = "/crossfade/services/web"


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.leave.POLL_SECONDS", 0.0)


def _enters(owner: Owner, *states: str, **ends: Any) -> None:
    """Let a deployment enter states, one with each look at it, and end like this after the last one."""
    looks = iter(states)

    def entered(_: dict[str, Any]) -> dict[str, Any]:
        name = next(looks, states[-1])
        return {"events": [{"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": name}}]}

    def described(_: dict[str, Any]) -> dict[str, Any]:
        left = states and looks.__length_hint__()
        return {"status": "RUNNING", "input": '{"leave": true}'} if left else {"input": "{}", **ends}

    owner.answers |= {
        "StartExecution": {"executionArn": EXECUTION},
        "GetExecutionHistory": entered,
        "DescribeExecution": described,
    }


PROMOTED = {"status": "SUCCEEDED", "output": '{"outcome": "promoted", "certificate": "c"}'}


def _removes(owner: Owner, *what: str, error: dict[str, str] | None = None) -> None:
    """Let the cleanup function answer."""
    answer = {"FunctionError": "Unhandled"} if error else {}
    said = error or {"removed": list(what)}
    owner.answers["Invoke"] = lambda _: answer | {"Payload": io.BytesIO(json.dumps(said).encode())}


def _asked(owner: Owner, operation: str) -> list[dict[str, Any]]:
    return [given for _, name, given in owner.calls if name == operation]


def _specs(owner: Owner) -> list[str]:
    found = owner.ssm.describe_parameters()["Parameters"]
    return [one["Name"] for one in found if one["Name"] == SPEC]


def test_a_service_is_handed_back(owner: Owner) -> None:
    """The deployment first, then the removal, then the spec's parameter; and what is left for the owner."""
    other = f"{LIKE}-api"
    owner.parameters["Adopted"] = other
    owner.adopt()
    _enters(owner, "PlanRelease", "WatchStage", "Promoted", **PROMOTED)
    _removes(owner, "the rule of blue", "web-blue")
    done = owner.run("leave", "web")
    assert done.exit_code == 0, done.stderr
    (start,) = _asked(owner, "StartExecution")
    assert start["stateMachineArn"] == OUTPUTS["DeployStateMachine"]
    assert json.loads(start["input"]) == {"service": "web", "leave": True}
    (invoked,) = _asked(owner, "Invoke")
    assert (invoked["FunctionName"], json.loads(invoked["Payload"])) == (
        OUTPUTS["CleanupFunction"],
        {"service": "web", "leave": True},
    )
    assert [name for _, name, _ in owner.writes] == ["StartExecution", "DeleteParameter"]
    assert _specs(owner) == []
    for state in ("PlanRelease", "WatchStage", "Promoted"):
        assert f"  {state}\n" in done.stderr
    assert "web-blue" in done.stdout
    assert "/team/web:1.2.3 and the count 2" in done.stdout
    assert f'Adopted="{other}"' in done.stdout


def test_all_rules_of_a_service_are_taken_back(owner: Owner) -> None:
    """And its owner is told the image that is released, also where a sidecar is reached first."""
    owner.two_ports()
    hosts = ("shop.example", "www.shop.example")
    rules = [owner.rule(host, priority=100 + n) for n, host in enumerate(hosts)]
    owner.adopt()
    assert owner.parameters["Adopted"] == ",".join([LIKE, *rules])
    _enters(owner, "Promoted", **PROMOTED)
    _removes(owner, "the rule of blue")
    done = owner.run("leave", "web")
    assert done.exit_code == 0, done.stderr
    assert "/team/web:1.2.3 and the count 2" in done.stdout
    assert 'Adopted=""' in done.stdout


def test_a_slot_that_stays_warm_is_not_waited_for(owner: Owner) -> None:
    """The service is free by then, and the removal stops what waits."""
    owner.adopt()
    _enters(owner, "WatchStage", "KeepWarm", status="RUNNING")
    _removes(owner)
    assert owner.json("leave", "web")["removed"] == []


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (
            {"status": "FAILED", "error": "CandidateWorse", "cause": "9 of 10 failed."},
            "CandidateWorse 9 of 10",
        ),
        ({"status": "ABORTED"}, "ended ABORTED"),
        ({"status": "SUCCEEDED", "output": '{"action": "ignore", "reason": "why not"}'}, "back: why not"),
    ],
)
def test_a_deployment_that_fails_leaves_all_as_it_was(owner: Owner, ends: dict[str, str], said: str) -> None:
    """Nothing is removed."""
    owner.adopt()
    _enters(owner, "Assess", **ends)
    _removes(owner)
    done = owner.run("leave", "web")
    assert (done.exit_code, said in done.stderr) == (1, True), done.stderr
    assert _asked(owner, "Invoke") == []
    assert _specs(owner) == [SPEC]


@pytest.mark.parametrize("error", ["NothingToLeave", "ReportNotWritten"])
def test_the_owners_service_is_live_all_the_same(owner: Owner, error: str) -> None:
    """It was before, or is since."""
    owner.adopt()
    _enters(owner, "DeploymentFailed", status="FAILED", error=error, cause="so it is.")
    _removes(owner, "all")
    done = owner.run("leave", "web", "--json")
    assert (done.exit_code, json.loads(done.stdout)["removed"]) == (0, ["all"])
    assert error in done.stderr


def test_an_owner_who_has_deleted_the_stack(owner: Owner) -> None:
    """There is nothing to hand back to: it is removed at once."""
    owner.adopt()
    owner.ecs.delete_service(cluster="shop", service="web", force=True)
    _removes(owner, "web-blue")
    done = owner.run("leave", "web", "--gone")
    assert done.exit_code == 0, done.stderr
    assert _asked(owner, "StartExecution") == []
    (invoked,) = _asked(owner, "Invoke")
    assert json.loads(invoked["Payload"]) == {"service": "web", "leave": True, "gone": True}
    assert "Delete the stack of the service again" in done.stdout


def test_a_removal_that_fails(owner: Owner) -> None:
    """By the error's name; the spec stays, so that it can be called again."""
    owner.adopt()
    _enters(owner, "Promoted", **PROMOTED)
    _removes(owner, error={"errorType": "StillLive", "errorMessage": "The rule sends clients to a slot."})
    done = owner.run("leave", "web")
    assert (done.exit_code, "StillLive: The rule sends" in done.stderr) == (1, True)
    assert _specs(owner) == [SPEC]


def _hold(holder: str) -> None:
    """Let an execution hold the service."""
    Journal(SESSION.client("dynamodb"), OUTPUTS["Journal"]).holding.seize("web", holder)


def test_a_wait_that_was_ended_goes_on(owner: Owner) -> None:
    """No second deployment is started."""
    owner.adopt()
    _hold(EXECUTION)
    _enters(owner, "WatchStage", "RetireStable", "Promoted", **PROMOTED)
    _removes(owner)
    assert owner.run("leave", "web").exit_code == 0
    assert _asked(owner, "StartExecution") == []


def test_a_removal_that_had_begun_goes_on(owner: Owner) -> None:
    """No deployment could change anything any more."""
    owner.adopt()
    _hold(DELETION)
    _removes(owner, "web-blue")
    assert owner.json("leave", "web")["removed"] == ["web-blue"]
    assert _asked(owner, "StartExecution") == []
    assert _specs(owner) == []


def test_an_execution_that_is_not_shown_yet(owner: Owner) -> None:
    """Step Functions shows what has begun a little later."""
    owner.adopt()
    _enters(owner, "WatchStage", "Promoted", **PROMOTED)
    described, looks = owner.answers["DescribeExecution"], iter(range(2))

    def at_first_unknown(given: dict[str, Any]) -> dict[str, Any]:
        if next(looks, None) is not None:
            said: Any = {"Code": "ExecutionDoesNotExist", "Message": "Execution Does Not Exist"}
            raise ClientError({"Error": said}, "DescribeExecution")
        assert callable(described)
        return described(given)

    owner.answers["DescribeExecution"] = at_first_unknown
    _removes(owner)
    assert owner.run("leave", "web").exit_code == 0


def test_another_deployment_is_at_work(owner: Owner) -> None:
    """It is waited for first."""
    owner.adopt()
    _hold(EXECUTION)
    owner.answers["DescribeExecution"] = {"status": "RUNNING", "input": '{"service": "web"}'}
    done = owner.run("leave", "web")
    assert (done.exit_code, "ServiceBusy: " in done.stderr) == (1, True)


def test_ctrl_c_ends_the_waiting_and_not_the_deployment(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how to go on."""
    owner.adopt()
    _enters(owner, "WatchStage", "WatchStage", "WatchStage", **PROMOTED)

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.leave.time.sleep", interrupted)
    done = owner.run("leave", "web")
    assert (done.exit_code, "Call crossfade leave web again" in done.stderr) == (1, True)
    assert _asked(owner, "StopExecution") == []


def test_a_deployment_that_takes_longer_than_the_timeout(owner: Owner) -> None:
    """It goes on."""
    owner.adopt()
    owner.answers |= {
        "StartExecution": {"executionArn": EXECUTION},
        "DescribeExecution": {"status": "RUNNING"},
    }
    owner.answers["GetExecutionHistory"] = {"events": []}
    done = owner.run("leave", "web", "--timeout", "1")
    assert (done.exit_code, "goes on: " in done.stderr) == (1, True)


def test_a_service_that_there_is_not(owner: Owner) -> None:
    """A second time, or by a wrong name."""
    done = owner.run("leave", "webb")
    assert (done.exit_code, "UnknownService: " in done.stderr) == (1, True)
    assert owner.run("leave", "a.b").exit_code == 2
