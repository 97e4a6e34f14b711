"""Reading the ledger in order: CloudWatch Logs may show an event only after those that were written later.

GetLogEvents goes on from a token, and what becomes visible behind it would never be read. The numbers of the
requests tell: where one is missing, the same token is read again for a while.
"""

import json
from collections.abc import Iterable
from typing import NamedTuple, Self

from crossfade.domain.ledger import Lane, Opened, Record, Request


class Reading(NamedTuple):
    """How far a ledger was read: the token, when its probe began, and each lane's last number.

    ``numbers`` is empty where they are not known: reading begins with whatever comes.
    """

    token: str | None = None
    opened: float = 0
    numbers: tuple[tuple[Lane, int], ...] = ()

    @classmethod
    def at(cls, cursor: str | None) -> Self:
        """The reading that a cursor stands for; one of an earlier version of Crossfade is a mere token."""
        if cursor is None or not cursor.startswith("{"):
            return cls(cursor)
        read = json.loads(cursor)
        return cls(read["token"], read["opened"], tuple(read["numbers"].items()))

    @property
    def cursor(self) -> str | None:
        """The reading as a text, to go on from."""
        if not self.numbers:
            return self.token
        return json.dumps({"token": self.token, "opened": self.opened, "numbers": dict(self.numbers)})

    def after(
        self, records: Iterable[Record], token: str | None, *, patient: bool
    ) -> tuple[Self, list[Record]]:
        """The reading after what was found behind its token, and what of it is new.

        Where a number is missing and one is ``patient``, nothing behind the gap is handed on yet, and the
        token stays.
        """
        opened, numbers, news = self.opened, dict(self.numbers), list[Record]()
        for record in records:
            if isinstance(record, Opened) and record.at.timestamp() > opened:
                opened, numbers = record.at.timestamp(), dict.fromkeys(record.lanes, 0)
            if isinstance(record, Request):
                last = numbers.get(record.lane, record.n - 1)
                # What an earlier probe has sent is numbered otherwise, and nothing is judged by it any more.
                if record.n <= last or record.at.timestamp() < opened:
                    continue
                if record.n > last + 1 and patient:
                    return self._replace(opened=opened, numbers=tuple(numbers.items())), news
                numbers[record.lane] = record.n
            news.append(record)
        return self._replace(token=token, opened=opened, numbers=tuple(numbers.items())), news
