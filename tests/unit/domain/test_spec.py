"""The service spec: each wrong field is named, and what is accepted can end well."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.domain.errors import InvalidServiceSpec
from crossfade.domain.slots import Slot
from crossfade.domain.spec.gate import GateSettings
from crossfade.domain.spec.service import Encrypted, ServiceSpec, read_spec, repository_of
from faults.aws.names import ECS
from faults.cases.service import LISTENER, document
from tests.unit.examples import origin_placed, placed, spec


def _stages(*weights: int) -> list[dict[str, Any]]:
    return [{"weight": weight, "min_seconds": 5, "max_seconds": 30} for weight in weights]


def test_a_good_document_is_read() -> None:
    """What the stack wrote is what the code sees."""
    assert read_spec("web", json.dumps(document())) == spec()


LEFT_OUT = {"when_busy", "gate", "alarms", "login_bypass", "tasks"}


@pytest.mark.parametrize("field", sorted(ServiceSpec.model_fields.keys() - LEFT_OUT))
def test_every_field_is_needed_and_named(field: str) -> None:
    """But for those below there are no hidden defaults."""
    incomplete = {key: value for key, value in document().items() if key != field}
    with pytest.raises(InvalidServiceSpec, match=rf"{field}: Field required"):
        read_spec("web", json.dumps(incomplete))


def test_what_may_be_left_out() -> None:
    """A release waits for a busy service, no old version is kept warm, and no alarm is looked at."""
    values = document()
    for field in ("gate", "tasks"):
        del values[field]
    del values["probe"]["network"]
    found = ServiceSpec.model_validate(values | {"probe": values["probe"] | {"slot_rate": 40}})
    assert (found.when_busy, found.retire.warm_seconds, found.alarms) == ("queue", 0, ())
    assert (found.gate, found.tasks, found.login_bypass) == (GateSettings(), 1, False)
    assert found.probe.network is None


@pytest.mark.parametrize("when_busy", ["queue", "supersede", "reject"])
def test_what_a_busy_service_does(when_busy: str) -> None:
    """One of three."""
    assert read_spec("web", json.dumps(document(when_busy=when_busy))).when_busy == when_busy


def _warm(seconds: Any) -> dict[str, Any]:
    return {"retire": document()["retire"] | {"warm_seconds": seconds}}


def _places(count: int) -> list[dict[str, Any]]:
    return [document()["traffic"][0] | {"priority": priority} for priority in range(1, count + 1)]


def _route(**changes: Any) -> dict[str, Any]:
    return {"traffic": [document()["traffic"][0] | changes]}


def _paths(*paths: Any) -> dict[str, Any]:
    return _probe(paths=list(paths))


def _probe(**changes: Any) -> dict[str, Any]:
    return {"probe": document()["probe"] | changes}


def test_an_old_version_may_be_kept_warm_for_as_long_as_the_workflow_lives() -> None:
    """Deadlines of stages and launch are 30 + 180 + 90 + 60 s, and the retirement counts twice."""
    assert spec(**_warm(14_400 - 360 - 2 * 120)).retire.warm_seconds == 13_800


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"when_busy": "wait"}, "when_busy: ", id="unknown-word-for-busy"),
        pytest.param(_warm(-1), "retire.warm_seconds: ", id="negative-time"),
        pytest.param(_warm(0.5), "retire.warm_seconds: ", id="a-wait-state-takes-whole-seconds"),
        pytest.param(_warm(13_801), "all deadlines together", id="warm-longer-than-the-workflow-lives"),
        pytest.param({"like": "web"}, "like: ", id="pattern-is-no-arn"),
        pytest.param({"like": f"{ECS}:service/web"}, "like: ", id="pattern-of-an-old-short-arn"),
        pytest.param({"traffic": []}, "traffic: ", id="no-route"),
        pytest.param(
            {"traffic": document()["traffic"] * 2}, "traffic: .*priority 100 of .* twice", id="a-route-twice"
        ),
        pytest.param({"traffic": _places(11)}, "traffic: .*10", id="too-many-routes"),
        pytest.param(
            _route(priority="last", conditions=[{"Field": "host-header", "Values": ["a.example"]}]),
            "traffic.0.*priority last takes every request",
            id="the-last-rule-with-conditions",
        ),
        pytest.param(_route(priority=50_001), "traffic.0.*priority", id="priority-too-large"),
        pytest.param(_route(listener="web"), "traffic.0.*listener", id="listener-is-no-arn"),
        pytest.param(_route(surprise=1), "traffic.0.surprise: ", id="unknown-key-of-a-route"),
        pytest.param({"traffic": [{"rule": LISTENER}]}, "traffic.0.*rule", id="rule-is-a-listener"),
        pytest.param({"preview": {"listener": "web"}}, "preview.listener: ", id="preview-is-no-arn"),
        pytest.param(
            {"release": {"repository": "web", "push_tags": "["}},
            "release.push_tags: .*regular expression",
            id="pattern-does-not-compile",
        ),
        pytest.param(_probe(url="web"), "probe.url: .*URL", id="url-without-scheme"),
        pytest.param(_probe(url="http://u:p@web"), "probe.url: .*password", id="url-with-a-password"),
        pytest.param(_probe(url="http://w/x"), "probe.url: .*without a path", id="url-with-path"),
        pytest.param({"tasks": 0}, "tasks: ", id="no-task"),
        pytest.param({"surprise": 1}, "surprise: ", id="unknown-key"),
        pytest.param(
            _paths("orders", "/version"),
            "probe.paths.0.path: .*orders is not a path such as",
            id="path-without-slash",
        ),
        pytest.param(_paths("/a b"), "probe.paths.0.path: .*/a b is not a path", id="path-with-a-space"),
        pytest.param(_paths("/a#b"), "probe.paths.0.path: .*/a#b is not a path", id="path-with-a-fragment"),
        pytest.param(_paths("/" * 129), "probe.paths.0.path: .*129 characters, and 128", id="long-path"),
        pytest.param(_paths("/version", "/a", "/a"), "probe.paths: .*name /a twice", id="path-twice"),
        pytest.param(
            _paths("/version", *(f"/{place}" for place in range(8))),
            "probe.paths: .*are 9, and 8",
            id="nine-paths",
        ),
        pytest.param(
            _paths("/version", {"path": "/a", "weight": 0}),
            "probe.paths.1.weight: .*from 1 to 100",
            id="weight-0",
        ),
        pytest.param(
            _paths("/version", {"path": "/a", "weight": 101}),
            "probe.paths.1.weight: .*from 1 to",
            id="weight-101",
        ),
        pytest.param(
            _paths("/version", {"path": "/a", "weight": 1.5}), "probe.paths.1.weight: ", id="weight-1.5"
        ),
        pytest.param(_paths({"weight": 1}), "probe.paths.0.path: ", id="weight-of-nothing"),
        pytest.param(
            _paths({"path": "/version", "wieght": 2}),
            "probe.paths.0.wieght: there is no such field",
            id="misspelt-weight",
        ),
        pytest.param(
            _paths("/a", "/b"), "version.path /version is not among them: name it too", id="no-version-path"
        ),
        pytest.param(
            _paths({"path": "/version", "weight": 1}, {"path": "/a", "weight": 10}),
            "version.path /version has the weight 1 of 11, and needs a tenth at least",
            id="version-path-too-seldom",
        ),
        pytest.param({"stages": []}, r"stages: .*rise from 0 to 100, found \[\]", id="no-stage"),
        pytest.param({"stages": _stages(0, 50, 50, 100)}, "stages: .*rise", id="stages-stand-still"),
        pytest.param({"stages": _stages(0, 50, 10, 100)}, "stages: .*rise", id="stages-fall"),
        pytest.param({"stages": _stages(10, 100)}, "stages: .*rise", id="no-look-at-weight-0"),
        pytest.param({"stages": _stages(0, 90)}, "stages: .*rise", id="never-all-traffic"),
        pytest.param({"stages": _stages(0, 101)}, "stages.1.weight: ", id="more-than-all-traffic"),
        pytest.param(
            {"stages": [{"weight": 0, "min_seconds": 5, "max_seconds": 5}]},
            "stages.0: .*max_seconds must be greater",
            id="no-time-between-minimum-and-deadline",
        ),
        pytest.param(
            _probe(network={"subnets": [], "security_groups": ["sg"], "public_ip": True}),
            "probe.network.subnets: ",
            id="no-subnet",
        ),
        pytest.param(
            {"retire": {"quiet_seconds": 1, "drain_seconds": 20, "deadline_seconds": 20}},
            "retire.deadline_seconds must exceed",
            id="retire-deadline-before-drain",
        ),
        pytest.param(
            {"probe": document()["probe"] | {"slot_rate": 0.9}},
            r"slot_rate is too low: the stages \[0, 100\] end before the 120 answers .* 0\.05 needs",
            id="too-few-answers-ever",
        ),
        pytest.param(
            {"launch": {"deadline_seconds": 14_400, "hold_seconds": 1}},
            "all deadlines together",
            id="longer-than-the-workflow-lives",
        ),
        pytest.param(
            {"launch": {"deadline_seconds": 9_000, "hold_seconds": 1}},
            "launch.deadline_seconds 9000, .* may have 57,[0-9]+ events, .* at 25,000",
            id="more-events-than-an-execution-has",
        ),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], said: str) -> None:
    """The sentence tells which field, and what is wrong with it."""
    with pytest.raises(InvalidServiceSpec, match=said):
        read_spec("web", json.dumps(document(**changes)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[
            (field, value)
            for field in ("alpha", "beta", "users_harmed", "users_margin", "probe_margin", "failing")
            for value in (0, 1, -0.1, "much", None)
        ],
        *[
            (field, value)
            for field in ("users_seconds", "users_seen_seconds", "dead_seconds", "warm_up_seconds")
            for value in (-1, 3601, "long", None)
        ],
        *[("settle_seconds", value) for value in (-1, 3601, "long")],
        *[("clump_seconds", value) for value in (0, 301, "long", None)],
        *[("give_up_seconds", value) for value in (0, 14_401, "long", None)],
        *[("suspicion", value) for value in (1, 0, None)],
        *[("excess", value) for value in (-0.001, 0.1)],
        *[("slower_by", value) for value in (0, 10.1)],
        *[("dead_requests", value) for value in (4, 10.5)],
        *[("users", value) for value in ("both", None)],
        ("surprise", 1),
    ],
)
def test_a_wrong_parameter_of_the_gate_is_named(field: str, value: Any) -> None:
    """Each of them; what is unknown too."""
    gate = document()["gate"] | {field: value}
    with pytest.raises(InvalidServiceSpec, match=rf"gate\.{field}: "):
        read_spec("web", json.dumps(document(gate=gate)))


def test_every_parameter_of_the_gate_can_be_wrong() -> None:
    """A new one must be in the table above."""
    (table,) = test_a_wrong_parameter_of_the_gate_is_named.pytestmark  # type: ignore[attr-defined]
    assert {field for field, _ in table.args[1]} == GateSettings.model_fields.keys() | {"surprise"}


def test_the_gates_defaults() -> None:
    """What the published properties were measured with."""
    assert GateSettings().model_dump() == {
        "alpha": 0.001,
        "beta": 0.05,
        "suspicion": 20,
        "excess": 0.0005,
        "slower_by": 0.2,
        "users_harmed": 0.002,
        "users_margin": 0.05,
        "users_seconds": 300,
        "users_seen_seconds": 60,
        "probe_margin": 0.01,
        "failing": 0.05,
        "dead_requests": 10,
        "dead_seconds": 3,
        "warm_up_seconds": 10,
        "clump_seconds": 15,
        "give_up_seconds": 1800,
        "users": "metrics",
        "settle_seconds": None,
    }


@pytest.mark.parametrize(
    ("gate", "settle"),
    [
        ({}, 60),
        ({"users": "feed"}, 10),
        ({"settle_seconds": 0}, 0),
        ({"users": "feed", "settle_seconds": 2}, 2),
    ],
)
def test_how_long_outcomes_settle(gate: dict[str, Any], settle: float) -> None:
    """Metrics are late by a minute, a feed by a few seconds; what is set counts, be it 0."""
    assert GateSettings.model_validate(gate).settle == settle


def _stage_seconds(*seconds: float) -> list[dict[str, Any]]:
    weights = (0, 10, 100)
    return [
        {"weight": weight, "min_seconds": 1, "max_seconds": most}
        for weight, most in zip(weights, seconds, strict=True)
    ]


def _lasting(*seconds: float, **gate: Any) -> dict[str, Any]:
    """Stages of so many seconds; users need not be heard unless it is said."""
    settings = {"warm_up_seconds": 0, "users_seen_seconds": 0, **gate}
    return {"stages": _stage_seconds(*seconds), "gate": settings}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(_lasting(20, 20, 20, probe_margin=0.05), None, id="as-short-as-a-proof-may-be"),
        pytest.param(
            _lasting(20, 19.9, 19, probe_margin=0.05),
            r"max_seconds of the stages \[10, 100\] must be 20 or more",
            id="shorter",
        ),
        pytest.param(_lasting(60, 60, 60), None, id="just-enough-answers"),
        pytest.param(
            _lasting(60, 59, 60),
            r"slot_rate is too low: the stages \[10\] end before the 600 answers that gate.probe_margin 0.01",
            id="one-second-too-few",
        ),
        pytest.param(_lasting(65, 60, 60, warm_up_seconds=10), None, id="warm-up-beyond-the-hold"),
        pytest.param(
            _lasting(64, 60, 60, warm_up_seconds=10),
            r"slot_rate is too low: the stages \[0\]",
            id="too-much-of-it-is-warm-up",
        ),
        pytest.param(_lasting(60, 170, 60, users_seen_seconds=60), None, id="a-minute-of-metrics"),
        pytest.param(
            _lasting(60, 169, 60, users_seen_seconds=60),
            r"max_seconds of the stages \[10\] must be 170 or more: gate.users_seen_seconds .* from metrics",
            id="metrics-come-too-late",
        ),
        pytest.param(_lasting(60, 75, 60, users_seen_seconds=60, users="feed"), None, id="a-minute-of-feed"),
        pytest.param(
            _lasting(60, 74, 60, users_seen_seconds=60, users="feed"),
            r"max_seconds of the stages \[10\] must be 74\.1667 or more: .* from feed",
            id="the-feed-comes-too-late",
        ),
    ],
)
def test_a_stage_is_long_enough_for_a_proof(changes: dict[str, Any], said: str | None) -> None:
    """Otherwise every release, however good, would be rolled back; the slot lanes' rate is 10 a second."""
    text = json.dumps(document(**changes))
    if said is None:
        read_spec("web", text)
    else:
        with pytest.raises(InvalidServiceSpec, match=said):
            read_spec("web", text)


@pytest.mark.parametrize(
    ("alarms", "said"),
    [
        ([""], r"alarms\.0: "),
        (["a" * 256], r"alarms\.0: "),
        ([f"alarm-{n}" for n in range(21)], "alarms: "),
        ("errors", "alarms: "),
    ],
    ids=["empty", "too-long", "too-many", "no-list"],
)
def test_wrong_alarms_are_named(alarms: Any, said: str) -> None:
    """Up to twenty names."""
    with pytest.raises(InvalidServiceSpec, match=said):
        read_spec("web", json.dumps(document(alarms=alarms)))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"web"'])
def test_what_is_no_object_is_refused(text: str) -> None:
    """Whatever stands in the parameter, the answer is a sentence."""
    with pytest.raises(InvalidServiceSpec, match="spec of service web in SSM is malformed"):
        read_spec("web", text)


def test_a_spec_that_is_encrypted_is_refused_by_its_type() -> None:
    """What is wrong is how the parameter is declared, and not what stands in it."""
    with pytest.raises(InvalidServiceSpec, match=r"web's spec is a SecureString.*with type String"):
        read_spec("web", Encrypted("AQICAHh"))


@pytest.mark.parametrize(
    ("twice", "said"),
    [
        pytest.param('"tasks": 80', r"malformed\. tasks: is given twice\. Correct", id="another-value"),
        pytest.param('"tasks": 8, "tasks": 80', r"malformed\. tasks: is given twice\.", id="three-times"),
        pytest.param('"network": {"public_ip": true, "public_ip": false}', "public_ip: is", id="within"),
    ],
)
def test_a_key_that_is_there_twice_is_refused(twice: str, said: str) -> None:
    """JSON's readers take the last one and do not tell: what its author meant, nobody knows."""
    text = json.dumps(document())
    with pytest.raises(InvalidServiceSpec, match=said):
        read_spec("web", f"{{{twice}, {text[1:]}")


def test_a_spec_under_another_name_is_refused() -> None:
    """Its ECS services would be another service's."""
    with pytest.raises(InvalidServiceSpec, match="says service: web"):
        read_spec("shop", json.dumps(document()))


@given(st.lists(st.integers(0, 100), min_size=1, max_size=6))
def test_accepted_stages_rise_from_0_to_100(weights: list[int]) -> None:
    """Law: a spec is accepted exactly when its weights rise strictly from 0 to 100."""
    rises = weights == sorted(set(weights)) and len(weights) > 1 and weights[0] == 0 and weights[-1] == 100
    try:
        spec(stages=_stages(*weights))
    except ValueError:
        assert not rises
    else:
        assert rises


@pytest.mark.parametrize(
    ("tag", "deploys"), [("1.2.3", True), ("latest", False), ("1.2.3-rc1", False), ("", False)]
)
def test_only_matching_tags_deploy(tag: str, deploys: bool) -> None:
    """Other tags of the repository are of no concern."""
    assert spec().deploys(tag) is deploys


def test_slots_name_their_services() -> None:
    """`web-blue` and `web-green`, as the roles in the template allow; or the owner's own one."""
    slots: tuple[Slot, ...] = ("blue", "green")
    assert [placed().slot_service(slot) for slot in slots] == ["web-blue", "web-green"]
    assert [origin_placed().slot_service(slot) for slot in slots] == ["web-blue", "web"]


def test_the_slots_are_where_the_pattern_is() -> None:
    """Its cluster; the family of the releases is never the owner's."""
    assert (spec().cluster, spec().family) == (f"{ECS}:cluster/web", "crossfade-web")


@pytest.mark.parametrize(
    ("text", "repository"),
    [
        (json.dumps(document()), "web"),
        pytest.param("{", "", id="another-services-broken-spec"),
        pytest.param("[]", "", id="no-object"),
        pytest.param("{}", "", id="no-repository"),
    ],
)
def test_repositories_are_read_leniently(text: str, repository: str) -> None:
    """Another service's malformed spec must not stop this one's deployment."""
    assert repository_of(text) == repository
