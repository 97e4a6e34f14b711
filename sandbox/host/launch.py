"""Run a program that ends when the process that started it ends.

`python launch.py PROGRAM ARGUMENT…` replaces itself by PROGRAM. It is a program of its own because code
between fork and exec is not safe in a process with threads, and the sandbox has many.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask Linux for a SIGKILL at the parent's death, then become the program (exit 127: not found)."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent == 1:
        sys.exit(1)  # the sandbox ended before the request: nobody would end the program any more
    try:
        os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - the point of this file
    except OSError as error:
        print(f"cannot start {sys.argv[1]}: {error.strerror}", file=sys.stderr)
        sys.exit(127)


if __name__ == "__main__":
    main()
