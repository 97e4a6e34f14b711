"""`crossfade check`: a certificate held against its ledger, without AWS and the code that wrote it."""

import gzip
import json
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import click

from cli.recount import LANES, Recount, is_bound, legible
from cli.shown import Screen

FORM = "certificate/6"
GZIP = b"\x1f\x8b"
ABSENT = "nothing"
MOST_LINE = 4 * 1024 * 1024
"""Bytes; CloudWatch Logs takes no event of more than 1 MB."""
MOST_SHOWN = 500
EPILOG = (
    "Exit status: 0 all figures are equal; 1 a figure differs; 2 the arguments are wrong, or a file cannot "
    "be read."
)
NOT_CHECKED = {
    "service, from, to": "who was released: the ledger has versions as they were answered",
    "outcome, reason": "how the deployment ended, and why: the journal's",
    "paths[].path": "what the paths are called that were never asked, and the version path",
    "not_proved": "what it says of versions; what it says of the ledger is checked",
    "ledger.file": "the ledger's name",
    "reported": "the journal's, the plan's, the workflow's. What is given there is taken as it is: the "
    "candidate's slot, the right versions, the moments, the winner",
}
FORGED = (
    "Neither file is signed. A ledger that was changed together with every figure that depends on it is not "
    "found out: fetch both from the evidence bucket, which keeps their versions."
)


class Difference(NamedTuple):
    """A figure, by its place in the certificate, which says something else than the ledger."""

    figure: str
    certificate: Any
    ledger: Any


class Checked(NamedTuple):
    """How many figures were compared, which differ, and which of the certificate's were not compared."""

    figures: int
    differences: tuple[Difference, ...]
    not_checked: Mapping[str, str]


class Unreadable(click.ClickException):
    """A file that is no certificate, or no ledger."""

    exit_code = 2


@click.command(epilog=EPILOG)
@click.argument("certificate", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.argument("ledger", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(certificate: Path, ledger: Path, *, as_json: bool) -> None:
    """Count the figures of the file CERTIFICATE again from the file LEDGER, and say which differ.

    LEDGER is ledger.jsonl.gz of the evidence bucket, or the same unpacked. Nothing is asked of AWS, and the
    code that certifies has no part in it.
    """
    said = read_certificate(certificate)
    found = against(said, lines(ledger))
    if as_json:
        click.echo(json.dumps(_document(said, found), indent=2))
    else:
        _show(said, found)
    sys.exit(1 if found.differences else 0)


def read_certificate(path: Path) -> dict[str, Any]:
    """The certificate in a file. Raises Unreadable."""
    try:
        said = json.loads(path.read_bytes(), object_pairs_hook=_once)
    except (OSError, ValueError, RecursionError) as error:
        raise Unreadable(f"{path} is no certificate: {_plain(str(error))}") from error
    form = said.get("crossfade") if isinstance(said, dict) else None
    if form != FORM:
        other = _short(form) if form else "something else"
        raise Unreadable(f"{path} is no {FORM}, but {other}: only that form is known here")
    return dict(said)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names stand there once: of two a reader may see the one, and a program the other."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)} stands there twice")
    return found


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a ledger, compressed or not, each with its end. Raises Unreadable."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
            file.seek(0)
            source: BinaryIO | gzip.GzipFile = gzip.GzipFile(fileobj=file) if packed else file
            while line := source.readline(MOST_LINE):
                if len(line) == MOST_LINE:
                    raise Unreadable(f"{path} is no ledger: a line is longer than {MOST_LINE:,} bytes")
                yield line
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"{path} cannot be read to its end: {error}") from error


def against(certificate: Mapping[str, Any], ledger: Iterator[bytes]) -> Checked:
    """Hold a certificate against its ledger's lines, each with its end. Raises Unreadable."""
    try:
        recount = Recount(certificate)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        name = type(error).__name__
        raise Unreadable(f"the certificate does not have the form {FORM}: {name}: {error}") from error
    for line in ledger:
        recount.take(line)
    comparison = _Comparison()
    figures = recount.figures()
    for name, figure in figures.items():
        comparison.compare(name, certificate.get(name, ABSENT), figure, but=BUT)
    for lane in LANES:
        counted = figures["requests"][lane]
        comparison.bound(certificate, lane, counted["failed"], counted["sent"])
    for deployment in sorted(recount.deployments):
        comparison.compare("deployment", certificate.get("deployment", ABSENT), deployment)
    comparison.compare("paths", *recount.paths)
    _not_proved(comparison, certificate, recount)
    known = {
        "crossfade",
        "service",
        "deployment",
        "outcome",
        "reason",
        "from",
        "to",
        "not_proved",
        "reported",
    }
    unknown = [*comparison.unknown, *(name for name in certificate if name not in known | figures.keys())]
    more = {name: "unknown to this version of Crossfade" for name in unknown}
    if not recount.deployments:
        more["deployment"] = "the ledger has no record of a probe's beginning, which names it"
    return Checked(comparison.figures, tuple(comparison.differences), NOT_CHECKED | more)


BUT = {"ledger.file", "at_most", "path"}
"""What else the parts have that are compared."""


class _Comparison:
    def __init__(self) -> None:
        self.figures = 0
        self.differences: list[Difference] = []
        self.unknown: list[str] = []

    def compare(self, name: str, said: Any, found: Any, but: set[str] = frozenset()) -> None:  # type: ignore[assignment]
        """Part by part, so that a difference has its name."""
        if isinstance(found, dict) and isinstance(said, dict):
            for key, value in found.items():
                self.compare(f"{name}.{key}", said.get(key, ABSENT), value, but)
            self.unknown += [
                f"{name}.{key}" for key in said if key not in found and not {key, f"{name}.{key}"} & but
            ]
        elif isinstance(found, list) and isinstance(said, list) and len(found) == len(said):
            for place, (one, other) in enumerate(zip(said, found, strict=True)):
                self.compare(f"{name}[{place}]", one, other, but)
        else:
            self.figures += 1
            if said != found or isinstance(said, bool) != isinstance(found, bool):
                self.differences.append(Difference(name, said, found))

    def bound(self, certificate: Mapping[str, Any], lane: str, failed: int, sent: int) -> None:
        """The bound that the counts support."""
        self.figures += 1
        requests = certificate.get("requests")
        said = requests.get(lane) if isinstance(requests, dict) else None
        at_most = said.get("at_most", ABSENT) if isinstance(said, dict) else ABSENT
        if not is_bound(at_most, failed, sent):
            what = f"not the bound of {failed:,} of {sent:,}"
            self.differences.append(Difference(f"requests.{lane}.at_most", at_most, what))


def _not_proved(comparison: _Comparison, certificate: Mapping[str, Any], recount: Recount) -> None:
    """What the ledger lacks has to be said, with its figures, and nothing else of it."""
    said = certificate.get("not_proved")
    sentences = [text for text in said if isinstance(text, str)] if isinstance(said, list) else []
    for beginning, due in recount.limits.items():
        stands = " ".join(sentence for sentence in sentences if sentence.startswith(beginning))
        comparison.compare(f"not_proved: {beginning.rstrip(': ')}", stands, due)


def _document(said: Mapping[str, Any], found: Checked) -> dict[str, Any]:
    return {
        "service": said.get("service"),
        "deployment": said.get("deployment"),
        "outcome": said.get("outcome"),
        "equal": not found.differences,
        "figures": found.figures,
        "differences": [difference._asdict() for difference in found.differences],
        "not_checked": dict(found.not_checked),
        "not_detectable": FORGED,
    }


def _show(said: Mapping[str, Any], found: Checked) -> None:
    screen = Screen()
    screen.heading(_plain(f"{said.get('service')} {said.get('deployment')}: {said.get('outcome')}"))
    for figure, certificate, ledger in found.differences:
        says = f"the certificate says {_short(certificate)}, the ledger {_short(ledger)}"
        screen.line(f"  {_plain(figure)}: {says}", "red")
    equal = found.figures - len(found.differences)
    screen.line(f"  {equal} of {found.figures} figures are what the ledger says.")
    if not found.differences:
        for lane in LANES:
            counts = said["requests"][lane]
            if counts["sent"]:
                screen.line(
                    f"  {lane}: {counts['failed']:,} of {counts['sent']:,} failed; at 95 % it is "
                    f"{100 * counts['at_most']:.3g} % of requests at most, if they fail independently"
                )
    screen.heading("Not checked")
    for name, why in found.not_checked.items():
        screen.line(f"  {_plain(name)}: {why}")
    if not found.differences and isinstance(sentences := said.get("not_proved"), list):
        for sentence in sentences:
            screen.line(f"  not proved: {_plain(str(sentence))}")
    screen.line(f"  {FORGED}")


def _plain(text: str) -> str:
    """A text of the certificate: it must not write on a terminal as it likes."""
    return legible(text, MOST_SHOWN)


def _short(value: Any) -> str:
    return legible(json.dumps(value, ensure_ascii=False), 100)
