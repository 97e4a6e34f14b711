"""The line: what waits for a service that another deployment holds. Only the newest does."""

from datetime import datetime
from typing import Any

from crossfade.aws.journal_table import STATE, JournalTable, expiry, item_of
from crossfade.domain.errors import ServiceChanged
from crossfade.domain.journal import Waiting
from crossfade.domain.model import iso


class ReleaseQueue:
    """Reads and writes what waits through a boto3 ``dynamodb`` client, in the journal's table."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._table = JournalTable(dynamodb, table)

    def queue(self, service: str, waiting: Waiting, now: datetime) -> Waiting | None:
        """Let a release wait for a held service; the one that it drops is returned, and gets an item.

        Raises
        ------
        ServiceChanged
            The service is free, another release was queued meanwhile, or this one was started: what an
            earlier try has queued may be gone from the line by the time of the next.
        """
        before = self._table.state(service).waiting
        if before == waiting:
            return None  # an earlier try had its effect
        if before and before.at > waiting.at:
            raise ServiceChanged(f"{before.version}, which is newer, waits for {service} already.")
        values: dict[str, Any] = {":waiting": waiting.model_dump(mode="json")}
        condition = "attribute_exists(holder) AND " + (
            "waiting.#execution = :before" if before else "attribute_not_exists(waiting)"
        )
        if before:
            values[":before"] = before.execution
        names = {"#execution": "execution"} if before else None
        update = self._table.updating(
            service, STATE, "SET waiting = :waiting", values, condition=condition, names=names
        )
        dropped = before if before and before.digest != waiting.digest else None
        why = f"{dropped.version} gave way to {waiting.version} while it waited" if dropped else ""
        drop = [self._dropping(service, dropped, why, now)] if dropped else []
        started = self._table.checking(service, item_of(waiting.deployment), "attribute_not_exists(service)")
        if not self._table.transact_if([update, started, *drop]):
            raise ServiceChanged(f"Service {service} was freed, or another release was queued.")
        return dropped

    def dequeue(self, service: str, waiting: Waiting) -> None:
        """Take a release that was started out of the line; harmless when another waits there by now."""
        self._table.update_if(
            service,
            STATE,
            "REMOVE waiting",
            {":execution": waiting.execution},
            condition="waiting.#execution = :execution",
            names={"#execution": "execution"},
        )

    def drop(self, service: str, waiting: Waiting, reason: str, now: datetime) -> None:
        """Write down that a release waits no more, under the name of the execution that asked for it."""
        entry = self._dropping(service, waiting, reason, now)
        self._table.transact([entry])

    def _dropping(self, service: str, dropped: Waiting, reason: str, now: datetime) -> dict[str, Any]:
        entry = {
            "execution": dropped.execution,
            "version": dropped.version,
            "digest": dropped.digest,
            "outcome": "dropped",
            "reason": reason,
            "ended": iso(now),
            "expires": expiry(now),
        }
        return self._table.putting(service, item_of(dropped.execution.rsplit(":", 1)[-1]), entry)
