"""The ledger is read in order, whenever its events become visible."""

from hypothesis import given
from hypothesis import strategies as st

from crossfade.domain.ledger import Opened, Record, Request
from crossfade.domain.ledger_order import Reading
from tests.unit.examples import at, request

OPENED = Opened(type="opened", deployment="d1", at=at(0), lanes=("production", "blue", "green"))


def _numbers(records: list[Record]) -> list[int]:
    return [record.n for record in records if isinstance(record, Request)]


def test_a_gap_is_read_again() -> None:
    """What is behind it waits, the token stays, and nothing is handed on twice."""
    first, news = Reading().after([OPENED, request(n=1), request(n=3)], "f/3", patient=True)
    assert (first.token, _numbers(news)) == (None, [1])
    whole = [OPENED, *(request(n=n) for n in (1, 2, 3))]
    second, news = first.after(whole, "f/4", patient=True)
    assert (second.token, _numbers(news)) == ("f/4", [2, 3])


def test_a_gap_between_two_looks_is_seen() -> None:
    """The numbers travel with the cursor."""
    first, _ = Reading().after([OPENED, request(n=1)], "f/2", patient=True)
    second, news = Reading.at(first.cursor).after([request(n=3)], "f/3", patient=True)
    assert (second.token, news) == ("f/2", [])


def test_a_gap_is_not_waited_for_for_ever() -> None:
    """An event that CloudWatch Logs refused never comes."""
    reading, news = Reading().after([OPENED, request(n=1), request(n=3)], "f/3", patient=False)
    assert (reading.token, _numbers(news)) == ("f/3", [1, 3])


def test_a_new_probe_counts_anew() -> None:
    """From its first record on."""
    again = OPENED.model_copy(update={"at": at(9)})
    _, news = Reading().after([OPENED, request(n=1), again, request(n=1, seconds=9)], "f/4", patient=True)
    assert _numbers(news) == [1, 1]


def test_what_a_dead_probe_still_writes_does_not_count_for_the_new_one() -> None:
    """Its numbers are high: the new probe's requests would pass for repetitions until they reach them."""
    again = OPENED.model_copy(update={"at": at(9)})
    late, new = request(n=500, seconds=8), [request(n=n, seconds=9) for n in (1, 2)]
    reading, news = Reading().after([OPENED, again, new[0], late, new[1]], "f/5", patient=True)
    assert (reading.token, _numbers(news)) == ("f/5", [1, 2])


def test_a_mere_token_is_a_cursor_too() -> None:
    """Of a deployment that an earlier version of Crossfade began: the numbers are not known."""
    reading, news = Reading.at("f/7").after([request(n=70), request(n=71)], "f/9", patient=True)
    assert (reading.token, _numbers(news)) == ("f/9", [70, 71])


@given(st.permutations(range(1, 9)), st.lists(st.integers(1, 8), max_size=6))
def test_whenever_events_become_visible_each_is_handed_on_once_and_in_order(
    shown: list[int], looks: list[int]
) -> None:
    """Law: at each look some of them are there; at the last look all are."""
    reading, handed = Reading(), list[int]()
    for seen in [*sorted(looks), 8]:
        begin = int((reading.token or "f/0")[2:])
        # A token leads past all that was visible: only what is written later, or behind it, is missed.
        there = sorted(shown[:seen])
        records = [OPENED, *(request(n=n) for n in there if n > begin)]
        token = f"f/{max([begin, *there])}"
        reading, news = Reading.at(reading.cursor).after(records, token, patient=True)
        handed += _numbers(news)
    assert handed == list(range(1, 9))
