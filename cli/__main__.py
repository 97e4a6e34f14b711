"""The command line."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from cli import adopt as adoption
from cli import leave as leaving
from cli import verify as checking
from cli.account import Account
from cli.check import check
from cli.findings import Findings
from cli.options import with_account
from cli.proposal import Said
from cli.releases import deploy, watch
from cli.report import report
from cli.shown import Screen, findings_json, steps_json
from cli.standing import history, status
from probe.version import FORMS
from probe.version import version_from as read_place

EPILOG = (
    "Exit status: 0 all is well or was done; 1 something stands in the way, or a deployment failed; "
    "2 the arguments are wrong, or AWS refuses."
)


def _version_from(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Refuse what the probe would not understand."""
    try:
        if value is not None:
            read_place(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return value


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Take a running ECS service over into Crossfade, release it, watch its releases, and hand it back."""


for released in (deploy, status, watch, history, check, report):
    main.add_command(released)


@main.command(epilog=EPILOG)
@click.option("--like", required=True, metavar="CLUSTER/SERVICE", help="The running ECS service.")
@click.option("--name", help="What Crossfade calls it; its own name if left out.")
@click.option("--url", help="Address by which clients come, such as https://shop.example.")
@click.option("--push-tags", help="Regular expression of the tags whose push is released.")
@click.option("--version-path", help="Path that tells the version.  [/version]")
@click.option("--version-from", callback=_version_from, help=f"Where it says so: {FORMS}.  [json:/version]")
@click.option(
    "--expect",
    help="The version of a tag: a text with {tag} in it, or a regular expression whose group is the "
    "version, such as ^prod-(.*)$.  [{tag}]",
)
@click.option(
    "--connect-to", metavar="HOST[:PORT]", help="Where the probe connects, under the name of --url."
)
@click.option(
    "--login-bypass/--no-login-bypass",
    default=None,
    help="Whether a secret header leads the probe past the login of the rule.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The spec's file, which is read if it is there.  [NAME.crossfade.json]",
)
@click.option("--apply", "applies", is_flag=True, help="Make the calls that are shown.")
@with_account
def adopt(
    account: Account,
    like: str,
    name: str | None,
    url: str | None,
    push_tags: str | None,
    version_path: str | None,
    version_from: str | None,
    expect: str | None,
    connect_to: str | None,
    login_bypass: bool | None,
    out: Path | None,
    *,
    applies: bool,
    as_json: bool,
) -> None:
    """Find out how Crossfade takes a running service over, and with --apply prepare it.

    Without --apply nothing in AWS is changed: the calls are shown, each with the one that undoes it. Neither
    way starts a task or moves a client: that is what the first release does.
    """
    said = Said(url, push_tags, version_path, version_from, expect, login_bypass, connect_to)
    asks = not as_json and is_person()
    proposed = adoption.adopt(account, like, name, out, said, asks=asks)
    proposed.file.write_text(json.dumps(proposed.document, indent=2) + "\n", encoding="utf-8")
    stopped = bool(proposed.findings.wrong)
    if not as_json:
        _show_proposal(proposed, applies=applies)
    made = adoption.apply(account, proposed) if applies and not stopped else []
    if as_json:
        _print_proposal(proposed, made=made)
    elif made:
        click.echo(f"\nMade {len(made)} calls. Next: {_next(proposed)}")
    elif applies and not stopped:
        click.echo(f"\nNothing was left to do. Next: {_next(proposed)}")
    sys.exit(1 if stopped else 0)


def is_person() -> bool:
    """Whether there is a terminal to ask at."""
    return sys.stdin.isatty()


def _next(proposed: adoption.Adoption) -> str:
    verify = f"crossfade verify {proposed.document['service']}"
    return f"the line of sam deploy above, then {verify}" if proposed.command else verify


def _show_proposal(proposed: adoption.Adoption, *, applies: bool) -> None:
    screen = Screen()
    screen.heading(f"{proposed.document['service']}, like {proposed.document['like']}")
    for finding in proposed.findings:
        screen.finding(finding)
    screen.heading(f"Spec, by {proposed.from_}: {proposed.file}")
    screen.line(json.dumps(proposed.document, indent=2))
    if proposed.findings.wrong:
        screen.heading("Put right what is wrong, then run this again. Nothing was changed.")
        return
    screen.heading("Calls" if applies else "Calls that --apply makes, none of which was made")
    screen.steps(proposed.steps)
    if not proposed.steps:
        screen.line("none: all is there")
    screen.heading("Crossfade's stack")
    screen.line(proposed.command or "has all the rights that it needs")
    screen.line(f"(the list Adopted has {proposed.bytes_left} of 4,096 bytes left then)", "dim")
    screen.heading("The code that declares the service")
    for line in adoption.owners_code():
        screen.line(line)


def _print_proposal(proposed: adoption.Adoption, *, made: list[Any]) -> None:
    click.echo(
        json.dumps(
            {
                "service": proposed.document["service"],
                "spec": proposed.document,
                "file": str(proposed.file),
                "findings": findings_json(proposed.findings),
                "calls": steps_json(proposed.steps),
                "made": steps_json(made),
                "parameters": proposed.parameters,
                "adopted_bytes_left": proposed.bytes_left,
                "deploy": proposed.command,
                "owners_code": adoption.owners_code(),
            },
            indent=2,
        )
    )


@main.command(epilog=EPILOG)
@click.argument("service")
@click.argument("tag", required=False)
@with_account
def verify(account: Account, service: str, tag: str | None, *, as_json: bool) -> None:
    """Check the spec of SERVICE, and the release of its image TAG, without changing anything.

    Without TAG it is the image that the owner's ECS service names. Some real requests are sent to the
    address in the spec.
    """
    findings = Findings()
    checking.verify(account, service, tag, findings)
    if as_json:
        click.echo(json.dumps({"service": service, "findings": findings_json(findings)}, indent=2))
    else:
        screen = Screen()
        for finding in findings:
            screen.finding(finding)
    sys.exit(1 if findings.wrong else 0)


@main.command(epilog=EPILOG)
@click.argument("service")
@click.option("--gone", is_flag=True, help="The owner's stack was deleted: only remove what Crossfade made.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=14_400,
    show_default=True,
    help="Seconds to wait for the deployment, which goes on in any case.",
)
@with_account
def leave(account: Account, service: str, timeout: float, *, gone: bool, as_json: bool) -> None:
    """Hand SERVICE back to its owner's ECS service, then remove what Crossfade made for it.

    What is live is deployed once more, into the owner's service, with all checks. Ctrl-C ends the waiting
    and not the deployment.
    """
    try:
        left = leaving.leave(account, service, gone=gone, timeout=timeout, say=partial(click.echo, err=True))
    except KeyboardInterrupt:
        click.echo(
            f"\nWhat is under way goes on. Call crossfade leave {service} again to wait for it and to go on.",
            err=True,
        )
        sys.exit(1)
    if as_json:
        click.echo(json.dumps({"service": service, **left._asdict()}, indent=2))
    else:
        _show_left(left, gone=gone)


def _show_left(left: leaving.Left, *, gone: bool) -> None:
    screen = Screen()
    screen.heading("Removed")
    for what in left.removed or ["nothing: there was nothing any more"]:
        screen.line(f"  {what}")
    screen.heading("Left for you")
    if gone:
        screen.line("Delete the stack of the service again, if that has failed before.")
        return
    if left.image:
        screen.line(f"Put the image {left.image} and the count {left.tasks} into the code that declares the")
        screen.line("service, before its stack is updated next: the update writes what stands there.")
    if left.command:
        screen.line("Take the service out of the list Adopted of Crossfade's stack:")
        screen.line(left.command)


if __name__ == "__main__":
    main()
