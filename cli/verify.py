"""``crossfade verify``: whether a service, and a release of it, could be deployed; nothing is changed."""

import json
from typing import Any

from cli.account import Account
from cli.examination import Examined, examine
from cli.findings import Findings
from cli.live import ask_live, ask_slots, read_secret
from cli.rights import deploy_line, missing, parameters
from crossfade.aws.outcome_feed import FeedLog
from crossfade.domain.journal import State
from crossfade.domain.planning.naming import refuse_unnamed
from crossfade.domain.planning.placing import image_tag
from crossfade.domain.planning.plan import unknown_service
from crossfade.domain.planning.task_definition import feed_unreadable
from crossfade.domain.spec.service import ServiceSpec, read_spec

INDEXES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
"""What BatchGetImage shows of an image for several platforms (botocore ecr 2015-09-21)."""
ARCHITECTURES = {"amd64": "X86_64", "arm64": "ARM64"}
"""What ECS calls the architectures of a manifest (botocore's ``CPUArchitecture``)."""


def verify(account: Account, service: str, tag: str | None, findings: Findings) -> None:
    """Check a service's spec, and the release of a tag: of the one that the pattern runs where it is None."""
    spec = findings.check("spec", lambda: _spec(account, service))
    if spec is None:
        return
    findings.ok("spec", f"{account.stack.specs_path}{service} is valid")
    examined = examine(account, spec, tag, findings)
    _prepared(examined, spec, findings)
    _rights(account, examined, findings)
    _tag(spec, tag, findings)
    if examined.placed and examined.image:
        _platform(account, examined, spec, findings)
        _feed(account, examined, findings)
    if examined.placed:
        _answers(account, spec, examined, findings)


def _spec(account: Account, service: str) -> ServiceSpec:
    specs = account.specs()
    document = specs.get(service)
    if document is None:
        raise unknown_service(service, list(specs.all()), account.stack.specs_path)
    return read_spec(service, document)


def _prepared(examined: Examined, spec: ServiceSpec, findings: Findings) -> None:
    if examined.steps:
        lacking = ", ".join(step.what for step in examined.steps)
        cluster, name = spec.like.rpartition(":service/")[2].split("/")
        again = f"crossfade adopt --like {cluster}/{name} --name {spec.service} --apply"
        findings.wrongs("preparation", f"it is to have: {lacking}. Prepare it: {again}", "NotPrepared")
    elif examined.steps is not None:
        findings.ok("preparation", "its target groups, preview rules and secret are there")


def _rights(account: Account, examined: Examined, findings: Findings) -> None:
    if examined.rights is None:
        return
    values = parameters(account.stack, missing(examined.rights, account.stack))
    if values:
        findings.wrongs(
            "rights",
            f"{' and '.join(values)} of the stack {account.stack.name} do not name all that the service has: "
            f"{deploy_line(account.stack, values)}",
        )
    else:
        findings.ok("rights", "Adopted and TaskRoles name what is the owner's")


def _tag(spec: ServiceSpec, tag: str | None, findings: Findings) -> None:
    if tag is None:
        return
    findings.check("version", lambda: refuse_unnamed(spec, tag))
    if not spec.deploys(tag):
        findings.warn("push_tags", f"a push of {tag} starts no deployment: {spec.release.push_tags}")


def _platform(account: Account, examined: Examined, spec: ServiceSpec, findings: Findings) -> None:
    """Compare the architectures of the image with that of the task definition, which is X86_64 by default."""
    ecs, placed, image = account.client("ecs"), examined.placed, examined.image
    if placed is None or image is None:
        return
    found = ecs.describe_task_definition(taskDefinition=placed.pattern.task_definition)["taskDefinition"]
    wanted = found.get("runtimePlatform", {}).get("cpuArchitecture", "X86_64")
    shown = _architectures(account, spec, image.digest)
    if not shown:
        findings.ok("platform", f"the task is for {wanted}; ECR does not show what the image is for")
    elif wanted in shown:
        findings.ok("platform", f"the image is for {wanted}, as the task is")
    else:
        findings.wrongs(
            "platform",
            f"the image is for {', '.join(sorted(shown))}, and the task for {wanted}: build it for that, or "
            "correct runtimePlatform in the pattern's task definition",
        )


def _architectures(account: Account, spec: ServiceSpec, digest: str) -> set[str]:
    """The architectures that an image's index names; none where it is for one platform alone."""
    answer = account.client("ecr").batch_get_image(
        repositoryName=spec.release.repository,
        imageIds=[{"imageDigest": digest}],
        acceptedMediaTypes=[*INDEXES, *ONE_PLATFORM],
    )
    manifests: list[dict[str, Any]] = []
    for image in answer["images"]:
        manifests += json.loads(image["imageManifest"]).get("manifests", [])
    names = {one.get("platform", {}).get("architecture", "") for one in manifests}
    return {ARCHITECTURES.get(name, name) for name in names - {"", "unknown"}}


ONE_PLATFORM = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)


def _feed(account: Account, examined: Examined, findings: Findings) -> None:
    if examined.checked is None or examined.checked.streams is None or examined.placed is None:
        return
    streams = examined.checked.streams
    why = FeedLog(account.client("logs")).unreadable(streams)
    if why:
        refused = feed_unreadable(examined.placed, streams, why)
        findings.wrongs("feed", str(refused), type(refused).__name__)
    else:
        findings.ok("feed", f"the log group {streams.group} can be read")


def _answers(account: Account, spec: ServiceSpec, examined: Examined, findings: Findings) -> None:
    secret = None
    if examined.steps == []:
        secret = findings.if_allowed("preview", lambda: read_secret(account, spec.service))
    reached = ask_live(spec, _live_version(account, spec, examined, findings), secret, findings)
    if reached and secret and examined.placed:
        ask_slots(examined.placed, secret, findings)


def _live_version(account: Account, spec: ServiceSpec, examined: Examined, findings: Findings) -> str:
    """What the live release is to answer with; empty where that is not known."""
    state = findings.if_allowed("journal", lambda: account.journal().state(spec.service)) or State()
    if state.version:
        return spec.version.expected(state.version)
    if examined.placed is None:
        return ""
    pattern = examined.placed.pattern
    found = account.client("ecs").describe_task_definition(taskDefinition=pattern.task_definition)
    containers = found["taskDefinition"]["containerDefinitions"]
    image = next((one["image"] for one in containers if one["name"] == pattern.container), "")
    tag = image_tag(image, spec.release.repository)
    return spec.version.expected(tag) if tag else ""
