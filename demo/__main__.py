"""Run the exercise and check its records: `python -m demo` here, `python -m demo aws` in an account."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from types import FrameType

from botocore.exceptions import BotoCoreError, ClientError

from demo import costs, report
from demo.account import Account
from demo.claims import claims
from demo.cloud import ROOT, Cloud, DemoFailed
from demo.exercise import RESULTS, Records, results, run
from demo.follow import Screen
from demo.laptop import Laptop
from demo.teardown import Record, Remains, remove, stack_status

_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MADE = RESULTS / "aws-demo.json"


def main(arguments: list[str]) -> int:
    """The command line. 0: every claim holds; 1: one does not, or it could not finish; 130: interrupted.

    In an account 0 means also that AWS says that nothing is left.
    """
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ✔ is no reason to stop
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    state = Path(tempfile.mkdtemp(prefix="crossfade-demo-"))
    if options.place == "aws":
        status = _guarded(lambda screen: _on_aws(state, screen, options))
    else:
        status = _guarded(lambda screen: _here(state, screen))
    if status == 0:
        shutil.rmtree(state, ignore_errors=True)
    elif options.place != "aws" and any(state.iterdir()):
        print(f"Logs: {state}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="0.0.1 live, a client that never stops asking, 0.0.2 deployed blue/green, a bad 0.0.3 "
        "put back; then what their records prove. Exit status 0 only if every claim holds.",
    )
    places = parser.add_subparsers(dest="place", metavar="aws")
    aws = places.add_parser(
        "aws",
        help="in the account of your AWS settings, instead of on this machine",
        description="The same in the account of your AWS settings, as a stack of its own that is removed at "
        "the end. What a call that was killed has left is removed first.",
    )
    aws.add_argument("--remove", action="store_true", help="only remove what an earlier call has left")
    aws.add_argument("--yes", action="store_true", help="do not ask before it costs money")
    aws.add_argument(
        "--config-env", default="trial", help="the section of samconfig.toml (default: %(default)s)"
    )
    aws.add_argument(
        "parameters", nargs="*", metavar="NAME=VALUE", type=_parameter, help="parameters of the template"
    )
    return parser


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"is not NAME=VALUE: {text}")
    return name, value


def _guarded(work: Callable[[Screen], int]) -> int:
    """Do the work; whatever is foreseen to stop it becomes a sentence and a status."""
    try:
        with results():
            return work(Screen())
    except (DemoFailed, BotoCoreError, ClientError, OSError) as failure:
        print(f"\nThe demo could not finish. {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done; who is impatient gets no traceback
        print("\nInterrupted; everything that was started has ended.", file=sys.stderr)
        return _INTERRUPTED


def _here(state: Path, screen: Screen) -> int:
    cloud = Laptop(state)
    return 0 if _conclude(run(cloud, screen), cloud, screen) else 1


def _on_aws(state: Path, screen: Screen, options: argparse.Namespace) -> int:
    """The exercise in an account. The last line that is printed says what still costs money."""
    account = Account(state, options.config_env, dict(options.parameters))
    record = Record(_MADE, account)
    left_before = bool(record.read()) or stack_status(account) is not None
    if options.remove:
        screen.say(f"removing what an earlier call has left in {account.greeting}")
        removed = _removed(account, record, screen)
        print(removed.line, flush=True)
        return 0 if removed.none else 1
    if not left_before:
        account.check()
    print("\n".join([*_announcement(account, left_before), f"Logs: {state}"]), flush=True)
    if not (options.yes or _agreed()):
        print("Nothing was done.", flush=True)
        return 1
    status = 1
    remains: Remains | None = None
    try:
        if left_before:
            screen.say("removing what an earlier call has left")
            if not (remains := _removed(account, record, screen)).none:
                raise DemoFailed("What an earlier call has left cannot be removed.")
            account.check()
        remains = None
        status = 0 if _conclude(run(account, screen), account, screen) else 1
    except (DemoFailed, BotoCoreError, ClientError, OSError) as failure:
        print(f"\nThe demo could not finish. {failure}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr, flush=True)
        status = _INTERRUPTED
    if remains is None:
        screen.say(
            f"removing the stack {account.stack} and what it keeps; this may take a quarter of an hour"
        )
        remains = _removed(account, record, screen)
    screen.say("end")
    print(remains.line, flush=True)
    return status if remains.none else status or 1


def _removed(account: Account, record: Record, screen: Screen) -> Remains:
    """Remove what was made; not to be interrupted, because half of it would go on to cost money."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        return remove(account, record, screen.say)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _announcement(account: Account, left_before: bool) -> list[str]:
    hourly = costs.hourly()
    return [
        f"The exercise in account {account.number}, region {account.region}, as the stack {account.stack}:",
        "sam deploy, two images built with Docker, three deployments, and all of it removed at the end.",
        f"It takes about 45 minutes. The stack costs about ${hourly:.2f} for each hour that it stands: a",
        "load balancer, addresses and tasks. Each deployment costs a few cents. The prices are",
        "the list prices of us-east-1.",
        *(["An earlier call has left something there, which is removed first."] if left_before else []),
    ]


def _agreed() -> bool:
    try:
        return input("Go on? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        print("Nobody answers; --yes asks no question.")
        return False


def _conclude(records: Records, cloud: Cloud, screen: Screen) -> bool:
    """Print the tables, the claims and the files; whether every claim holds."""
    deployments = (records.first, records.good, records.bad)
    found = claims(records.client, *deployments, takes_effect=cloud.patience.takes_effect)
    broken = sum(not claim.holds for claim in found)
    verdict = f"{broken} of {len(found)} claims do not hold" if broken else f"all {len(found)} claims hold"
    lines = [
        "",
        *report.client_table(records.client),
        *report.deployment_table(deployments),
        *report.memory_line(records.memory),
        "",
        "Computed from these records:",
        *report.file_lines(records.files, ROOT),
        *report.claim_lines(found),
        "",
        *report.page_lines(records.files, ROOT),
        "",
    ]
    print("\n".join(lines))
    screen.say(f"end; {verdict}")
    return not broken


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM and a closed terminal end the demo as Ctrl-C does."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
