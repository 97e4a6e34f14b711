"""A program that has loaded what Lambda's Python brings, and forks itself for each execution environment.

`python fork_server.py` reads requests from the socket that is its standard input, one message each: JSON
with the `script` to run, its `folder` and its `environment`, and with it the file descriptors of the new
process's standard input, output and error. It answers with the process's id and its pidfd (pidfd_open(2)).
It ends when the other end of the socket is closed. It imports nothing of the sandbox, and has no threads.
"""

import functools
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
from pathlib import Path
from typing import Any

LOADED = (
    "aws_lambda_powertools",
    "aws_lambda_powertools.utilities.typing",
    "boto3",
    "boto3.dynamodb.types",
    "botocore.handlers",
    "pydantic.main",
    "pydantic.type_adapter",
    "pydantic.validate_call_decorator",
    "zoneinfo",
)
"""What AWS's layers and runtime bring to every function. A function's own code is loaded after the fork."""
DESCRIBED = ("dynamodb", "ecs", "elbv2", "logs", "ssm")
"""The services whose clients most of Crossfade's functions make."""
_LARGEST = 1 << 20


def main() -> None:
    """Answer requests until there are no more."""
    for name in LOADED:
        importlib.import_module(name)
    _make_a_model()
    _read_descriptions()
    gc.freeze()  # what the collector does not touch stays shared
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # processes that have ended leave nothing behind
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the sandbox's, which ends this one too
    requests = socket.socket(fileno=os.dup(0))
    while True:
        message, streams, _, _ = socket.recv_fds(requests, _LARGEST, 3)
        if not message:
            return
        process = os.fork()
        if not process:
            requests.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _become(streams, **json.loads(message))
            return
        handle = os.pidfd_open(process)
        socket.send_fds(requests, [str(process).encode()], [handle])
        for descriptor in (*streams, handle):
            os.close(descriptor)


def _make_a_model() -> None:
    """Let pydantic load what a first model needs, and look through all packages for plugins: 30 ms."""
    from pydantic import Field, create_model

    create_model("First", field=(int, Field(ge=0)))


def _read_descriptions() -> None:
    """Read botocore's descriptions of AWS, which its sessions would read anew, 20 ms for each service."""
    import boto3
    from botocore import session

    session.create_loader = functools.cache(session.create_loader)
    make: Any = boto3.Session("nobody", "nobody", region_name="us-east-1").client
    for service in DESCRIBED:
        make(service)


def _become(streams: list[int], script: str, folder: str, environment: dict[str, str]) -> None:
    """Be what `python script` would be in that folder and environment."""
    for standard, stream in enumerate(streams):
        os.dup2(stream, standard)
        os.close(stream)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - it stays open
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if _brought(folder, environment) & {name.partition(".")[0] for name in sys.modules}:
        os.execv(sys.executable, [sys.executable, script])  # noqa: S606 - the function has a version of its own
    sys.argv = [script]
    sys.path[0] = str(Path(script).parent)
    runpy.run_path(script, run_name="__main__")


def _brought(folder: str, environment: dict[str, str]) -> set[str]:
    """The names of the modules and packages that lie in a function's code and layers."""
    folders = [Path(folder)]
    for layer in filter(None, environment.get("_LAMBDA_LAYERS_DIRS", "").split(os.pathsep)):
        python = Path(layer) / "python"
        folders += [python, *python.glob("lib/*/site-packages")]
    return {path.name.partition(".")[0] for path in folders if path.is_dir() for path in path.iterdir()}


if __name__ == "__main__":
    main()
