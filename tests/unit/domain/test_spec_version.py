"""The spec's version: where a service names it, and what of a tag it is."""

import json
from typing import Any

import pytest

from crossfade.domain.errors import InvalidServiceSpec
from crossfade.domain.spec.service import ServiceSpec, read_spec
from faults.cases.service import document
from tests.unit.examples import spec


def _version(**changes: Any) -> Any:
    return {"version": {"path": "/version", **changes}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "json:/version"),
        ({"from": {"json": "/datasette/version"}}, "json:/datasette/version"),
        ({"from": {"json": ""}}, "json:"),
        ({"from": {"header": "X-Version"}}, "header:X-Version"),
        ({"from": {"regex": "v([0-9.]+)"}}, "regex:v([0-9.]+)"),
        ({"from": "none"}, "none"),
    ],
)
def test_where_the_version_is(changes: dict[str, Any], said: str) -> None:
    """It is handed to the probe as a text; a plan holds the spec as JSON, and gives the same back."""
    found = read_spec("web", json.dumps(document(**_version(**changes))))
    assert found.version.from_.text == said
    assert ServiceSpec.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("changes", "tag", "version"),
    [
        pytest.param({}, "1.2.3", "1.2.3", id="the-tag"),
        pytest.param({"expect": "v{tag}"}, "1.2.3", "v1.2.3", id="a-text-around-it"),
        pytest.param({"expect": {"tag": "^prod-(.*)$"}}, "prod-1.2.3", "1.2.3", id="retagged"),
        pytest.param({"expect": {"tag": "-([0-9a-f]{7})$"}}, "main-42-abc1234", "abc1234", id="commit"),
        pytest.param({"expect": {"tag": "^prod-(.*)$"}}, "dev-1", "", id="not-in-the-tag"),
        pytest.param({"expect": {"tag": "^prod-(.*)$"}}, "prod-", "", id="nothing-of-the-tag"),
        pytest.param({"from": "none"}, "1.2.3", "", id="none"),
    ],
)
def test_what_of_a_tag_is_the_version(changes: dict[str, Any], tag: str, version: str) -> None:
    """Empty where answers do not name one, or the tag does not say it."""
    assert spec(**_version(**changes)).version.expected(tag) == version


@pytest.mark.parametrize(
    ("ok", "good"), [(["200-299"], "200"), (["302", "200"], "200"), (["204", "300-399"], "204, 300-399")]
)
def test_which_status_is_expected(ok: list[str], good: str) -> None:
    """The first that people think of, where it is good."""
    assert spec(**_version(ok=ok)).version.good == good


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"version": None}, "version: ", id="no-version"),
        pytest.param({"version": {}}, "version.path: ", id="no-path"),
        pytest.param(_version(path="version"), "version.path: ", id="path-without-slash"),
        pytest.param(_version(**{"from": {}}), "version.from: .*must be one of", id="from-nothing"),
        pytest.param(
            _version(**{"from": {"json": "/v", "header": "X"}}), "version.from: .*must be one", id="from-two"
        ),
        pytest.param(_version(**{"from": {"json": "version"}}), "version.from.json: ", id="no-pointer"),
        pytest.param(_version(**{"from": {"header": "X Y"}}), "version.from.header: ", id="no-header"),
        pytest.param(_version(**{"from": {"regex": "("}}), "version.from.regex: .*regular", id="no-regex"),
        pytest.param(_version(**{"from": {"regex": "(a)(b)"}}), "from.regex: .*one group", id="two-groups"),
        pytest.param(_version(**{"from": "nowhere"}), "version.from: ", id="from-nowhere"),
        pytest.param(_version(**{"from": {"xml": "/v"}}), "version.from: ", id="from-xml"),
        pytest.param(_version(expect="1.2.3"), "version.expect: .*{tag} in it", id="the-same-for-each-tag"),
        pytest.param(_version(expect={"tag": "^prod-"}), "version.expect.tag: .*one group", id="no-group"),
        pytest.param(_version(expect={"tags": "x"}), "version.expect: ", id="unknown-expectation"),
        pytest.param(_version(ok=[]), "version.ok: ", id="nothing-is-good"),
        pytest.param(_version(ok=["2xx"]), "version.ok.0: .*200-299", id="no-status"),
        pytest.param(_version(ok=["299-200"]), "version.ok.0: .*200-299", id="backwards"),
        pytest.param(_version(ok=["500"]), "version.ok.0: .*200-299", id="a-failure-is-not-good"),
        pytest.param(_version(oks=["200"]), "version.oks: there is no such field", id="unknown-key"),
        pytest.param({"version_path": "/version"}, "version_path: there is no such", id="of-the-first-form"),
    ],
)
def test_a_wrong_one_is_named(changes: dict[str, Any], said: str) -> None:
    """With its place in the spec."""
    with pytest.raises(InvalidServiceSpec, match=said):
        read_spec("web", json.dumps(document(**changes)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"connect_to": "lb.example/x"}, "probe.connect_to: "),
        ({"connect_to": "http://lb.example"}, "probe.connect_to: "),
        ({"headers": {"X Y": "1"}}, "probe.headers: .*X Y"),
        ({"headers": {"Host": "web"}}, "probe.headers: .*Host"),
        ({"headers": {"X-Crossfade-Slot": "blue"}}, "probe.headers: .*X-Crossfade-Slot"),
        ({"headers": {"user-agent": "me"}}, "probe.headers: .*user-agent"),
    ],
)
def test_what_the_probe_cannot_be_told(changes: dict[str, Any], said: str) -> None:
    """It is named with its place."""
    with pytest.raises(InvalidServiceSpec, match=said):
        read_spec("web", json.dumps(document(probe=document()["probe"] | changes)))


def test_a_headers_value_is_never_said() -> None:
    """The cause of a refusal stands in the execution's history."""
    probe = document()["probe"] | {"headers": {"X-Key": "hunter2\n"}}
    with pytest.raises(InvalidServiceSpec, match="X-Key") as refused:
        read_spec("web", json.dumps(document(probe=probe)))
    assert "hunter2" not in str(refused.value)
