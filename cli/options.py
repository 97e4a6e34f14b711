"""The options that every command has: where AWS is reached, and how a refusal ends it."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click
from botocore.exceptions import BotoCoreError, ClientError

from cli.account import DEFAULT_STACK, Account
from cli.findings import REFUSALS
from crossfade.aws.errors import error_code
from crossfade.domain.errors import CrossfadeError

RELEASES = 2
"""How a refusal ends a command whose exit status 1 is a release that failed."""

F = TypeVar("F", bound=Callable[..., None])

NO_RIGHT = (
    "These credentials lack the right that AWS names. docs/ci.md has a policy with all that deploy, status, "
    "watch and history need; give them that, or name others with --profile."
)


def with_account(command: F) -> F:
    """Give a command the options by which AWS is reached, and its ``account`` in their place."""
    return _reaching_aws(command, refused=1)


def with_account_of_releases(command: F) -> F:
    """The same for a command whose exit status tells how a release went: what is refused is wrong use."""
    return _reaching_aws(command, refused=RELEASES)


def _reaching_aws(command: F, *, refused: int) -> F:
    @click.option("--stack", default=DEFAULT_STACK, show_default=True, help="Crossfade's stack.")
    @click.option("--profile", help="Profile of AWS's configuration files.")
    @click.option("--region", help="AWS region.")
    @click.option("--endpoint-url", help="Address of AWS's APIs, for a sandbox.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, and ask nothing.")
    @wraps(command)
    def run(
        stack: str, profile: str | None, region: str | None, endpoint_url: str | None, **given: Any
    ) -> None:
        try:
            command(account=Account(profile, region, endpoint_url, stack), **given)
        except CrossfadeError as error:
            click.echo(f"{type(error).__name__}: {error}", err=True)
            sys.exit(refused)
        except click.ClickException as error:
            error.exit_code = max(error.exit_code, refused)
            raise
        except (ClientError, BotoCoreError) as error:
            click.echo(f"AWS: {error}", err=True)
            may_not = isinstance(error, ClientError) and error_code(error).startswith(REFUSALS)
            if may_not and refused == RELEASES:
                click.echo(NO_RIGHT, err=True)
            sys.exit(2)

    return run  # type: ignore[return-value]
