"""The client's text file: for people to read along, and for programs to read back.

One line per request, columns apart by spaces; lines that begin with `#` are the header and the summary. Where
several paths are asked there is a column for them, with a `-` for the one whose answer names the version.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TextIO
from urllib.parse import quote, unquote

from probe.record import RequestRecord
from probe.shown import visible

NOTHING = "-"
LANE = "production"
"""The command asks as any client does; its records are of this lane."""
_FIRST = f"#{'n':>7}  {'time (UTC)':24}  status  {'version':12}  {'ms':>8}"
_COLUMNS = f"{_FIRST}  error"
_COLUMNS_WITH_PATHS = f"{_FIRST}  {'path':20}  error"


class ClientFile:
    """Writes the file; each line is with the system as soon as it is written."""

    def __init__(self, path: Path, *, paths: bool = False) -> None:
        """Create the file and its folder, with a column for paths or without; raises OSError."""
        self._paths = paths
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("w", buffering=1, encoding="utf-8", newline="\n")

    def write_header(self, lines: Iterable[str]) -> None:
        """Write what is known at the beginning."""
        self.write_comments(["Crossfade test client", *lines])
        self._file.write((_COLUMNS_WITH_PATHS if self._paths else _COLUMNS) + "\n")

    def write(self, record: RequestRecord) -> None:
        """Write one request."""
        self._file.write(line_of(record, paths=self._paths) + "\n")

    def write_comments(self, lines: Iterable[str]) -> None:
        """Write lines that are not requests."""
        for line in lines:
            self._file.write(f"# {visible(line)}\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def line_of(record: RequestRecord, *, paths: bool = False) -> str:
    """Return the line of one request, with the path's column or without."""
    status = NOTHING if record.status is None else str(record.status)
    version = NOTHING if record.version is None else _one_word(record.version)
    error = visible(" ".join((record.error or "").split())) or NOTHING
    if paths:
        error = f"{record.path or NOTHING:20}  {error}"
    return f"{record.n:>8}  {record.at:24}  {status:>6}  {version:12}  {record.ms:>8.1f}  {error}"


def read(path: str | Path) -> list[RequestRecord]:
    """Read the requests back, also while the file is being written: a last line without its end is left out.

    Raises ValueError, with the line's number, when a line is not one of ours.
    """
    text = Path(path).read_text(encoding="utf-8")
    complete = text[: text.rfind("\n") + 1]
    records, paths = [], False
    for number, line in enumerate(complete.split("\n")[:-1], start=1):
        paths = paths or line == _COLUMNS_WITH_PATHS
        if not line.startswith("#"):
            try:
                records.append(_record_of(line, paths=paths))
            except ValueError as error:
                raise ValueError(
                    f"{path}, line {number}: not a request of a client file: {line!r}"
                ) from error
    return records


def _record_of(line: str, *, paths: bool) -> RequestRecord:
    n, at, status, version, ms, error = line.split(maxsplit=5)
    path, error = error.split(maxsplit=1) if paths else (NOTHING, error)
    return RequestRecord(
        lane=LANE,
        n=int(n),
        at=at,
        status=None if status == NOTHING else int(status),
        version=None if version == NOTHING else unquote(version),
        ms=float(ms),
        error=None if error == NOTHING else error,
        path=None if path == NOTHING else path,
    )


def _one_word(version: str) -> str:
    # Anything may be answered as a version; a column has to stay one word that is not empty and not NOTHING.
    return "%2D" if version == NOTHING else quote(version, safe="+:/@~,;=()[]")
