"""Follows what was asked for to its end, also where another execution takes it over.

A release that has to wait ends its own execution at once: the one that is started for it later is followed.
After an execution was stopped, its rollback is. Everything is read from the journal and from Step Functions.
"""

import time
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from cli.account import Account
from cli.executions import Execution, described, execution_arn, name_of
from cli.recorded import Recorded, all_recorded, recorded
from crossfade.aws.executions import Executions
from crossfade.domain.journal import DELETION, State, machine_of, waited_name

Result = Literal[
    "promoted", "live_already", "rolled_back", "failed", "refused", "stopped", "superseded", "nothing"
]
STATUS: dict[Result, int] = {
    "promoted": 0,
    "live_already": 0,
    "rolled_back": 1,
    "failed": 1,
    "refused": 1,
    "stopped": 1,
    "nothing": 1,
    "superseded": 4,
}
"""The exit status for each way to end."""
STILL_RUNS = 3
WAITS, BEGINS = "Waits", "Begins"
"""In place of a state of the workflow: in the release queue, or not shown by Step Functions yet."""
MOST_ROLLBACKS = 3
"""A rollback that fails is tried again for as long as it takes: this number is waited for."""
UNSEEN_SECONDS = 60.0
"""How long Step Functions and the journal may not show what has begun."""


class Ending(NamedTuple):
    """How it ended. ``error`` is a name of docs/operations.md where there is one."""

    result: Result
    reason: str
    error: str = ""

    @property
    def status(self) -> int:
        """The command's exit status."""
        return STATUS[self.result]


class Sight(NamedTuple):
    """What is known at a moment of what is followed.

    ``state`` is the workflow's, the rollback's where ``taken_back``. ``service`` is the journal's state,
    ``recorded`` the deployment's item, None before the claim.
    """

    at: datetime
    execution: str
    state: str
    service: State
    recorded: Recorded | None
    taken_back: bool = False
    ending: Ending | None = None

    @property
    def version(self) -> str:
        """The version that is released, as far as it is known by now."""
        if self.recorded and self.recorded.version:
            return self.recorded.version
        return self.service.waiting.version if self.state == WAITS and self.service.waiting else ""


class Follower:
    """Follows the release of ``digest``, at first by ``execution``, an ARN; an empty digest fits none."""

    def __init__(self, account: Account, service: str, digest: str, execution: str) -> None:
        self.execution = execution
        self._account, self._service, self._digest = account, service, digest
        self._journal = account.journal()
        self._executions = Executions(account.client("stepfunctions"))
        self._unseen_since: float | None = None
        self._passed: set[str] = set()

    def sight(self) -> Sight:
        """What is known now. Where another execution has taken over, that one is followed from now on."""
        # In this order: what is written last is read last.
        found = described(self._account, self.execution)
        state = self._journal.state(self._service)
        item = recorded(self._journal, self._service, name_of(self.execution))
        if item and item.plan:
            return self._of_deployment(found, state, item)
        if found is None:
            return self._unseen(state, f"Step Functions knows no execution {self.execution}")
        if found.runs:
            return self._sight(state, None, self._executions.entered(self.execution) or BEGINS)
        return self._of_asked(found, state, item)

    # ---- a deployment that has claimed its service ---------------------------------------------------------

    def _of_deployment(self, found: Execution | None, state: State, item: Recorded) -> Sight:
        self._unseen_since = None
        ending = _ending(found, state, item)
        if ending:
            return self._sight(state, item, "", ending=ending)
        holder = machine_of(state.holder or "") if state.deployment == item.name else ""
        taken_back = holder not in ("", name_of(self._account.stack.deploy_machine))
        entered = self._executions.entered(str(state.holder) if taken_back else self.execution)
        return self._sight(state, item, entered or BEGINS, taken_back=taken_back)

    # ---- an execution that has ended without ---------------------------------------------------------------

    def _of_asked(self, found: Execution, state: State, item: Recorded | None) -> Sight:
        if found.status == "FAILED":
            return self._end(state, Ending("refused", found.cause, found.error))
        if found.status != "SUCCEEDED":
            why = f"its execution ended {found.status} before anything was changed"
            return self._end(state, Ending("stopped", why))
        reason, action = str(found.output.get("reason", "")), found.output.get("action")
        if action == "went_back" or found.output.get("outcome") == "promoted":
            return self._end(state, Ending("promoted", reason))
        if item and item.outcome == "dropped":
            return self._end(state, _dropped(state, item))
        if action == "queued":
            return self._of_queued(state)
        return self._elsewhere(state, reason, ignored=action == "ignore")

    def _of_queued(self, state: State) -> Sight:
        """Its release waits, or is deployed by the execution that was started for it."""
        successor = execution_arn(self._account.stack.deploy_machine, waited_name(self.execution))
        if described(self._account, successor):
            return self._follow(successor)
        waiting = state.waiting
        if waiting and waiting.execution == self.execution:
            return self._sight(state, None, WAITS)
        if waiting and waiting.digest == self._digest:
            self.execution = waiting.execution  # its image was asked for once more
            return self._sight(state, None, WAITS)
        return self._unseen(
            state, f"{name_of(self.execution)} has waited, and what became of it is not known"
        )

    def _elsewhere(self, state: State, reason: str, *, ignored: bool) -> Sight:
        """Nothing was to be deployed: the same image is, by another execution, or a newer one."""
        candidate, waiting = state.candidate, state.waiting
        if candidate and candidate.digest == self._digest and state.deployment:
            item = recorded(self._journal, self._service, state.deployment)
            if item and item.execution not in self._passed:
                return self._follow(item.execution)
        if waiting and waiting.digest == self._digest:
            return self._follow(waiting.execution)
        if state.digest == self._digest:
            return self._end(state, Ending("live_already", reason))
        tried = (one for one in all_recorded(self._journal, self._service) if one.digest == self._digest)
        last = next(tried, None)
        if last and last.execution not in {*self._passed, self.execution}:
            return self._follow(last.execution)
        newer = state.newest and state.newest.digest != self._digest
        return self._end(state, Ending("superseded" if ignored and (waiting or newer) else "nothing", reason))

    # ---- all of them ---------------------------------------------------------------------------------------

    def _follow(self, execution: str) -> Sight:
        self._passed.add(self.execution)
        self.execution = execution
        return self.sight()

    def _unseen(self, state: State, why: str) -> Sight:
        """What has begun is not shown for some time; what is not shown for longer is not there."""
        self._unseen_since = self._unseen_since or time.monotonic()
        if time.monotonic() - self._unseen_since < UNSEEN_SECONDS:
            return self._sight(state, None, BEGINS)
        return self._end(state, Ending("nothing", f"{why}. Look at crossfade history {self._service}."))

    def _end(self, state: State, ending: Ending) -> Sight:
        return self._sight(state, None, "", ending=ending)

    def _sight(
        self,
        state: State,
        item: Recorded | None,
        entered: str,
        *,
        taken_back: bool = False,
        ending: Ending | None = None,
    ) -> Sight:
        return Sight(datetime.now(UTC), self.execution, entered, state, item, taken_back, ending)


def _ending(found: Execution | None, state: State, item: Recorded) -> Ending | None:
    """How a deployment ended; None while it runs, or is taken back."""
    error, cause = (found.error, found.cause) if found else ("", "")
    if item.outcome == "promoted":
        if item.not_reported:
            return Ending("promoted", f"{item.reason}. {item.not_reported}", "ReportNotWritten")
        return Ending("promoted", item.reason)
    if found and found.runs:
        return None
    if item.outcome:  # the execution's own words are about this; the journal's are the rollback's
        superseded = error == "Superseded"
        result: Result = "rolled_back" if item.outcome == "rolled_back" else "failed"
        reason = item.reason if error == "RollbackFailed" else cause or item.reason
        return Ending("superseded" if superseded else result, reason, error)
    if state.deployment == item.name and (state.tried is None or state.tried.times <= MOST_ROLLBACKS):
        return None  # its rollback is at work, about to begin, or about to be tried again
    return Ending("failed", cause or f"{item.name} has ended without an outcome", error)


def _dropped(state: State, item: Recorded) -> Ending:
    deleted = state.holder == DELETION or not state.was_deployed
    return Ending("failed" if deleted else "superseded", item.reason)
