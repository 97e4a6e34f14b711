"""The input: a person's, a program's, or ECR's push event."""

from typing import Any

import pytest

from crossfade.domain.errors import InvalidInput
from crossfade.domain.planning import request
from crossfade.domain.planning.request import STARTED_BY, DeployRequest, ImagePushed, NoConcern
from faults.aws.names import ACCOUNT, REGION
from tests.unit.examples import EXECUTION, NEW, at

PARENT = "arn:aws:states:us-east-1:123456789012:execution:nightly:7"


def read_input(raw: Any) -> DeployRequest | ImagePushed | NoConcern:
    """What an execution in the account of the examples makes of an input."""
    return request.read_input(raw, f"{EXECUTION}:d1")


def push(**detail: Any) -> dict[str, Any]:
    """The event that ECR sends, as AWS documents it."""
    return {
        "version": "0",
        "id": "1",
        "detail-type": "ECR Image Action",
        "source": "aws.ecr",
        "account": "123456789012",
        "time": "2026-11-23T04:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "action-type": "PUSH",
            "result": "SUCCESS",
            "repository-name": "web",
            "image-digest": NEW,
            "image-tag": "0.0.2",
            **detail,
        },
    }


def replicated(**detail: Any) -> dict[str, Any]:
    """The event that ECR sends where an image has come from another registry, as AWS documents it."""
    event = push(
        **{"action-type": "REPLICATE", "source-account": "210987654321", "source-region": "eu-west-1"}
    )
    event["detail"] |= detail
    return event | {"detail-type": "ECR Replication Action"}


IMAGE = {"account": ACCOUNT, "region": REGION, "repository": "web", "digest": NEW, "at": at(0)}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(
            {"service": "web", "image_tag": "0.0.2"},
            DeployRequest(service="web", image_tag="0.0.2"),
            id="console-tag",
        ),
        pytest.param({"service": "web", "force": True}, DeployRequest(service="web", force=True), id="force"),
        pytest.param(
            {"service": "web", "image_digest": NEW},
            DeployRequest(service="web", image_digest=NEW),
            id="digest",
        ),
        pytest.param(
            {"service": "web", "image_tag": "0.0.2", "image_digest": NEW},
            DeployRequest(service="web", image_tag="0.0.2", image_digest=NEW),
            id="tag-and-digest",
        ),
        pytest.param(
            {"service": "web", "image_digest": NEW, "asked": "2026-11-23T04:00:07.000Z"},
            DeployRequest(service="web", image_digest=NEW, asked=at(7)),
            id="what-has-waited",
        ),
        pytest.param(
            {"service": "web", "image_tag": "0.0.2", STARTED_BY: PARENT},
            DeployRequest(service="web", image_tag="0.0.2", asked_by=PARENT),
            id="started-by-another-workflow",
        ),
        pytest.param(push(), ImagePushed(**IMAGE, tag="0.0.2"), id="push"),
        pytest.param(replicated(), ImagePushed(**IMAGE, tag="0.0.2"), id="replicated"),
        pytest.param(push(**{"image-tag": ""}), ImagePushed(**IMAGE, tag=""), id="untagged-child"),
        pytest.param(push(**{"image-tag": None}), ImagePushed(**IMAGE, tag=""), id="tag-is-null"),
    ],
)
def test_accepted_forms(raw: Any, expected: DeployRequest | ImagePushed) -> None:
    """The two forms, each with its variants."""
    assert read_input(raw) == expected


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        pytest.param(
            push() | {"account": "210987654321"}, "account 210987654321 in us-east-1", id="another-account"
        ),
        pytest.param(
            push() | {"region": "eu-west-1"}, "account 123456789012 in eu-west-1", id="another-region"
        ),
        pytest.param(
            replicated() | {"region": "eu-west-1"},
            "account 123456789012 in eu-west-1",
            id="replicated-elsewhere",
        ),
        pytest.param(push(**{"action-type": "DELETE"}), "ECR Image Action, DELETE, SUCCESS", id="deletion"),
        pytest.param(push(result="FAILURE"), "ECR Image Action, PUSH, FAILURE", id="push-that-failed"),
        pytest.param(
            replicated(result="FAILED"), "Replication Action, REPLICATE, FAILED", id="replication-that-failed"
        ),
        pytest.param(
            {"source": "aws.ecr", "detail-type": "ECR Image Scan", "detail": {"image-tags": ["0.0.2"]}},
            "ECR Image Scan, (none), (none)",
            id="scan",
        ),
        pytest.param(
            {
                "source": "aws.ecr",
                "detail-type": "ECR Pull Through Cache Action",
                "detail": {"sync-status": "SUCCESS", "image-tag": "0.0.2", "image-digest": NEW},
            },
            "ECR Pull Through Cache Action, (none), (none)",
            id="pull-through-cache",
        ),
        pytest.param({"source": "aws.ecr"}, "(none), (none), (none)", id="event-of-no-kind"),
        pytest.param({"source": "aws.ecr", "detail": 1}, "(none), (none), (none)", id="odd-detail"),
    ],
)
def test_events_of_no_concern(raw: Any, said: str) -> None:
    """They are no failure: whoever pushes elsewhere, or deletes an image, has done nothing wrong."""
    found = read_input(raw)
    assert isinstance(found, NoConcern)
    assert said in found.reason


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        pytest.param([], "found an array", id="array"),
        pytest.param("web", "found a string", id="string"),
        pytest.param(7, "found a number", id="number"),
        pytest.param(True, "found a boolean", id="boolean"),
        pytest.param(None, "found nothing", id="null"),
        pytest.param({}, "service: Field required", id="empty"),
        pytest.param({"service": "", "image_tag": "1"}, "service: ", id="empty-name"),
        pytest.param(
            {"service": "web:1", "image_tag": "1"}, "service: .*web:1 is not a service's name", id="selector"
        ),
        pytest.param({"service": "shop/web", "image_tag": "1"}, "shop/web is not a", id="path"),
        pytest.param({"service": "web\n", "image_tag": "1"}, r"web\\n is not a", id="what-cannot-be-seen"),
        pytest.param({"service": "web"}, "give image_tag, image_digest, or both", id="no-image"),
        *(
            pytest.param({"service": "web", "leave": True, **more}, "give neither", id=f"leave-{key}")
            for key, more in {"force": {"force": True}, "release": {"release": 1}}.items()
        ),
        pytest.param({"service": "web", "release": 1, "force": True}, "give neither", id="release-force"),
        pytest.param({"service": "web", "release": 1, "image_tag": "1"}, "give neither", id="two-releases"),
        pytest.param({"service": "web", "release": 0}, "release: ", id="release-of-no-number"),
        pytest.param({"service": "web", "release": True}, "release: ", id="release-of-a-boolean"),
        pytest.param({"service": "web", "follow_pattern": True, "force": True}, "give nothing", id="follow"),
        pytest.param(
            {"service": "web", "asked": "2026-11-23T04:00:07Z"}, "give image_tag", id="a-time-is-no-image"
        ),
        pytest.param({"service": "web", "image_tag": "1", "asked": "soon"}, "asked: ", id="no-time"),
        pytest.param(
            {"service": "web", "image_tag": "1", "asked": "2026-11-23T04:00:07"},
            "asked: ",
            id="time-without-zone",
        ),
        pytest.param(
            {"service": "web", "image_tag": "a b", "image_digest": NEW},
            "image_tag: ",
            id="one-of-two-is-wrong",
        ),
        pytest.param({"service": "web", "image_tag": "a b"}, "image_tag: ", id="tag-with-space"),
        pytest.param({"service": "web", "image_digest": "sha256:1"}, "image_digest: ", id="short-digest"),
        pytest.param({"service": "web", "tag": "1"}, "tag: ", id="unknown-key"),
        pytest.param(
            {"service": "web", "image_tag": "1", STARTED_BY: 7}, "STARTED_BY", id="started-by-a-number"
        ),
        pytest.param(push(**{"repository-name": None}), "repository: ", id="push-without-repository"),
        pytest.param(push() | {"account": None}, "account: ", id="push-of-nowhere"),
        pytest.param(push(**{"image-digest": "x"}), "digest: ", id="push-without-digest"),
    ],
)
def test_anything_else_is_refused_with_an_example(raw: Any, said: str) -> None:
    """The sentence says what is wrong and shows what is right."""
    with pytest.raises(InvalidInput, match=said) as refused:
        read_input(raw)
    assert '{"service": "web", "image_tag": "1.2.3"}' in str(refused.value)


def test_what_another_version_of_crossfade_asks_is_understood() -> None:
    """What waited is started by whatever version was at work then; a person's slip is refused."""
    raw = {"service": "web", "image_tag": "1.2.3", "newer": 1}
    assert read_input(raw | {"asked": "2026-11-27T04:00:00Z"})
    with pytest.raises(InvalidInput, match="newer: there is no such key"):
        read_input(raw)
