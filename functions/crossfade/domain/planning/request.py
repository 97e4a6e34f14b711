"""What an execution is asked to do: input from the console, the API, or an event of ECR."""

from typing import Annotated, Any

from pydantic import AliasChoices, Field, ValidationError, model_validator

from crossfade.domain.errors import InvalidInput
from crossfade.domain.model import Model, Timestamp, faults
from crossfade.domain.spec.service import ServiceName
from crossfade.domain.text import visible

EXAMPLE = '{"service": "web", "image_tag": "1.2.3"}'
STARTED_BY = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"
"""The key that names a workflow which starts another one: Workflow Studio adds it to the input.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-nested-workflows.html
"""
ARRIVALS = {"ECR Image Action": "PUSH", "ECR Replication Action": "REPLICATE"}
"""The events of a new image, by their detail-type, with their action-type.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
"""

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class DeployRequest(Model):
    """A person or a program asks for one release of one service: by tag, by digest, or by both.

    With both, the digest is deployed under that tag. ``force``: also where image and configuration are those
    that are live; without an image it is the live one. ``follow_pattern``: the live image with the pattern of
    now, if that is another one and no other deployment is at work. ``release`` is the number of an older
    release, which comes back with image and configuration as they were. ``leave`` is without an image: what
    is live goes back to its owner's ECS service.

    ``asked`` is set where Crossfade itself starts what has waited: the release gives way to any that was
    pushed later. ``tagged`` is that release's. ``asked_by`` is the execution that asks.
    """

    service: ServiceName
    image_tag: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")
    image_digest: Digest | None = None
    release: int | None = Field(default=None, ge=1, strict=True)  # else true would be release 1
    force: bool = False
    follow_pattern: bool = False
    leave: bool = False
    asked: Timestamp | None = None
    tagged: Timestamp | None = None
    asked_by: str | None = Field(default=None, validation_alias=AliasChoices("asked_by", STARTED_BY))

    @property
    def waits(self) -> bool:
        """Whether it may wait for a service that another deployment holds: what waits is an image alone."""
        return bool(self.image_tag or self.image_digest) and not (self.force or self.release)

    @model_validator(mode="after")
    def _an_image(self) -> "DeployRequest":
        image = self.image_tag is not None or self.image_digest is not None
        if self.follow_pattern and (image or self.force or self.release or self.leave):
            raise ValueError("give nothing with follow_pattern: what is live is released with it")
        if self.leave and (image or self.force or self.release):
            raise ValueError("give neither an image nor force with leave: what is live is handed back")
        if self.release and (image or self.force):
            raise ValueError("give neither an image nor force with release: its number says what is deployed")
        if not (self.leave or self.force or self.release or self.follow_pattern or image):
            raise ValueError("give image_tag, image_digest, or both; or force, for the live image")
        return self


class ImagePushed(Model):
    """An image came to ECR: it was pushed, or replicated from another registry.

    ``account`` and ``region`` are of the registry that has it now, ``at`` is the event's time. ``tag`` is
    empty for the children of a multi-architecture image.
    """

    account: str
    region: str
    repository: str
    digest: Digest
    tag: str
    at: Timestamp | None = None


class NoConcern(Model):
    """An event that asks nothing of this Crossfade, and why."""

    reason: str


def read_input(raw: Any, execution: str) -> DeployRequest | ImagePushed | NoConcern:
    """Tell an event of ECR from a person's input, and check either.

    ``execution`` is the ARN of the execution that has the input: Crossfade deploys the images of its own
    account and region, and another registry may have a repository of the same name.

    Raises
    ------
    InvalidInput
        Says which key is wrong, with an example of what is right.
    """
    if not isinstance(raw, dict):
        raise InvalidInput(
            f"The input must be a JSON object, found {_kind(raw)}. Start again with {EXAMPLE}."
        )
    try:
        if raw.get("source") == "aws.ecr":
            return _read_event(raw, execution)
        ask = DeployRequest.model_validate(raw)
    except ValidationError as error:
        raise _malformed(_unknown(raw) + faults(error, "input")) from error
    # What Crossfade itself asks for may come from another version of it.
    if ask.asked is None and (unknown := _unknown(raw)):
        raise _malformed(unknown)
    return ask


def _read_event(raw: dict[str, Any], execution: str) -> ImagePushed | NoConcern:
    detail = raw["detail"] if isinstance(raw.get("detail"), dict) else {}
    kind, action, result = raw.get("detail-type"), detail.get("action-type"), detail.get("result")
    if not isinstance(kind, str) or ARRIVALS.get(kind) != action or result != "SUCCESS":
        return NoConcern(
            reason=f"no image has come: the event is {_shown(kind)}, {_shown(action)}, {_shown(result)}"
        )
    push = ImagePushed.model_validate(
        {
            "account": raw.get("account"),
            "region": raw.get("region"),
            "repository": detail.get("repository-name"),
            "digest": detail.get("image-digest"),
            "tag": detail.get("image-tag") or "",
            "at": raw.get("time"),
        }
    )
    region, account = execution.split(":")[3:5]
    if (push.account, push.region) != (account, region):
        came = f"account {visible(push.account)} in {visible(push.region)}"
        return NoConcern(
            reason=f"the image came to {came}; this Crossfade is of account {account} in {region}"
        )
    return push


def _unknown(raw: dict[str, Any]) -> list[str]:
    return [
        f"{key}: there is no such key"
        for key in sorted(raw.keys() - DeployRequest.model_fields.keys() - {STARTED_BY})
    ]


def _malformed(wrong: list[str]) -> InvalidInput:
    return InvalidInput(f"The input is malformed. {'; '.join(wrong)}. Start again with {EXAMPLE}.")


def _kind(raw: Any) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(raw), "nothing")


def _shown(value: Any) -> str:
    return visible(value) if isinstance(value, str) else "(none)"
