"""What the task and the command can be told, and what they say about mistakes."""

import json
from pathlib import Path
from typing import Any

import pytest

from probe import arguments
from probe.lane import LaneSettings
from probe.settings import BadSetting, read_settings
from probe.turns import OtherPath
from probe.version import VersionFrom

LANE: dict[str, Any] = {
    "name": "green",
    "url": "http://localhost:9000/version",
    "connect_to": "lb.example:8443",
    "headers": {"x-crossfade-slot": "green"},
    "version_from": "header:X-Version",
    "ok": ["200-299", "304"],
    "rate": 5,
    "starts": "when_answered",
    "pauses": True,
}
ENVIRONMENT = {
    "PROBE_DEPLOYMENT": "d-1",
    "PROBE_LOG_GROUP": "/crossfade/probe",
    "PROBE_LOG_STREAM": "d-1",
    "PROBE_DEADLINE_SECONDS": "600",
    "PROBE_TIMEOUT_SECONDS": "2.5",
    "PROBE_LANES": json.dumps([LANE]),
}


def test_task_settings() -> None:
    """The environment of a task becomes its settings."""
    settings = read_settings(ENVIRONMENT)
    assert (settings.deployment, settings.deadline, settings.timeout) == ("d-1", 600.0, 2.5)
    expected = LaneSettings(
        "green",
        "http://localhost:9000/version",
        5.0,
        {"x-crossfade-slot": "green"},
        waits_for_answer=True,
        pauses=True,
        version_from=VersionFrom("header", "X-Version"),
        connect_to="lb.example:8443",
        ok=((200, 299), (304, 304)),
    )
    assert (expected,) == settings.lanes


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_missing_variable(name: str) -> None:
    """Each variable is needed; the message names the one that is missing."""
    with pytest.raises(BadSetting, match=f"{name} is not set"):
        read_settings({**ENVIRONMENT, name: ""})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PROBE_DEADLINE_SECONDS", "soon", "PROBE_DEADLINE_SECONDS must be a number above 0"),
        ("PROBE_TIMEOUT_SECONDS", "nan", "PROBE_TIMEOUT_SECONDS must be a number above 0"),
        ("PROBE_LANES", "{", "PROBE_LANES is not JSON"),
        ("PROBE_LANES", "[]", "at least one lane"),
        ("PROBE_LANES", "[1]", r"PROBE_LANES\[0\] must be an object"),
        ("PROBE_LANES", json.dumps([LANE, LANE]), "names a lane twice"),
    ],
)
def test_bad_variable(name: str, value: str, message: str) -> None:
    """A value that cannot be used is named."""
    with pytest.raises(BadSetting, match=message):
        read_settings({**ENVIRONMENT, name: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", ""),
        ("url", "localhost:9000"),
        ("url", "http://[broken"),
        ("headers", {"x": 1}),
        ("headers", {"x y": "1"}),
        ("headers", {"x": "1\r\ny: 2"}),
        ("connect_to", "h/p"),
        ("version_from", "version"),
        ("version_from", {"json": "/version"}),
        ("ok", []),
        ("ok", "200-299"),
        ("ok", ["2xx"]),
        ("rate", 0),
        ("rate", "often"),
        ("starts", "later"),
        ("pauses", "yes"),
    ],
)
def test_bad_lane(key: str, value: object) -> None:
    """A lane's value that cannot be used is named with its place."""
    with pytest.raises(BadSetting, match=rf"PROBE_LANES\[0\]\.{key}"):
        read_settings({**ENVIRONMENT, "PROBE_LANES": json.dumps([{**LANE, key: value}])})


def _with_paths(*paths: Any) -> dict[str, str]:
    return {**ENVIRONMENT, "PROBE_PATHS": json.dumps(paths)}


def test_several_paths() -> None:
    """All of them once for all lanes; the first is that of the lanes."""
    paths = {"path": "/version", "weight": 2}, {"path": "/a", "weight": 3}
    (lane,) = read_settings(_with_paths(*paths)).lanes
    assert (lane.url, lane.weight) == ("http://localhost:9000/version", 2)
    assert lane.others == (OtherPath("/a", "http://localhost:9000/a", 3),)


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ([1], "no JSON list of paths and weights"),
        ([{"path": "/version"}], "no JSON list of paths and weights"),
        ([{"path": "/version", "weight": "much"}], "no JSON list of paths and weights"),
        ([{"path": "/version", "weight": 0}], "with weights from 1 to 100"),
        ([{"path": "version", "weight": 1}], "begin with /"),
        ([{"path": "/version", "weight": 1}] * 2, "different paths"),
        ([{"path": f"/{place}", "weight": 1} for place in range(9)], "must be 1 to 8"),
        ([{"path": "/a", "weight": 1}], "must begin with the path of the lane green"),
        ([], "must be 1 to 8"),
    ],
)
def test_bad_paths(paths: list[Any], said: str) -> None:
    """They are refused before anything is asked."""
    with pytest.raises(BadSetting, match=said):
        read_settings(_with_paths(*paths))


def test_a_bad_header_is_named_without_its_value() -> None:
    """It may be a secret, and the text goes to the task's log."""
    lane = {**LANE, "headers": {"authorization": "hunter2\n"}}
    with pytest.raises(BadSetting) as refused:
        read_settings({**ENVIRONMENT, "PROBE_LANES": json.dumps([lane])})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "good"), [(None, False), (199, False), (200, True), (299, True), (301, False), (304, True)]
)
def test_which_statuses_are_good(status: int | None, good: bool) -> None:
    """Those in one of the spans."""
    (lane,) = read_settings(ENVIRONMENT).lanes
    assert lane.accepts(status) is good


def test_the_command_asks_any_service() -> None:
    """Path, version, headers and endpoint, as a spec says them."""
    settings = arguments.parse(
        [
            *("--url", "https://web.example", "--path", "/-/versions.json"),
            *("--version-from", "json:/datasette/version", "--connect-to", "lb.example"),
            *("--header", "X-One: a: b", "--header", "X-Two:c"),
        ]
    )
    assert settings is not None
    assert settings.url == "https://web.example/-/versions.json"
    assert settings.version_from == VersionFrom("json", "/datasette/version")
    assert settings.connect_to == "lb.example"
    assert settings.headers == {"X-One": "a: b", "X-Two": "c"}


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--path", "version", "'version' is not a path"),
        ("--path", "0 /a", "'0' before /a is no weight"),
        ("--path", "101 /a", "'101' before /a is no weight"),
        ("--path", "-1 /a", "'-1' before /a is no weight"),
        ("--path", "many /a", "'many' before /a is no weight"),
        ("--path", "2 a", "'2 a' is not a path"),
        ("--version-from", "xml", "is none of json:POINTER"),
        ("--header", "hunter2", "'Name: value'"),
        ("--header", "X-A: hunter2\x00", "'Name: value'"),
        ("--connect-to", "h/p", "is not a host"),
    ],
)
def test_what_the_command_is_not_told(
    option: str, value: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake is named, a header's value is not."""
    with pytest.raises(SystemExit):
        arguments.parse(["--url", "http://localhost", option, value])
    said = capsys.readouterr().err
    assert told in said
    assert "hunter2" not in said


def test_the_command_asks_several_paths() -> None:
    """The first one's answers name the version; a number before a path is its weight."""
    settings = arguments.parse(
        ["--url", "http://localhost/base", "--path", "2 /v", "--path", "3 /a?b=c", "--path", "/d"]
    )
    assert settings is not None
    assert (settings.url, settings.path, settings.weight) == ("http://localhost/base/v", "/v", 2)
    assert settings.others == (
        OtherPath("/a?b=c", "http://localhost/base/a?b=c", 3),
        OtherPath("/d", "http://localhost/base/d", 1),
    )


@pytest.mark.parametrize(
    ("paths", "told"),
    [
        (["/a", "/b", "3 /a"], "names /a twice"),
        ([f"/{place}" for place in range(9)], "given 9 times, and 8 are allowed"),
    ],
)
def test_paths_that_the_command_does_not_take(
    paths: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the spec refuses them."""
    with pytest.raises(SystemExit):
        arguments.parse(["--url", "http://localhost", *(word for path in paths for word in ("--path", path))])
    assert told in capsys.readouterr().err


def test_command_line() -> None:
    """The command's arguments become its settings."""
    settings = arguments.parse(
        [
            "--url",
            "http://localhost:8080/",
            "--for",
            "1.5m",
            "--rate",
            "7",
            "--out",
            "a.txt",
            "--timeout",
            "2s",
        ]
    )
    assert settings is not None
    assert settings.url == "http://localhost:8080/version"
    assert (settings.seconds, settings.rate, settings.timeout) == (90.0, 7.0, 2.0)
    assert settings.out == Path("a.txt")


def test_default_file() -> None:
    """Without --out the file goes to test_client_results/, with the time in its name."""
    settings = arguments.parse(["--url", "http://localhost:8080"])
    assert settings is not None
    assert settings.out.match("test_client_results/client-*Z.txt")


def test_task_is_chosen() -> None:
    """--task alone chooses the other face."""
    assert arguments.parse(["--task"]) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "--url is needed"),
        (["--url", "localhost:8080"], "not an address"),
        (["--url", "http://h/?a=b"], "not an address"),
        (["--url", "http://h", "--for", "60"], "not a time like 90s"),
        (["--url", "http://h", "--for", "0s"], "not a time like 90s"),
        (["--url", "http://h", "--rate", "0"], "not a number above 0"),
        (["--url", "http://h", "--rate", "nan"], "not a number above 0"),
        (["--task", "--url", "http://h"], "--task takes no other argument"),
        (["--url", "http://h", "--fro", "1s"], "unrecognized"),
    ],
)
def test_bad_arguments(given: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments that are wrong end with status 2 and a sentence that says what is wrong."""
    with pytest.raises(SystemExit) as ended:
        arguments.parse(given)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """--help tells every argument and the exit statuses."""
    with pytest.raises(SystemExit) as ended:
        arguments.parse(["--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    for word in (
        "--url",
        "--for",
        "--rate",
        "--timeout",
        "--out",
        "--task",
        "exit status",
        "test_client_results",
    ):
        assert word in text
