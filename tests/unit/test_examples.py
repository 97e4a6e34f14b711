"""The examples of docs/examples: templates that cfn-lint takes, and specs that Crossfade takes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from crossfade.domain.spec.service import ServiceSpec, read_spec
from faults.cases.service import LISTENER, document
from faults.files import ROOT, resources

EXAMPLES = ROOT / "docs/examples"
CLOUDFORMATION = "docs/examples/service.cloudformation.yaml"
KNOWN = {
    "Service": document()["like"], "like": document()["like"],
    "Listener": LISTENER, "listener": LISTENER,
    "url": "http://web.example", "LoadBalancer.DNSName": "web.example",
}  # fmt: skip


def _of_cloudformation() -> str:
    """The spec in the template, with what CloudFormation would put in."""
    (parameter,) = resources("AWS::SSM::Parameter", CLOUDFORMATION).values()
    return re.sub(r"\$\{([\w.]+)\}", lambda name: KNOWN.get(name[1], "web"), parameter["Value"]["Fn::Sub"])


def _of_cdk() -> str:
    """The spec in the program: JSON, but for names of constants."""
    program = (EXAMPLES / "service.cdk.ts").read_text(encoding="utf-8")
    spec = re.search(r"const spec = (\{.*?\n    \});", program, re.DOTALL)
    assert spec
    return re.sub(r": ([a-z]\w*)", lambda name: f": {json.dumps(KNOWN.get(name[1], 'web'))}", spec[1])


@pytest.mark.parametrize("written", [_of_cloudformation, _of_cdk])
def test_crossfade_takes_the_spec(written: Any) -> None:
    """With every check that a deployment begins with."""
    spec = read_spec("web", written())
    assert isinstance(spec, ServiceSpec)
    assert spec.deploys("1.2.3")
    assert not spec.deploys("latest")


def test_both_examples_say_the_same() -> None:
    """One of the two would be forgotten."""
    assert read_spec("web", _of_cdk()) == read_spec("web", _of_cloudformation())


def test_cloudformation_takes_the_template() -> None:
    """By cfn-lint, which has AWS's own schemas."""
    from cfnlint import api  # here, as in each process that only collects the tests it takes half a second

    found = api.lint_all(Path(ROOT / CLOUDFORMATION).read_text(encoding="utf-8"))
    assert [str(match) for match in found] == []


def test_cloudformation_takes_the_role_of_a_pipeline() -> None:
    """In one region: cfn-lint tries each ARN of it with each combination of what it may be made of."""
    from cfnlint import api

    template = (EXAMPLES / "pipeline.cloudformation.yaml").read_text(encoding="utf-8")
    found = api.lint(template, regions=["us-east-1"])
    assert [str(match) for match in found] == []


def test_the_pattern_has_no_task() -> None:
    """In neither of them: an update of the stack would start tasks that get no traffic."""
    (service,) = resources("AWS::ECS::Service", CLOUDFORMATION).values()
    assert service["DesiredCount"] == 0
    program = (EXAMPLES / "service.cdk.ts").read_text(encoding="utf-8")
    assert "addPropertyOverride('DesiredCount', 0)" in program
