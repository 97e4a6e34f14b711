"""A release as a person watches it: a picture that changes in a terminal, lines of text elsewhere."""

import sys
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import click
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.account import Account
from cli.clients import Clients, Traffics, versions_in_words, weights_in_words
from cli.executions import name_of
from cli.following import WAITS, Follower, Sight
from cli.progress import clock, evidence, happens_next, phase, stage
from crossfade.aws.errors import translate
from crossfade.domain.errors import AwsUnavailable

POLL_SECONDS = 2.0
REPEAT_SECONDS = 15.0
"""A line of text in which only the evidence is new comes this often at most."""
NOT_KNOWN = Traffics(None, {}, "not known yet")


class View:
    """Shows sights; ``lines``: as lines of text on the error stream, or on the standard one if ``out``."""

    def __init__(self, account: Account, service: str, version: str, *, out: bool) -> None:
        self._account, self._service, self._version = account, service, version
        self._out = out
        self._clients = Clients(account)
        self._live: Live | None = None
        self._stack = ExitStack()
        self._shown_at, self._shown = float("-inf"), ("", "")

    def __enter__(self) -> Self:
        if self._out and sys.stdout.isatty():
            self._live = self._stack.enter_context(Live(console=Console(highlight=False), auto_refresh=False))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._live:
            self._live.console.print(Text(text), soft_wrap=True)
        else:
            click.echo(text, err=not self._out)

    def show(self, sight: Sight) -> None:
        """What is known now."""
        plan = sight.recorded.plan if sight.recorded else None
        traffic = self._clients.traffic(plan) if plan and not sight.ending else NOT_KNOWN
        if self._live:
            self._live.update(self._picture(sight, traffic), refresh=True)
        elif not sight.ending:
            self._line(sight, traffic)

    def _picture(self, sight: Sight, traffic: Traffics) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in self.rows(sight, traffic):
            if value:
                table.add_row(Text(name), Text(value))
        return table

    def rows(self, sight: Sight, traffic: Traffics) -> list[tuple[str, str]]:
        """What the picture has, by name."""
        plan = sight.recorded.plan if sight.recorded else None
        version = sight.version or self._version
        before = f"{sight.recorded.before or 'nothing'} → " if sight.recorded and plan else ""
        rows = [("release", f"{self._service} {before}{version}"), ("deployment", name_of(sight.execution))]
        if sight.ending:
            return rows
        rows.append(("state", ", ".join(part for part in (phase(sight), stage(sight)) if part)))
        if plan:
            rows += [
                ("weights", weights_in_words(traffic, plan)),
                ("clients get", versions_in_words(traffic)),
            ]
        return [*rows, ("evidence", evidence(sight)), ("next", happens_next(sight))]

    def _line(self, sight: Sight, traffic: Traffics) -> None:
        rows = dict(self.rows(sight, traffic))
        parts = [rows["state"], rows.get("weights", ""), rows.get("clients get", ""), rows["evidence"]]
        changed = (rows["state"], rows.get("weights", ""))
        if sight.state == WAITS or not rows["evidence"]:
            parts.append(f"next: {rows['next']}")
        if changed == self._shown and time.monotonic() - self._shown_at < REPEAT_SECONDS:
            return
        self._shown, self._shown_at = changed, time.monotonic()
        self.say(f"{clock(sight.at)}  {'; '.join(part for part in parts if part)}")


def follow(follower: Follower, view: View, timeout: float) -> Sight:
    """Show what is followed until it ends, or ``timeout`` seconds are over; what was known last."""
    deadline = time.monotonic() + timeout
    while True:
        sight = _seen(follower, view)
        if sight and (sight.ending or time.monotonic() >= deadline):
            return sight
        time.sleep(POLL_SECONDS)


def _seen(follower: Follower, view: View) -> Sight | None:
    """What is known now, which is shown; None where AWS does not answer at the moment."""
    try:
        sight = follower.sight()
        view.show(sight)
    except (ClientError, BotoCoreError) as error:
        if not isinstance(translate(error), AwsUnavailable):
            raise
        view.say(f"AWS does not answer, and is asked again: {error}")
        return None
    return sight
