"""What every rehearsal must end with, whatever happened on the way; each test file asks it of its own."""

from __future__ import annotations

from typing import ClassVar

from tests.sandbox.client import failed, versions
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.rest import other
from tests.sandbox.scaling import EVERYTHING, NOTHING, SCALE_IN


class Ending:
    """Tests of the fixture ``rehearsal``, which the test file has; ``outcome`` is the journal's."""

    outcome: ClassVar[str]

    def test_the_service_is_at_rest(self, rehearsal: Rehearsal) -> None:
        """The journal's stable slot has all weight, its image and its tasks; nobody holds the service, the
        other slot stands at 0, no probe runs, and what is live scales as before.
        """
        assert rehearsal.unrest == []

    def test_the_journal_has_the_true_outcome(self, rehearsal: Rehearsal) -> None:
        """And the certificate says the same."""
        item, certificate = rehearsal.item, rehearsal.certificate

        assert (item["outcome"], certificate["outcome"]) == (self.outcome, self.outcome)
        assert item["reason"] == certificate["reason"]
        assert item["ended"]

    def test_clients_get_what_the_journal_calls_stable(self, rehearsal: Rehearsal) -> None:
        """Seen by an independent client."""
        assert rehearsal.after
        last = rehearsal.requests[-20:]

        assert {(answer.status, answer.version) for answer in last} == {(200, rehearsal.after.version)}

    def test_only_what_is_live_scales(self, rehearsal: Rehearsal) -> None:
        """As before; whatever scaled an idle slot would start tasks in it."""
        assert rehearsal.after
        slot = rehearsal.after.slot

        assert rehearsal.samples[-1].suspended == {slot: NOTHING, other(slot): EVERYTHING}

    def test_nothing_shrinks_while_both_slots_have_clients(self, rehearsal: Rehearsal) -> None:
        """Their load leaves them, or has not come yet; both may grow."""
        split = [sample for sample in rehearsal.samples if sample.weights and 0 not in sample.weights]

        for sample in split:
            assert sample.suspended == {"blue": SCALE_IN, "green": SCALE_IN}, sample


class WithoutFailure(Ending):
    """The stable version was well all the time, so no client may have noticed anything."""

    def test_no_client_failed(self, rehearsal: Rehearsal) -> None:
        """By a client's own record, not by Crossfade's."""
        assert failed(rehearsal.requests) == []
        assert rehearsal.client_status == 0


class PutBack(WithoutFailure):
    """The release was taken back before any of it was lost."""

    outcome: ClassVar[str] = "rolled_back"

    def test_the_version_of_before_is_live(self, rehearsal: Rehearsal) -> None:
        """In the slot of before."""
        assert rehearsal.before == rehearsal.after
        assert rehearsal.before
        assert versions(rehearsal.requests)[0] == rehearsal.before.version
