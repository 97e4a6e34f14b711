"""Adapters that only read or append: ledger, evidence, registry, specs, and error names."""

import gzip
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from crossfade.aws.certificates import PART_BYTES, Certificates
from crossfade.aws.ecr import Pushed, Registry
from crossfade.aws.errors import THROTTLED, translate
from crossfade.aws.ledger import LARGE_PAGE, Ledger
from crossfade.aws.specs import Specs
from crossfade.domain.errors import (
    AwsRefused,
    AwsUnavailable,
    CrossfadeError,
    ImageNotInRepository,
    ImageTagNotFound,
    InvalidServiceSpec,
    ResourceGone,
)
from crossfade.domain.spec.service import read_spec
from tests.unit.account import BUCKET, LEDGER_GROUP, SPECS, Account
from tests.unit.examples import NEW, NEWER, OLD, at


def _error(code: str, status: int = 400) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": "m"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "Op")


@pytest.mark.parametrize(
    ("error", "name"),
    [
        *[pytest.param(_error(code), AwsUnavailable, id=code) for code in sorted(THROTTLED)],
        pytest.param(_error("ServerException", 500), AwsUnavailable, id="server-fault"),
        pytest.param(_error("ServiceUnavailable", 503), AwsUnavailable, id="unavailable"),
        pytest.param(_error("AccessDenied", 403), AwsRefused, id="access-denied"),
        pytest.param(_error("ClusterNotFoundException"), AwsRefused, id="not-found"),
        pytest.param(EndpointConnectionError(endpoint_url="x"), AwsUnavailable, id="no-connection"),
        pytest.param(ReadTimeoutError(endpoint_url="x"), AwsUnavailable, id="no-answer-in-time"),
        pytest.param(ParamValidationError(report="x"), AwsRefused, id="never-sent"),
        pytest.param(NoCredentialsError(), AwsRefused, id="no-credentials"),
    ],
)
def test_errors_get_names(error: ClientError | BotoCoreError, name: type[CrossfadeError]) -> None:
    """Worth another try, or not; what AWS said stays in the message."""
    found = translate(error)
    assert type(found) is name
    assert str(error) in str(found)


@pytest.mark.parametrize(
    ("code", "advised"),
    [
        ("AccessDeniedException", "role that AWS names"),
        ("UnauthorizedOperation", "role that AWS names"),
        ("InvalidClientTokenId", "credentials"),
        ("InvalidParameterException", "value that AWS names"),
        ("ClientException", "value that AWS names"),
        ("ValidationError", "value that AWS names"),
        ("PlatformUnknownException", "value that AWS names"),
        ("ServiceQuotaExceededException", "quota"),
        ("TooManyTargetGroups", "quota"),
        ("ClusterNotFoundException", "is gone"),
        ("InvalidSubnetID.NotFound", "is gone"),
        ("StateMachineDoesNotExist", "is gone"),
        ("OperationNotPermitted", "AWS's words"),
    ],
)
def test_the_advice_fits_the_refusal(code: str, advised: str) -> None:
    """A wrong port was once to be found in a role."""
    found = str(translate(_error(code)))
    assert advised in found
    of_a_role = advised == "role that AWS names"
    for named in ("template.yaml", "parameter Adopted", "TaskRoles"):
        assert (named in found) is of_a_role


def test_a_refusal_is_one_sentence_after_the_other() -> None:
    """AWS's own words end with a full stop, as a rule."""
    answer: Any = {"Error": {"Code": "ClientException", "Message": "No port 8080 is defined."}}
    refusal = translate(ClientError(answer | {"ResponseMetadata": {"HTTPStatusCode": 400}}, "CreateService"))
    assert "No port 8080 is defined. Correct the value" in str(refusal)


def test_a_limit_may_be_a_quota() -> None:
    """Application Auto Scaling says so of the number of its targets."""
    assert "Service Quotas" in str(translate(_error("LimitExceededException")))


def test_a_ledger_that_does_not_exist_has_no_lines(account: Account) -> None:
    """The probe has not begun."""
    assert list(Ledger(account.logs, LEDGER_GROUP).pages("web/d1", None)) == [([], None)]


def _lines(ledger: Ledger, cursor: str | None) -> tuple[list[str], str | None]:
    """All lines of the pages after a cursor, and the cursor behind them."""
    pages = list(ledger.pages("web/d1", cursor))
    return [line for lines, _ in pages for line in lines], pages[-1][1]


def test_a_ledger_is_read_onwards(account: Account) -> None:
    """Each line once, however often it is looked at."""
    ledger = Ledger(account.logs, LEDGER_GROUP)
    account.write_ledger("web/d1", "a", "b")
    first, cursor = _lines(ledger, None)
    nothing, cursor = _lines(ledger, cursor)
    account.write_ledger("web/d1", "c")
    rest, _ = _lines(ledger, cursor)
    assert (first, nothing, rest) == (["a", "b"], [], ["c"])


def test_all_pages_of_a_ledger_are_read() -> None:
    """The end is where the token comes back unchanged, not where a page is empty."""
    pages = {None: (["a"], "1"), "1": ([], "2"), "2": (["b"], "3"), "3": ([], "3")}

    class Logs:
        """The part of the client that is used."""

        def get_log_events(self, **given: Any) -> dict[str, Any]:
            """Answer with the page of a token."""
            assert given["startFromHead"] is True
            lines, token = pages[given.get("nextToken")]
            return {"events": [{"message": line} for line in lines], "nextForwardToken": token}

    assert _lines(Ledger(Logs(), LEDGER_GROUP), None) == (["a", "b"], "3")


def test_news_of_a_ledger_end_with_a_small_page() -> None:
    """Whoever follows it asks again soon; after a large page there may be more at once."""
    large = [str(n) for n in range(LARGE_PAGE)]
    pages = {None: (large, "1"), "1": (["b"], "2"), "2": (["c"], "3")}

    class Logs:
        """The part of the client that is used."""

        def get_log_events(self, **given: Any) -> dict[str, Any]:
            """Answer with the page of a token."""
            lines, token = pages[given.get("nextToken")]
            return {"events": [{"message": line} for line in lines], "nextForwardToken": token}

    ledger = Ledger(Logs(), LEDGER_GROUP)
    assert ledger.news("web/d1", None) == ([*large, "b"], "2")
    assert ledger.news("web/d1", "2") == (["c"], "3")


def test_other_errors_of_the_ledger_are_passed_on() -> None:
    """A refused read is no empty ledger: silence is not success."""

    class Logs:
        """The part of the client that is used."""

        def get_log_events(self, **_: Any) -> None:
            """Refuse."""
            raise _error("AccessDeniedException", 403)

    with pytest.raises(ClientError):
        _lines(Ledger(Logs(), LEDGER_GROUP), None)


def _store(account: Account, *pieces: bytes) -> None:
    with Certificates(account.s3, BUCKET).ledger("web/d1") as upload:
        for piece in pieces:
            upload.write(piece)
        upload.complete()


def _stored(account: Account) -> bytes:
    stored = account.s3.get_object(Bucket=BUCKET, Key="web/d1/ledger.jsonl.gz")
    assert stored["ContentType"] == "application/gzip"
    return gzip.decompress(stored["Body"].read())


def _noise(size: int) -> bytes:
    """What cannot be compressed."""
    return Random(size).randbytes(size)


def _unfinished(account: Account) -> list[Any]:
    return account.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])


def test_evidence_is_stored_once(account: Account) -> None:
    """Writing twice leaves one copy of each, the last."""
    evidence = Certificates(account.s3, BUCKET)
    for ledger in (b"a\n", b"b\n"):
        _store(account, ledger)
        assert evidence.certificate("web/d1", b"{}") == "web/d1/certificate.json"
    keys = [item["Key"] for item in account.s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert keys == ["web/d1/certificate.json", "web/d1/ledger.jsonl.gz"]
    assert _stored(account) == b"b\n"


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([], id="empty"),
        pytest.param([b"a" * PART_BYTES], id="much-that-packs-small"),
        pytest.param([_noise(PART_BYTES - 9_000), b"b", _noise(9_000)], id="about-a-part"),
        pytest.param([_noise(2 * PART_BYTES + 5)], id="a-piece-of-several-parts"),
    ],
)
def test_a_ledger_of_any_size_is_stored_whole(account: Account, pieces: list[bytes]) -> None:
    """By parts where it is large; nothing of an upload is left over."""
    _store(account, *pieces)
    assert _stored(account) == b"".join(pieces)
    assert _unfinished(account) == []


def test_the_same_ledger_is_the_same_file(account: Account) -> None:
    """Byte for byte, whenever it is written."""
    files = []
    for _ in range(2):
        _store(account, b"a\n")
        files.append(account.s3.get_object(Bucket=BUCKET, Key="web/d1/ledger.jsonl.gz")["Body"].read())
    assert files[0] == files[1]
    assert files[0][4:8] == bytes(4)  # gzip's time


def test_a_ledger_that_is_not_completed_leaves_nothing(account: Account) -> None:
    """What was there before stays, and no part is paid for."""
    _store(account, b"before")
    with Certificates(account.s3, BUCKET).ledger("web/d1") as upload:
        upload.write(_noise(PART_BYTES + 9_000))
        assert len(_unfinished(account)) == 1
    assert _stored(account) == b"before"
    assert _unfinished(account) == []


def test_an_image_is_found_by_tag_and_by_digest(account: Account) -> None:
    """Either way it is pinned by its digest."""
    digest = account.push("0.0.2")
    registry = Registry(account.ecr)
    image = registry.by_tag("web", "0.0.2")
    assert image == registry.by_digest("web", digest)
    assert (image.digest, image.tags) == (digest, ("0.0.2",))
    assert image.uri.endswith(f"/web@{digest}")


def test_an_image_that_is_not_there(account: Account) -> None:
    """The sentence says what to push or to correct."""
    account.push("0.0.2")
    with pytest.raises(ImageTagNotFound, match="no image tagged 9"):
        Registry(account.ecr).by_tag("web", "9")
    with pytest.raises(ImageNotInRepository, match=NEW):
        Registry(account.ecr).by_digest("web", NEW)
    assert Registry(account.ecr).tags("web", NEW) == ()


def test_a_repository_that_is_not_there_is_no_missing_image(account: Account) -> None:
    """Nobody could push to it."""
    registry = Registry(account.ecr)
    for look in (registry.by_tag, registry.by_digest):
        with pytest.raises(ResourceGone, match="There is no repository nowhere"):
            look("nowhere", NEW)
    assert registry.tags("nowhere", NEW) == ()


def test_an_image_has_all_its_tags(account: Account) -> None:
    """Each that it was pushed by."""
    digest = account.push("2")
    account.tag(digest, "2.0")
    assert set(Registry(account.ecr).tags("web", digest)) == {"2", "2.0"}


def test_an_image_that_cannot_be_read_is_not_one_without_tags(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal says nothing of its tags."""

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "no"}}, "DescribeImages")

    monkeypatch.setattr(account.ecr, "describe_images", refuse)
    with pytest.raises(ClientError, match="ThrottlingException"):
        Registry(account.ecr).tags("web", NEW)


def _pushed(tags: list[str], digest: str, seconds: float) -> dict[str, Any]:
    return {"imageTags": tags, "imageDigest": digest, "imagePushedAt": at(seconds)}


@pytest.mark.parametrize(
    ("images", "newest"),
    [
        pytest.param([], None, id="nothing-was-pushed"),
        pytest.param([[_pushed(["latest"], NEW, 9)]], None, id="nothing-that-matches"),
        pytest.param([[{"imageDigest": NEW, "imagePushedAt": at(9)}]], None, id="nothing-with-a-tag"),
        pytest.param(
            [[_pushed(["1"], OLD, 1), _pushed(["2"], NEW, 5)], [_pushed(["3"], NEWER, 3)]],
            Pushed(tag="2", digest=NEW, at=at(5)),
            id="pushed-last-of-all-pages",
        ),
        pytest.param(
            [[_pushed(["9"], OLD, 1), _pushed(["2"], NEW, 5)]],
            Pushed(tag="2", digest=NEW, at=at(5)),
            id="the-time-counts-and-not-the-tag",
        ),
        pytest.param(
            [[_pushed(["1"], OLD, 1), _pushed(["latest"], NEW, 5)]],
            Pushed(tag="1", digest=OLD, at=at(1)),
            id="what-does-not-match-is-no-release",
        ),
        pytest.param(
            [[_pushed(["latest", "2", "1"], NEW, 5)]],
            Pushed(tag="2", digest=NEW, at=at(5)),
            id="of-several-tags-one",
        ),
    ],
)
def test_the_newest_image(
    account: Account, monkeypatch: pytest.MonkeyPatch, images: list[Any], newest: Pushed | None
) -> None:
    """By the time of its push, of those with a tag that deploys."""
    pages = [{"imageDetails": page} for page in images]
    pager = SimpleNamespace(paginate=lambda **_: pages)
    monkeypatch.setattr(account.ecr, "get_paginator", lambda _: pager)
    assert Registry(account.ecr).newest("web", str.isdigit) == newest


def test_the_newest_of_real_images(account: Account) -> None:
    """The envelope is AWS's."""
    digest = account.push("0.0.2")
    account.push("latest")
    found = Registry(account.ecr).newest("web", account.spec.deploys)
    assert found is not None
    assert (found.tag, found.digest) == ("0.0.2", digest)
    assert found.at == Registry(account.ecr).by_digest("web", digest).pushed


def test_a_repository_that_is_gone_has_no_newest_image(account: Account) -> None:
    """Its service's stack is half deleted, say."""
    assert Registry(account.ecr).newest("gone", str.isdigit) is None


@pytest.mark.parametrize("ask", ["by_tag", "by_digest", "newest"])
def test_other_errors_of_the_registry_are_passed_on(
    account: Account, monkeypatch: pytest.MonkeyPatch, ask: str
) -> None:
    """A refused question does not mean that there is no image."""

    def refuse(*_: Any, **__: Any) -> None:
        raise _error("AccessDeniedException", 403)

    monkeypatch.setattr(account.ecr, "describe_images", refuse)
    monkeypatch.setattr(account.ecr, "_make_api_call", refuse)
    with pytest.raises(ClientError, match="AccessDenied"):
        getattr(Registry(account.ecr), ask)("web", str.isdigit)


def test_specs_are_read(account: Account) -> None:
    """One by name, or all of them, over several pages."""
    specs = Specs(account.ssm, SPECS)
    for n in range(12):
        account.publish(account.spec.model_copy(update={"service": f"shop{n}"}))
    assert read_spec("web", specs.get("web") or "") == account.declared
    assert set(specs.all()) == {"web", *(f"shop{n}" for n in range(12))}


def test_specs_of_another_crossfade_are_not_read(account: Account) -> None:
    """Two in one account would deploy each other's pushes, each by a journal of its own."""
    document = account.spec.model_dump_json()
    account.ssm.put_parameter(Name="/crossfade/services/shop", Value=document, Type="String")
    specs = Specs(account.ssm, SPECS)
    assert specs.get("shop") is None
    assert set(specs.all()) == {"web"}


def test_an_unknown_service_has_no_spec(account: Account) -> None:
    """That is the one answer of SSM that says so."""
    assert Specs(account.ssm, SPECS).get("shop") is None


def test_a_refused_question_does_not_mean_that_there_is_no_spec(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that SSM does not take is a fault of who asks."""

    def refuse(**_: Any) -> None:
        raise _error("ValidationException", 400)

    monkeypatch.setattr(account.ssm, "get_parameter", refuse)
    with pytest.raises(ClientError, match="ValidationException"):
        Specs(account.ssm, SPECS).get("web")


def test_a_secret_spec_is_told_from_a_malformed_one(account: Account) -> None:
    """SSM gives of it what KMS has made of it, and that is no JSON."""
    document = account.spec.model_dump_json()
    account.ssm.put_parameter(Name=f"{SPECS}shop", Value=document, Type="SecureString")
    specs = Specs(account.ssm, SPECS)
    for found in (specs.get("shop"), specs.all()["shop"]):
        with pytest.raises(InvalidServiceSpec, match="service shop's spec is a SecureString"):
            read_spec("shop", found or "")
    assert read_spec("web", specs.all()["web"]) == account.declared
