"""What MiniStack's Lambda does differently: the names of errors, memory, and how long workers live."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc, stepfunctions

from sandbox.lambda_.forked import fork_server
from sandbox.patching import PatchesDoNotFit, changes, replaces

_IDLE_SECONDS = float(os.environ.get("SANDBOX_IDLE_SECONDS", "8"))
_LOOK_SECONDS = 2
_MEMORY_LOOK_SECONDS = 0.1
_KILLED = "Runtime exited with error: signal: killed"
_ending = threading.Event()
_MARK = "_sandbox_error"
_EMULATORS = '{"status": "error", "error": str(e), "trace": traceback.format_exc()}'
# Answering "ok" keeps the worker process: on AWS an exception does not end the execution environment.
_OURS = (
    '{"status": "ok", "result": {"_sandbox_error": {"errorMessage": str(e), "errorType": type(e).__name__, '
    '"requestId": context.aws_request_id, "stackTrace": traceback.format_tb(e.__traceback__.tb_next)}}}'
)


def start() -> None:
    """Begin to look after the workers; in threads that end with the process."""
    threading.Thread(target=_watch_memory, name="lambda-memory", daemon=True).start()
    threading.Thread(target=_end_idle_workers, name="idle-lambda-workers", daemon=True).start()


def end_all() -> None:
    """End every worker, invocations under way included: the sandbox itself ends."""
    _ending.set()
    lambda_runtime.reset()
    fork_server.end()


# --- errors -------------------------------------------------------------------------------------------------


@changes(lambda_runtime, "_PYTHON_WORKER_SCRIPT", version="1.5.33")
def tell_the_class_of_an_error(emulator: str) -> str:
    """MiniStack: every exception is called Runtime.HandlerError; on AWS it is the class's name, which is
    what a workflow's ErrorEquals matches. The worker tells it here, and `name_errors_by_class` answers it.
    """
    if emulator.count(_EMULATORS) != 1:
        raise PatchesDoNotFit(
            "sandbox/lambda_/functions.py: _EMULATORS is not in MiniStack's Python worker. "
            "Find how it answers exceptions now."
        )
    return emulator.replace(_EMULATORS, _OURS)


@replaces(lambda_svc, "_execute_function_warm", version="1.5.33")
def name_errors_by_class(
    emulator: Callable[..., dict[str, Any]], function: dict[str, Any], event: object, request_id: str
) -> dict[str, Any]:
    """The other half of `tell_the_class_of_an_error`; and a function that was killed has AWS's error."""
    result: dict[str, Any] = emulator(function, event, request_id)
    body = result.get("body")
    if isinstance(body, dict) and str(body.get("errorMessage", "")).endswith(_KILLED):
        return {**result, "body": body | {"errorType": "Runtime.ExitError"}}
    if not isinstance(body, dict) or _MARK not in body:
        return result
    error = body[_MARK]
    report = f"[ERROR] {error['errorType']}: {error['errorMessage']}\n{''.join(error['stackTrace'])}"
    log = "\n".join(filter(None, [result.get("log"), report]))
    return {**result, "body": error, "error": True, "log": log}


@replaces(stepfunctions, "_call_lambda", version="1.5.33")
def tell_time_outs_as_a_sentence(
    emulator: Callable[[str, object], object], reference: str, event: object
) -> object:
    """MiniStack: a workflow gets `Sandbox.Timedout` and JSON. Step Functions' documentation has it as
    Lambda.Unknown, and the cause is then a sentence that contains JSON. Both forms have been seen on AWS.
    """
    try:
        return emulator(reference, event)
    except stepfunctions._ExecutionError as error:
        if error.error != "Sandbox.Timedout":
            raise
        message = json.loads(error.cause)["errorMessage"].rpartition("Task timed out")[2]
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        payload = {"errorMessage": f"{now} {lambda_svc.new_uuid()} Task timed out{message}"}
        raise stepfunctions._ExecutionError(
            "Lambda.Unknown",
            "The cause could not be determined because Lambda did not return an error type. "
            f"Returned payload: {json.dumps(payload)}",
        ) from None


# --- memory -------------------------------------------------------------------------------------------------


@replaces(lambda_runtime.Worker, "invoke", version="1.5.33")
def limit_memory(
    emulator: Callable[..., dict[str, Any]], worker: Any, event: object, request_id: str, **context: Any
) -> dict[str, Any]:
    """MiniStack: a function takes what memory there is; on AWS it is killed at its MemorySize."""
    worker.over_memory = False
    result: dict[str, Any] = emulator(worker, event, request_id, **context)
    if worker.over_memory:
        return {**result, "status": "error", "error": f"RequestId: {request_id} Error: {_KILLED}"}
    return result


def _watch_memory() -> None:
    while True:
        time.sleep(_MEMORY_LOOK_SECONDS)
        with lambda_runtime._lock:
            busy = [worker for workers in lambda_runtime._workers.values() for worker in workers]
        for worker in busy:
            process = worker._proc
            if not worker.in_use or process is None or process.poll() is not None:
                continue
            if _peak_bytes(process.pid) > int(worker.config.get("MemorySize", 128)) << 20:
                worker.over_memory = True
                process.kill()


def _peak_bytes(pid: int) -> int:
    """The most memory that a process has had resident; without /proc, what it has now."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
        return 0  # it has just ended
    if Path("/proc").exists():
        return 0
    printed = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True).stdout
    return int(printed.strip() or 0) << 10


# --- how long workers live ----------------------------------------------------------------------------------


@replaces(lambda_runtime, "kill_workers", version="1.5.33")
def let_invocations_finish(emulator: Callable[[list[Any]], None], workers: list[Any]) -> None:
    """MiniStack: a deployment of new code kills workers in the middle of an invocation, which then fails;
    on AWS it ends with the code that it began with.
    """
    busy = [worker for worker in workers if worker is not None and worker.in_use]
    if _ending.is_set():
        busy = []
    emulator([worker for worker in workers if worker not in busy])
    if busy:
        threading.Thread(target=_kill_when_done, args=(emulator, busy), daemon=True).start()


def _kill_when_done(kill: Callable[[list[Any]], None], busy: list[Any]) -> None:
    while any(worker.in_use for worker in busy):
        time.sleep(0.1)
    kill(busy)


def _end_idle_workers() -> None:
    """MiniStack: one process per function lives for ever, 60 to 85 MB each.

    A worker costs a second of a core to start, so those that a deployment uses all the time stay and the
    others go. With SANDBOX_IDLE_SECONDS all of them stay longer, where there is memory for it.
    """
    while True:
        time.sleep(_LOOK_SECONDS)
        oldest = time.time() - _IDLE_SECONDS
        with lambda_runtime._lock:
            idle = []
            for key, workers in list(lambda_runtime._workers.items()):
                ended = [worker for worker in workers if not worker.in_use and worker.last_used < oldest]
                idle += ended
                lambda_runtime._workers[key] = [worker for worker in workers if worker not in ended]
        lambda_runtime.kill_workers(idle)
