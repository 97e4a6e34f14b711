"""What changes with a release, as it is shown to a person."""

import json
from typing import Any

import pytest

from crossfade.domain.planning.changes import MOST_CHANGES, changes
from crossfade.domain.spec.placed import PatternScaling
from tests.unit.examples import pattern

APP: dict[str, Any] = {
    "name": "app",
    "image": "web@sha256:1",
    "cpu": 128,
    "environment": [{"name": "COLOUR", "value": "blue"}, {"name": "TOKEN", "value": "hush"}],
    "secrets": [{"name": "LOGIN", "valueFrom": "arn:login:1"}],
    "command": ["serve", "--password", "hush"],
    "logConfiguration": {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/web", "awslogs-stream-prefix": "ecs/1"},
    },
}
PROXY = {"name": "proxy", "image": "proxy:1"}


def _definition(*containers: dict[str, Any], **changed: Any) -> dict[str, Any]:
    tags = [{"key": "Team", "value": "shop"}, {"key": "crossfade:version", "value": "1"}]
    given = {"cpu": "256", "memory": "512", "taskRoleArn": "arn:role/web", "tags": tags}
    return {**given, "containerDefinitions": [*containers], **changed}


def _found(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    return changes(before, after, pattern(), pattern(), {"app"})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"cpu": "512"}, "cpu: 256 → 512", id="size"),
        pytest.param({"taskRoleArn": "arn:role/new"}, "taskRoleArn: arn:role/web → arn:role/new", id="role"),
        pytest.param({"tags": [{"key": "Team", "value": "pay"}]}, "tags.Team: shop → pay", id="tag"),
        pytest.param({"tags": []}, "tags.Team: shop → none", id="no-tag"),
    ],
)
def test_a_field_is_told_with_both_values(changed: dict[str, Any], said: str) -> None:
    """Those of the task definition; Crossfade's own tags are no change."""
    assert _found(_definition(APP), _definition(APP, **changed)) == (said,)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"cpu": 256}, ["cpu: 128 → 256"], id="cpu"),
        pytest.param(
            {"secrets": [{"name": "LOGIN", "valueFrom": "arn:login:2"}]},
            ["secrets.LOGIN: arn:login:1 → arn:login:2"],
            id="secret",
        ),
        pytest.param(
            {"environment": [{"name": "TOKEN", "value": "new"}, {"name": "SIZE", "value": "1"}]},
            ["environment.COLOUR removed", "environment.SIZE added", "environment.TOKEN changed"],
            id="variables",
        ),
        pytest.param({"environment": APP["environment"][::-1]}, [], id="another-order"),
        pytest.param({"command": ["serve", "--password", "new"]}, ["command changed"], id="command"),
        pytest.param({"image": "web@sha256:2"}, [], id="image-of-the-release"),
        pytest.param({"mountPoints": []}, [], id="empty"),
    ],
)
def test_a_field_of_a_container_is_told_by_names(changed: dict[str, Any], said: list[str]) -> None:
    """Without what may be a secret."""
    found = _found(_definition(APP, PROXY), _definition(PROXY, {**APP, **changed}))
    assert list(found) == [f"containers.app.{one}" for one in said]
    assert "hush" not in json.dumps(found)


def test_a_release_of_its_own_log_streams_is_no_change() -> None:
    """Each has others."""
    logs = {**APP["logConfiguration"], "options": {"awslogs-group": "/web", "awslogs-stream-prefix": "ecs/2"}}
    assert _found(_definition(APP), _definition({**APP, "logConfiguration": logs})) == ()


def test_containers_and_images_that_are_not_of_the_release_are_told() -> None:
    """They come with the pattern."""
    found = _found(_definition(APP, PROXY), _definition(APP, {**PROXY, "image": "proxy:2"}))
    assert found == ("containers.proxy.image: proxy:1 → proxy:2",)


def test_what_the_service_has_is_told() -> None:
    """Its settings, tags and scaling, where they are known of what is live."""
    live = pattern(
        settings={"platformVersion": "1.4.0", "enableExecuteCommand": True},
        tags={"Team": "shop"},
        scaling=PatternScaling(least=1, most=4),
    )
    now = live.model_copy(
        update={
            "settings": {"platformVersion": "LATEST", "enableExecuteCommand": True},
            "tags": {"Team": "pay"},
            "scaling": PatternScaling(least=1, most=8),
        }
    )
    same = _definition(APP)
    assert changes(same, same, live, now, {"app"}) == (
        "scaling.most: 4 → 8",
        "service.platformVersion: 1.4.0 → LATEST",
        "service.tags.Team: shop → pay",
    )
    assert changes(same, same, None, now, {"app"}) == ()
    assert changes(same, same, live, live, {"app"}) == ()


def test_it_is_bounded() -> None:
    """In how many there are, and in how long a value is; what a person gives has no control characters."""
    many = [{"name": f"N{n:03}", "valueFrom": "a\x1b" * 200} for n in range(900)]
    found = _found(_definition(APP), _definition({**APP, "secrets": many}))
    assert found[-1] == f"and {901 - MOST_CHANGES} more"
    assert len(json.dumps(found)) < 10_000
    assert "\\u001b" not in json.dumps(found)


@pytest.mark.parametrize(("length", "shown"), [(80, "b" * 80), (81, "b" * 79 + "…")])
def test_a_value_of_80_characters_is_whole(length: int, shown: str) -> None:
    """A longer one is cut off; an ARN of a role or a secret has often more than 60."""
    found = _found(_definition(APP), _definition(APP, taskRoleArn="b" * length))
    assert found == (f"taskRoleArn: arn:role/web → {shown}",)


def test_what_time_alone_changes_is_no_change_of_the_pattern() -> None:
    """The bounds by day and by night, and an action that comes once; policies and recurring actions count."""
    daily, once = (
        {"ScheduledActionName": name, "Schedule": schedule}
        for name, schedule in {"day": "cron(0 8 * * ? *)", "sale": "at(2026-11-27T08:00:00)"}.items()
    )
    by_day = pattern(scaling=PatternScaling(least=4, most=8, actions=(daily, once)))
    by_night = pattern(scaling=PatternScaling(least=1, most=8, actions=(daily,)))
    assert by_day.steady == by_night.steady
    assert by_day.fingerprint != by_night.fingerprint
    assert by_night.steady != pattern(scaling=PatternScaling(least=1, most=8)).steady
    narrow, wide = (pattern(scaling=PatternScaling(least=1, most=most)) for most in (4, 8))
    assert narrow.steady != wide.steady
