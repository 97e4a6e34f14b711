"""The page of a deployment holds all that the ledger has, whatever an application answers."""

from collections.abc import Iterable

import pytest

from crossfade.domain.ledger import Record, Request
from crossfade.domain.page.observed import Observed
from crossfade.domain.page.of_deployment import deployment_page
from crossfade.domain.planning.plan import Plan
from crossfade.domain.proof.certificate import History, Reading, StageRecord, certify
from tests.unit.examples import at, first_plan, opened, plan, request, requests

STAGES = (
    StageRecord(weight=0, began=at(1), ended=at(4), verdict="advance"),
    StageRecord(weight=100, began=at(4), shown=at(5), ended=at(9), verdict="advance"),
)


def _page(records: Iterable[Record], of: Plan | None = None, stages: tuple[StageRecord, ...] = STAGES) -> str:
    history = History(plan=of or plan(), launched=at(0), healthy=at(1), stages=stages)
    reading, observed = Reading(history, None), Observed()
    for record in records:
        if reading.take(record) and isinstance(record, Request):
            observed.take(record, good=reading.tally.good(record))
    certificate = certify(reading, outcome="promoted", reason="why", ended=at(60), transitions=1)
    return deployment_page(certificate, history, observed, at(60))


@pytest.mark.parametrize("failures", [1, 1001])
def test_a_lane_that_is_neither_slot_s_has_its_row(failures: int) -> None:
    """Before a first release the other slot's lane asks as soon as something answers there."""
    records: list[Record] = [opened(0), *requests("blue", "."), *requests("green", "." + "x" * failures)]
    page = _page(records, first_plan())
    assert f"green: {failures:,} failed" in page
    assert f"{failures:,} × HTTP 500" in page
    if failures == 1:
        assert page.count('class="mark"') == failures


def test_a_verdict_of_another_version_of_crossfade() -> None:
    """It is shown as it is."""
    stages = (*STAGES, StageRecord(weight=100, began=at(9), ended=at(10), verdict="<b>"))
    assert "100 %: &lt;b&gt;" in _page(requests("green", "."), stages=stages)


@pytest.mark.parametrize("character", ['"', "\U000e0001"])
def test_a_page_has_its_bound_whatever_is_answered(character: str) -> None:
    """A thousand failures, each of a version that becomes much longer when it is escaped."""
    version = character * 128
    page = _page([opened(0), *(request("green", n, n / 20, version=version) for n in range(30, 1030))])
    assert page.count('class="mark"') == 1000
    assert len(page.encode()) < 2_000_000
