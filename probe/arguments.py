"""The command line: what can be asked for, and what is wrong with it."""

import argparse
import math
import re
import time
from pathlib import Path

from probe.command import CommandSettings
from probe.connection import endpoint
from probe.settings import is_header, is_http_url
from probe.shown import visible, without_password
from probe.turns import MOST_PATHS, MOST_WEIGHT, OtherPath
from probe.version import VersionFrom, version_from

MOST_RATE = 500.0
"""Above this, one Python process measures itself rather than the service."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}

DESCRIPTION = """\
Asks a service for its version again and again at a steady rate, and writes every answer to a text file.

Requests go out by the clock: a slow answer delays no later request, and a request that could not be sent in
time is counted as a missed tick. Nothing is retried and no redirect is followed, so what fails here has
failed for a client. Ctrl-C ends the run early, with its summary."""

EPILOG = """\
exit status:
  0  requests were sent, and every one was answered with a status of 200 to 299
  1  a request failed, or none was sent
  2  the arguments are wrong, or the file cannot be written

examples:
  python -m probe --url http://localhost:8080 --for 60s --rate 20
  python -m probe --url https://web.example --path /health --version-from header:X-Version
  python -m probe --url https://web.example --path / --version-from none --connect-to lb-1.example:443
  python -m probe --url https://web.example --path /version --path '3 /orders?page=1'
  docker run --rm --user "$(id -u)" --volume "$PWD:/srv/test_client_results" IMAGE \\
    python -m probe --url http://HOST

In its container the program can write nowhere but into a folder that is mounted.

With --task alone it is the probe of a deployment instead, configured by PROBE_DEPLOYMENT, PROBE_LOG_GROUP,
PROBE_LOG_STREAM, PROBE_DEADLINE_SECONDS, PROBE_TIMEOUT_SECONDS, PROBE_LANES, PROBE_PATHS and
PROBE_SECRET_PARAMETER (see probe/settings.py); its records go to CloudWatch Logs."""


def parse(arguments: list[str]) -> CommandSettings | None:
    """Return the settings of the command, None for the task; leaves with status 2 when they are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m probe",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--url", type=_url, help="base address of the service, for instance http://localhost:8080"
    )
    parser.add_argument(
        "--path",
        type=_path,
        action="append",
        metavar="'[WEIGHT ]PATH'",
        help="what is asked for there (/version); may be given up to eight times, and then each is asked as "
        "often as its weight says. The version is read where the first one answers, of the others the status",
    )
    parser.add_argument(
        "--version-from",
        type=_version_from,
        default="json:/version",
        metavar="WHERE",
        help="where an answer names its version: json: and a JSON pointer, header: and a name, regex: and an "
        "expression, whose group is the version if it has one; none: only the status counts (json:/version)",
    )
    parser.add_argument(
        "--header",
        type=_header,
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="sent with each request; may be given several times. Its value is written nowhere",
    )
    parser.add_argument(
        "--connect-to",
        type=_connect_to,
        metavar="HOST[:PORT]",
        help="connect there instead; the Host header and the name that TLS checks stay the URL's",
    )
    parser.add_argument(
        "--for",
        dest="seconds",
        type=_duration,
        default="60s",
        metavar="TIME",
        help="how long: 90s, 5m or 1h (60s)",
    )
    parser.add_argument("--rate", type=_rate, default="20", help="requests per second, at most 500 (20)")
    parser.add_argument(
        "--timeout", type=_duration, default="5s", metavar="TIME", help="how long a request may take (5s)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="text file (test_client_results/client-<time in UTC>.txt)"
    )
    parser.add_argument("--task", action="store_true", help="be the probe of a deployment (see below)")
    if arguments == ["--task"]:
        return None
    parsed = parser.parse_args(arguments)
    if parsed.task:
        parser.error("--task takes no other argument: the task is configured by its environment")
    if parsed.url is None:
        parser.error("--url is needed, for instance --url http://localhost:8080")
    (path, weight), *others = parsed.path or [("/version", 1)]
    if len(others) >= MOST_PATHS:
        parser.error(f"--path is given {len(others) + 1} times, and {MOST_PATHS} are allowed")
    names = [path, *(name for name, _ in others)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        parser.error(f"--path names {twice} twice: give it a weight")
    return CommandSettings(
        url=parsed.url + path,
        path=path,
        weight=weight,
        others=tuple(OtherPath(name, parsed.url + name, of_other) for name, of_other in others),
        seconds=parsed.seconds,
        rate=parsed.rate,
        timeout=parsed.timeout,
        out=parsed.out or _default_file(),
        headers=dict(parsed.header),
        version_from=parsed.version_from,
        connect_to=parsed.connect_to,
    )


def _default_file() -> Path:
    return Path("test_client_results") / time.strftime("client-%Y%m%dT%H%M%SZ.txt", time.gmtime())


def _url(text: str) -> str:
    if not is_http_url(text) or "?" in text or "#" in text:
        shown = visible(without_password(text))
        raise argparse.ArgumentTypeError(f"{shown!r} is not an address like http://localhost:8080")
    return text.rstrip("/")


def _path(text: str) -> tuple[str, int]:
    """A path and its weight: `/orders`, `3 /orders`."""
    number, _, path = text.partition(" ") if " " in text else ("1", "", text)
    if not path.startswith("/") or "#" in path or not path.isprintable() or " " in path:
        raise argparse.ArgumentTypeError(f"{visible(text)!r} is not a path like /version")
    if not number.isdecimal() or not 1 <= int(number) <= MOST_WEIGHT:
        raise argparse.ArgumentTypeError(
            f"{visible(number)!r} before {path} is no weight: a whole number from 1 to {MOST_WEIGHT}"
        )
    return path, int(number)


def _version_from(text: str) -> VersionFrom:
    try:
        return version_from(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not is_header(name, value.strip()):
        # Without its text: the value may be a secret.
        raise argparse.ArgumentTypeError("a header has the form 'Name: value'")
    return name, value.strip()


def _connect_to(text: str) -> str:
    try:
        endpoint(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _duration(text: str) -> float:
    matched = _DURATION.fullmatch(text)
    seconds = float(matched[1]) * _SECONDS[matched[2]] if matched else 0.0
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time like 90s, 5m or 1h")
    return seconds


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate <= MOST_RATE:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and at most {MOST_RATE:g}")
    return rate
