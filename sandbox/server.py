"""Start the emulator in the foreground with what it lacks, and end everything with it."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TextIO

from sandbox.patching import PatchesDoNotFit

_HOST = "127.0.0.1"
_AUTHORITY = "authority.pem"
_BANNER = """\
Crossfade sandbox: AWS on http://{host}:{port} (IAM enforced). In other shells:

  export AWS_ENDPOINT_URL=http://{host}:{port} AWS_DEFAULT_REGION=us-east-1
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test

Log: {log}. HTTPS listeners are verified with {authority}. Ctrl-C ends everything.
"""


def main(arguments: list[str]) -> int:
    """The command line. 0: ended by Ctrl-C or SIGTERM; 1: could not start; 2: called wrongly."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="AWS on this machine, in the foreground. To push an image: python -m sandbox push --help",
    )
    parser.add_argument("--port", type=int, default=4566, help="the endpoint's port (default: 4566)")
    parser.add_argument("--state", type=Path, default=Path(".sandbox"), help="folder for the log and images")
    options = parser.parse_args(arguments)
    if _answers(options.port):
        message = f"Port {options.port} is taken: end what runs there (another sandbox?) or choose a --port."
        print(message, file=sys.stderr)
        return 1
    state = options.state.resolve()
    terminal = _prepare(state, options.port)
    banner = _BANNER.format(
        host=_HOST, port=options.port, log=state / "sandbox.log", authority=state / _AUTHORITY
    )
    threading.Thread(target=_announce, args=(options.port, banner, terminal), daemon=True).start()
    try:
        _serve(state)
    except PatchesDoNotFit as problems:
        print(f"The sandbox does not fit the installed MiniStack.\n{problems}", file=terminal, flush=True)
        os._exit(1)
    # Threads of the emulator may still wait for requests that nobody answers any more.
    os._exit(0)


def _prepare(state: Path, port: int) -> TextIO:
    """Make the state folder, send all output to its log, set the environment; returns the terminal."""
    for left_over in ("images", "tmp"):
        shutil.rmtree(state / left_over, ignore_errors=True)
    (state / "tmp").mkdir(parents=True)
    sys.stdout.flush()
    terminal = os.fdopen(os.dup(1), "w")
    with (state / "sandbox.log").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    for name in [name for name in os.environ if name.startswith(("AWS_", "MINISTACK_", "LAMBDA_"))]:
        del os.environ[name]  # a profile of the user's has no business here
    os.environ |= {
        "AUTH": "true",
        "BIND_HOST": _HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": _HOST,
        "MINISTACK_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "0",
        # Containers are local processes here, whether or not this machine has Docker.
        "DOCKER_HOST": f"unix://{state}/no-docker.sock",
        "TMPDIR": str(state / "tmp"),
    }
    tempfile.tempdir = None  # it may have been looked up before TMPDIR was set
    return terminal


def _serve(state: Path) -> None:
    """Run the emulator until SIGINT or SIGTERM, then end every process that was started."""
    # The emulator reads its settings from the environment when it is imported.
    from ministack import app

    from sandbox import load_balancer, patching
    from sandbox.delays import delays
    from sandbox.ecr.registry import registry
    from sandbox.ecs.containers import runtime
    from sandbox.lambda_ import functions, powertools_layer
    from sandbox.load_balancer.certificates import authority
    from sandbox.patches import PATCHES

    print(f"sandbox: delays by {delays}", flush=True)
    registry.folder = state / "images"
    authority.begin(state / _AUTHORITY)
    patching.install(*PATCHES)
    functions.start()
    powertools_layer.publish()
    load_balancer.start()
    sys.argv = ["ministack"]  # the emulator has a command line of its own
    try:
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            app.main()
    finally:
        load_balancer.stop()
        runtime.shutdown()
        functions.end_all()
        shutil.rmtree(state / "tmp", ignore_errors=True)


def _announce(port: int, banner: str, terminal: TextIO) -> None:
    while not _answers(port):
        time.sleep(0.05)
    terminal.write(banner)
    terminal.flush()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((_HOST, port)) == 0
