"""What clients get: the weights as the load balancer shows them, and what the probe was answered."""

import time
from collections import Counter
from datetime import datetime, timedelta
from typing import NamedTuple

from botocore.exceptions import ClientError

from cli.account import Account
from cli.findings import REFUSALS
from crossfade.aws.errors import error_code
from crossfade.aws.listener_rules import Traffic
from crossfade.domain.errors import ForeignChange, ResourceGone
from crossfade.domain.ledger import Request, read_records
from crossfade.domain.planning.plan import Plan
from crossfade.domain.slots import SLOTS
from crossfade.domain.traffic.weights import Weights

LEDGER_SECONDS = 5.0
"""Between two reads of a ledger: a deployment reads it too, and CloudWatch Logs admits few reads a second."""
SPAN = timedelta(seconds=5)
FAILED = "failed"


class Traffics(NamedTuple):
    """``weights`` is None, and ``versions`` empty, where it is not known: ``why`` says so of the weights.

    ``versions`` has the share of each version among production's answers in the last seconds.
    """

    weights: Weights | None
    versions: dict[str, float]
    why: str = ""


class Clients:
    """Reads both; what the caller may not read is left out."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._read_at = float("-inf")
        self._versions: dict[str, float] = {}
        self._may_read = {"elbv2": True, "logs": True}

    def traffic(self, plan: Plan) -> Traffics:
        """What clients of the plan's service get now."""
        weights, why = self._weights(plan)
        if time.monotonic() - self._read_at >= LEDGER_SECONDS:
            self._read_at, self._versions = time.monotonic(), self._answers(plan)
        return Traffics(weights, self._versions, why)

    def _weights(self, plan: Plan) -> tuple[Weights | None, str]:
        if not self._may_read["elbv2"]:
            return None, "these credentials may not read the rule"
        try:
            first, *others = Traffic(self._account.client("elbv2"), plan.spec).shown().weights
        except (ForeignChange, ResourceGone) as changed:
            return None, str(changed)
        except ClientError as error:
            self._refused("elbv2", error)
            return None, "these credentials may not read the rule"
        if others:
            return None, f"the rules differ: {'; '.join(str(one or 'no rule') for one in (first, *others))}"
        return first, ""

    def _answers(self, plan: Plan) -> dict[str, float]:
        if not self._may_read["logs"]:
            return {}
        try:
            # The newest events, which is what GetLogEvents gives from a stream's end (botocore's model).
            page = self._account.client("logs").get_log_events(
                logGroupName=self._account.ledger_group,
                logStreamName=plan.ledger,
                startFromHead=False,
                limit=1000,
            )
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":  # there is no ledger yet
                self._refused("logs", error)
            return {}
        records = read_records(event["message"] for event in page["events"])
        return shares([record for record in records if isinstance(record, Request)])

    def _refused(self, service: str, error: ClientError) -> None:
        if not error_code(error).startswith(REFUSALS):
            raise error
        self._may_read[service] = False


def shares(requests: list[Request]) -> dict[str, float]:
    """The share of each version in production's newest answers, between 0 and 1, and of those that failed."""
    production = [request for request in requests if request.lane == "production"]
    if not production:
        return {}
    newest: datetime = max(request.at for request in production)
    recent = [request for request in production if request.at > newest - SPAN]
    seen = Counter((request.version or "no version") if request.ok else FAILED for request in recent)
    return {version: count / len(recent) for version, count in sorted(seen.items())}


def weights_in_words(traffic: Traffics, plan: Plan) -> str:
    """The slots' weights with their versions, e.g. ``blue 90 (1.2.2), green 10 (1.2.3)``."""
    if traffic.weights is None:
        return traffic.why or "no rule"
    names = {plan.candidate: plan.release.version}
    if plan.stable:
        names[plan.stable] = plan.previous.version if plan.previous else "the version before"
    parts = [
        f"{slot} {traffic.weights.of(slot)}" + (f" ({names[slot]})" if slot in names else "")
        for slot in SLOTS
    ]
    return ", ".join(parts)


def versions_in_words(traffic: Traffics) -> str:
    """The shares, e.g. ``1.2.2 88 %, 1.2.3 12 %``; empty where nothing was answered yet."""
    return ", ".join(f"{version} {100 * share:.0f} %" for version, share in traffic.versions.items())
