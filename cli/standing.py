"""The commands that show how a service stands and how it got there: ``status`` and ``history``."""

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.account import Account
from cli.asked import spec_of
from cli.clients import Clients, Traffics, versions_in_words, weights_in_words
from cli.executions import name_of
from cli.following import Follower, Sight
from cli.options import with_account_of_releases
from cli.progress import evidence, happens_next, phase, stage
from cli.recorded import Recorded, all_recorded, recorded
from crossfade.domain.model import iso


@click.command(epilog="Exit status: 0 it was shown; 2 the arguments are wrong, or AWS refuses.")
@click.argument("service")
@with_account_of_releases
def status(account: Account, service: str, *, as_json: bool) -> None:
    """Show what is live of SERVICE, what is under way, what waits, and what is still warm."""
    spec_of(account, service)
    journal = account.journal()
    state = journal.state(service)
    last = next(iter(one for one in all_recorded(journal, service) if one.plan), None)
    sight = None
    if state.deployment and (item := recorded(journal, service, state.deployment)):
        sight = Follower(account, service, item.digest, item.execution).sight()
    shown = (sight.recorded if sight else None) or last
    traffic = Clients(account).traffic(shown.plan) if shown and shown.plan else Traffics(None, {})
    rows = {
        "live": f"{state.version} in {state.stable}, {state.digest}" if state.stable else "no release yet",
        "weights": weights_in_words(traffic, shown.plan) if shown and shown.plan else "",
        "clients get": versions_in_words(traffic) if sight else "",
        "under way": _under_way_words(sight, state.holder),
        "evidence": evidence(sight) if sight else "",
        "next": happens_next(sight) if sight and not sight.ending else "",
        "waits": f"{state.waiting.version}, asked for by {state.waiting.execution}" if state.waiting else "",
        "warm": f"{state.warm.slot} until {iso(state.warm.until)}" if state.warm else "",
        "last": f"{last.version} {last.outcome or 'under way'}: {last.reason}" if last and not sight else "",
    }
    if as_json:
        click.echo(
            json.dumps({"service": service, **{key: text or None for key, text in rows.items()}}, indent=2)
        )
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in {"service": service, **rows}.items():
        if text:
            table.add_row(Text(name), Text(text))
    Console(highlight=False).print(table)


def _under_way_words(sight: Sight | None, holder: str | None) -> str:
    if sight is None:
        return f"held by {holder}" if holder else "nothing"
    where = ", ".join(part for part in (phase(sight), stage(sight)) if part)
    return f"{sight.version} ({name_of(sight.execution)}): {where}"


@click.command(epilog="Exit status: 0 it was shown; 2 the arguments are wrong, or AWS refuses.")
@click.argument("service")
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="How many.")
@with_account_of_releases
def history(account: Account, service: str, limit: int, *, as_json: bool) -> None:
    """Show the last deployments of SERVICE, the newest first: the journal keeps them for 400 days."""
    found = all_recorded(account.journal(), service)
    if not found:
        spec_of(account, service)
    shown = [_history_row(account, one) for one in found[:limit]]
    if as_json:
        click.echo(json.dumps({"service": service, "deployments": shown}, indent=2))
        return
    for row in shown:
        change = f"{row['from']} → {row['version']}" if row["from"] else row["version"]
        failed = (
            f", {row['requests']['failed']} of {row['requests']['sent']} requests failed"
            if row["requests"]
            else ""
        )
        number = f"release {row['release']}, " if row["release"] else ""
        click.echo(f"{row['began']}  {row['outcome']:11}  {change}  {number}{row['deployment']}{failed}")
        if row["reason"]:
            click.echo(f"    {row['reason']}")
    if not shown:
        click.echo(f"Nothing of {service} was deployed yet.")
    elif len(found) > limit:
        click.echo(f"{len(found) - limit} more: --limit {len(found)}")


def _history_row(account: Account, one: Recorded) -> dict[str, Any]:
    moment = one.began or one.ended
    return {
        "began": iso(moment) if moment else "",
        "ended": iso(one.ended) if one.ended else None,
        "outcome": one.outcome or "under way",
        "release": one.number,
        "from": one.before,
        "version": one.version,
        "digest": one.digest,
        "deployment": one.name,
        "execution": one.execution,
        "reason": one.reason,
        "requests": dict(one.requests) if one.requests else None,
        "certificate": f"s3://{account.stack.evidence}/{one.certificate}" if one.certificate else None,
        "not_reported": one.not_reported,
    }
