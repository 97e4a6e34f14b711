"""docs/spec.schema.json judges a spec as Crossfade does, where a schema can say it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from crossfade.domain.errors import InvalidServiceSpec
from crossfade.domain.spec.service import read_spec
from demo.spec_schema import SCHEMA, schema
from faults.cases.service import LISTENER, RULE, document
from tests.unit import test_examples
from tests.unit.domain import test_spec, test_spec_version

WRITTEN = json.loads(SCHEMA.read_text(encoding="utf-8"))
JUDGE = Draft202012Validator(WRITTEN)
TESTS = (
    test_spec.test_a_wrong_field_is_named,
    test_spec.test_wrong_alarms_are_named,
    test_spec_version.test_a_wrong_one_is_named,
    test_spec_version.test_what_the_probe_cannot_be_told,
)


def _wrong() -> Iterator[Any]:
    """What the tests of the spec find refused, as changes of a good document."""
    for test in TESTS:
        (table,) = test.pytestmark  # type: ignore[attr-defined]
        for case in table.args[1]:
            wrong = getattr(case, "values", case)[0]
            if test is test_spec.test_wrong_alarms_are_named:
                wrong = {"alarms": wrong}
            if test is test_spec_version.test_what_the_probe_cannot_be_told:
                wrong = {"probe": document()["probe"] | wrong}
            yield pytest.param(wrong, id=getattr(case, "id", None) or json.dumps(wrong)[-40:])
    (table,) = test_spec.test_a_wrong_parameter_of_the_gate_is_named.pytestmark  # type: ignore[attr-defined]
    for field, value in table.args[1]:
        yield pytest.param({"gate": {field: value}}, id=f"gate.{field}-{value}")


ONLY_THE_CODE = {
    # regular expressions, in Python's form
    "pattern-does-not-compile", "no-regex", "two-groups", "no-group",
    # one field beside another
    "no-version-path", "version-path-too-seldom", "stages-stand-still", "stages-fall", "backwards",
    "retire-deadline-before-drain",
    # what can never end well
    "warm-longer-than-the-workflow-lives", "too-few-answers-ever", "longer-than-the-workflow-lives",
    "more-events-than-an-execution-has",
}  # fmt: skip
"""What a schema cannot say."""


def test_the_schema_is_that_of_the_code() -> None:
    """`make spec-schema` writes it anew, after a change of the spec or of docs/configuration.md."""
    Draft202012Validator.check_schema(WRITTEN)
    assert schema() == WRITTEN


@pytest.mark.parametrize("changes", list(_wrong()))
def test_what_crossfade_refuses_an_editor_marks(changes: dict[str, Any], request: Any) -> None:
    """All but what a schema cannot say."""
    text = json.dumps(document(**changes))
    with pytest.raises(InvalidServiceSpec):
        read_spec("web", text)
    marked = not JUDGE.is_valid(json.loads(text))
    assert marked == (request.node.callspec.id not in ONLY_THE_CODE)


@pytest.mark.parametrize("field", sorted(WRITTEN["required"]))
def test_what_is_needed_is_missed(field: str) -> None:
    """By both."""
    incomplete = {key: value for key, value in document().items() if key != field}
    assert not JUDGE.is_valid(incomplete)
    with pytest.raises(InvalidServiceSpec, match=f"{field}: Field required"):
        read_spec("web", json.dumps(incomplete))


_CONDITION = {"Field": "host-header", "HostHeaderConfig": {"Values": ["a.example"]}}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="as-it-is"),
        pytest.param({"traffic": [{"rule": RULE}]}, id="the-owners-rule"),
        pytest.param({"traffic": [{"listener": LISTENER, "priority": "last"}]}, id="last"),
        pytest.param(
            {"traffic": [{"listener": LISTENER, "priority": 5, "conditions": [_CONDITION]}]}, id="conditions"
        ),
        pytest.param(
            {"version": {"path": "/", "from": "none", "expect": "v{tag}", "ok": ["204"]}}, id="none"
        ),
        pytest.param(
            {"version": {"path": "/", "from": {"none": True}, "ok": ["200-299"]}}, id="none-in-full"
        ),
        pytest.param(
            {"version": {"path": "/", "from": {"json": None, "regex": "v(.)"}}}, id="null-is-nothing"
        ),
        pytest.param(
            {"version": {"path": "/", "from": {"header": "X-V"}, "expect": {"tag": "^prod-(.*)$"}}},
            id="header",
        ),
        pytest.param(
            {"probe": document()["probe"] | {"paths": ["/version", {"path": "/a?b=1", "weight": 9}]}},
            id="paths",
        ),
        pytest.param(
            {"probe": document()["probe"] | {"network": None, "headers": {"X-Hosts": "a b"}}}, id="headers"
        ),
        pytest.param({"probe": document()["probe"] | {"connect_to": "[::1]:8080"}}, id="connect-to"),
        pytest.param({"login_bypass": True, "alarms": ["a"], "when_busy": "reject"}, id="the-rest"),
    ],
)
def test_what_crossfade_takes_no_editor_marks(changes: dict[str, Any]) -> None:
    """Short forms too."""
    text = json.dumps(document(**changes))
    read_spec("web", text)
    JUDGE.validate(json.loads(text))


@pytest.mark.parametrize("example", [test_examples._of_cloudformation, test_examples._of_cdk])
def test_no_editor_marks_the_examples(example: Any) -> None:
    """Those of docs/examples."""
    JUDGE.validate(json.loads(example()))


def _described(schemas: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for model in (schemas, *schemas["$defs"].values()):
        for field, says in model["properties"].items():
            inner = json.dumps(says).partition("#/$defs/")[2].partition('"')[0].partition("/")[0]
            yield says["title"], says.get("description") or schemas["$defs"].get(inner, {}).get("description")
            assert model["additionalProperties"] is False, field


@pytest.mark.parametrize(("title", "description"), list(_described(WRITTEN)))
def test_an_editor_says_what_a_field_means(title: str, description: str | None) -> None:
    """With its place in the spec; in words, without the marks of a page."""
    assert title
    assert description
    assert not {"`", "**", "]("} & {part for part in ("`", "**", "](") if part in description}
