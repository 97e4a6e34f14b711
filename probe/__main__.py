"""Start the probe: `python -m probe --help`."""

import os
import sys

from probe.stopping import StopRequest


def main() -> int:
    """Be the task or the command; return the exit status."""
    # Before all that takes time to import: the kernel drops a signal for which PID 1 has no handler.
    stop = StopRequest()
    from probe import arguments, command

    settings = arguments.parse(sys.argv[1:])
    if settings is None:
        # Only here, because only the task needs boto3.
        from probe import task

        return task.main(os.environ, stop)
    return command.main(settings, stop)


if __name__ == "__main__":
    sys.exit(main())
