"""The input: a person's, a program's, or ECR's push event."""

from typing import Any

import pytest

from crossfade.domain.errors import InvalidInput
from crossfade.domain.request import Ask, Push, read_input
from tests.unit.examples import NEW, at


def push(**detail: Any) -> dict[str, Any]:
    """The event that ECR sends."""
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


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(
            {"service": "web", "image_tag": "0.0.2"}, Ask(service="web", image_tag="0.0.2"), id="console-tag"
        ),
        pytest.param(
            {"service": "web", "image_digest": NEW}, Ask(service="web", image_digest=NEW), id="digest"
        ),
        pytest.param(
            {"service": "web", "image_tag": "0.0.2", "image_digest": NEW},
            Ask(service="web", image_tag="0.0.2", image_digest=NEW),
            id="tag-and-digest",
        ),
        pytest.param(
            {"service": "web", "image_digest": NEW, "asked": "2026-11-23T04:00:07.000Z"},
            Ask(service="web", image_digest=NEW, asked=at(7)),
            id="what-has-waited",
        ),
        pytest.param(push(), Push(repository="web", digest=NEW, tag="0.0.2"), id="push"),
        pytest.param(
            push(**{"image-tag": ""}), Push(repository="web", digest=NEW, tag=""), id="untagged-child"
        ),
        pytest.param(
            push(**{"image-tag": None}), Push(repository="web", digest=NEW, tag=""), id="tag-is-null"
        ),
    ],
)
def test_accepted_forms(raw: Any, expected: Ask | Push) -> None:
    """The two forms, each with its variants."""
    assert read_input(raw) == expected


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
        pytest.param({"service": "web"}, "give image_tag, image_digest, or both", id="no-image"),
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
        pytest.param({"source": "aws.ecr"}, "repository: ", id="push-without-detail"),
        pytest.param({"source": "aws.ecr", "detail": 1}, "repository: ", id="push-with-odd-detail"),
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
