"""The examples of docs/examples: templates that cfn-lint takes, HCL, and specs that Crossfade takes."""

import json
import re
from pathlib import Path
from typing import Any

import hcl2
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
OF_TERRAFORM = {
    "aws_ecs_service": document()["like"], "aws_ecr_repository": "web",
    "aws_lb_listener_rule": f"{LISTENER.replace(':listener/', ':listener-rule/')}/0123456789abcdef",
    "aws_lb_listener": LISTENER,
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


def _of_terraform() -> str:
    """The spec in the module: an object of HCL, but for what it refers to."""
    module = (EXAMPLES / "service.tf").read_text(encoding="utf-8")
    spec = re.search(r"insecure_value = jsonencode\((\{.*?\n  \})\)", module, re.DOTALL)
    assert spec
    known = spec[1].replace('"http://${aws_lb.web.dns_name}"', '"http://web.example"')
    known = re.sub(r"\b(aws_\w+)\.web\.\w+", lambda name: json.dumps(OF_TERRAFORM[name[1]]), known)
    return json.dumps(hcl2.loads(f"spec = {known}\n")["spec"])


def _blocks(kind: str) -> list[dict[str, Any]]:
    """The resources of a type in the module."""
    read = hcl2.loads((EXAMPLES / "service.tf").read_text(encoding="utf-8"))["resource"]
    return [
        named for each in read for found, blocks in each.items() if found == kind for named in blocks.values()
    ]


@pytest.mark.parametrize("written", [_of_cloudformation, _of_cdk, _of_terraform])
def test_crossfade_takes_the_spec(written: Any) -> None:
    """With every check that a deployment begins with."""
    spec = read_spec("web", written())
    assert isinstance(spec, ServiceSpec)
    assert spec.deploys("1.2.3")
    assert not spec.deploys("latest")


def test_both_examples_say_the_same() -> None:
    """One of the two would be forgotten."""
    assert read_spec("web", _of_cdk()) == read_spec("web", _of_cloudformation())


def test_terraforms_says_the_same_but_for_its_rule() -> None:
    """It shows the more usual kind of route: a rule of the owner's."""
    of_terraform, of_cdk = (json.loads(written()) for written in (_of_terraform, _of_cdk))
    assert of_terraform.pop("traffic") == [{"rule": OF_TERRAFORM["aws_lb_listener_rule"]}]
    of_cdk.pop("traffic")
    assert of_terraform == of_cdk


def test_terraform_leaves_alone_what_is_crossfades() -> None:
    """That a plan is empty after a release is what tests/sandbox/test_takeover_terraform.py shows."""
    (rule,), (service,) = _blocks("aws_lb_listener_rule"), _blocks("aws_ecs_service")
    assert rule["lifecycle"] == [{"ignore_changes": ["${action}"]}]
    assert service["lifecycle"] == [{"ignore_changes": ["${desired_count}"]}]
    assert service["desired_count"] == 0


def test_a_destroy_begins_with_what_crossfade_made() -> None:
    """All else waits for the resource that this one refers to."""
    (prepared,) = _blocks("aws_lambda_invocation")
    assert prepared["lifecycle_scope"] == "CRUD"
    assert "aws_ssm_parameter.spec" in prepared["input"]


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
