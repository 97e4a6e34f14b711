"""A bounded pool of threads that says no instead of queueing.

`ThreadPoolExecutor` queues what it cannot start, and then a request would be sent late without anyone
knowing. Its threads also hold up the end of the process; these do not.
"""

import queue
import threading
from collections.abc import Callable

Job = Callable[[], None]


class Workers:
    """Runs jobs at once, each in its own thread; threads are reused and only made when needed."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._busy = 0
        self._threads = 0

    def start(self, job: Job) -> bool:
        """Start the job now; return False, and do nothing, when every worker is busy."""
        with self._lock:
            if self._busy >= self._most:
                return False
            if self._busy == self._threads:
                threading.Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()
                self._threads += 1
            self._busy += 1
        self._jobs.put(job)
        return True

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                job()
            finally:
                with self._lock:
                    self._busy -= 1
