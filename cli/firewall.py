"""The web ACL on the load balancer, and what the probe sends through it."""

from collections.abc import Iterator
from typing import Any

from cli.account import Account
from cli.findings import Findings
from crossfade.domain.spec.service import ServiceSpec

USUAL_WINDOW = 300
"""Seconds that a rate rule counts over, where it does not say (botocore wafv2, RateBasedStatement)."""


def web_acl(account: Account, spec: ServiceSpec, balancer: str, findings: Findings) -> None:
    """Note the web ACL of a load balancer, and the rate rules that the probe would meet."""
    found = findings.look(
        "web ACL", lambda: account.client("wafv2").get_web_acl_for_resource(ResourceArn=balancer)
    )
    acl = (found or {}).get("WebACL")
    if not acl:
        return
    rate = spec.probe.production_rate + 2 * spec.probe.slot_rate
    sent = f"the probe sends {rate:g} requests per second from one address, as crossfade-probe"
    met = [
        f"rule {name} allows {limit} in {window} s, and the probe sends {rate * window:.0f}"
        for name, limit, window in rate_rules(acl)
        if limit < rate * window
    ]
    findings.warn(
        "web ACL",
        f"{acl['Name']} stands before the load balancer, and {sent}"
        + (f": {'; '.join(met)}. Except it from the rule, or lower the rates in probe" if met else ""),
    )


def rate_rules(acl: dict[str, Any]) -> Iterator[tuple[str, int, int]]:
    """Name, limit and window in seconds of each rate rule of a web ACL."""
    for rule in acl.get("Rules", []):
        statement = rule.get("Statement", {}).get("RateBasedStatement")
        if statement:
            yield rule["Name"], statement["Limit"], statement.get("EvaluationWindowSec", USUAL_WINDOW)
