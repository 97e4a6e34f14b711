"""The probe and the workflow are deployed apart; what one writes, the other must read."""

import json
from typing import Any

import pytest

from crossfade.aws.probe_tasks import ProbeTasks
from crossfade.domain import ledger as read
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.spec import service
from faults.cases.service import document
from probe import record as written
from probe import turns
from probe.secret import with_secret
from probe.settings import read_settings
from probe.turns import OtherPath
from tests.unit.examples import first_plan, placed, plan

AT = "2026-11-23T04:00:00.123Z"


@pytest.mark.parametrize(
    ("record", "model"),
    [
        pytest.param(written.Opened("d", AT, ("production", "blue", "green")), read.Opened, id="opened"),
        pytest.param(
            written.RequestRecord("green", 1, AT, 200, "0.0.2", 3.1, None), read.Request, id="answered"
        ),
        pytest.param(
            written.RequestRecord("blue", 2, AT, None, None, 5000.0, "timed out"),
            read.Request,
            id="no-answer",
        ),
        pytest.param(
            written.RequestRecord("green", 3, AT, 301, None, 3.1, None, "to https://web/version"),
            read.Request,
            id="with-a-note",
        ),
        pytest.param(
            written.RequestRecord("green", 4, AT, 200, None, 3.1, None, None, True, "/orders"),
            read.Request,
            id="of-another-path",
        ),
        pytest.param(
            written.UnansweredRecord("production", AT, 7, 503, None, None, "by the load balancer"),
            read.Unanswered,
            id="unanswered",
        ),
        pytest.param(written.LaneRecord("blue", "paused", AT), read.LaneEvent, id="lane"),
        pytest.param(
            written.Closed(AT, "stopped", {"green": written.LaneTotals(3, 2, 1, 0)}, 0),
            read.Closed,
            id="closed",
        ),
    ],
)
def test_every_record_of_the_probe_is_read(record: written.Record, model: type[read.Record]) -> None:
    """A record that the workflow could not read would be a gap in every ledger."""
    found = read.read_records([written.to_json(record)])

    assert [model] == [type(each) for each in found]
    unset = {"path"} if isinstance(record, written.RequestRecord) and record.path is None else set()
    assert written.to_json(record) == found[0].model_dump_json(exclude=unset)


def test_a_ledger_of_the_first_version_is_read() -> None:
    """A rollback may read what a probe wrote before an update of Crossfade."""
    line = written.to_json(
        written.UnansweredRecord("production", AT, 7, 503, None, None, "by the load balancer")
    )

    (found,) = read.read_records([line.replace('"unanswered"', '"knock"')])

    assert isinstance(found, read.Unanswered)


class EcsThatTakesNotes:
    """An ECS client that runs nothing and keeps what it was asked to run."""

    def __init__(self) -> None:
        self.environment: dict[str, str] = {}

    def list_tasks(self, **_: Any) -> dict[str, Any]:
        """No probe runs yet."""
        return {"taskArns": []}

    def run_task(self, **asked: Any) -> dict[str, Any]:
        """Keep the environment that the probe would get."""
        (override,) = asked["overrides"]["containerOverrides"]
        self.environment = {each["name"]: each["value"] for each in override["environment"]}
        return {"tasks": [{"taskArn": "arn"}], "failures": []}


@pytest.mark.parametrize("asked", [plan(), first_plan()], ids=["later-release", "first-release"])
def test_the_probe_understands_how_it_is_started(asked: HeldPlan) -> None:
    """The environment that StartProbe gives is one that the probe accepts, lane by lane."""
    ecs = EcsThatTakesNotes()
    ProbeTasks(ecs, asked.spec).start(
        asked, 1, 0, task_definition="probe:1", container="probe", log_group="ledger"
    )

    settings = read_settings(ecs.environment)

    assert (asked.deployment, "ledger", asked.ledger) == (
        settings.deployment,
        settings.log_group,
        settings.log_stream,
    )
    assert [lane.name for lane in settings.lanes] == ["production", "blue", "green"]


def test_the_probe_asks_the_paths_of_the_spec() -> None:
    """The version path first, wherever the spec has it; every lane asks the same, as often."""
    ecs = EcsThatTakesNotes()
    paths = [{"path": "/a", "weight": 3}, "/version", "/b?c=1"]
    asked = plan(spec=placed(probe=document()["probe"] | {"paths": paths}))
    ProbeTasks(ecs, asked.spec).start(
        asked, 1, 0, task_definition="probe:1", container="probe", log_group="ledger"
    )
    for lane in read_settings(ecs.environment).lanes:
        assert (lane.url, lane.weight) == ("http://web.example:80/version", 1)
        assert lane.others == (
            OtherPath("/a", "http://web.example:80/a", 3),
            OtherPath("/b?c=1", "http://web.example:80/b?c=1", 1),
        )


def test_what_the_spec_admits_the_probe_takes() -> None:
    """As many paths, with weights as high."""
    assert (turns.MOST_PATHS, turns.MOST_WEIGHT) == (service.MOST_PATHS, service.MOST_WEIGHT)


def test_eight_long_paths_fit_into_what_ecs_takes() -> None:
    """The overrides of RunTask have 8,192 characters at most.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskOverride.html
    """
    ecs = EcsThatTakesNotes()
    paths = ["/version", *({"path": f"/{place}{'a' * 126}", "weight": 100} for place in range(7))]
    asked = plan(spec=placed(probe=document()["probe"] | {"paths": paths}))
    ProbeTasks(ecs, asked.spec).start(
        asked, 1, 0, task_definition="probe:1", container="probe", log_group="ledger"
    )
    environment = [{"name": name, "value": value} for name, value in ecs.environment.items()]
    overrides = {"containerOverrides": [{"name": "probe", "environment": environment}]}
    assert len(json.dumps(overrides)) < 8192


def test_one_path_alone_is_told_as_ever() -> None:
    """A probe of an earlier Crossfade, whose image is still there, understands it too."""
    ecs = EcsThatTakesNotes()
    ProbeTasks(ecs, plan().spec).start(
        plan(), 1, 0, task_definition="probe:1", container="probe", log_group="ledger"
    )
    assert "PROBE_PATHS" not in ecs.environment


def test_the_owners_service_is_met_where_it_takes_a_slots_place() -> None:
    """The rule of that slot leads to Crossfade's own target group, in which nothing runs."""
    ecs = EcsThatTakesNotes()
    asked = plan(spec=placed(origin="green"))
    ProbeTasks(ecs, asked.spec).start(
        asked, 1, 0, task_definition="probe:1", container="probe", log_group="ledger"
    )
    lanes = with_secret(read_settings(ecs.environment).lanes, "s")
    assert [lane.headers.get("x-crossfade-slot") for lane in lanes] == [None, "s-blue", "s-pattern"]


@pytest.mark.parametrize("bypass", [False, True])
def test_the_probe_puts_the_secret_where_it_is_to_stand(bypass: bool) -> None:
    """In the headers of the slots' lanes, and of production's where it must pass a login."""
    ecs = EcsThatTakesNotes()
    asked = plan(spec=placed(login_bypass=bypass))
    ProbeTasks(ecs, asked.spec).start(
        asked, 1, 0, task_definition="probe:1", container="probe", log_group="ledger"
    )
    settings = read_settings(ecs.environment)
    lanes = with_secret(settings.lanes, "s")

    assert settings.secret_parameter == "/crossfade/preview/web"
    assert [lane.headers.get("x-crossfade-slot") for lane in lanes] == [
        "s-live" if bypass else None, "s-blue", "s-green",
    ]  # fmt: skip
    assert {lane.url for lane in lanes} == {"http://web.example:80/version"}
