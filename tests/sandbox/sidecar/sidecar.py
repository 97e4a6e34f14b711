"""A container beside an application: it says that it runs, and waits to be told to leave."""

import signal
import sys

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.stdout.write("sidecar is up\n")
    sys.stdout.flush()
    while True:
        signal.pause()
