"""Start the probe: `python -m probe --help`."""

import os
import sys

from probe import arguments, command


def main() -> int:
    """Be the task or the command; return the exit status."""
    settings = arguments.parse(sys.argv[1:])
    if settings is None:
        # Only here, because only the task needs boto3.
        from probe import task

        return task.main(os.environ)
    return command.main(settings)


if __name__ == "__main__":
    sys.exit(main())
