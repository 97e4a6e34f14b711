"""Releases as a pipeline sees them: the exit status, the summary and the certificate, by docs/ci.md.

In a sandbox of its own, with the commands of the page and the rights of its role.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator

from crossfade.domain.journal import waited_name
from faults.files import ROOT
from tests.figures import FIGURES
from tests.sandbox.beginning import deployed, started
from tests.sandbox.cloud import Cloud
from tests.sandbox.events import Receiver
from tests.sandbox.patience import PATIENCE, until
from tests.sandbox.pipeline import Job, github, gitlab, keys_of_role
from tests.sandbox.shell import SERVICE
from tests.sandbox.stage import Stage

pytestmark = pytest.mark.enable_socket

NOWHERE = "9.9.9"
"""A tag that no image has."""
QUEUED = {"dropped": "0.0.5", "queued": "0.0.6"}
"""What is pushed while another release is deployed."""


class Story(NamedTuple):
    """What was released: the jobs, by what becomes of each, and the events that were received."""

    jobs: dict[str, Job]
    events: list[dict[str, Any]]


@pytest.fixture(scope="module")
def jobs(story: Story) -> dict[str, Job]:
    """Every release of this story, by what becomes of it, with its job."""
    return story.jobs


@pytest.fixture(scope="module")
def events(story: Story) -> list[dict[str, Any]]:
    """The events of this story as they were received, repeats included."""
    return story.events


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Story]:
    """Every release of this story, one after the other."""
    state, home, folder = (tmp_path_factory.mktemp(name) for name in ("signals", "home", "jobs"))
    with started(state, pytestconfig) as sandbox:
        cloud = deployed(sandbox, home, pytestconfig)
        stage = Stage(cloud, sandbox, folder, pytestconfig.stash[FIGURES])
        # No deadline is the subject here, and this sandbox may have little of the machine.
        stages = [{**each, "max_seconds": PATIENCE} for each in cloud.spec["stages"]]
        longer = {"deadline_seconds": PATIENCE}
        with stage.spec(stages=stages, launch=longer, retire=longer):
            receiver = Receiver(cloud)
            jobs = tell(stage, folder)
            cloud.ended(cloud.start({"service": SERVICE, "image_tag": NOWHERE}))
            yield Story(jobs, receiver.received(until="refused"))


def tell(stage: Stage, folder: Path) -> dict[str, Job]:
    """Push one after the other, and wait for each as its pipeline does."""
    cloud, keys = stage.cloud, keys_of_role(stage.cloud)
    jobs: dict[str, Job] = {}

    def begin(name: str, tag: str, commands: tuple[str, str] | None = None) -> Job:
        jobs[name] = Job(cloud, folder / name, commands or github(), tag, keys)
        return jobs[name]

    def push(name: str, tag: str, commands: tuple[str, str] | None = None, **faults: str) -> Job:
        if name not in QUEUED:
            until(lambda: cloud.holder() is None, "nobody to hold the service")
        cloud.push_app(tag, **faults)
        return begin(name, tag, commands)

    assert push("first", "0.0.1").ended() == 0, jobs["first"].log
    push("bad", "0.0.2", gitlab(), FAULT_VERSION="9.9.9").ended()
    begin("again", "0.0.2", gitlab()).ended()

    push("aborted", "0.0.3")
    execution = cloud.started_by_push(SERVICE, "0.0.3")
    stage.enter(execution, "LaunchCandidate")
    impatient = (github()[0].replace("--timeout 14000", "--timeout 1"), github()[1])
    begin("late", "0.0.3", impatient).ended()
    cloud.stop(execution)
    jobs["aborted"].ended()

    push("good", "0.0.4", gitlab())
    stage.enter(cloud.started_by_push(SERVICE, "0.0.4"), "LaunchCandidate")
    for name, tag in QUEUED.items():
        push(name, tag)
        _waits(cloud, tag)
    for name in ("good", "dropped", "queued"):
        jobs[name].ended()
    return jobs


def _waits(cloud: Cloud, tag: str) -> None:
    until(lambda: cloud.state().get("waiting", {}).get("version") == tag, f"{tag} to wait")


@pytest.mark.parametrize(
    ("name", "outcome", "status"),
    [
        ("first", "promoted", 0),
        ("good", "promoted", 0),
        ("queued", "promoted", 0),
        ("bad", "rolled_back", 1),
        ("again", "rolled_back", 1),
        ("aborted", "rolled_back", 1),
        ("late", "running", 3),
        ("dropped", "superseded", 4),
    ],
)
def test_the_exit_status_tells_how_it_ended(
    jobs: dict[str, Job], name: str, outcome: str, status: int
) -> None:
    """Also where another execution than the push's has deployed it, or has taken it back."""
    job = jobs[name]
    assert (job.said()["outcome"], job.said()["status"]) == (outcome, status), job.log
    assert job.status == status


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("good", "0.0.4 answered well at every stage"),
        ("bad", "9.9.9"),
        ("aborted", "ended ABORTED"),
        ("late", "next: "),
        ("dropped", "0.0.5 gave way to 0.0.6 while it waited"),
    ],
)
def test_the_reason_is_one_that_a_person_can_act_on(jobs: dict[str, Job], name: str, said: str) -> None:
    """In the log of the job, and on its page."""
    assert said in jobs[name].said()["reason"]
    assert said.split(",")[0] in jobs[name].summary()


@pytest.mark.parametrize("name", ["first", "good", "queued", "bad", "aborted"])
def test_the_job_keeps_the_certificate(jobs: dict[str, Job], name: str) -> None:
    """That of the deployment which was followed in the end, with what it proves on the job's page."""
    job = jobs[name]
    certificate = job.certificate()
    assert certificate is not None
    for key in ("deployment", "outcome"):
        assert certificate[key] == job.said()[key]
    sent = certificate["requests"]["production"]["sent"]
    assert f"| requests on production | {sent}, " in job.summary()


@pytest.mark.parametrize("name", ["late", "dropped"])
def test_a_job_without_a_certificate_ends_all_the_same(jobs: dict[str, Job], name: str) -> None:
    """There is none of what was not deployed, or has not ended."""
    assert jobs[name].certificate() is None


def test_a_release_is_followed_from_the_queue(jobs: dict[str, Job]) -> None:
    """Its log tells that it waits, for whom, and then each stage with its evidence."""
    log = jobs["queued"].log
    assert "waiting; next: when " in log
    assert "(0.0.4) has ended it is deployed" in log
    assert "watching, stage 2 of 4, weight 10; " in log
    assert jobs["queued"].said()["deployment"].startswith("waited-")


def test_the_log_tells_what_clients_get(jobs: dict[str, Job]) -> None:
    """The weights by version, and what the probe was answered: the role may read both."""
    log = jobs["good"].log
    assert "90 (0.0.1)" in log
    assert "10 (0.0.4)" in log
    assert "0.0.1 100 %" in log


def test_an_image_that_was_tried_is_not_tried_again(jobs: dict[str, Job]) -> None:
    """Both jobs tell of the same deployment."""
    assert jobs["again"].said()["execution"] == jobs["bad"].said()["execution"]


# ---- events --------------------------------------------------------------------------------------------


def _of(events: list[dict[str, Any]], deployment: str) -> list[dict[str, Any]]:
    """The details of a deployment's events as they happened, each once."""
    found = {event["detail"]["id"]: event["detail"] for event in events}
    own = [detail for detail in found.values() if detail["deployment"] == deployment]
    return sorted(own, key=lambda detail: str(detail["at"]))


def test_an_event_of_each_kind_is_received(events: list[dict[str, Any]]) -> None:
    """By a rule on the default bus, in the form that docs/event.schema.json describes."""
    schema = json.loads((ROOT / "docs/event.schema.json").read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema)
    for event in events:
        validator.validate(event["detail"])
        assert (event["source"], event["detail-type"]) == ("crossfade", "Crossfade Deployment State Change")
        assert event["resources"] == [event["detail"]["execution"]]
    assert {event["detail"]["kind"] for event in events} == set(schema["properties"]["kind"]["enum"])


def test_a_promoted_release_is_told_step_by_step(jobs: dict[str, Job], events: list[dict[str, Any]]) -> None:
    """Every stage with its verdict, and at the end the certificate that is there."""
    found = _of(events, jobs["good"].said()["deployment"])
    kinds = [detail["kind"] for detail in found]
    assert kinds[:3] == ["begun", "launched", "healthy"]
    assert kinds[-2:] == ["promoted", "ended"]
    entered = [detail["stage"]["weight"] for detail in found if detail["kind"] == "stage"]
    passed = [detail["stage"]["weight"] for detail in found if detail["verdict"] == "advance"]
    assert entered == passed
    assert (entered[0], entered[-1]) == (0, 100)
    end = found[-1]
    assert (end["outcome"], end["from"]["version"], end["to"]["version"]) == ("promoted", "0.0.1", "0.0.4")
    assert end["certificate"]["key"].endswith(f"/{end['deployment']}/certificate.json")


def test_a_bad_release_is_told_to_its_end(jobs: dict[str, Job], events: list[dict[str, Any]]) -> None:
    """The judgement, the way back, and why."""
    found = {detail["kind"]: detail for detail in _of(events, jobs["bad"].said()["deployment"])}
    assert found.keys() >= {"begun", "judged", "restored", "ended"}
    assert (found["ended"]["outcome"], found["verdict"]["verdict"]) == ("rolled_back", "roll_back")
    assert "9.9.9" in found["judged"]["reason"]
    assert "9.9.9" in found["ended"]["text"]


def test_a_wait_is_told_from_its_beginning(jobs: dict[str, Job], events: list[dict[str, Any]]) -> None:
    """One that is deployed in the end has one name all the while; one that is dropped says so."""
    queued = [detail["kind"] for detail in _of(events, jobs["queued"].said()["deployment"])]
    assert (queued[0], queued[-1]) == ("waiting", "ended")
    dropped = _of(events, waited_name(jobs["dropped"].said()["execution"]))
    assert [detail["kind"] for detail in dropped] == ["waiting", "superseded"]
    assert "gave way" in dropped[-1]["reason"]


def test_a_refused_release_is_told(events: list[dict[str, Any]]) -> None:
    """It never held the service, so the journal has nothing of it."""
    (refused,) = {
        event["detail"]["id"]: event["detail"] for event in events if event["detail"]["outcome"] == "refused"
    }.values()
    assert (refused["service"], refused["to"]["version"]) == (SERVICE, NOWHERE)
    assert "ImageTagNotFound" in refused["reason"]
