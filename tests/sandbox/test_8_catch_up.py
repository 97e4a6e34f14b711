"""A push whose event is lost: the catch-up function finds the image and starts its deployment, once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.cloud import Cloud
from tests.sandbox.ending import WithoutFailure
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.shell import SERVICE, machine_arn
from tests.sandbox.stage import Stage

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]


def push_unnoticed(cloud: Cloud, version: str) -> None:
    """Push a version while EventBridge does not tell of pushes."""
    arn = machine_arn("deploy")
    (rule,) = cloud.aws("events", "list-rule-names-by-target", "--target-arn", arn)["RuleNames"]
    before = cloud.executions("deploy")
    cloud.aws("events", "disable-rule", "--name", rule)
    cloud.push_app(version)
    cloud.aws("events", "enable-rule", "--name", rule)
    assert before == cloud.executions("deploy")


@pytest.fixture(scope="module")
def catch_up(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], dict[str, Any]]:
    """Calls the function with `aws lambda invoke`; returns its answer."""
    file: Path = tmp_path_factory.mktemp("catch-up") / "answer.json"
    functions = cloud.aws("lambda", "list-functions")["Functions"]
    names = [each["FunctionName"] for each in functions]
    (name,) = (each for each in names if each.startswith("crossfade-CatchUp"))

    def invoke() -> dict[str, Any]:
        told = cloud.aws("lambda", "invoke", "--function-name", name, str(file))
        assert "FunctionError" not in told, file.read_text()
        return dict(json.loads(file.read_text()))

    return invoke


@pytest.fixture(scope="module")
def caught_up(
    scaled_stage: Stage, wrong_version: Rehearsal, catch_up: Callable[[], dict[str, Any]]
) -> Rehearsal:
    """The function is called after a release that was rolled back, when an event was lost, and twice more."""
    stage, cloud, answers = scaled_stage, scaled_stage.cloud, []

    def begin() -> str:
        answers.append(catch_up())
        push_unnoticed(cloud, "0.7.1")
        answers.append(catch_up())
        return cloud.executions("deploy")[0]

    def again(execution: str) -> dict[str, Any]:
        stage.reach(10)
        answers.append(catch_up())
        cloud.ended(execution)
        answers.append(catch_up())
        return {"answers": answers}

    return stage.rehearse("caught up", begin, again)


class TestCaughtUp(WithoutFailure):
    """What holds of the deployment that no event has started."""

    outcome = "promoted"

    @pytest.fixture
    def rehearsal(self, caught_up: Rehearsal) -> Rehearsal:
        """The only one here."""
        return caught_up

    def test_the_image_is_live(self, caught_up: Rehearsal) -> None:
        """As if its event had come."""
        assert caught_up.execution.status == "SUCCEEDED"
        assert caught_up.after
        assert caught_up.after.version == "0.7.1"

    def test_it_was_started_once(self, caught_up: Rehearsal) -> None:
        """Not before there was a reason, nor while it ran, nor afterwards."""
        started = [answer["started"] for answer in caught_up.seen["answers"]]

        assert started == [[], [f"{SERVICE} 0.7.1"], [], []]
