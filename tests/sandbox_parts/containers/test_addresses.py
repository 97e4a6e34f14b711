"""The book of task addresses."""

from __future__ import annotations

import pytest

from sandbox.host.addresses import AddressBook


def test_addresses_are_private_and_distinct():
    """Every task gets its own 10.x address."""
    book = AddressBook()

    handed_out = [book.assign() for _ in range(50)]

    assert len(set(handed_out)) == 50
    assert all(address.startswith("10.") for address in handed_out)


def test_a_bound_port_is_found():
    """The local port behind an address and container port is what was bound."""
    book = AddressBook()
    address = book.assign()

    book.bind(address, 8080, 23456)

    assert book.resolve(address, 8080) == 23456
    assert book.resolve(address, 8081) is None
    assert book.resolve("10.9.9.9", 8080) is None


def test_a_released_address_leads_nowhere_and_comes_back_last():
    """A stopped task's address is not given to the next one, which a slow reader might confuse with it."""
    book = AddressBook("10.0.0.0/28")
    first = book.assign()
    book.bind(first, 8080, 23456)

    book.release(first)

    assert book.resolve(first, 8080) is None
    assert first != book.assign()


def test_a_full_subnet_is_an_error():
    """No address is handed out twice, even when there are no more."""
    book = AddressBook("10.0.0.0/28")
    handed_out = {book.assign() for _ in range(11)}

    assert len(handed_out) == 11
    with pytest.raises(RuntimeError, match="no free address"):
        book.assign()
