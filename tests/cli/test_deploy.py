"""`crossfade deploy`: which execution is followed, how it ends, and the exit status."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from crossfade.domain.journal import Waiting
from faults.files import resources
from faults.law import PREFIXES
from tests.cli.owner import Owner
from tests.cli.released import NOW, Released, certificate


@pytest.fixture
def released(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> Released:
    """The adopted service, whose image 1.2.4 was pushed a moment ago."""
    return Released(owner, monkeypatch)


# ---- how a release ends ------------------------------------------------------------------------------------


def test_a_push_is_followed_to_its_promotion(released: Released) -> None:
    """Though its execution goes on while the old slot is warm."""
    push = released.pushed()
    made: list[Any] = []
    released.then(
        lambda: made.append(released.claims(push)),
        lambda: released.watches(made[0], 1, "candidate (green) fails 0 of 240 (evidence to advance 1 : 2)"),
        lambda: released.promotes(made[0]),
    )
    status, said = released.deploy()
    assert (status, said["outcome"], said["status"]) == (0, "promoted", 0)
    assert (said["from"], said["version"], said["digest"]) == ("1.2.3", "1.2.4", released.digest())
    assert (said["deployment"], said["execution"]) == ("push", push)
    assert said["certificate"] == "s3://crossfade-evidence/web/push/certificate.json"
    assert released.started() == []


@pytest.mark.parametrize(
    ("error", "status", "outcome"),
    [("CandidateWorse", 1, "rolled_back"), ("Superseded", 4, "superseded")],
)
def test_a_release_that_is_rolled_back(released: Released, error: str, status: int, outcome: str) -> None:
    """By its own fault, or for a newer one; the words are the execution's own."""
    push = released.pushed()
    made = released.claims(push)
    released.then(
        lambda: released.rolls_back(made, "the rollback's words"),
        lambda: released.ends(push, "FAILED", error=error, cause="9 of 10 failed."),
    )
    found, said = released.deploy()
    assert (found, said["outcome"]) == (status, outcome)
    assert (said["error"], said["reason"]) == (error, "9 of 10 failed.")


def test_a_release_that_is_refused(released: Released) -> None:
    """Nothing was changed, and the journal has nothing of it."""
    push = released.pushed()
    released.then(lambda: released.ends(push, "FAILED", error="PatternUnusable", cause="It is sticky."))
    assert released.deploy()[1]["outcome"] == "refused"
    done = released.owner.run("deploy", "web", "1.2.4", "--wait", "--timeout", "0")
    assert done.exit_code == 3, "one that was refused has tried nothing, and is asked for anew"


def test_a_release_that_is_live_already(released: Released) -> None:
    """The plan finds it out; the same image, the same pattern."""
    made = released.claims(released.runs("first", {}))
    released.promotes(made)
    released.ends(made.execution, output={"outcome": "promoted"})
    status, said = released.said("deploy", "web", "1.2.4", "--wait", "--again", "--timeout", "0")
    (arn,) = [arn for arn in released.executions if not arn.endswith(":first")]
    assert (status, said["outcome"]) == (3, "running")
    released.ends(arn, output={"action": "nothing_to_do", "reason": "web already runs 1.2.4."})
    status, said = released.said("watch", "web", arn)
    assert (status, said["outcome"], said["reason"]) == (0, "live_already", "web already runs 1.2.4.")


def test_a_queued_release_is_followed_to_its_own_end(released: Released) -> None:
    """Its own execution ends well before anything was deployed: the one that takes it counts."""
    before = released.claims(released.runs("before", {}), "1.2.3")
    push = released.pushed()
    waiting: list[Waiting] = []
    made: list[Any] = []
    released.then(
        lambda: waiting.append(released.waits(push)),
        lambda: released.promotes(before),
        lambda: made.append(released.starts_next(waiting[0])),
        lambda: made.append(released.claims(made[0], stable="green", candidate="blue")),
        lambda: released.rolls_back(made[1], "it was worse"),
        lambda: released.ends(made[0], "FAILED", error="CandidateWorse", cause="it was worse"),
    )
    status, said = released.deploy()
    assert (status, said["outcome"]) == (1, "rolled_back")
    assert said["deployment"] == waiting[0].deployment


def test_a_queued_release_that_gives_way(released: Released) -> None:
    """A newer one takes its place in the queue: the journal says so under the name of its execution."""
    released.claims(released.runs("before", {}), "1.2.3")
    push = released.pushed()
    released.owner.push("team/web", "1.2.5")
    newer = released.pushed("newer", "1.2.5")
    released.then(
        lambda: released.waits(push),
        lambda: released.waits(newer, "1.2.5", NOW + timedelta(seconds=1)),
    )
    status, said = released.deploy()
    assert (status, said["outcome"]) == (4, "superseded")
    assert said["reason"] == "1.2.4 gave way to 1.2.5 while it waited"


def test_an_event_that_gives_way(released: Released) -> None:
    """A newer image was deployed meanwhile."""
    released.owner.push("team/web", "1.2.5")
    newer = released.plan(released.runs("newer", {}), "1.2.5")
    pushed = newer.release.model_copy(update={"pushed": NOW})
    newer = newer.model_copy(update={"release": pushed})
    released.journal.holding.claim(newer)
    released.promotes(newer)
    push = released.pushed()
    released.then(lambda: released.ends(push, output={"action": "ignore", "reason": "1.2.4 gives way"}))
    assert released.deploy()[0] == 4


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT"])
def test_a_release_whose_execution_is_stopped(released: Released, status: str) -> None:
    """The rollback that EventBridge starts is waited for."""
    push = released.pushed()
    made = released.claims(push)
    holds: list[Any] = []
    released.then(
        lambda: released.ends(push, status),
        lambda: holds.append(released.takes_over(made)),
        lambda: released.rolls_back(made, f"push ended {status}", holds[0]),
    )
    found, said = released.deploy()
    assert (found, said["outcome"], said["reason"]) == (1, "rolled_back", f"push ended {status}")


def test_a_release_that_is_stopped_before_anything_was_changed(released: Released) -> None:
    """There is nothing to take back, and nothing in the journal."""
    push = released.pushed()
    released.then(lambda: released.ends(push, "ABORTED"))
    status, said = released.deploy()
    assert (status, said["outcome"]) == (1, "stopped")
    assert "before anything was changed" in said["reason"]


def test_a_rollback_that_gets_through_later(released: Released) -> None:
    """One that failed is tried again by itself, and most get through then: that is waited for."""
    push = released.pushed()
    made = released.claims(push)
    holds: list[Any] = []
    released.then(
        lambda: released.ends(push, "FAILED", error="RollbackFailed", cause="It is started again."),
        lambda: holds.append(released.takes_over(made)),
        lambda: released.rolls_back(made, "it was worse", holds[0]),
    )
    status, said = released.deploy()
    assert (status, said["outcome"], said["error"]) == (1, "rolled_back", "RollbackFailed")
    assert said["reason"] == "it was worse"


def test_a_rollback_that_keeps_failing(released: Released) -> None:
    """It is tried again for as long as it takes: nobody waits for that in a pipeline."""
    push = released.pushed()
    made = released.claims(push)
    holds: list[Any] = []
    released.then(
        lambda: released.ends(push, "FAILED", error="RollbackFailed", cause="It is started again."),
        *[lambda: holds.append(released.takes_over(made, holds[-1] if holds else None))] * 4,
    )
    status, said = released.deploy()
    assert (status, said["outcome"], said["error"]) == (1, "failed", "RollbackFailed")
    assert len(holds) == 4


def test_a_report_that_is_missing_is_no_failure(released: Released) -> None:
    """The release is live, and the words say what is missing."""
    made = released.claims(released.pushed())
    released.then(lambda: released.promotes(made, report="Nothing proves it."))
    status, said = released.deploy()
    assert (status, said["error"]) == (0, "ReportNotWritten")
    assert "Nothing proves it." in said["reason"]


def test_a_promotion_that_is_taken_back_within_the_warm_time(released: Released) -> None:
    """Who asks for what is still warm gets it from a rollback."""
    done = released.pushed()
    released.then(lambda: released.ends(done, output={"action": "went_back", "reason": "it is back"}))
    assert released.deploy()[0] == 0


def test_a_release_that_takes_longer_than_the_timeout(released: Released) -> None:
    """It goes on, and the command says how to go on watching."""
    released.claims(released.pushed())
    done = released.owner.run("deploy", "web", "1.2.4", "--wait", "--timeout", "0")
    assert done.exit_code == 3
    assert "To go on watching: crossfade watch web push --region us-east-1" in done.stdout


def test_without_wait_nothing_is_waited_for(released: Released) -> None:
    """It is found, or started."""
    released.claims(released.pushed())
    status, said = released.said("deploy", "web", "1.2.4")
    assert (status, said["outcome"], said["deployment"]) == (0, "running", "push")


def test_ctrl_c_leaves_the_deployment_alone(released: Released, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how to go on watching what is followed by then."""
    released.claims(released.pushed())

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.view.time.sleep", interrupted)
    done = released.owner.run("deploy", "web", "1.2.4", "--wait")
    assert done.exit_code == 3
    assert "The deployment goes on. To go on watching: crossfade watch web push" in done.stdout
    assert [name for _, name, _ in released.owner.writes] == []


def test_ctrl_c_before_the_push_has_started_anything(
    released: Released, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no failed release."""

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.asked.time.sleep", interrupted)
    done = released.owner.run("deploy", "web", "1.2.4", "--wait")
    assert (done.exit_code, "Nothing was started." in done.stdout) == (3, True)
    assert released.started() == []


def test_aws_does_not_answer_for_a_while(released: Released) -> None:
    """The deployment knows nothing of that, and the command asks again."""
    made = released.claims(released.pushed())
    answers = iter([True, False, True, True])

    def at_times(given: dict[str, Any]) -> dict[str, Any]:
        if next(answers, True):
            return {"events": []}
        raise ReadTimeoutError(endpoint_url="https://states.example")

    released.owner.answers["GetExecutionHistory"] = at_times
    released.then(lambda: None, lambda: None, lambda: released.promotes(made))
    done = released.owner.run("deploy", "web", "1.2.4", "--wait")
    assert done.exit_code == 0, done.output
    assert "AWS does not answer, and is asked again: Read timeout" in done.stdout


def test_credentials_that_expire(released: Released) -> None:
    """Status 2: how the release ends is not known, and it goes on."""
    released.claims(released.pushed())

    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        said: Any = {"Code": "ExpiredTokenException", "Message": "The security token has expired"}
        answer: Any = {"Error": said, "ResponseMetadata": {"HTTPStatusCode": 400}}
        raise ClientError(answer, "GetExecutionHistory")

    released.owner.answers["GetExecutionHistory"] = refuse
    done = released.owner.run("deploy", "web", "1.2.4", "--wait")
    assert done.exit_code == 2
    assert "The deployment goes on. To go on watching: crossfade watch web push" in done.stderr
    assert "The security token has expired" in done.stderr


# ---- which execution it is ---------------------------------------------------------------------------------


def test_an_image_whose_push_starts_nothing_is_deployed_by_hand(released: Released) -> None:
    """With the input that the README has, pinned to the image."""
    released.owner.push("team/web", "main-7")
    status, said = released.said("deploy", "web", "main-7", "--timeout", "0")
    digest = released.digest("main-7")
    assert (status, said["outcome"]) == (0, "running")
    assert released.started() == [{"service": "web", "image_tag": "main-7", "image_digest": digest}]
    assert released.slept == []


def test_the_event_of_a_push_may_be_late(released: Released) -> None:
    """It is waited for, since a release by hand would not give way to a newer one."""
    released.then(lambda: None, lambda: released.pushed() and None)
    done = released.owner.run("deploy", "web", "1.2.4")
    assert done.exit_code == 0, done.output
    assert "Waiting for the event of the push of 1.2.4" in done.stdout
    assert released.started() == []


def test_an_event_that_never_comes(released: Released, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a minute it is deployed by hand."""
    monkeypatch.setattr("cli.asked.PUSH_SECONDS", -60)
    released.deploy("--timeout", "0")
    assert len(released.started()) == 1


def test_an_execution_of_another_image_is_not_taken(released: Released) -> None:
    """Of the same tag, service or repository."""
    released.pushed("other", "1.2.3")
    released.runs("by-hand", {"service": "api", "image_tag": "1.2.4"})
    released.runs("leaving", {"service": "web", "leave": True})
    released.runs("words", "web")
    mine = released.runs("mine", {"service": "web", "image_tag": "1.2.4"})
    assert released.said("deploy", "web", "1.2.4")[1]["execution"] == mine


def test_an_image_with_two_executions(released: Released) -> None:
    """The one that deploys it is taken, and the others are named with the command that shows one."""
    released.ends(released.pushed("twice"), output={"action": "nothing_to_do", "reason": "it is deployed"})
    released.pushed("second")
    released.claims(released.pushed("first"))
    done = released.owner.run("deploy", "web", "1.2.4")
    assert "asked for by 1 more: second. To see one: crossfade watch web second" in done.stdout
    assert "execution:crossfade-deploy:first" in done.stdout


def test_an_image_that_waits_already(released: Released) -> None:
    """By another execution than this one's."""
    released.claims(released.runs("before", {}), "1.2.3")
    released.waits(released.pushed("first"))
    status, said = released.deploy("--timeout", "0")
    assert (status, said["deployment"], said["version"]) == (3, "first", "1.2.4")
    assert "when before (1.2.3) has ended it is deployed" in said["reason"]


def test_an_image_that_was_tried_is_not_deployed_again_by_itself(released: Released) -> None:
    """It says how it ended, and when, and how to have it deployed all the same."""
    made = released.claims(released.pushed())
    released.rolls_back(made, "it was worse")
    released.ends(made.execution, "FAILED", error="CandidateWorse", cause="it was worse")
    done = released.owner.run("deploy", "web", "1.2.4", "--wait")
    assert done.exit_code == 1
    assert "1.2.4: rolled_back. CandidateWorse: it was worse" in done.stdout
    assert "To try the same image once more: crossfade deploy web 1.2.4 --again" in done.stdout
    assert released.started() == []
    released.said("deploy", "web", "1.2.4", "--again")
    assert len(released.started()) == 1


def test_what_is_live_is_deployed_by_force(released: Released) -> None:
    """As after a secret's value has changed; the push's own execution is not looked for."""
    released.promotes(released.claims(released.pushed()))
    released.said("deploy", "web", "1.2.4", "--force")
    (started,) = released.started()
    assert started["force"] is True
    done = released.owner.run("deploy", "web", "--release", "1", "--force")
    assert (done.exit_code, "--force with a TAG alone" in done.stderr) == (2, True)


def test_a_deployment_that_ended_long_ago(released: Released) -> None:
    """Step Functions has forgotten it; another version is live since."""
    made = released.claims(released.pushed())
    released.promotes(made)
    released.owner.push("team/web", "1.2.5")
    later = released.claims(released.runs("later", {}), "1.2.5", stable="green", candidate="blue")
    released.promotes(later)
    released.executions.clear()
    status, said = released.deploy()
    assert (status, said["outcome"]) == (4, "superseded")
    assert "was promoted on" in said["reason"]
    assert "1.2.5 is live since. To go back to 1.2.4: crossfade deploy web 1.2.4 --again" in said["reason"]


# ---- wrong use ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("deploy", "webb", "1.2.4"), "UnknownService: There is no service webb"),
        (("deploy", "web", "9.9.9"), "ImageTagNotFound: Repository team/web has no image tagged 9.9.9"),
        (("deploy", "a.b", "1.2.4"), "'a.b' is not a service's name"),
        (("deploy", "web", "1.2.4", "--stack", "other"), "There is no stack other"),
        (("watch", "web", "gone"), "InvalidInput: There is no deployment gone of web"),
        (("watch", "web"), "InvalidInput: Nothing of web is deployed"),
        (("status", "webb"), "UnknownService"),
        (("history", "webb"), "UnknownService"),
    ],
)
def test_wrong_use(released: Released, arguments: tuple[str, ...], said: str) -> None:
    """What is wrong, what to do, and a status that is no failed release's."""
    released.then(*[lambda: None] * 9)
    done = released.owner.run(*arguments)
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
    assert released.owner.writes == []


def test_credentials_without_rights(released: Released) -> None:
    """AWS's own words, and where the policy is that has them all."""

    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        said: Any = {"Code": "AccessDeniedException", "Message": "not authorized to perform: states:List"}
        raise ClientError({"Error": said}, "ListExecutions")

    released.owner.answers["ListExecutions"] = refuse
    done = released.owner.run("deploy", "web", "1.2.4")
    assert done.exit_code == 2
    assert "not authorized to perform: states:List" in done.stderr
    assert "docs/ci.md has a policy" in done.stderr


# ---- what is shown -----------------------------------------------------------------------------------------


def test_lines_where_there_is_no_terminal(released: Released) -> None:
    """One for what changes: the stage, the weights, the evidence with its odds, and what happens next."""
    push = released.pushed()
    made: list[Any] = []
    odds = "candidate (green) fails 0 of 240 (evidence to advance 1 : 2, needs 1 : 20)"
    released.then(
        lambda: made.append(released.claims(push)),
        lambda: released.entered.update({push: "WaitForCandidate"}),
        lambda: released.watches(made[0], 1, odds),
        lambda: released.promotes(made[0]),
    )
    done = released.owner.run("deploy", "web", "1.2.4", "--wait")
    assert done.exit_code == 0, done.output
    lines = [line[10:] for line in done.stdout.splitlines() if line[2:3] == ":"]
    assert lines[0].startswith("planning; next: the release is planned")
    assert lines[1].startswith("launching; ")
    assert "when all its tasks are healthy it is verified at weight 0" in lines[1]
    assert lines[2].startswith("watching, stage 2 of 3, weight 10; ")
    assert lines[2].endswith(odds)
    assert len(lines) == 3
    assert "web 1.2.4: promoted. 1.2.4 answered well at every stage" in done.stdout


def test_a_summary_in_markdown(released: Released) -> None:
    """Added to the file, with what the certificate proves."""
    file = Path("summary.md")
    file.write_text("Before\n")
    made = released.claims(released.pushed())
    released.watches(made, 1, "candidate | fails 0 of 240", "advance")
    certificate(released.owner, "push")
    released.then(lambda: released.promotes(made))
    assert released.deploy("--summary", "summary.md")[0] == 0
    text = file.read_text()
    assert text.startswith("Before\n## ✅ web 1.2.3 → 1.2.4: promoted\n")
    assert "| requests on production | 900, 3 failed; at most 0.861 % fail |" in text
    assert "| versions that clients got | 1.2.3, 1.2.4 |" in text
    assert "| bad version detected in | 4.9 s |" in text
    assert "| 10 | 20 | advance | candidate \\| fails 0 of 240 |" in text
    assert f"{made.execution})" in text


def test_a_summary_without_a_certificate(released: Released) -> None:
    """A release that was refused has none."""
    push = released.pushed()
    released.then(lambda: released.ends(push, "FAILED", error="PatternUnusable", cause="It is sticky."))
    assert released.deploy("--summary", "summary.md")[0] == 1
    text = Path("summary.md").read_text()
    assert text.startswith("## ❌ web 1.2.4: refused\n\nIt is sticky.\n")
    assert "| error | `PatternUnusable` |" in text
    assert "certificate" not in text


def test_watch_follows_what_is_under_way(released: Released) -> None:
    """Without a name: the one that holds the service."""
    made = released.claims(released.pushed())
    released.then(lambda: released.promotes(made))
    status, said = released.said("watch", "web")
    assert (status, said["deployment"], said["version"]) == (0, "push", "1.2.4")


def test_watch_shows_the_last_one_where_nothing_is_under_way(released: Released) -> None:
    """With when it ended."""
    made = released.claims(released.pushed())
    released.rolls_back(made, "it was worse")
    released.ends(made.execution, "FAILED", error="CandidateWorse", cause="it was worse")
    done = released.owner.run("watch", "web")
    assert done.exit_code == 1
    assert "It ended at " in done.stdout


def test_status(released: Released) -> None:
    """What is live, what is under way, and what waits."""
    before = released.claims(released.runs("before", {}), "1.2.3")
    released.promotes(before)
    made = released.claims(released.pushed(), stable="green", candidate="blue")
    released.watches(made, 1, "evidence to advance 1 : 2")
    released.owner.push("team/web", "1.2.5")
    released.waits(released.pushed("newer", "1.2.5"), "1.2.5")
    status, said = released.said("status", "web")
    assert status == 0
    assert said["live"].startswith("1.2.3 in green, sha256:")
    assert said["under way"] == "1.2.4 (push): watching, stage 2 of 3, weight 10"
    assert said["evidence"] == "evidence to advance 1 : 2"
    assert said["waits"].startswith("1.2.5, asked for by")
    assert "1.2.3 in green" in released.owner.run("status", "web").stdout


def test_status_at_rest(released: Released) -> None:
    """Before a first release, and after one."""
    assert released.said("status", "web")[1]["live"] == "no release yet"
    released.promotes(released.claims(released.pushed()))
    said = released.said("status", "web")[1]
    assert (said["under way"], said["last"]) == (
        "nothing",
        "1.2.4 promoted: 1.2.4 answered well at every stage",
    )


def test_history(released: Released) -> None:
    """The newest first, with what was dropped."""
    assert released.owner.run("history", "web").stdout == "Nothing of web was deployed yet.\n"
    made = released.claims(released.pushed(), began=NOW - timedelta(hours=2))
    released.rolls_back(made, "it was worse")
    later = released.claims(released.runs("later", {}))
    released.promotes(later)
    waiting = Waiting(version="1.2.5", digest="", at=NOW, execution="a:b:dropped")
    released.queue.drop("web", waiting, "1.2.5 gave way", NOW + timedelta(hours=1))
    status, said = released.said("history", "web")
    assert status == 0
    shown = [(one["deployment"], one["outcome"]) for one in said["deployments"]]
    assert shown == [("dropped", "dropped"), ("later", "promoted"), ("push", "rolled_back")]
    assert said["deployments"][1]["requests"] == {"sent": 900, "failed": 3}
    assert [one["release"] for one in said["deployments"]] == [None, 1, None]
    done = released.owner.run("history", "web", "--limit", "2")
    assert "1.2.3 → 1.2.4  release 1, later, 3 of 900 requests failed" in done.stdout
    assert "1 more: --limit 3" in done.stdout
    assert json.loads(released.owner.run("history", "web", "--json").stdout) == said


def test_an_older_release_is_asked_for_by_its_number(released: Released) -> None:
    """As history shows it; a tag beside it would be another wish."""
    first = released.claims(released.runs("first", {}))
    released.promotes(first)
    status, said = released.said("deploy", "web", "--release", "1")
    (arn,) = [arn for arn in released.executions if not arn.endswith(":first")]
    assert (status, said["execution"], said["digest"]) == (0, arn, released.digest())
    assert released.started() == [{"service": "web", "release": 1}]
    assert "NotAsItWas: Release 7 of web" in released.owner.run("deploy", "web", "--release", "7").stderr
    for wrong in (["1.2.4", "--release", "1"], []):
        assert released.owner.run("deploy", "web", *wrong).exit_code == 2


def test_what_it_says_has_a_row_in_operations() -> None:
    """By the words of a row, with … for what differs: each stands in the code of the command."""
    root = Path(__file__).parents[2]
    text = (root / "docs/operations.md").read_text(encoding="utf-8")
    table = text.split("| it says | meaning | next |", 1)[1].split("\n\n", 1)[0]
    rows = [line.split(" | ")[0].lstrip("| ") for line in table.splitlines()[2:]]
    code = " ".join(
        re.sub(r'"\s+f?"', "", path.read_text(encoding="utf-8"))
        for folder in ("cli", "functions/crossfade")
        for path in (root / folder).rglob("*.py")
    )
    said = re.sub(r"\{[^{}]*\}", "…", code)
    assert len(rows) > 8
    for row in rows:
        for words in row.replace("`--again`", "").split("…"):
            assert words.strip() in said, words


def test_the_role_of_a_pipeline_has_all_rights_and_no_more(released: Released) -> None:
    """What the commands call, by docs/examples/pipeline.cloudformation.yaml."""
    (role,) = resources("AWS::IAM::Role", "docs/examples/pipeline.cloudformation.yaml").values()
    statements = [
        statement
        for policy in role["Policies"]
        if policy["PolicyName"] == "release"
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    granted = {action for statement in statements for action in _listed(statement["Action"])}
    made = released.claims(released.pushed())
    released.watches(made, 1, "fine", "advance")
    certificate(released.owner, "push")
    called = set()
    for arguments in (
        ("watch", "web", "--timeout", "0"), ("status", "web"), ("status", "webb"), ("history", "web"),
        ("deploy", "web", "1.2.4", "--wait", "--summary", "s.md"), ("deploy", "web", "1.2.4", "--again"),
    ):  # fmt: skip
        if "--summary" in arguments:
            released.promotes(made)
        released.owner.run(*arguments)
        called |= {f"{PREFIXES.get(service, service)}:{name}" for service, name, _ in released.owner.calls}
    assert called == granted


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
