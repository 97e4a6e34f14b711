"""Text from outside, made fit to be shown: it must neither write on a terminal nor forge a line."""

import re

_PASSWORD = re.compile(r"(?<=//)[^/?#\s]*@")


def visible(text: str) -> str:
    """Write out what cannot be seen, as Python would: a tab as `\\t`, an escape character as `\\x1b`."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def without_password(address: str) -> str:
    """Hide the name and password of an address: `http://***@host`."""
    return _PASSWORD.sub("***@", address)
