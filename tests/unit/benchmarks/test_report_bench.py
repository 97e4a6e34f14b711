"""The bench of the report: its pages are CloudWatch's, and its report is of the whole ledger."""

import json

import pytest

from benchmarks.report.__main__ import measure
from benchmarks.report.deployment import ledger, pages


def test_pages_hold_each_line_once() -> None:
    """At most 1 MB or 10,000 events each; the last token comes back unchanged, on an empty page."""
    answers = [(len(text), json.loads(text)) for text in pages(30_000)]
    assert max(size for size, _ in answers) < 1_001_000
    assert max(len(page["events"]) for _, page in answers) <= 10_000
    lines = [event["message"] for _, page in answers for event in page["events"]]
    assert lines == list(ledger(30_000))
    *_, (_, last), (_, end) = answers
    assert (end["events"], end["nextForwardToken"]) == ([], last["nextForwardToken"])


@pytest.mark.enable_socket
def test_a_report_is_measured() -> None:
    """What was stored is what was certified, else `measure` gives up."""
    took = measure(90_000)
    assert took.calls["GetLogEvents"] == len(list(pages(90_000)))
    assert took.calls["PutObject"] == 3
    assert 0 < took.cpu < took.wall
    assert took.on_lambda(1769) > took.on_lambda(3000) - 0.001
    assert took.on_lambda(884) > took.on_lambda(1769)
