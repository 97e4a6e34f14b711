"""One sandbox with the stack deployed in it, and the story that is told there.

Each release is a session fixture: it happens once, on top of the one before it, and the tests then look at
what it left behind. So a single test can be run too: it brings about what it builds on.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.figures import FIGURES
from tests.sandbox.beginning import CLOUD, SANDBOX, deployed, started
from tests.sandbox.cloud import Cloud
from tests.sandbox.machine import Sandbox
from tests.sandbox.patience import until
from tests.sandbox.rehearsal import GoodRelease, Rehearsal
from tests.sandbox.rest import live
from tests.sandbox.scaling import register
from tests.sandbox.shell import SERVICE
from tests.sandbox.stage import Stage

pytest.register_assert_rewrite("tests.sandbox.ending")

LOGIN = {
    "Issuer": "https://login.example",
    "AuthorizationEndpoint": "https://login.example/authorize",
    "TokenEndpoint": "https://login.example/token",
    "UserInfoEndpoint": "https://login.example/userinfo",
    "ClientId": "sample",
    "ClientSecret": "secret",
    "OnUnauthenticatedRequest": "allow",
}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add what the cloud was doing to the report of a failure."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.failed:
        if CLOUD in item.config.stash:
            for machine in ("deploy", "rollback"):
                report.sections.append((f"last {machine}s", _last_states(item.config.stash[CLOUD], machine)))
        if SANDBOX in item.config.stash:
            report.sections.append(("sandbox.log", item.config.stash[SANDBOX].log_tail()))


def _last_states(cloud: Cloud, machine: str) -> str:
    try:
        return cloud.last_states(machine)
    except Exception as error:  # the sandbox may be what has failed
        return f"not to be had: {error}"


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Sandbox]:
    """The sandbox of most rehearsals."""
    with started(tmp_path_factory.mktemp("sandbox"), pytestconfig) as running:
        yield running


@pytest.fixture(scope="session")
def cloud(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Cloud:
    """The stack in it, before any release of the service."""
    return deployed(sandbox, tmp_path_factory.mktemp("home"), pytestconfig)


@pytest.fixture(scope="session")
def stage(
    cloud: Cloud, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Stage:
    """Where the rehearsals happen, with a folder for the clients' files."""
    return Stage(cloud, sandbox, tmp_path_factory.mktemp("clients"), pytestconfig.stash[FIGURES])


@pytest.fixture(scope="session")
def first_release(stage: Stage) -> Rehearsal:
    """Version 0.0.1, pushed when the service has never been released."""
    return stage.rehearse("first release", stage.push("0.0.1"))


@pytest.fixture(scope="session")
def login(cloud: Cloud, first_release: Rehearsal) -> dict[str, Any]:
    """The production rule, once its owner has put a login before its forward, which lets everybody pass."""
    rule = cloud.rule()
    assert rule
    gate = {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": LOGIN}
    forward = {**rule["Actions"][-1], "Order": 2}
    cloud.client("elbv2").modify_rule(RuleArn=rule["RuleArn"], Actions=[gate, forward])

    def with_login() -> dict[str, Any] | None:
        now = cloud.rule()
        return now if now and len(now["Actions"]) == 2 else None

    return until(with_login, "the load balancer to tell of the login")


@pytest.fixture(scope="session")
def good_release(stage: Stage, login: dict[str, Any]) -> GoodRelease:
    """The release from 0.0.1 to 0.0.2, whose tags come one by one, disturbed as much as others may."""
    cloud = stage.cloud
    seen: dict[str, Any] = {}

    def disturb(execution: str) -> None:
        stage.enter(execution, "RegisterTaskDefinition")  # by now it is planned by its first tag
        for tag in ("2.0.1", "0.0.2"):
            cloud.tag_app("2.0.0", tag)
        stage.reach(10)
        seen["weights_at_deploy"] = cloud.weights()
        with ThreadPoolExecutor() as pool:
            deploy = pool.submit(cloud.sam_deploy, LogRetentionDays="30")
            cloud.push_app("0.0.9")
            seen["second_push"] = cloud.ended(cloud.started_by_push(SERVICE, "0.0.9"))
            deploy.result()

    with stage.spec(when_busy="reject"):
        rehearsal = stage.rehearse("good release", stage.push("0.0.2", "2.0.0"), disturb)
    seen["tagged"] = [cloud.ended(cloud.started_by_push(SERVICE, tag)) for tag in ("2.0.1", "0.0.2")]
    return GoodRelease(**vars(rehearsal), **seen)


@pytest.fixture(scope="session")
def wrong_version(stage: Stage, good_release: GoodRelease) -> Rehearsal:
    """An image that says another version than its tag."""
    return stage.rehearse("wrong version", stage.push("0.0.3", FAULT_VERSION="9.9.9"))


@pytest.fixture(scope="session")
def scaled_stage(stage: Stage, good_release: GoodRelease) -> Stage:
    """The stage from when on the service's owner has set automatic scaling up for both of its slots."""
    register(stage.cloud, live(stage.cloud))
    return stage
