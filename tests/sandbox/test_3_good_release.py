"""A good release under load: no client fails, and nobody else can move traffic meanwhile."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import Any

import pytest

from tests.sandbox.client import failed, versions
from tests.sandbox.cloud import Cloud
from tests.sandbox.rehearsal import GoodRelease
from tests.sandbox.shell import SERVICE, STACK

pytestmark = pytest.mark.enable_socket

STAGES = [(100, 0), (90, 10), (50, 50), (0, 100)]


def test_it_is_promoted(good_release: GoodRelease) -> None:
    """The execution succeeded, and says so."""
    execution = good_release.execution

    assert (execution.status, execution.output["outcome"]) == ("SUCCEEDED", "promoted")
    assert good_release.certificate["outcome"] == "promoted"


def test_three_tags_of_its_image_are_one_deployment(cloud: Cloud, good_release: GoodRelease) -> None:
    """CI pushed 2.0.0, 2.0.1 and 0.0.2: the first began the deployment, the application answers the last."""
    execution, tagged = good_release.execution, good_release.tagged

    assert cloud.input_of(execution.arn)["detail"]["image-tag"] == "2.0.0"
    assert [(other.status, other.output["action"]) for other in tagged] == 2 * [
        ("SUCCEEDED", "nothing_to_do")
    ]
    assert all(f"is being deployed by {execution.name}." in other.output["reason"] for other in tagged)
    assert json.loads(good_release.item["plan"])["release"]["version"] == "0.0.2"
    assert good_release.item["reason"] == "0.0.2 answered well at every stage"


def test_a_login_before_the_forward_is_still_there(
    cloud: Cloud, login: dict[str, Any], good_release: GoodRelease
) -> None:
    """Byte for byte, and so is the rest of the rule; only groups and weights are others."""
    rule = cloud.rule()
    assert rule
    assert unweighed(rule) == unweighed(login)
    groups = rule["Actions"][-1]["ForwardConfig"]["TargetGroups"]
    assert {group["TargetGroupArn"] for group in groups} == set(cloud.target_groups.values())
    assert [action["Type"] for action in rule["Actions"]] == ["authenticate-oidc", "forward"]


def unweighed(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule without the target groups of its forward."""
    *before, last = rule["Actions"]
    config = {key: value for key, value in last["ForwardConfig"].items() if key != "TargetGroups"}
    return {**rule, "Actions": [*before, {**last, "ForwardConfig": config}]}


def test_no_client_failed(good_release: GoodRelease) -> None:
    """By a client's own record, not by Crossfade's."""
    assert failed(good_release.requests) == []
    assert good_release.client_status == 0
    assert len(good_release.requests) > 300


def test_clients_saw_the_version_change(good_release: GoodRelease) -> None:
    """First only the old version, at last only the new one."""
    seen = [request.version for request in good_release.requests]

    assert versions(good_release.requests) == ["0.0.1", "0.0.2"]
    assert {"0.0.2"} == set(seen[-40:])


def test_weights_took_the_values_of_the_stages_in_order(good_release: GoodRelease) -> None:
    """Nothing else ever wrote them: neither the second push nor the stack update."""
    assert good_release.weights_seen == STAGES


def test_a_slot_with_weight_kept_its_tasks(good_release: GoodRelease) -> None:
    """Neither the second push nor the stack update changed a task count."""
    for sample in good_release.samples:
        assert sample.weights is not None
        for weight, desired in zip(sample.weights, sample.desired, strict=True):
            assert weight == 0 or desired == 2, sample


def test_the_stack_update_happened_in_the_middle_of_traffic(cloud: Cloud, good_release: GoodRelease) -> None:
    """It began at the first stage with traffic, and it did what it was asked."""
    groups = cloud.client("logs").describe_log_groups(logGroupNamePrefix=f"/crossfade/{STACK}/ledger")

    assert good_release.weights_at_deploy == (90, 10)
    assert [group["retentionInDays"] for group in groups["logGroups"]] == [30]


def test_a_second_push_is_refused_and_told_who_holds_the_service(good_release: GoodRelease) -> None:
    """Two deployments of one service at once would fight for its weights."""
    second = good_release.second_push

    assert (second.status, second.error) == ("FAILED", "ServiceBusy")
    assert good_release.execution.arn in second.cause


def test_the_certificate_tells_what_happened(good_release: GoodRelease) -> None:
    """From which version to which, and how each stage was judged."""
    certificate = good_release.certificate
    stages = certificate["reported"]["stages"]

    assert (SERVICE, good_release.execution.name) == (certificate["service"], certificate["deployment"])
    assert (certificate["from"]["version"], certificate["to"]["version"]) == ("0.0.1", "0.0.2")
    assert certificate["from"]["digest"] != certificate["to"]["digest"]
    assert [stage["weight"] for stage in stages] == [0, 10, 50, 100]
    assert {"advance"} == {stage["verdict"] for stage in stages}
    assert sorted(stages, key=lambda stage: stage["began"]) == stages
    assert all(stage["ended"] and stage["reason"] for stage in stages)


def test_all_of_it_is_the_pushed_image(good_release: GoodRelease) -> None:
    """The pattern has one container, and nothing in it was left out."""
    assert good_release.certificate["reported"]["contents"] == {
        "released": ["app"],
        "kept": {},
        "left_out": [],
        "tags": {"service": SERVICE},
        "warnings": [],
        "changes": [],
    }


def test_service_and_tasks_have_the_patterns_tags(cloud: Cloud, good_release: GoodRelease) -> None:
    """By them costs are counted; and a task tells by itself which image it runs."""
    ecs, cluster, slot = cloud.client("ecs"), cloud.cluster, f"{SERVICE}-green"
    (service,) = ecs.describe_services(cluster=cluster, services=[slot], include=["TAGS"])["services"]
    arns = ecs.list_tasks(cluster=cluster, serviceName=slot)["taskArns"]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns, include=["TAGS"])["tasks"]
    tags = [{tag["key"]: tag["value"] for tag in found["tags"]} for found in (service, *tasks)]

    assert [found["service"] for found in tags] == [SERVICE] * 3
    assert [found["crossfade:digest"] for found in tags[1:]] == [good_release.certificate["to"]["digest"]] * 2


def test_the_certificate_proves_that_no_request_was_lost(good_release: GoodRelease) -> None:
    """Every request is accounted for, and production had no failure."""
    certificate = good_release.certificate
    production = certificate["requests"]["production"]

    assert (production["failed"], production["missing"]) == (0, 0)
    assert production["sent"] == production["ok"] > 200
    assert all(lane["missing"] == 0 for lane in certificate["requests"].values())
    assert [seen["version"] for seen in certificate["versions"]["production"]] == ["0.0.1", "0.0.2"]
    assert [seen["version"] for seen in certificate["versions"]["blue"]] == ["0.0.1"]
    assert [seen["version"] for seen in certificate["versions"]["green"]] == ["0.0.2"]
    assert certificate["ledger"]["complete"]


def test_the_ledger_is_what_the_certificate_was_drawn_from(cloud: Cloud, good_release: GoodRelease) -> None:
    """Its checksum is the certificate's, and so is the number of its requests."""
    ledger = gzip.decompress(cloud.evidence(good_release.execution.name, "ledger.jsonl.gz"))
    records = [json.loads(line) for line in ledger.splitlines()]
    requests = {(record["lane"], record["n"]) for record in records if record["type"] == "request"}
    certificate = good_release.certificate

    assert certificate["ledger"]["sha256"] == hashlib.sha256(ledger).hexdigest()
    assert certificate["ledger"]["records"] == len(requests)
    assert len(requests) == sum(lane["sent"] for lane in certificate["requests"].values())


def test_timing_adds_up(good_release: GoodRelease) -> None:
    """Overhead is what is left of the total; nothing was bad, so nothing was detected or restored."""
    timing = good_release.certificate["reported"]["timing"]

    rest = timing["total"] - timing["bake"] - timing["evidence"] - timing["container_start"]
    assert timing["overhead"] == pytest.approx(rest, abs=0.01)
    assert timing["overhead"] > 0
    assert timing["bake"] == 19
    assert good_release.certificate["harm"] == []
    assert good_release.certificate["reported"]["transitions"] > 15


def test_the_old_slot_stands_idle(cloud: Cloud, good_release: GoodRelease) -> None:
    """It costs nothing, and it is where the next candidate goes."""
    assert (cloud.weights(), cloud.running()) == ((0, 100), (0, 2))
    assert cloud.image_of("green").endswith(f"@{good_release.certificate['to']['digest']}")


def test_the_service_is_free(good_release: GoodRelease) -> None:
    """The next deployment may begin."""
    assert good_release.holder is None
