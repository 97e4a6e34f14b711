"""Measure the report: ``python -m benchmarks.report [--requests N ...]``."""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.report.aws import serve

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "report.md"
SIZES = (10_000, 1_000_000, 5_000_000)
ONE_CPU_MB = 1769
"""A Lambda function with so much memory has one CPU; with less it has that share of one."""
CALL_SECONDS = 0.1
"""What AWS is taken to need for an answer, which nothing here does."""
MOST_MB = 200
FAILING = (1_000_000, 100_000)
"""Measured as well: requests, and how many of them fail all through."""
MILLION_SECONDS, PAGE_MB = 60, 2
"""What a report of a million requests may take, and its page."""

NOTES = f"""\
The real handler in a process of its own, with real boto3 clients, over HTTP on this machine, against
`benchmarks/report/aws.py`: GetLogEvents answers with pages of 1 MB or 10,000 events, S3 takes the ledger by
parts, and the hash of what it got is compared with the certificate's. The deployment is a rollback from half
of the traffic, at 300 requests a second. CPU and peak (resident, libraries included) are that process's own.

"On Lambda" is CPU ÷ (MemorySize ÷ {ONE_CPU_MB:,} MB), as Lambda gives one CPU at {ONE_CPU_MB:,} MB, plus
{CALL_SECONDS:g} s for each call. Two assumptions: a CPU of Lambda's is as fast as this machine's, and so
much is the time for a call; here AWS answers at once, and without TLS."""


@dataclass(frozen=True)
class Took:
    """What one report took; ``calls`` by operation, ``page`` is the size of its page in bytes."""

    requests: int
    failed: int
    page: int
    cpu: float
    wall: float
    peak: float
    calls: dict[str, int]

    def on_lambda(self, memory: int) -> float:
        """Seconds on Lambda with so much memory, in MB."""
        return self.cpu / min(memory / ONE_CPU_MB, 1) + CALL_SECONDS * sum(self.calls.values())


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each size, print the table, and write it to ``benchmarks/results/report.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("--requests", type=int, nargs="+", default=SIZES)
    sizes = parser.parse_args(arguments).requests
    memory, timeout = _function()
    measured = []
    for requests in sizes:
        measured.append(measure(requests))
        print(_row(measured[-1], memory, timeout), flush=True)
    worst = measured[-1]
    if tuple(sizes) == SIZES:
        measured.append(measure(*FAILING))
    holds = (
        all(took.peak <= MOST_MB and took.page <= PAGE_MB * 1e6 for took in measured)
        and all(took.on_lambda(memory) <= MILLION_SECONDS for took in measured if took.requests <= 1_000_000)
        and worst.on_lambda(memory) <= timeout / 2
    )
    mark = "✔" if holds else "✘"
    text = "\n".join(
        [
            "# The report, measured",
            "",
            f"`python -m benchmarks.report --requests {' '.join(map(str, sizes))}`",
            "",
            NOTES,
            "",
            f"The function: {memory:,} MB, Timeout {timeout} s.",
            "",
            "| requests | failed | pages | calls | CPU | wall here | peak | its page | on Lambda | Timeout |",
            "|---|---|---|---|---|---|---|---|---|---|",
            *(_row(took, memory, timeout) for took in measured),
            "",
            f"{mark} at most {MOST_MB} MB, a page of at most {PAGE_MB} MB, and half of the Timeout; "
            f"a million requests in at most {MILLION_SECONDS} s",
        ]
    )
    print(text)
    if tuple(sizes) == SIZES:
        RESULTS.write_text(text + "\n")
    return 0 if holds else 1


def measure(requests: int, failed: int = 0) -> Took:
    """Report on a ledger with this number of requests, of which ``failed`` fail all through."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(requests, failed, theirs), daemon=True)
    server.start()
    try:
        environment = os.environ | {
            "PYTHONPATH": str(ROOT / "functions"),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ours.recv()}",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "SPECS_PATH": "/bench/services/",
            "JOURNAL_TABLE": "journal",
            "LEDGER_GROUP": "ledger",
            "EVIDENCE_BUCKET": "evidence",
            "POWERTOOLS_LOG_LEVEL": "CRITICAL",
            "POWERTOOLS_METRICS_DISABLED": "true",
        }
        command = [sys.executable, "-m", "benchmarks.report.one", str(requests)]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
        ours.send(None)
        calls, stored = ours.recv()
    finally:
        server.terminate()
    took = json.loads(done.stdout)
    said = stored.certificate["ledger"]
    if not said["complete"] or (said["records"], said["sha256"]) != (requests, stored.sha256):
        raise SystemExit(f"{requests:,} requests: what was stored is not what was certified: {said}")
    counts = stored.certificate["requests"].values()
    failures = sum(lane["failed"] for lane in counts)
    if f"{failures:,} of {requests:,} requests failed" not in stored.page.decode():
        raise SystemExit(
            f"{requests:,} requests: the page does not count as the certificate does: {failures}"
        )
    return Took(requests=requests, failed=failures, page=len(stored.page), calls=calls, **took)


def _function() -> tuple[int, int]:
    """MemorySize and Timeout of the report's function, as the template has them."""
    lines = (ROOT / "template.yaml").read_text(encoding="utf-8").split("  WriteReportFunction:\n", 1)[1]
    properties = yaml.safe_load(
        "\n".join(
            line for line in lines.splitlines()[:20] if line.strip().startswith(("Timeout", "MemorySize"))
        )
    )
    return int(properties["MemorySize"]), int(properties["Timeout"])


def _row(took: Took, memory: int, timeout: int) -> str:
    seconds = took.on_lambda(memory)
    return (
        f"| {took.requests:,} | {took.failed:,} | {took.calls['GetLogEvents']:,} "
        f"| {sum(took.calls.values()):,} "
        f"| {took.cpu:.1f} s | {took.wall:.1f} s | {took.peak:.0f} MB | {took.page / 1000:,.0f} kB "
        f"| {seconds:.0f} s | {seconds / timeout:.0%} |"
    )


if __name__ == "__main__":
    sys.exit(main())
