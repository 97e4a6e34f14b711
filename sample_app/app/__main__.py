"""Start the application: `python -m app`."""

import os
import signal
import sys
from types import FrameType


def main() -> int:
    """Serve until told to leave; return the exit status (2: a setting is wrong)."""
    # Before all that takes time to import: the kernel drops a signal for which PID 1 has no handler.
    signal.signal(signal.SIGTERM, leave)
    from .faults import with_faults
    from .outcomes import OutcomeFeed
    from .pages import pages
    from .server import make_server
    from .settings import BadSetting, read_settings

    try:
        settings = read_settings(os.environ)
    except BadSetting as error:
        sys.stderr.write(f"sample application: {error}\n")
        return 2
    version = settings.faults.version or settings.version
    app = with_faults(pages(version, settings.task), settings.faults, settings.task)
    # Outermost: what the faults answer is what users meet.
    make_server(OutcomeFeed(app), settings.host, settings.port, settings.shutdown_grace_seconds).run()
    return 0


def leave(_number: int, _frame: FrameType | None) -> None:
    """End at once: nobody is served yet. The server takes SIGTERM over as it starts."""
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
