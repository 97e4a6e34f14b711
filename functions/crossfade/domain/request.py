"""What an execution is asked to do: input from the console, the API, or an ECR push event."""

from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from crossfade.domain.errors import InvalidInput
from crossfade.domain.message import Message, Moment

EXAMPLE = '{"service": "web", "image_tag": "1.2.3"}'

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class Ask(Message):
    """A person or a program asks for one release of one service: by tag, by digest, or by both.

    With both, the digest is deployed and the tag is the version that it must answer with. ``asked`` is set
    where Crossfade itself starts what has waited: the release gives way to any that was pushed later.
    """

    service: str = Field(min_length=1)
    image_tag: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")
    image_digest: Digest | None = None
    asked: Moment | None = None

    @model_validator(mode="after")
    def _an_image(self) -> "Ask":
        if self.image_tag is None and self.image_digest is None:
            raise ValueError("give image_tag, image_digest, or both")
        return self


class Push(Message):
    """An image was pushed to ECR. ``tag`` is empty for the children of a multi-architecture image."""

    repository: str
    digest: Digest
    tag: str


def read_input(raw: Any) -> Ask | Push:
    """Tell a push event from a person's input, and check either.

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
            detail = raw["detail"] if isinstance(raw.get("detail"), dict) else {}
            return Push.model_validate(
                {
                    "repository": detail.get("repository-name"),
                    "digest": detail.get("image-digest"),
                    "tag": detail.get("image-tag") or "",
                }
            )
        ask = Ask.model_validate(raw)
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in fault['loc']) or 'input'}: {fault['msg']}"
            for fault in error.errors(include_url=False)
        ]
        raise _malformed(_unknown(raw) + faults) from error
    # What Crossfade itself asks for may come from another version of it.
    if ask.asked is None and (unknown := _unknown(raw)):
        raise _malformed(unknown)
    return ask


def _unknown(raw: dict[str, Any]) -> list[str]:
    return [f"{key}: there is no such key" for key in sorted(raw.keys() - Ask.model_fields.keys())]


def _malformed(faults: list[str]) -> InvalidInput:
    return InvalidInput(f"The input is malformed. {'; '.join(faults)}. Start again with {EXAMPLE}.")


def _kind(raw: Any) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(raw), "nothing")
