"""Lambda: an invocation runs a real handler to its end, whatever becomes of the execution that asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from faults.aws.names import ACCOUNT, REGION
from faults.aws.stack import Function
from faults.workflow.clock import Clock, Strand
from faults.workflow.execution import Execution
from faults.workflow.failure import Failure
from faults.workflow.query import Refused

if TYPE_CHECKING:
    from faults.cases.fault import Faults

START_SECONDS = 0.03


class Killed(BaseException):
    """The process of the handler ends; ``error`` and ``cause`` are as Step Functions gets them."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(error, cause)
        self.error, self.cause = error, cause


class Context:
    """What Lambda tells a handler about itself."""

    function_name = "crossfade"
    memory_limit_in_mb = 256
    invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:crossfade"
    aws_request_id = "request-1"


class Invocation(Strand):
    """One run of a handler.

    ``execution`` asked for it; ``answered`` is called with the answer, or with a ``Failure``.
    """

    def __init__(
        self,
        clock: Clock,
        function: Function,
        payload: Any,
        *,
        execution: Execution,
        faults: Faults,
        answered: Callable[[Any], None],
    ) -> None:
        super().__init__(clock)
        self.function, self.execution = function, execution
        self.place = execution.machine, execution.path[-1][1], function.name
        """What runs of this kind have in common: machine, state and handler."""
        self._payload, self._answered, self._faults = json.dumps(payload), answered, faults
        self._ends = clock.now + function.timeout

    def sleep(self, seconds: float) -> None:
        """Let time pass for the handler; Lambda ends it when its time is over."""
        left = self._ends - self._clock.now
        if seconds < left:
            super().sleep(seconds)
            return
        super().sleep(max(left, 0))
        message = f"RequestId: request-1 Error: Task timed out after {self.function.timeout:.2f} seconds"
        raise Killed("Sandbox.Timedout", _document("Sandbox.Timedout", message))

    def work(self) -> None:
        """Run the handler and tell its answer."""
        try:
            self.sleep(START_SECONDS)
            answer = self._handle()
            if self._faults.runs_twice(self):
                answer = self._handle()
        except Killed as end:
            self._tell(Failure(end.error, end.cause))
        except Refused:
            raise
        except Exception as error:
            name = type(error).__name__
            self._tell(Failure(name, _document(name, str(error))))
        else:
            self._tell({"ExecutedVersion": "$LATEST", "Payload": answer, "StatusCode": 200})

    def _handle(self) -> Any:
        answer = self.function.handler(json.loads(self._payload), Context())
        return json.loads(json.dumps(answer))

    def _tell(self, answer: Any) -> None:
        self._clock.after(0, self._answered, answer)


def _document(error: str, message: str) -> str:
    """The cause of an error that a function has raised, or the runtime for it."""
    return json.dumps({"errorMessage": message, "errorType": error, "stackTrace": []})
