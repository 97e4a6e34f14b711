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
TERRAFORM = (EXAMPLES / "service.tf").read_text(encoding="utf-8")
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
    """The spec in the module, as JSON: keys, commas, and what it refers to."""
    spec = re.search(r"insecure_value = jsonencode\((\{.*?\n  \})\)", TERRAFORM, re.DOTALL)
    assert spec
    known = spec[1].replace("${aws_lb.web.dns_name}", "web.example")
    known = re.sub(r"\b(aws_\w+)\.web\.\w+", lambda name: json.dumps(OF_TERRAFORM[name[1]]), known)
    return re.sub(r'(["}\]\d])\n(?= +")', r"\1,\n", re.sub(r"\b(\w+) += ", r'"\1": ', known))


def _block(kind: str) -> str:
    """The module's only resource of a type."""
    (found,) = re.findall(rf'^resource "{kind}" .*?^}}', TERRAFORM, re.DOTALL | re.MULTILINE)
    return str(found)


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
    rule, service = _block("aws_lb_listener_rule"), _block("aws_ecs_service")
    assert re.findall(r"ignore_changes = (\[.*\])", rule) == ["[action]"]
    assert re.findall(r"ignore_changes = (\[.*\])", service) == ["[desired_count]"]
    assert re.findall(r"desired_count += (\d+)", service) == ["0"]


def test_a_destroy_begins_with_what_crossfade_made() -> None:
    """All else waits for the resource that this one refers to."""
    prepared = _block("aws_lambda_invocation")
    assert 'lifecycle_scope = "CRUD"' in prepared
    assert "aws_ssm_parameter.spec" in prepared


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
