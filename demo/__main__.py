"""Run the exercise and check its records: `python -m demo`."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from io import TextIOWrapper
from pathlib import Path
from types import FrameType

from botocore.exceptions import BotoCoreError, ClientError

from demo import report
from demo.claims import claims
from demo.cloud import ROOT, DemoFailed
from demo.exercise import Records, run
from demo.follow import Screen

_INTERRUPTED = 130


def main(arguments: list[str]) -> int:
    """The command line. 0: every claim holds; 1: one does not, or it could not finish; 130: interrupted."""
    argparse.ArgumentParser(
        prog="python -m demo",
        description="On this machine: 0.0.1 live, a client that never stops asking, 0.0.2 deployed "
        "blue/green, a bad 0.0.3 put back; then what their records prove. Exit status 0 only if every claim "
        "holds.",
    ).parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ✔ is no reason to stop
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    state = Path(tempfile.mkdtemp(prefix="crossfade-demo-"))
    screen = Screen()
    try:
        passed = _conclude(run(state, screen), screen)
    except (DemoFailed, BotoCoreError, ClientError, OSError) as failure:
        print(f"\nThe demo could not finish. {failure}", file=sys.stderr)
        passed = False
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done; who is impatient gets no traceback
        print(f"\nInterrupted; everything that was started has ended. Logs: {state}", file=sys.stderr)
        return _INTERRUPTED
    if not passed and any(state.iterdir()):
        print(f"Logs and state of the sandbox: {state}", file=sys.stderr)
    else:
        shutil.rmtree(state, ignore_errors=True)
    return 0 if passed else 1


def _conclude(records: Records, screen: Screen) -> bool:
    """Print the tables, the claims and the files; whether every claim holds."""
    deployments = (records.first, records.good, records.bad)
    found = claims(records.client, *deployments)
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
    ]
    print("\n".join(lines))
    screen.say(f"end; {verdict}")
    return not broken


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM and a closed terminal end the demo as Ctrl-C does."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
