"""Deployments of the owner's service as Step Functions and the journal show them, moment by moment."""

import json
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.executions import execution_arn
from crossfade.aws.journal import Journal
from crossfade.aws.release_queue import ReleaseQueue
from crossfade.domain.journal import Hold, Tried, Waiting, waited_name
from crossfade.domain.model import iso
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.proof.certificate import StageRecord
from crossfade.domain.traffic.weights import Weights
from faults.cases.service import document
from tests.cli.owner import OUTPUTS, Owner
from tests.unit.account import SESSION
from tests.unit.examples import placed, plan, release, running

DEPLOY = OUTPUTS["DeployStateMachine"]
ROLLBACK = DEPLOY.replace("crossfade-deploy", "crossfade-rollback")
NOW = datetime.now(UTC)
Step = Callable[[], object]


class Released:
    """The executions of the state machines, by their ARN, and the journal; ``tag`` is what is released."""

    def __init__(self, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
        self.owner, self.tag = owner, "1.2.4"
        self.executions: dict[str, dict[str, Any]] = {}
        self.entered: dict[str, str] = {}
        self.steps: list[Step] = []
        self.slept: list[float] = []
        dynamodb = SESSION.client("dynamodb")
        self.journal = Journal(dynamodb, OUTPUTS["Journal"])
        self.queue = ReleaseQueue(dynamodb, OUTPUTS["Journal"])
        # Not by adoption, which is not what is tested here, and takes long.
        spec = document(release={"repository": "team/web", "push_tags": "^[0-9]+[.][0-9]+[.][0-9]+$"})
        owner.ssm.put_parameter(Name="/crossfade/services/web", Value=json.dumps(spec), Type="String")
        self._really_sleep = time.sleep
        monkeypatch.setattr(time, "sleep", self._sleep)
        owner.answers |= {
            "DescribeExecution": self._describe,
            "ListExecutions": lambda _: {"executions": list(self.executions.values())},
            "GetExecutionHistory": self._history,
            "StartExecution": self._start,
        }

    # ---- Step Functions ------------------------------------------------------------------------------------

    def runs(self, name: str, asked: object, *, machine: str = DEPLOY, ago: float = 5) -> str:
        """Let an execution run that has begun ``ago`` seconds ago."""
        arn = execution_arn(machine, name)
        self.executions[arn] = {
            "executionArn": arn,
            "status": "RUNNING",
            "startDate": datetime.now(UTC) - timedelta(seconds=ago),
            "input": json.dumps(asked),
        }
        return arn

    def pushed(self, name: str = "push", tag: str | None = None, **given: Any) -> str:
        """Let the push of an image have started an execution."""
        tag = tag or self.tag
        detail = {"repository-name": "team/web", "image-digest": self.digest(tag), "image-tag": tag}
        return self.runs(name, {"source": "aws.ecr", "detail": detail}, **given)

    def ends(self, arn: str, status: str = "SUCCEEDED", **ends: Any) -> None:
        """Let an execution end; an output is given as a document."""
        output = {"output": json.dumps(ends.pop("output"))} if "output" in ends else {}
        self.executions[arn] |= {"status": status, "stopDate": datetime.now(UTC), **output, **ends}

    def digest(self, tag: str | None = None) -> str:
        """The digest of an image, by its tag."""
        image = {"imageTag": tag or self.tag}
        found = self.owner.ecr.describe_images(repositoryName="team/web", imageIds=[image])
        return str(found["imageDetails"][0]["imageDigest"])

    def started(self) -> list[dict[str, Any]]:
        """What deployments were started with."""
        return [json.loads(given["input"]) for _, name, given in self.owner.calls if name == "StartExecution"]

    def _describe(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["executionArn"] not in self.executions:
            said: Any = {"Code": "ExecutionDoesNotExist", "Message": "Execution Does Not Exist"}
            raise ClientError({"Error": said}, "DescribeExecution")
        return self.executions[given["executionArn"]]

    def _history(self, given: dict[str, Any]) -> dict[str, Any]:
        name = self.entered.get(given["executionArn"], "PlanRelease")
        return {"events": [{"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": name}}]}

    def _start(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"executionArn": self.runs(given["name"], json.loads(given["input"]))}

    def _sleep(self, seconds: float) -> None:
        """Time passes: the next thing happens. Nothing may be waited for when all has happened."""
        if threading.current_thread() is not threading.main_thread():
            # A thread of the emulator, which has nothing to do with the command.
            self._really_sleep(seconds)
            return
        self.slept.append(seconds)
        assert self.steps, "the command waits, and nothing happens any more"
        self.steps.pop(0)()

    # ---- the journal ---------------------------------------------------------------------------------------

    def plan(self, arn: str, tag: str | None = None, **changes: Any) -> HeldPlan:
        """A deployment of a tag in place of 1.2.3, which is live in blue."""
        tag = tag or self.tag
        values = {
            "deployment": arn.rsplit(":", 1)[-1],
            "execution": arn,
            "began": NOW,
            "release": release(tag, self.digest(tag)),
            "previous": running().model_copy(update={"version": "1.2.3", "digest": self.digest("1.2.3")}),
            "spec": placed(),
            **changes,
        }
        return plan(**values)

    def claims(self, arn: str, tag: str | None = None, **changes: Any) -> HeldPlan:
        """Let a deployment hold the service."""
        made = self.plan(arn, tag, **changes)
        self.journal.holding.claim(made)
        self.entered[arn] = "LaunchCandidate"
        return made

    def watches(self, made: HeldPlan, place: int, reason: str, verdict: str = "hold") -> None:
        """Let a stage be watched."""
        self.entered[made.execution] = "WatchStage" if place else "VerifyCandidate"
        record = StageRecord(
            weight=made.stages[place].weight,
            began=NOW,
            ended=None if verdict == "hold" else NOW + timedelta(seconds=20),
            verdict=verdict,
            reason=reason,
        )
        self.journal.history.watched(made.hold, record)

    def promotes(self, made: HeldPlan, *, report: str | None = None) -> None:
        """Let a deployment be promoted, and the service be free; ``report``: why there is none."""
        self.journal.live.wrote(made, Weights.share(made.candidate, 100), NOW)
        self.journal.live.promote(made, NOW)
        self._close(made.hold, "promoted", f"{made.release.version} answered well at every stage", report)

    def rolls_back(self, made: HeldPlan, reason: str, hold: Hold | None = None) -> None:
        """Let a deployment be taken back, by its own rollback or another execution's."""
        self._close(hold or made.hold, "rolled_back", reason, None)

    def takes_over(self, made: HeldPlan, before: Hold | None = None) -> Hold:
        """Let a rollback take the service over, from the deployment or from the rollback before."""
        lost, times = before or made.hold, len(self.executions)
        arn = self.runs(f"rollback-{times}", {"ended": lost.holder, "status": "FAILED"}, machine=ROLLBACK)
        self.entered[arn] = "RestoreWeights"
        return self.journal.holding.take_over(lost, arn, Tried(times=times, at=NOW))

    def _close(self, hold: Hold, outcome: Any, reason: str, report: str | None) -> None:
        why = report or "not of interest"
        self.journal.history.end(hold, outcome, reason, NOW, not_reported=why, executions=[])
        if report is None:
            key = f"web/{hold.deployment}/certificate.json"
            SESSION.client("dynamodb").update_item(
                TableName=OUTPUTS["Journal"],
                Key={"service": {"S": "web"}, "item": {"S": f"deployment#{hold.deployment}"}},
                UpdateExpression="SET certificate = :key, requests = :requests REMOVE not_reported",
                ExpressionAttributeValues={
                    ":key": {"S": key},
                    ":requests": {"M": {"sent": {"N": "900"}, "failed": {"N": "3"}}},
                },
            )
        self.journal.holding.release(hold, NOW)

    def waits(self, arn: str, tag: str | None = None, at: datetime = NOW) -> Waiting:
        """Let an execution's release wait, and the execution end."""
        tag = tag or self.tag
        waiting = Waiting(version=tag, digest=self.digest(tag), at=at, execution=arn)
        self.queue.queue("web", waiting, NOW)
        self.ends(arn, output={"action": "queued", "reason": f"{tag} waits until web is free"})
        return waiting

    def starts_next(self, waiting: Waiting) -> str:
        """Let the release that waits be started."""
        asked = {"service": "web", "image_digest": waiting.digest, "asked": iso(waiting.at)}
        arn = self.runs(waited_name(waiting.execution), asked)
        self.queue.dequeue("web", waiting)
        return arn

    def then(self, *steps: Step) -> None:
        """Let this happen, one thing each time that the command waits."""
        self.steps = list(steps)

    def deploy(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Deploy the tag and wait; the exit status, and what is printed for a machine."""
        return self.said("deploy", "web", self.tag, "--wait", *arguments)

    def said(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run a command for a machine; its exit status, and what it prints."""
        done = self.owner.run(*arguments, "--json")
        assert done.stdout, done.stderr
        return done.exit_code, json.loads(done.stdout)


def certificate(owner: Owner, name: str, versions: Iterable[str] = ("1.2.3", "1.2.4")) -> None:
    """Put a deployment's certificate into the evidence bucket."""
    s3 = SESSION.client("s3")
    s3.create_bucket(Bucket=OUTPUTS["EvidenceBucket"])
    document = {
        "crossfade": "certificate/6",
        "requests": {"production": {"sent": 900, "ok": 897, "failed": 3, "missing": 0, "at_most": 0.00861}},
        "versions": {"production": [{"version": version} for version in versions]},
        "harm": [{"by": "roll_back", "detected": 4.9, "restored": None}],
        "not_proved": [],
        "reported": {"timing": {"total": 61.2}, "step_backs": []},
    }
    s3.put_object(
        Bucket=OUTPUTS["EvidenceBucket"], Key=f"web/{name}/certificate.json", Body=json.dumps(document)
    )
