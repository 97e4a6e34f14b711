"""The probe as a command: ask for a while, show progress, write every answer to a text file."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from probe.lane import Lane, LaneSettings
from probe.record import LaneRecord, RequestRecord, UnansweredRecord, utc
from probe.shown import visible, without_password
from probe.stopping import StopRequest
from probe.tally import Tally
from probe.textfile import LANE, ClientFile
from probe.turns import OtherPath
from probe.version import BY_DEFAULT, VersionFrom

USER_AGENT = "crossfade-test-client"
"""Unlike the task's, which applications leave out of what they tell of their users."""
POLL_SECONDS = 0.1
TERMINAL_SECONDS = 0.5
PLAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class CommandSettings:
    """What to ask, for how long (seconds), how often (per second), how patiently (seconds), and the file.

    `headers` are sent with each request; `version_from` and `connect_to` are those of an `Asker`. `path` is
    that of `url`, `weight` and `others` are those of a lane.
    """

    url: str
    seconds: float
    rate: float
    timeout: float
    out: Path
    headers: Mapping[str, str] = field(default_factory=dict)
    version_from: VersionFrom = BY_DEFAULT
    connect_to: str | None = None
    path: str = "/version"
    weight: int = 1
    others: tuple[OtherPath, ...] = ()


class Run:
    """One run: the lane, its counts and its file."""

    def __init__(self, settings: CommandSettings, file: ClientFile) -> None:
        self.tally = Tally(settings.path if settings.others else None)
        self._file = file
        lane = LaneSettings(
            LANE,
            settings.url,
            settings.rate,
            {"User-Agent": USER_AGENT, **settings.headers},
            version_from=settings.version_from,
            connect_to=settings.connect_to,
            weight=settings.weight,
            others=settings.others,
        )
        # At least one, or a run shorter than an interval would ask nothing.
        ticks = max(1, round(settings.rate * settings.seconds))
        self.lane = Lane(lane, settings.timeout, self._write, ticks)

    def _write(self, record: RequestRecord | LaneRecord | UnansweredRecord) -> None:
        if isinstance(record, RequestRecord):
            self.tally.add(record)
            self._file.write(record)


def main(settings: CommandSettings, stop: StopRequest) -> int:
    """Run to the end, or until asked to stop.

    Returns the exit status: 0 when requests were sent and none failed, 1 otherwise, 2 when the file cannot be
    written.
    """
    try:
        return _run(settings, stop)
    except OSError as error:
        print(
            f"probe: cannot write {settings.out}: {error.strerror}. Name a file in a folder that can be "
            "written with --out; in a container, mount one (see --help).",
            file=sys.stderr,
        )
        return 2


def _run(settings: CommandSettings, stop: StopRequest) -> int:
    began = time.time()
    file = ClientFile(settings.out, paths=bool(settings.others))
    file.write_header(
        [
            f"url           {without_password(settings.url)}",
            *_paths(settings),
            f"rate          {settings.rate:g} requests per second for {settings.seconds:g} s",
            f"began         {utc(began)}",
        ]
    )
    run = Run(settings, file)
    progress = Progress(sys.stdout, settings)
    run.lane.start()
    while run.lane.running and not stop.asked:
        time.sleep(POLL_SECONDS)
        progress.show(run.tally, run.lane.totals().missed)
    run.lane.finish(within=settings.timeout + 0.5)
    progress.end()
    if run.lane.broken is not None:
        raise run.lane.broken

    summary = run.tally.summary(run.lane.totals().missed)
    early = " (asked to stop)" if stop.asked else ""
    file.write_comments([f"ended         {utc(time.time())}{early}", *summary])
    file.close()
    print("\n".join([*summary, f"written to    {settings.out}"]), flush=True)
    return 0 if run.tally.requests and not run.tally.failures else 1


def _paths(settings: CommandSettings) -> list[str]:
    """What else is asked than the url, and how often, where that is so."""
    if not settings.others:
        return []
    asked = [(settings.path, settings.weight), *((other.path, other.weight) for other in settings.others)]
    total = sum(weight for _, weight in asked)
    return [
        f"path          {path}: {weight} of {total} requests{'' if place else ', and the version'}"
        for place, (path, weight) in enumerate(asked)
    ]


class Progress:
    """One line that changes on a terminal; otherwise a plain line every few seconds."""

    def __init__(self, stream: TextIO, settings: CommandSettings) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._named = settings.version_from.kind != "none"
        self._interval = TERMINAL_SECONDS if self._live else PLAIN_SECONDS
        self._began = time.monotonic()
        self._shown_at = self._began
        url = visible(without_password(settings.url))
        print(
            f"{url}: {settings.rate:g} requests per second for {settings.seconds:g} s",
            file=stream,
            flush=True,
        )

    def show(self, tally: Tally, missed: int) -> None:
        """Show the counts when it is time to."""
        now = time.monotonic()
        if now - self._shown_at < self._interval:
            return
        self._shown_at = now
        text = (
            f"{now - self._began:7.1f} s  {tally.requests} requests  {tally.failures} failed  {missed} missed"
        )
        if self._named:
            text += f"  version {visible(tally.newest_version or 'none yet')}"
        self._stream.write(f"\r{text}\x1b[K" if self._live else f"{text}\n")
        self._stream.flush()

    def end(self) -> None:
        """Leave the live line."""
        if self._live:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
