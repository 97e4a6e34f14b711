"""What people are told of an event: all of it, each part in the form that its receiver takes."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from crossfade.domain.messages import SUBJECT_LENGTH, Message, Notice, message
from faults.files import ROOT
from tests.unit.examples import ENDED

WILD = 'fails 98 of 98: HTTP 500,\nbody "<!channel> & \\\\ \'*\'" – Grüße\tfrom \x1b[31m{"a": 1}'
"""What an application may have answered: quotes, line breaks, markup, control characters."""


def told(**changes: Any) -> Message:
    """The message of an event that differs from the example."""
    return message(Notice.model_validate(ENDED | changes))


def test_the_example_is_an_event() -> None:
    """Of the form that is sent."""
    schema = json.loads((ROOT / "docs/event.schema.json").read_text(encoding="utf-8"))
    assert list(Draft202012Validator(schema).iter_errors(ENDED)) == []


def test_an_e_mail_has_what_a_person_needs() -> None:
    """Outcome, reason, versions, and where to look."""
    found = told()
    assert found.subject == "web: 0.0.2 was rolled back"
    assert found.text.startswith("web: 0.0.2 was rolled back, and 0.0.1 has all traffic.")
    assert found.text.splitlines()[-6:] == [
        "service: web",
        "versions: 0.0.1 -> 0.0.2",
        "outcome: rolled_back",
        "deployment: d1",
        "certificate: s3://evidence/web/d1/certificate.json",
        "console: https://eu-central-1.console.aws.amazon.com/states/home",
    ]


def test_a_first_release_comes_from_none() -> None:
    """And what is not known is left out."""
    found = told(certificate=None, console=None, outcome=None, **{"from": None})
    assert found.text.splitlines()[-3:] == ["service: web", "versions: none -> 0.0.2", "deployment: d1"]
    assert json.loads(found.chat)["content"]["nextSteps"] == []


@pytest.mark.parametrize("outcome", ["refused", "dropped"])
def test_what_was_never_begun_does_not_say_that_nothing_is_live(outcome: str) -> None:
    """Its event has no version from before, since the journal has none of it; the service has one."""
    found = told(outcome=outcome, **{"from": None})
    assert "versions: 0.0.2" in found.text.splitlines()


def test_a_refused_release_may_name_no_service() -> None:
    """The input may be none at all."""
    found = told(service=None, to=None, outcome="refused", **{"from": None})
    assert "service:" not in found.text
    assert json.loads(found.chat)["content"]["keywords"] == ["refused"]


@pytest.mark.parametrize("text", [WILD, f"{WILD} {'x' * 5_000}"])
def test_a_wild_reason_is_told_as_it_is(text: str) -> None:
    """In the mail to the letter, in the channel with its markup written out, each in a valid form."""
    found = told(text=text, reason=None)
    assert WILD in found.text
    description = json.loads(found.chat)["content"]["description"]
    assert 'body "&lt;!channel&gt; &amp; ' in description
    assert "<" not in description
    assert len(found.text) < 4_500


def test_a_reason_that_the_text_leaves_out_is_added() -> None:
    """And not said twice where it does not."""
    assert "because of it" in told(reason="because of it").text
    assert told(text="It ended because of it.", reason="because of it").text.count("because of it") == 1


@pytest.mark.parametrize("title", ["two\r\nlines\tand \x00 more", "x" * 300, "web → 0.0.2"])
def test_a_subject_is_one_that_sns_takes(title: str) -> None:
    """On one line, in fewer than 100 characters; SNS refuses any other, and the message with it."""
    subject = told(title=title).subject
    assert 0 < len(subject) <= SUBJECT_LENGTH < 100
    assert subject.isprintable()


def test_a_channel_gets_the_form_that_it_takes() -> None:
    """The keys of AWS's custom notifications; what has others is dropped there without a word."""
    found = json.loads(told().chat)
    assert (found["version"], found["source"]) == ("1.0", "custom")
    assert found.keys() == {"version", "source", "id", "content", "metadata"}
    assert found["content"].keys() == {"textType", "title", "description", "nextSteps", "keywords"}
    assert found["content"]["textType"] == "client-markdown"
    assert found["content"]["keywords"] == ["web", "rolled_back"]
    assert found["metadata"].keys() == {"threadId", "summary", "eventType", "relatedResources"}
    assert found["metadata"]["threadId"] == "web/d1"
