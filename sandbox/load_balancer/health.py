"""Health checks of the targets by their group's own settings, and DescribeTargetHealth.

MiniStack calls every registered target healthy at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp
from ministack.services import alb

from sandbox.host.addresses import addresses
from sandbox.load_balancer.rules import groups_in_use
from sandbox.load_balancer.targets import Target, table
from sandbox.patching import replaces

# AWS checks a new target at the group's interval too, from several nodes. Looking more often until the first
# pass makes a start on a laptop quicker; failures are still counted once per interval only.
INITIAL_RETRY_SECONDS = 0.5


def passed(target: Target, threshold: int) -> None:
    """A check passed: a new target is healthy at the first, an unhealthy one after `threshold` in a row."""
    target.passed, target.failed = target.passed + 1, 0
    if target.state == "initial" or target.passed >= threshold:
        target.state, target.reason, target.description = "healthy", "", ""


def failed(
    target: Target, threshold: int, interval: float, now: float, reason: str, description: str
) -> None:
    """A check failed: unhealthy after `threshold` in a row, which for a new target are an interval apart."""
    target.passed = 0
    if target.state == "initial":
        target.reason, target.description = "Elb.InitialHealthChecking", "Initial health checks in progress"
        if target.failed and now - target.failed_at < interval:
            return
    target.failed, target.failed_at = target.failed + 1, now
    if target.failed >= threshold:
        target.state = "unhealthy"
    if target.state == "unhealthy":
        target.reason, target.description = reason, description


def expected(code: int, matcher: str) -> bool:
    """Whether a status fits a matcher such as `200`, `200,202` or `200-299`."""
    for part in matcher.split(","):
        low, _, high = part.strip().partition("-")
        if int(low) <= code <= int(high or low):
            return True
    return False


class HealthChecks:
    """Starts the checks that are due; lives in the data plane's event loop."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._running: set[asyncio.Task[None]] = set()

    def tick(self) -> None:
        """Follow membership and start every check that is due."""
        table.sync_all()
        in_use = groups_in_use()
        for arn, settings in alb._tgs.items():
            for target in table.members(arn):
                follow_use(target, arn in in_use)
                now = time.monotonic()
                if target.state != "unused" and now >= target.check_at and not target.checking:
                    target.checking, target.check_at = True, now + settings["HealthCheckIntervalSeconds"]
                    task = asyncio.create_task(self._check(target, settings))
                    self._running.add(task)
                    task.add_done_callback(self._running.discard)

    async def _check(self, target: Target, settings: dict[str, Any]) -> None:
        interval, started = float(settings["HealthCheckIntervalSeconds"]), time.monotonic()
        try:
            problem = await self._problem(target, settings)
            if target.state == "unused":  # the group went out of use meanwhile
                return
            if problem is None:
                passed(target, settings["HealthyThresholdCount"])
            else:
                failed(target, settings["UnhealthyThresholdCount"], interval, started, *problem)
            if target.state == "initial":
                target.check_at = started + INITIAL_RETRY_SECONDS
        finally:
            target.checking = False

    async def _problem(self, target: Target, settings: dict[str, Any]) -> tuple[str, str] | None:
        """None, or the reason code and description of a failed check."""
        port = settings.get("HealthCheckPort", "traffic-port")
        local = addresses.resolve(target.ip, target.port if port == "traffic-port" else int(port))
        if local is None:
            return "Target.FailedHealthChecks", "Health checks failed"
        try:
            async with self._session.get(
                f"http://127.0.0.1:{local}{settings['HealthCheckPath']}",
                headers={"User-Agent": "ELB-HealthChecker/2.0", "Host": f"{target.ip}:{target.port}"},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=settings["HealthCheckTimeoutSeconds"]),
            ) as answer:
                code = answer.status
        except TimeoutError:
            return "Target.Timeout", "Request timed out"
        except (aiohttp.ClientError, OSError):
            return "Target.FailedHealthChecks", "Health checks failed"
        if expected(code, settings["Matcher"]["HttpCode"]):
            return None
        return "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{code}]"


def follow_use(target: Target, in_use: bool) -> None:
    """A group that no listener or rule refers to is not checked; one that comes into use starts over."""
    if not in_use:
        target.state, target.reason = "unused", "Target.NotInUse"
        target.description = "Target group is not configured to receive traffic from the load balancer"
    elif target.state == "unused":
        target.start_over()


def _asked_for(params: dict[str, Any], known: list[Target], default_port: int) -> list[Target]:
    """The targets that a request names, unregistered ones as unused; all when it names none."""
    asked = alb._parse_targets_param(params)
    if not asked:
        return known
    found = []
    for wanted in asked:
        same = [t for t in known if t.ip == wanted["Id"] and t.port == wanted.get("Port", t.port)]
        stranger = Target(
            wanted["Id"],
            wanted.get("Port", default_port),
            state="unused",
            reason="Target.NotRegistered",
            description="Target is not registered to the target group",
        )
        found += same or [stranger]
    return found


def _health_xml(target: Target, check_port: str) -> str:
    state, reason, description = target.state, target.reason, target.description
    if target.drains_until is not None:
        state, reason = "draining", "Target.DeregistrationInProgress"
        description = "Target deregistration is in progress"
    because = f"<Reason>{reason}</Reason><Description>{description}</Description>" if reason else ""
    return (
        f"<member><Target><Id>{alb._esc(target.ip)}</Id><Port>{target.port}</Port></Target>"
        f"<HealthCheckPort>{target.port if check_port == 'traffic-port' else check_port}</HealthCheckPort>"
        f"<TargetHealth><State>{state}</State>{because}</TargetHealth></member>"
    )


@replaces(alb, "_describe_target_health", version="1.5.33")
@replaces(alb, "_ACTION_MAP", "DescribeTargetHealth", version="1.5.33")
def describe_target_health(emulator: Callable[..., Any], params: dict[str, Any]) -> Any:
    """DescribeTargetHealth: the targets of a group, registered and draining, with state and reason."""
    group = alb._p(params, "TargetGroupArn")
    settings = alb._tgs.get(group)
    if settings is None:
        return alb._error("TargetGroupNotFound", f"Target group '{group}' not found.")
    table.sync(group)
    in_use = group in groups_in_use()
    for target in table.members(group):
        follow_use(target, in_use)
    known = table.members(group) + table.draining(group)
    check_port = str(settings.get("HealthCheckPort", "traffic-port"))
    shown = "".join(_health_xml(t, check_port) for t in _asked_for(params, known, settings["Port"]))
    xml = f"<TargetHealthDescriptions>{shown}</TargetHealthDescriptions>"
    return alb._xml(200, "DescribeTargetHealth", xml)
