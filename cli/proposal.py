"""The spec that is proposed for a running service: what was found there, and what its owner says."""

import re
from typing import Any, NamedTuple

import click

from cli.discovery import Discovered, is_default, ports_of
from crossfade.domain.spec.version import TAG
from crossfade.domain.traffic.routes import asks_for_login
from crossfade.domain.traffic.rule import LiveRule
from probe.version import version_from

STAGES = [
    {"weight": 0, "min_seconds": 15, "max_seconds": 600},
    {"weight": 2, "min_seconds": 15, "max_seconds": 600},
    {"weight": 10, "min_seconds": 15, "max_seconds": 600},
    {"weight": 50, "min_seconds": 15, "max_seconds": 600},
    {"weight": 90, "min_seconds": 15, "max_seconds": 600},
    {"weight": 100, "min_seconds": 30, "max_seconds": 600},
]
"""Those of the sample service in production. The times are in seconds."""
LAUNCH = {"deadline_seconds": 600, "hold_seconds": 10}
RETIRE = {"quiet_seconds": 60, "drain_seconds": 120, "deadline_seconds": 600, "warm_seconds": 600}
RATES = {"production_rate": 10, "slot_rate": 20}
"""Requests per second."""
KINDS = (
    (r"v?\d+\.\d+\.\d+", r"^v?\d+\.\d+\.\d+$"),
    (r"([a-z]+)-v?\d+\.\d+\.\d+", r"^{}-v?\d+\.\d+\.\d+$"),
    (r"\d+", r"^\d+$"),
    (r"[0-9a-f]{7,64}", r"^[0-9a-f]{{7,64}}$"),
)
"""How tags look, and the ``push_tags`` that fit them; ``{}`` is the group."""
BY_HAND = "^$"
"""No tag is empty, so no push starts a deployment."""
CDK_ASSETS = "container-assets-"
"""Part of the name of the repository that `cdk bootstrap` makes, for the images of all stacks."""


class Said(NamedTuple):
    """What the owner says of the service; None where nothing was said.

    ``version_from`` is as the test client takes it, e.g. ``header:X-Version``. ``expect`` is the version of a
    tag: a text with ``{tag}`` in it, or a regular expression whose group is the version.
    """

    url: str | None = None
    push_tags: str | None = None
    version_path: str | None = None
    version_from: str | None = None
    expect: str | None = None
    login_bypass: bool | None = None
    connect_to: str | None = None

    @property
    def version(self) -> dict[str, Any]:
        """What of it is of the spec's ``version``."""
        given: dict[str, Any] = {}
        if self.version_path:
            given["path"] = self.version_path
        if self.version_from:
            place = version_from(self.version_from)
            given["from"] = "none" if place.kind == "none" else {place.kind: place.at}
        if self.expect:
            given["expect"] = self.expect if TAG in self.expect else {"tag": self.expect}
        return given

    @property
    def probe(self) -> dict[str, Any]:
        """What of it is of the spec's ``probe``."""
        given = {"url": self.url, "connect_to": self.connect_to}
        return {key: value for key, value in given.items() if value}


def propose(found: Discovered, name: str, said: Said) -> dict[str, Any]:
    """The spec's document; what was not said is as it is proposed.

    Raises
    ------
    click.ClickException
        The address cannot be known, and was not said.
    """
    url = said.url or proposed_url(found)
    if url is None:
        raise click.ClickException(
            f"The listener {found.listener.arn} speaks HTTPS, and no host of the rule says by which name. "
            "Say it with --url, such as https://shop.example."
        )
    return {
        "service": name,
        "like": found.service["serviceArn"],
        "release": {
            "repository": found.repository,
            "push_tags": said.push_tags or proposed_push_tags(found),
        },
        "traffic": [_traffic(found, route) for route in found.routes],
        "preview": {"listener": found.listener.arn},
        **({"login_bypass": True} if said.login_bypass else {}),
        "version": {"path": "/version", "from": {"json": "/version"}, **said.version},
        "tasks": max(1, found.service["desiredCount"]),
        "stages": STAGES,
        "launch": LAUNCH,
        "retire": RETIRE,
        "probe": {"url": url, **RATES, **said.probe},
    }


def changed(document: dict[str, Any], said: Said) -> dict[str, Any]:
    """A spec that there is, with what is said now."""
    new = dict(document)
    for key, given in (
        ("probe", said.probe),
        ("version", said.version),
        ("release", {"push_tags": said.push_tags} if said.push_tags else {}),
    ):
        if given:
            new[key] = {**new.get(key, {}), **given}
    if said.login_bypass is not None:
        new["login_bypass"] = said.login_bypass
    return new


def proposed_url(found: Discovered) -> str | None:
    """The address by which clients come; None where only the owner knows it.

    A certificate is for a name, which a load balancer's own one is not.
    """
    hosts = [
        value
        for condition in found.route.conditions
        if condition["Field"] == "host-header"
        for value in condition.get("HostHeaderConfig", {}).get("Values", condition.get("Values", []))
        if not re.search(r"[*?]", value)
    ]
    protocol, port = found.listener.shown["Protocol"].lower(), found.listener.shown["Port"]
    if protocol == "https" and not hosts:
        return None
    host = hosts[0] if hosts else found.balancer["DNSName"]
    usual = {"http": 80, "https": 443}[protocol]
    return f"{protocol}://{host}" + ("" if port == usual else f":{port}")


def proposed_push_tags(found: Discovered) -> str:
    """Tags that look like the running one; none where all stacks push to the repository."""
    if CDK_ASSETS in found.repository:
        return BY_HAND
    for kind, pattern in KINDS:
        matched = re.fullmatch(kind, found.tag)
        if matched:
            return pattern.format(*matched.groups())
    return BY_HAND


def needs_login_bypass(found: Discovered) -> bool:
    """Whether the probe would meet a login."""
    return asks_for_login(found.route) and not is_default(found.route)


def _traffic(found: Discovered, route: LiveRule) -> dict[str, Any]:
    if not is_default(route):
        return {"rule": route.arn}
    entry = {"listener": found.listener_of(route).arn, "priority": "last"}
    several = len(ports_of(found.service)) > 1
    return entry | ({"target_group": found.port_of(route)["targetGroupArn"]} if several else {})
