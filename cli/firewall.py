"""The web ACL on the load balancer, and what the probe sends through it."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from cli.account import Account
from cli.findings import Findings
from crossfade.aws.errors import error_code
from crossfade.domain.spec.service import ServiceSpec

USUAL_WINDOW = 300
"""Seconds that a rate rule counts over, where it does not say (botocore wafv2, RateBasedStatement)."""


def web_acl(account: Account, spec: ServiceSpec, balancer: str, findings: Findings) -> None:
    """Note the web ACL of a load balancer, and the rate rules that the probe would meet."""
    acl = findings.if_allowed("web ACL", lambda: _of(account.client("wafv2"), balancer))
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


def _of(wafv2: Any, balancer: str) -> dict[str, Any] | None:
    """The web ACL of a load balancer; AWS WAF has no answer, or this error, for one without."""
    try:
        found: dict[str, Any] | None = wafv2.get_web_acl_for_resource(ResourceArn=balancer).get("WebACL")
    except ClientError as error:
        if error_code(error) != "WAFNonexistentItemException":
            raise
        return None
    return found


def rate_rules(acl: dict[str, Any]) -> Iterator[tuple[str, int, int]]:
    """Name, limit and window in seconds of each rate rule of a web ACL."""
    for rule in acl.get("Rules", []):
        statement = rule.get("Statement", {}).get("RateBasedStatement")
        if statement:
            yield rule["Name"], statement["Limit"], statement.get("EvaluationWindowSec", USUAL_WINDOW)
