"""What clients and the probe are answered, found out by a few real requests with the probe's own code."""

import time
from collections.abc import Sequence
from itertools import cycle, islice
from typing import NamedTuple

from cli.account import Account
from cli.findings import Findings
from crossfade.domain.answers import Kinds, Versions, fault, is_good
from crossfade.domain.preparation import LIVE, PATTERN
from crossfade.domain.slots import SLOTS
from crossfade.domain.spec.names import preview_role
from crossfade.domain.spec.placed import Placed
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.traffic.rule import HEADER
from probe.asking import Answer, Asker
from probe.version import version_from

REQUESTS = 20
PAUSE_SECONDS = 0.25
TIMEOUT_SECONDS = 5.0


class Seen(NamedTuple):
    """An answer, judged by the spec's ``version.ok``."""

    ok: bool
    status: int | None
    version: str | None
    error: str | None
    note: str | None
    path: str | None = None
    """One of the spec's ``probe.paths``; None for the version path."""


def ask_live(spec: ServiceSpec, expected: str, secret: str | None, findings: Findings) -> bool:
    """Ask as the probe asks production, each of its paths in turn.

    ``expected`` is the live version, empty where it is not known.

    Returns whether the address was reached from here at all.
    """
    header = {HEADER: f"{secret}-{LIVE}"} if spec.login_bypass and secret else {}
    asker = _asker(spec, header)
    _, *others = spec.asked_paths
    turns = cycle((None, *(other.path for other in others)))
    answers = []
    for path in islice(turns, REQUESTS):
        url = None if path is None else spec.probe.url + path
        answers.append(_seen(spec, asker.ask(url))._replace(path=path))
        time.sleep(PAUSE_SECONDS)
    right: Versions = {expected} if expected else None
    if spec.version.named and right is None:
        right = {answer.version for answer in answers if answer.version}
    bad = [answer for answer in answers if not is_good(answer, right if spec.version.named else None)]
    kinds = Kinds()
    for answer in bad:
        kinds = kinds.plus(fault(answer))
    said = kinds.summary(len(answers), right, spec.version.good)
    address = f"{spec.probe.url}{spec.version.path}"
    if all(answer.status is None for answer in answers):
        findings.warn("live", f"{address} does not answer here; the probe asks from its own network: {said}")
        return False
    # Nothing is released where a path always fails: each of them has its share of a lane's failures.
    if {answer.path for answer in answers} - {answer.path for answer in answers if answer not in bad}:
        findings.wrongs("live", f"{address}: {said}")
    elif bad:
        findings.warn("live", f"{address}: {said}. {_own_failures(answers)}")
    elif spec.version.named:
        findings.ok("live", f"{address} answers with version {', '.join(sorted(right or []))}")
    else:
        findings.warn(
            "live",
            f"{address} answers well, and names no version: releases are judged by status and latency, and "
            "the certificate says what that does not prove",
        )
    return True


def ask_slots(placed: Placed, secret: str, findings: Findings) -> None:
    """Ask each slot by its preview rule, and the owner's service by its own.

    A slot without tasks is answered by the load balancer itself; anything else is of another rule. A further
    port need not know the path that tells the version.
    """
    ports = ["", *(target.name for target in placed.pattern.also)]
    for role, port in ((preview_role(kind, port), port) for port in ports for kind in (*SLOTS, PATTERN)):
        answer = _asker(placed, {HEADER: f"{secret}-{role}"}).ask()
        if answer.no_target:
            findings.ok("preview", f"the rule of {role} leads to no task, as it should while none runs there")
        elif answer.by_application and (port or _seen(placed, answer).ok):
            findings.ok("preview", f"the rule of {role} leads to tasks that answer{port and f' at {port}'}")
        else:
            said = fault(_seen(placed, answer))
            findings.wrongs("preview", f"by the rule of {role} came {said}: another rule stands before it")


def read_secret(account: Account, service: str) -> str:
    """The secret of the preview rules, which is never shown."""
    name = account.preparation(service).names.secret
    answer = account.client("ssm").get_parameter(Name=name, WithDecryption=True)
    return str(answer["Parameter"]["Value"])


def _asker(spec: ServiceSpec, headers: dict[str, str]) -> Asker:
    return Asker(
        spec.probe.url + spec.version.path,
        {**spec.probe.headers, **headers},
        TIMEOUT_SECONDS,
        version_from(spec.version.from_.text),
        spec.probe.connect_to,
    )


def _seen(spec: ServiceSpec, answer: Answer) -> Seen:
    ok = answer.status is not None and spec.version.accepts(answer.status)
    return Seen(ok, answer.status, answer.version, answer.error, answer.note)


def _own_failures(answers: Sequence[Seen]) -> str:
    """What failures are of that no release has anything to do with.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
    """
    if any(answer.status == 502 for answer in answers):
        return (
            "An application that closes idle connections sooner than the load balancer (60 s if its idle "
            "timeout is not set) fails some requests by that alone, with or without Crossfade: let it keep "
            "them longer. The gate compares a release with the live one, which fails as often"
        )
    return "These are its own, with or without Crossfade; the gate compares a release with the live one"
