"""Five applications that nobody here wrote are taken over, released, and handed back.

They drop connections when they are stopped, which their clients know: what an ordinary rolling update of ECS
costs them is measured first, and Crossfade may cost no more. They say their version in nested JSON, in a
header, in a page, in a plain text; httpbin says none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.figures import FIGURES
from tests.sandbox.applications import APPLICATIONS, Application
from tests.sandbox.beginning import deployed_alone, started
from tests.sandbox.client import Client
from tests.sandbox.owner import Owner, Template, properties_of, template
from tests.sandbox.rehearsal import Rehearsal
from tests.sandbox.stage import Stage
from tests.sandbox.takeover import NO_USERS, Takeover, cpu, image, tagged, tasks

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]


@dataclass(frozen=True)
class Subject:
    """An application, and how it is asked by client and probe: the first path's answer names the version.

    ``tags`` are its images' by release; all of those that answer a version are called by it, but for a
    ``bad`` one that says another.
    """

    application: Application
    tags: dict[str, str]
    paths: tuple[str, ...]
    version_from: str

    @property
    def repository(self) -> str:
        """Where its images are."""
        return f"team/{self.application.name}"


OF_EACH = {each.name: each for each in APPLICATIONS}


def of_pages(name: str, version_from: str) -> Subject:
    """One whose bad release says the right version, and fails at the page that users ask for."""
    application = OF_EACH[name]
    tags = {release: str(version) for release, version in application.versions.items()}
    return Subject(application, tags, (application.version_path, application.page), version_from)


SUBJECTS = {
    # Asked for the page that fails in the bad release: there is nothing else to judge it by.
    "httpbin": Subject(
        OF_EACH["httpbin"],
        {"v1": "1.0.0", "v2": "2.0.0", "bad": "3.0.0"},
        (OF_EACH["httpbin"].page,),
        "none",
    ),
    # The bad release answers another version than its tag says.
    "datasette": Subject(
        OF_EACH["datasette"],
        {"v1": "0.64.8", "v2": "0.65.3", "bad": "0.99.0"},
        (OF_EACH["datasette"].version_path,),
        "json:/datasette/version",
    ),
    "devpi": of_pages("devpi", "header:X-Devpi-Server-Version"),
    "pypiserver": of_pages("pypiserver", r"regex:running version ([0-9.]+) of the"),
    "files": of_pages("files", r"regex:\d+\.\d+\.\d+"),
}


@dataclass
class Story:
    """What happened. ``lost`` are the client's failures in each step, by its name."""

    subject: Subject
    takeover: Takeover
    lost: dict[str, int] = field(default_factory=dict)
    releases: dict[str, Rehearsal] = field(default_factory=dict)

    def counts(self, step: str) -> None:
        """A step has ended."""
        self.takeover.client.more(20)
        self.lost[step] = self.takeover.failures() - sum(self.lost.values())


@pytest.fixture(scope="module", params=SUBJECTS.values(), ids=SUBJECTS)
def story(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Story]:
    """All of it, in a sandbox of its own."""
    subject: Subject = request.param
    state, home, folder = (tmp_path_factory.mktemp(name) for name in ("apps", "home", "clients"))
    with started(state, pytestconfig) as sandbox:
        cloud = deployed_alone(sandbox, home, pytestconfig, "web")
        cloud.aws("ecr", "create-repository", "--repository-name", subject.repository)
        cloud.push(str(subject.application.folder("v1")), subject.tags["v1"], subject.repository)
        owner = Owner(cloud, "app", stack(subject, sandbox.production_port))
        owner.deploy()
        stage = Stage(cloud, sandbox, folder, pytestconfig.stash[FIGURES])
        asked = [word for path in subject.paths for word in ("--path", path)]
        options = (*asked, "--version-from", subject.version_from)
        with Client(cloud.url, folder / "client.txt", options=options) as client:
            file = folder / "web.crossfade.json"
            told = Story(subject, Takeover(stage, owner, client, file, NO_USERS, subject.paths))
            tell(told)
            requests = len(client.so_far())
        lost = ", ".join(f"{step} {count}" for step, count in told.lost.items())
        stage.note(f"{subject.application.name}: of {requests} client requests failed: {lost}")
        yield told


def stack(subject: Subject, port: int) -> Template:
    """The CDK's template with this application in it."""
    made = template("plain", {80: port})
    (container,) = properties_of(made, "AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    container["Image"]["Fn::Join"][1][-1] = f"/{subject.repository}:{subject.tags['v1']}"
    group = properties_of(made, "AWS::ElasticLoadBalancingV2::TargetGroup")
    group["HealthCheckPath"] = subject.application.health_path
    return made


def tell(story: Story) -> None:
    """An ordinary rolling update; then adopt, release well, release badly, leave."""
    takeover, subject = story.takeover, story.subject
    story.counts("begin")
    takeover.update(cpu("512"))
    story.counts("rolling update of ECS")
    takeover.adopt("--version-path", subject.paths[0], "--version-from", subject.version_from)
    story.counts("adoption")

    def pushed(release: str) -> Any:
        folder = subject.application.folder(release)
        return takeover.pushed(str(folder), subject.tags[release], subject.repository)

    story.releases["good"] = takeover.release_and_update("good", pushed("v2"), tagged("during"))
    story.counts("good release")
    takeover.update(tasks(0))
    takeover.update(cpu("256"))
    story.counts("updates between")
    story.releases["bad"] = takeover.release("bad", pushed("bad"))
    story.counts("bad release")
    takeover.leave()
    story.counts("leaving")
    takeover.update(tasks(2), image(subject.tags["v1"], subject.tags["v2"]))
    story.counts("rolling update of ECS after it")
    takeover.see("end")


def test_crossfade_costs_clients_no_more_than_one_rolling_update(story: Story) -> None:
    """All of its steps together, no more than one ordinary update that the owner makes without it."""
    ordinary = {"rolling update of ECS", "rolling update of ECS after it"}
    own = sum(count for step, count in story.lost.items() if step not in ordinary)
    assert own <= max(story.lost[step] for step in ordinary), story.lost


def test_the_good_release_is_promoted(story: Story) -> None:
    """Compared with what ran before, in the middle of an update of its owner's."""
    good = story.releases["good"]

    assert (good.seen["status"], 50 in good.seen["weights"]) == ("RUNNING", True)
    assert good.certificate["outcome"] == "promoted"


def test_the_bad_release_is_rolled_back(story: Story) -> None:
    """By a status, or by the version that it answers."""
    bad = story.releases["bad"]
    assert (bad.certificate["outcome"], bad.execution.error) == ("rolled_back", "CandidateWorse")


def test_the_good_version_is_live_after_each_step(story: Story) -> None:
    """Where it says one; the owner's code says the old one until the end."""
    version = story.subject.application.versions["v2"]
    for step in ("good", "bad", "left", "end"):
        assert {answered for _, answered in story.takeover.lives[step]} == {version}, step
