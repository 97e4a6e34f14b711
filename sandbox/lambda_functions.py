"""What MiniStack 1.5.33's Lambda does differently: the names of errors, and how long idle workers live."""

from __future__ import annotations

import threading
import time
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

_IDLE_SECONDS = 8
_LOOK_SECONDS = 2
_ending = threading.Event()
_MARK = "_sandbox_error"
_EMULATORS = '{"status": "error", "error": str(e), "trace": traceback.format_exc()}'
# Answering "ok" keeps the worker process: on AWS an exception does not end the execution environment.
_OURS = (
    '{"status": "ok", "result": {"_sandbox_error": {"errorMessage": str(e), "errorType": type(e).__name__, '
    '"requestId": context.aws_request_id, "stackTrace": traceback.format_tb(e.__traceback__.tb_next)}}}'
)


def install() -> None:
    """Put the patches in place, before the first function runs."""
    _name_errors_by_class()
    _let_invocations_finish()
    _end_idle_workers()


def end_all() -> None:
    """End every worker, invocations under way included: the sandbox itself ends."""
    _ending.set()
    lambda_runtime.reset()


def _name_errors_by_class() -> None:
    """MiniStack 1.5.33: every exception is called Runtime.HandlerError; on AWS it is the class's name,
    which is what a workflow's ErrorEquals matches.
    """
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    if script.count(_EMULATORS) != 1:
        raise RuntimeError("the emulator's Python worker has changed: look at sandbox/lambda_functions.py")
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(_EMULATORS, _OURS)
    emulator = lambda_svc._execute_function_warm

    def execute(function: dict[str, Any], event: object, request_id: str) -> dict[str, Any]:
        result: dict[str, Any] = emulator(function, event, request_id)
        body = result.get("body")
        if not isinstance(body, dict) or _MARK not in body:
            return result
        error = body[_MARK]
        report = f"[ERROR] {error['errorType']}: {error['errorMessage']}\n{''.join(error['stackTrace'])}"
        log = "\n".join(filter(None, [result.get("log"), report]))
        return {**result, "body": error, "error": True, "log": log}

    lambda_svc._execute_function_warm = execute


def _let_invocations_finish() -> None:
    """MiniStack 1.5.33: a deployment of new code kills workers in the middle of an invocation, which then
    fails; on AWS it ends with the code that it began with.
    """
    emulator = lambda_runtime.kill_workers

    def kill(workers: list[Any]) -> None:
        busy = [worker for worker in workers if worker is not None and worker.in_use]
        if _ending.is_set():
            busy = []
        emulator([worker for worker in workers if worker not in busy])
        if busy:
            threading.Thread(target=kill_when_done, args=(busy,), daemon=True).start()

    def kill_when_done(busy: list[Any]) -> None:
        while any(worker.in_use for worker in busy):
            time.sleep(0.1)
        emulator(busy)

    lambda_runtime.kill_workers = kill


def _end_idle_workers() -> None:
    """MiniStack 1.5.33: one process per function lives for ever, 60 to 85 MB each.

    A worker costs 0.3 s to start, so those that a deployment uses all the time stay and the others go.
    """
    threading.Thread(target=_reap, name="idle-lambda-workers", daemon=True).start()


def _reap() -> None:
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
