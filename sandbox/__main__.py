"""Start AWS on this machine, or push an image to it: `python -m sandbox [push …]`."""

import sys

if __name__ == "__main__":
    if sys.argv[1:2] == ["push"]:
        from sandbox.push import main
    else:
        from sandbox.server import main
    sys.exit(main(sys.argv[2:] if sys.argv[1:2] == ["push"] else sys.argv[1:]))
