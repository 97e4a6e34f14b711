"""What is wrong with an answer, in words: found and expected, how often, and what to do."""

from typing import Any

import pytest

from crossfade.domain.answers import ADVICE, MOST_CHARACTERS, MOST_KINDS, Kinds, advice, fault, is_good
from tests.unit.examples import request

RIGHT = {"0.1.1"}
SELF_SIGNED = (
    "SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
    "self-signed certificate (_ssl.c:1006)"
)


def _answer(status: int | None = 200, version: str | None = None, **more: Any) -> Any:
    return request(status=status, version=version, **more)


ROWS = [
    pytest.param(
        _answer(401), "98 of 98: HTTP 401, expected 200. A login or a web ACL stands before", id="login"
    ),
    pytest.param(_answer(403), "A rate rule of AWS WAF counts the probe too", id="web-acl"),
    pytest.param(_answer(429), "98 of 98: HTTP 429, expected 200. A rate limit meets the probe", id="rate"),
    pytest.param(
        _answer(301, note="to https://web/version"),
        "98 of 98: HTTP 301 to https://web/version, expected 200. A login or a redirect to HTTPS",
        id="redirect",
    ),
    pytest.param(_answer(404), "98 of 98: HTTP 404, expected 200. Nothing is served at that path", id="path"),
    pytest.param(
        _answer(503, note="by the load balancer"),
        "98 of 98: HTTP 503 by the load balancer, expected 200. The load balancer has no target",
        id="no-target",
    ),
    pytest.param(_answer(503), "98 of 98: HTTP 503, expected 200. The application failed", id="application"),
    pytest.param(
        _answer(500, path="/orders"),
        "98 of 98: HTTP 500 at /orders, expected 200. The application failed",
        id="another-path",
    ),
    pytest.param(
        _answer(None, error="no answer within 5 s", path="/orders"),
        "98 of 98: no answer within 5 s at /orders. The application takes longer",
        id="another-path-is-silent",
    ),
    pytest.param(_answer(502), "did not answer the load balancer properly", id="bad-gateway"),
    pytest.param(
        _answer(version="0.1.1\n"),
        '98 of 98: version "0.1.1\\n", expected "0.1.1". What the application answers must be what',
        id="a-line-end",
    ),
    pytest.param(_answer(version="0.1.1\u200b"), 'version "0.1.1\\u200b", expected', id="no-width"),
    pytest.param(_answer(version="v0.1.1"), 'version "v0.1.1", expected "0.1.1"', id="a-prefix"),
    pytest.param(
        _answer(note='"version" is 1234, not a text'),
        '98 of 98: no version ("version" is 1234, not a text), expected "0.1.1". An answer of version.path',
        id="a-number",
    ),
    pytest.param(_answer(), 'no version (none was found), expected "0.1.1"', id="by-an-older-probe"),
    pytest.param(
        _answer(None, error="ConnectionRefusedError: Connection refused"),
        "98 of 98: ConnectionRefusedError: Connection refused. Nobody listens there",
        id="refused",
    ),
    pytest.param(
        _answer(None, error="gaierror: Name or service not known"),
        "98 of 98: gaierror: Name or service not known. The probe cannot resolve the name",
        id="name",
    ),
    pytest.param(
        _answer(None, error=SELF_SIGNED),
        "SSLCertVerificationError: certificate verify failed: self-signed certificate. The probe trusts",
        id="certificate",
    ),
    pytest.param(
        _answer(None, error="no connection within 5 s"),
        "98 of 98: no connection within 5 s. The probe does not get through: look at the security groups",
        id="no-connection",
    ),
    pytest.param(
        _answer(None, error="no answer within 5 s"),
        "98 of 98: no answer within 5 s. The application takes longer",
        id="slow",
    ),
    pytest.param(
        _answer(None, error="connection closed without an answer"),
        "98 of 98: connection closed without an answer. Read the application's log",
        id="anything-else",
    ),
]


@pytest.mark.parametrize(("answer", "told"), ROWS)
def test_a_failure_is_named(answer: Any, told: str) -> None:
    """What was found, what was expected, and the advice that fits."""
    assert not is_good(answer, RIGHT)
    kinds = Kinds()
    for _ in range(98):
        kinds = kinds.plus(fault(answer))
    assert told in kinds.summary(98, RIGHT)
    assert kinds.summary(98, RIGHT).isprintable()


def test_every_advice_has_a_row() -> None:
    """Each advice is that of some failure of the table."""
    given = {advice(fault(row.values[0])) for row in ROWS}
    others = {"HTTP ", "SSLError"}  # of any other status, and of a port that does not speak TLS
    rest = {sentence for starts, sentence in ADVICE if others & set(starts)}
    assert given | rest == {sentence for _, sentence in ADVICE}


def test_another_status_may_be_expected() -> None:
    """It is named as the spec names it, and what the probe has judged is not judged again."""
    login, page = _answer(302, accepted=True), _answer(200, accepted=False)
    assert is_good(login, None)
    assert not is_good(page, None)
    told = Kinds().plus(fault(page)).summary(1, None, "302")
    assert told == (
        "1 of 1: HTTP 200, expected 302. version.path must answer with a status of version.ok, and so must "
        "each of probe.paths"
    )


@pytest.mark.parametrize(
    ("answer", "right", "good"),
    [
        pytest.param(_answer(version="0.1.1"), RIGHT, True, id="right"),
        pytest.param(_answer(204, version="0.1.1"), RIGHT, True, id="any-2xx"),
        pytest.param(_answer(version="9.9.9"), None, True, id="where-nobody-knows-any-is"),
        pytest.param(_answer(version=None), None, True, id="even-none"),
        pytest.param(_answer(500, version="0.1.1"), RIGHT, False, id="the-status-counts"),
        pytest.param(_answer(version="0.1.1 "), RIGHT, False, id="to-the-last-character"),
    ],
)
def test_well(answer: Any, right: set[str] | None, good: bool) -> None:
    """A 2xx answer of a version that is right."""
    assert is_good(answer, right) is good


def test_the_commonest_is_told_first() -> None:
    """Two kinds, and how many there are of others."""
    kinds = Kinds()
    for status, count in ((500, 3), (502, 5), (401, 90)):
        for _ in range(count):
            kinds = kinds.plus(fault(_answer(status)))
    assert kinds.summary(240, RIGHT).startswith(
        "90 of 240: HTTP 401, expected 200; 5: HTTP 502; 3 of other kinds. A"
    )
    assert Kinds().summary(240, RIGHT) == ""


def test_what_travels_is_bounded() -> None:
    """An application may answer another version each time, as long as it likes."""
    kinds = Kinds()
    for n in range(1000):
        kinds = kinds.plus(fault(_answer(version=f"{n}\x1b" * 99)))
    assert (len(kinds.counts), kinds.total) == (MOST_KINDS, 1000)
    assert all(len(kind) <= MOST_CHARACTERS for kind, _ in kinds.counts)
    assert len(kinds.summary(1000, RIGHT)) < 500
