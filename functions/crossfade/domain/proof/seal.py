"""The ledger's text: what is stored of it, and two digests that any change of it changes."""

import hashlib
from collections.abc import Iterable


class Seal:
    """Takes the ledger's lines in, in their order.

    ``sha256`` is of the whole text, each line with its end, as ``sha256sum`` gives it. ``chain`` is of the
    lines one after the other: a link is the SHA-256 of the link before it (at first 32 bytes of 0) and the
    line without its end. So it can be followed line by line, and depends on their order.
    """

    def __init__(self) -> None:
        self.lines = 0
        self._whole = hashlib.sha256()
        self._link = bytes(32)

    def take(self, lines: Iterable[str]) -> bytes:
        """Take lines in; what they are as a text is returned."""
        text = bytearray()
        for line in lines:
            encoded = line.encode()
            self._link = hashlib.sha256(self._link + encoded).digest()
            self.lines += 1
            text += encoded + b"\n"
        self._whole.update(text)
        return bytes(text)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the text so far, in hexadecimal."""
        return self._whole.hexdigest()

    @property
    def chain(self) -> str:
        """The last link so far, in hexadecimal."""
        return self._link.hex()
