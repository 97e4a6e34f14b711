"""Being asked to stop: SIGTERM from ECS, SIGINT from Ctrl-C."""

import signal
import time
from types import FrameType

POLL_SECONDS = 0.1


class StopRequest:
    """`asked` becomes true with the first SIGTERM or SIGINT; the next one ends the process at once."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def wait(self, seconds: float) -> None:
        """Sleep for `seconds`, or until asked to stop."""
        ends_at = time.monotonic() + seconds
        while not self.asked and (left := ends_at - time.monotonic()) > 0:
            time.sleep(min(left, POLL_SECONDS))

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        # Only a flag, which the main thread polls: taking a lock in a signal handler can block for ever.
        self.asked = True
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
