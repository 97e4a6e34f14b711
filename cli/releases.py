"""The commands about releases: ``deploy``, ``status``, ``watch`` and ``history``."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import click
from botocore.exceptions import BotoCoreError, ClientError

from cli.account import Account
from cli.asked import Asked, Release, asked_digest, asked_or_started, older_release, release_of, spec_of
from cli.executions import described, execution_arn, name_of
from cli.following import STILL_RUNS, Ending, Follower, Sight
from cli.options import with_account_of_releases
from cli.progress import happens_next, phase
from cli.recorded import all_recorded, recorded
from cli.summary import markdown
from cli.view import View, follow
from crossfade.aws.errors import error_code
from crossfade.domain.errors import InvalidInput
from crossfade.domain.model import iso

EPILOG = (
    "Exit status: 0 the release is live; 1 it was rolled back or has failed; 2 the arguments are wrong, or "
    "AWS refuses; 3 it still runs, at --timeout or after Ctrl-C; 4 a newer release has taken its place."
)
LONGEST_SECONDS = 14_400
"""TimeoutSeconds of the state machine that deploys."""

_timeout = click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=LONGEST_SECONDS,
    show_default=True,
    help="Seconds to wait; the deployment goes on in any case.",
)
_summary = click.option(
    "--summary",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file to which the end is added in Markdown.",
)


class Followed(NamedTuple):
    """What a command follows, for what it says in the end."""

    account: Account
    service: str
    version: str
    digest: str
    execution: str


@click.command(epilog=EPILOG)
@click.argument("service")
@click.argument("tag", required=False)
@click.option(
    "--release",
    "number",
    type=click.IntRange(min=1),
    help="In TAG's place: an older release, as history shows it.",
)
@click.option("--wait", is_flag=True, help="Follow it to its end, also while it waits for another one.")
@click.option("--again", is_flag=True, help="Deploy it once more, though it was tried before.")
@click.option("--force", is_flag=True, help="The same, also where it is live, as after a secret's change.")
@_timeout
@_summary
@with_account_of_releases
def deploy(
    account: Account,
    service: str,
    tag: str | None,
    number: int | None,
    timeout: float,
    summary: Path | None,
    *,
    wait: bool,
    again: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Find the deployment of SERVICE that the push of its image TAG has started, or start one.

    An image that was tried before, or was live once, is not deployed again by itself: the exit status tells
    how it ended then. With --release an older release comes back, with image and configuration as they were.
    """
    if number is not None and tag is None and not force:
        release = older_release(account, service, number)
    elif tag is not None and number is None:
        release = release_of(account, service, tag)._replace(force=force)
    else:
        raise click.UsageError("Give either TAG or --release, and --force with a TAG alone.")
    with View(account, service, release.version, out=not as_json) as view:
        try:
            asked = asked_or_started(account, release, again=again, say=view.say)
        except KeyboardInterrupt:
            click.echo("\nNothing was started. What the push starts goes on by itself.", err=as_json)
            sys.exit(STILL_RUNS)
        followed = Followed(account, service, release.version, release.digest, asked.execution)
        _say_found(view, asked, release)
        sight = _followed(followed, view, timeout if wait else 0, as_json=as_json)
        sight = _replaced(sight, release)
        _finish(followed, sight, view, summary, as_json=as_json, waited=wait)


def _say_found(view: View, asked: Asked, release: Release) -> None:
    view.say(f"{release.service} {release.version} ({release.digest}): {asked.execution}")
    if asked.others:
        view.say(
            f"The same image was asked for by {len(asked.others)} more: {', '.join(asked.others)}. To see "
            f"one: crossfade watch {release.service} {asked.others[0]}"
        )


def _replaced(sight: Sight, release: Release) -> Sight:
    """The same, unless the release was promoted once and is not live any more."""
    ending, live = sight.ending, sight.service
    if ending is None or ending.result != "promoted" or live.digest in {None, release.digest}:
        return sight
    when = f" on {iso(sight.recorded.ended)}" if sight.recorded and sight.recorded.ended else ""
    why = (
        f"{release.version} was promoted{when}, and {live.version} is live since. To go back to "
        f"{release.version}: crossfade deploy {release.service} {release.version} --again"
    )
    return sight._replace(ending=Ending("superseded", why))


@click.command(epilog=EPILOG)
@click.argument("service")
@click.argument("deployment", required=False)
@_timeout
@_summary
@with_account_of_releases
def watch(
    account: Account,
    service: str,
    deployment: str | None,
    timeout: float,
    summary: Path | None,
    *,
    as_json: bool,
) -> None:
    """Watch a deployment of SERVICE to its end: the one under way, what waits, or else the last one.

    DEPLOYMENT is the name or the ARN of an execution, as history shows it.
    """
    spec_of(account, service)
    followed = _named(account, service, deployment) if deployment else _under_way(account, service)
    with View(account, service, followed.version, out=not as_json) as view:
        sight = _followed(followed, view, timeout, as_json=as_json)
        _finish(followed, sight, view, summary, as_json=as_json, waited=True)


def _named(account: Account, service: str, deployment: str) -> Followed:
    name = name_of(deployment)
    item = recorded(account.journal(), service, name)
    if item and item.execution:
        return Followed(account, service, item.version, item.digest, item.execution)
    execution = described(account, execution_arn(account.stack.deploy_machine, name))
    if execution is None:
        raise InvalidInput(
            f"There is no deployment {name} of {service}: the journal has none of the last 400 days, and "
            f"Step Functions knows none of the last 90. Look the name up: crossfade history {service}"
        )
    return Followed(account, service, "", asked_digest(execution), execution.arn)


def _under_way(account: Account, service: str) -> Followed:
    journal = account.journal()
    state = journal.state(service)
    item = recorded(journal, service, state.deployment) if state.deployment else None
    if item is None and state.waiting:
        waiting = state.waiting
        return Followed(account, service, waiting.version, waiting.digest, waiting.execution)
    item = item or next(iter(one for one in all_recorded(journal, service) if one.plan), None)
    if item is None:
        raise InvalidInput(
            f"Nothing of {service} is deployed, and nothing was in the last 400 days. To deploy: crossfade "
            f"deploy {service} TAG"
        )
    return Followed(account, service, item.version, item.digest, item.execution)


# ---- to the end -------------------------------------------------------------------------------------------


def _followed(followed: Followed, view: View, timeout: float, *, as_json: bool) -> Sight:
    follower = Follower(followed.account, followed.service, followed.digest, followed.execution)
    try:
        return follow(follower, view, timeout)
    except KeyboardInterrupt:
        _say_goes_on(followed, follower, err=as_json)
        sys.exit(STILL_RUNS)
    except (ClientError, BotoCoreError):
        _say_goes_on(followed, follower, err=True)
        raise


def _say_goes_on(followed: Followed, follower: Follower, *, err: bool) -> None:
    again = _again(followed, name_of(follower.execution))
    click.echo(f"\nThe deployment goes on. To go on watching: {again}", err=err)


def _again(followed: Followed, deployment: str) -> str:
    return " ".join(["crossfade watch", followed.service, deployment, *followed.account.options])


def _finish(
    followed: Followed,
    sight: Sight,
    view: View,
    summary: Path | None,
    *,
    as_json: bool,
    waited: bool,
) -> NoReturn:
    said = {**_said(followed, sight), "status": _status(sight, waited=waited)}
    if summary:
        with summary.open("a", encoding="utf-8") as file:
            file.write(markdown(said, sight, _certificate(followed.account, sight)))
    if as_json:
        click.echo(json.dumps(said, indent=2))
    else:
        for line in _ending_lines(followed, said, sight):
            view.say(line)
    sys.exit(said["status"])


def _status(sight: Sight, *, waited: bool) -> int:
    if sight.ending:
        return sight.ending.status
    return STILL_RUNS if waited else 0


def _said(followed: Followed, sight: Sight) -> dict[str, Any]:
    """The end for a machine."""
    ending, item = sight.ending, sight.recorded
    certificate = item.certificate if item else None
    return {
        "service": followed.service,
        "from": item.before if item else "",
        "version": sight.version or followed.version,
        "digest": followed.digest,
        "outcome": ending.result if ending else "running",
        "error": ending.error if ending else "",
        "reason": ending.reason if ending else f"{phase(sight)}; next: {happens_next(sight)}",
        "deployment": name_of(sight.execution),
        "execution": sight.execution,
        "ended": iso(item.ended) if item and item.ended else None,
        "requests": dict(item.requests) if item and item.requests else None,
        "certificate": f"s3://{followed.account.stack.evidence}/{certificate}" if certificate else None,
        "console": console(sight.execution),
    }


def _ending_lines(followed: Followed, said: dict[str, Any], sight: Sight) -> list[str]:
    name = f"{said['error']}: " if said["error"] else ""
    lines = [f"{said['service']} {said['version']}: {said['outcome']}. {name}{said['reason']}"]
    if said["ended"]:
        lines.append(f"It ended at {said['ended']}, {_ago(said['ended'])}")
    if said["certificate"]:
        lines.append(f"Certificate: {said['certificate']}")
    lines.append(f"Console: {said['console']}")
    if sight.ending is None:
        lines.append(f"To go on watching: {_again(followed, said['deployment'])}")
    elif sight.ending.result in {"rolled_back", "failed", "stopped"}:
        lines.append(
            "What the names mean, and what to do: docs/operations.md. To try the same image once more: "
            f"crossfade deploy {said['service']} {said['version']} --again"
        )
    elif sight.ending.result == "refused":
        lines.append("Nothing was changed. What the name means, and what to do: docs/operations.md")
    return lines


def _ago(ended: str) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(ended)).total_seconds()
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} seconds ago"


def console(execution: str) -> str:
    """The page of an execution in the console of its region."""
    region = execution.split(":")[3]
    page = f"https://{region}.console.aws.amazon.com/states/home?region={region}"
    return f"{page}#/v2/executions/details/{execution}"


def _certificate(account: Account, sight: Sight) -> dict[str, Any] | None:
    """The certificate, if it is written and may be read."""
    if sight.recorded is None or sight.recorded.certificate is None:
        return None
    try:
        stored = account.client("s3").get_object(
            Bucket=account.stack.evidence, Key=sight.recorded.certificate
        )
    except ClientError as error:
        if error_code(error) not in {"AccessDenied", "NoSuchKey"}:
            raise
        return None
    document: dict[str, Any] = json.loads(stored["Body"].read())
    return document
