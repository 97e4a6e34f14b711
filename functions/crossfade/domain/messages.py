"""An event in words for people: an e-mail's subject and text, and a notification for a chat channel."""

import html
import json
from typing import Any, NamedTuple

from pydantic import Field

from crossfade.domain.model import Model

SUBJECT_LENGTH = 99
"""SNS takes fewer than 100 characters, with neither line breaks nor control characters (Publish, Subject)."""
TEXT_LENGTH = 4_000
"""Of an event's text and of its reason: what a person reads, far below the 256 KiB that SNS takes."""


class Version(Model):
    """One side of a release; ``version`` is None where it has none."""

    version: str | None = None


class Place(Model):
    """An object in S3."""

    bucket: str
    key: str

    @property
    def url(self) -> str:
        """As the AWS CLI takes it."""
        return f"s3://{self.bucket}/{self.key}"


class Notice(Model):
    """The part of an event's ``detail`` that people read; docs/event.schema.json has all of it."""

    id: str
    kind: str
    service: str | None = None
    deployment: str
    title: str
    text: str
    before: Version | None = Field(default=None, alias="from")
    after: Version | None = Field(default=None, alias="to")
    outcome: str | None = None
    reason: str | None = None
    execution: str | None = None
    certificate: Place | None = None
    report: Place | None = None
    console: str | None = None


class Message(NamedTuple):
    """``subject`` and ``text`` are for an e-mail, ``chat`` is for a channel of Slack or Teams."""

    subject: str
    text: str
    chat: str


def message(notice: Notice) -> Message:
    """Word an event for people."""
    title = _line(notice.title)
    facts = [f"{name}: {value}" for name, value in _facts(notice)]
    return Message(
        subject=_cut(title, SUBJECT_LENGTH),
        text="\n".join([_said(notice), "", *facts, ""]),
        chat=json.dumps(_chat(notice, title), ensure_ascii=False),
    )


def _said(notice: Notice) -> str:
    """The event's own sentences, and its reason where they do not have it."""
    text, reason = _cut(notice.text, TEXT_LENGTH), _cut(notice.reason or "", TEXT_LENGTH)
    return text if reason in text else f"{text}\n\n{reason}"


def _facts(notice: Notice) -> list[tuple[str, str]]:
    """Everything else that is known, by name."""
    before, after = (side.version if side else None for side in (notice.before, notice.after))
    # Of what was never begun no event says what is live.
    known = before or notice.outcome not in {"refused", "dropped"}
    found = {
        "service": notice.service,
        "versions": f"{before or 'none'} -> {after or 'none'}" if known else after,
        "outcome": notice.outcome,
        "deployment": notice.deployment,
        "certificate": notice.certificate.url if notice.certificate else None,
        "report": notice.report.url if notice.report else None,
        "console": notice.console,
    }
    return [(name, value) for name, value in found.items() if value]


def _chat(notice: Notice, title: str) -> dict[str, Any]:
    """A custom notification of Amazon Q Developer in chat applications.

    Its form: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html. The text is shown as
    Markdown, in which Slack reads ``<!channel>`` as a call to all, so that signs of markup are written out.
    One deployment is one thread.
    """
    facts = [f"{name}: {value}" for name, value in _facts(notice) if name != "console"]
    return {
        "version": "1.0",
        "source": "custom",
        "id": notice.id,
        "content": {
            "textType": "client-markdown",
            "title": html.escape(title, quote=False),
            "description": html.escape("\n".join([_said(notice), "", *facts]), quote=False),
            "nextSteps": [f"Read the execution: {notice.console}"] if notice.console else [],
            "keywords": [word for word in (notice.service, notice.outcome or notice.kind) if word],
        },
        "metadata": {
            "threadId": f"{notice.service or ''}/{notice.deployment}",
            "summary": html.escape(title, quote=False),
            "eventType": notice.kind,
            "relatedResources": [notice.execution] if notice.execution else [],
        },
    }


def _line(text: str) -> str:
    """A text on one line, without control characters."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
