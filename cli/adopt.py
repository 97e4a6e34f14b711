"""``crossfade adopt``: from a running service to a spec, and to what has to be made for it."""

import json
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import click

from cli.account import Account
from cli.discovery import Discovered, discover
from cli.examination import Examined, examine
from cli.findings import Findings
from cli.proposal import Said, changed, needs_login_bypass, propose, proposed_push_tags, proposed_url
from cli.rights import Rights, bytes_left, deploy_line, missing, parameters
from crossfade.domain.preparation import Call, Step
from crossfade.domain.spec.service import is_service_name, read_spec
from probe.version import FORMS

MOST_SPEC_BYTES = 4_096
"""Of a parameter of SSM's standard tier (documentation of PutParameter)."""


class Adoption(NamedTuple):
    """What is proposed: the spec, where it is from and the file that holds it, and what has to be done.

    ``steps`` are the calls of ``--apply`` with their inverses. ``parameters`` are the values that change of
    Crossfade's stack.
    """

    document: dict[str, Any]
    file: Path
    from_: str
    findings: Findings
    examined: Examined
    steps: list[Step]
    parameters: dict[str, str]
    bytes_left: int
    command: str | None


def adopt(
    account: Account, like: str, name: str | None, out: Path | None, said: Said, *, asks: bool
) -> Adoption:
    """Look at a service, and propose how Crossfade takes it over; changes nothing but the spec's file.

    ``asks``: a person answers what cannot be known.
    """
    document, file, from_ = _document(account, like, name, out, said, asks=asks)
    findings = Findings()
    spec = findings.check("spec", lambda: read_spec(document["service"], json.dumps(document)))
    if spec is None:
        return Adoption(
            document, file, from_, findings, Examined(), [], {}, bytes_left(account.stack, {}), None
        )
    examined = examine(account, spec, None, findings)
    steps = [*(examined.steps or []), *_spec_step(account, spec.service, document, findings)]
    lacking = missing(examined.rights or Rights((), ()), account.stack)
    values = parameters(account.stack, lacking)
    left = bytes_left(account.stack, values)
    if left < 0:
        findings.wrongs(
            "Adopted",
            f"the list would be {-left} bytes too long: name patterns in it, such as one for each cluster "
            "and load balancer, in place of exact ARNs",
        )
    command = deploy_line(account.stack, values) if values else None
    return Adoption(document, file, from_, findings, examined, steps, values, left, command)


def apply(account: Account, adoption: Adoption) -> list[Step]:
    """Make the calls; returns those that were made."""
    spec = read_spec(adoption.document["service"], json.dumps(adoption.document))
    made = account.preparation(spec.service).prepare(spec)
    for step in adoption.steps:
        if step.call.service == "ssm" and step not in (adoption.examined.steps or []):
            account.client("ssm").put_parameter(**step.call.arguments)
            made.append(step)
    return made


STACK_POLICY = {
    "Statement": [
        {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": "Update:*",
            "Principal": "*",
            "Resource": "*",
            "Condition": {
                "StringEquals": {
                    "ResourceType": [
                        "AWS::ElasticLoadBalancingV2::Listener",
                        "AWS::ElasticLoadBalancingV2::ListenerRule",
                    ]
                }
            },
        },
    ]
}
"""Keeps an update of the owner's stack from writing weights.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/protect-stack-resources.html
"""


def owners_code() -> list[str]:
    """What the owner adds where the service is declared, once its first release is live."""
    return [
        "Once the first release is live, the service that is declared runs no task any more:",
        "  CDK:            (service.node.defaultChild as ecs.CfnService)"
        ".addPropertyOverride('DesiredCount', 0)",
        "  CloudFormation: DesiredCount: 0",
        "  Terraform:      ignore_changes = [desired_count] in the aws_ecs_service, and, before the first "
        "release, [action] in its aws_lb_listener_rule (docs/adopting.md)",
        "And no update of its stack may write weights (needless where that has neither rule nor listener):",
        "  aws cloudformation set-stack-policy --stack-name STACK --stack-policy-body "
        + shlex.quote(json.dumps(STACK_POLICY)),
    ]


def _document(
    account: Account, like: str, name: str | None, out: Path | None, said: Said, *, asks: bool
) -> tuple[dict[str, Any], Path, str]:
    """The spec: of the file, if there is one; of SSM, if the service was adopted before; else a proposal."""
    service = name or like.rpartition("/")[2]
    if not is_service_name(service):
        raise click.ClickException(
            f"{service} cannot be a service's name in Crossfade: choose one with --name."
        )
    file = out or Path(f"{service}.crossfade.json")
    known = _read(file, file.read_text(encoding="utf-8")) if file.exists() else None
    from_ = f"file {file}"
    if known is None:
        stored = account.specs().get(service)
        known = _read(f"the parameter {account.stack.specs_path}{service}", stored) if stored else None
        from_ = f"parameter {account.stack.specs_path}{service}"
    if known is not None:
        if str(known.get("like", "")).rpartition(":service/")[2] != like.rpartition(":service/")[2]:
            raise click.ClickException(
                f"The {from_} is of another service: like is {known.get('like')}. Choose another --name or "
                "--out."
            )
        return changed(known, said), file, from_
    found = discover(account, like, service)
    if asks:
        found = _led_by(found)
        said = _asked(found, said)
    return propose(found, service, said), file, "what was found"


def _read(where: object, document: str) -> dict[str, Any]:
    try:
        found = json.loads(document)
    except ValueError as error:
        raise click.ClickException(f"{where} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise click.ClickException(f"{where} is no JSON object.")
    return found


def _led_by(found: Discovered) -> Discovered:
    """The same with the rule first by which a person says that the probe is to ask."""
    if not found.unclear:
        return found
    click.echo("These rules lead to several ports of the service:", err=True)
    for n, rule in enumerate(found.unclear, start=1):
        click.echo(f"  {n}  {rule}", err=True)
    number = click.prompt(
        "Which of them leads to what tells the version? The probe asks there",
        type=click.IntRange(1, len(found.unclear)),
        default=1,
        err=True,
    )
    return found.first(found.unclear[number - 1])


def _asked(found: Discovered, said: Said) -> Said:
    """What a person says of what was not said yet."""
    url = said.url or click.prompt("Address by which clients come", default=proposed_url(found), err=True)
    push_tags = said.push_tags or click.prompt(
        "Regular expression of the tags whose push is released (^$ for none)",
        default=proposed_push_tags(found),
        err=True,
    )
    path = said.version_path or click.prompt("Path that tells the version", default="/version", err=True)
    place = said.version_from or click.prompt(f"Where it says so: {FORMS}", default="json:/version", err=True)
    bypass = said.login_bypass
    if bypass is None and needs_login_bypass(found):
        bypass = click.confirm(
            "The rule asks for a login. May a secret header lead the probe past it (see docs/adopting.md)?",
            err=True,
        )
    return said._replace(
        url=url, push_tags=push_tags, version_path=path, version_from=place, login_bypass=bypass
    )


def _spec_step(account: Account, service: str, document: dict[str, Any], findings: Findings) -> list[Step]:
    """The call that writes the spec's parameter, unless it says the same already."""
    name, value = f"{account.stack.specs_path}{service}", json.dumps(document)
    if len(value.encode()) > MOST_SPEC_BYTES:
        findings.wrongs(
            "spec", f"it has {len(value.encode())} bytes, and a parameter holds {MOST_SPEC_BYTES}"
        )
    stored = account.specs().get(service)
    if stored is not None and _same(stored, document):
        return []
    put = {"Name": name, "Value": value, "Type": "String", "Overwrite": stored is not None}
    inverse = (
        Call("ssm", "delete_parameter", {"Name": name})
        if stored is None
        else Call("ssm", "put_parameter", {**put, "Value": stored, "Overwrite": True})
    )
    return [Step("the spec", Call("ssm", "put_parameter", put), inverse)]


def _same(stored: str, document: dict[str, Any]) -> bool:
    try:
        return bool(json.loads(stored) == document)
    except ValueError:
        return False
