"""The probe as a task on ECS: lanes side by side, their records in the deployment's ledger."""

import dataclasses
import logging
import time
from collections.abc import Mapping
from typing import Any, Literal, cast

import boto3
from botocore.config import Config

from probe.lane import Lane
from probe.ledger import Ledger, LedgerUnavailable, LogsClient
from probe.record import Closed, Opened, utc
from probe.secret import SecretsClient, SecretUnavailable, read_secret, with_secret
from probe.settings import BadSetting, TaskSettings, read_settings
from probe.stopping import StopRequest

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
OPENING_SECONDS = 30.0
LAST_ANSWERS_SECONDS = 5.0
LAST_RECORDS_SECONDS = 15.0
"""Together with the last answers this stays below the 30 s that ECS leaves a task after SIGTERM."""


def main(environment: Mapping[str, str], stop: StopRequest) -> int:
    """Run until asked to stop, or until the deadline.

    Returns the exit status: 0 when the ledger is complete, or was not opened because of a request to stop; 1
    when it is not complete, or the secret cannot be read; 2 when a setting is wrong.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("probe").setLevel(logging.INFO)
    began = time.monotonic()
    try:
        settings = read_settings(environment)
    except BadSetting as error:
        log.error("%s", error)
        return 2
    if settings.secret_parameter:
        try:
            secret = read_secret(_secrets_client(), settings.secret_parameter, OPENING_SECONDS, stop)
        except SecretUnavailable as error:
            log.error("%s", error)
            return 1
        if secret is None:
            log.info("asked to stop before the secret was read")
            return 0
        settings = dataclasses.replace(settings, lanes=with_secret(settings.lanes, secret))
    ledger = Ledger(_logs_client(), settings.log_group, settings.log_stream)
    try:
        opened = ledger.open(within=min(OPENING_SECONDS, settings.deadline), stop=stop)
    except LedgerUnavailable as error:
        log.error("%s", error)
        return 1
    if not opened:
        log.info("asked to stop before the ledger was opened")
        return 0
    return _run(settings, ledger, stop, ends_at=began + settings.deadline)


def _run(settings: TaskSettings, ledger: Ledger, stop: StopRequest, ends_at: float) -> int:
    lanes = [Lane(lane, settings.timeout, ledger.write) for lane in settings.lanes]
    names = tuple(lane.settings.name for lane in lanes)
    ledger.write(Opened(settings.deployment, utc(time.time()), names))
    if not stop.asked:
        for lane in lanes:
            lane.start()
    log.info("probing %s for deployment %s", ", ".join(names), settings.deployment)

    while not stop.asked and time.monotonic() < ends_at:
        time.sleep(POLL_SECONDS)
        if not ledger.running or not all(lane.running for lane in lanes):
            # No closing record: this ledger is cut, and a reader must see that.
            log.error("a part of the probe has broken: %s", [lane.broken for lane in lanes])
            return 1
    return _close(lanes, ledger, "stopped" if stop.asked else "deadline", settings.timeout)


def _close(lanes: list[Lane], ledger: Ledger, reason: Literal["stopped", "deadline"], timeout: float) -> int:
    for lane in lanes:
        lane.stop()
    # A little more than the timeout, so that a request that runs into it still says so itself.
    answers_until = time.monotonic() + min(timeout + 0.5, LAST_ANSWERS_SECONDS)
    for lane in lanes:
        lane.finish(within=max(0.0, answers_until - time.monotonic()))
    records_until = time.monotonic() + LAST_RECORDS_SECONDS
    held = ledger.drain(within=LAST_RECORDS_SECONDS)
    rejected = ledger.rejected
    if not held:
        totals = {lane.settings.name: lane.totals() for lane in lanes}
        ledger.write(Closed(utc(time.time()), reason, totals, rejected))
        held = ledger.drain(within=max(0.0, records_until - time.monotonic()))
    ledger.stop()
    if held or ledger.rejected > rejected:
        log.error("the ledger is not complete: %d records not written", max(held, 1))
        return 1
    log.info("closed (%s)", reason)
    return 0


def _secrets_client() -> SecretsClient:
    config = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1, "mode": "standard"})
    client: Any = boto3.client("ssm", config=config)
    return cast(SecretsClient, client)


def _logs_client() -> LogsClient:
    # The ledger repeats by itself, and without end; boto3 repeating below it would only hide that.
    config = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1, "mode": "standard"})
    client: Any = boto3.client("logs", config=config)
    return cast(LogsClient, client)
