"""What clients get through listeners that a service's owner has set up: hosts, redirects, TLS, logins."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.sandbox_parts.load_balancer.running import UNTIL_MET, Balancer, forward, get, listening

pytestmark = pytest.mark.enable_socket

SHARED = "*.example.com"


def host(*names: str) -> list[dict[str, Any]]:
    return [{"Field": "host-header", "HostHeaderConfig": {"Values": list(names)}}]


def test_one_listener_serves_several_services(lb):
    """By host, by path below a host, and the rest by the default action."""
    web, api = lb.group("10.0.0.1"), lb.group("10.0.0.2")
    below = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*"]}}]
    lb.rule((api, 1), conditions=host("web.example.com") + below)
    lb.rule((web, 1), conditions=host("WEB.example.com"))

    def ask(path: str, name: str) -> str:
        return get(lb, path, headers={"Host": name}).text

    assert ask("/", "Web.example.com") == "one"
    assert ask("/api/x?y=/", f"web.example.com:{lb.port}") == "two"
    assert ask("/api/x", "other.example.com") == "no version is live"


def test_conditions_ask_for_source_and_query(lb):
    """Clients are on this machine, whatever they say; a query may choose as well."""
    one, two = lb.group("10.0.0.1"), lb.group("10.0.0.2")
    lb.rule((one, 1), conditions=[{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}])
    here = [{"Field": "source-ip", "SourceIpConfig": {"Values": ["127.0.0.0/8"]}}]
    chosen = [{"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "slot", "Value": "t*"}]}}]
    lb.rule((two, 1), conditions=here + chosen)
    assert get(lb, "/?slot=two", headers={"X-Forwarded-For": "10.1.1.1"}).text == "two"
    assert get(lb, "/?slot=one").text == "no version is live"


def test_a_header_that_comes_twice_is_met_by_either(lb):
    """Its values are looked at in order, says AWS, not as one."""
    header = {"HttpHeaderName": "X-Slot", "Values": ["gre?n"]}
    lb.rule((lb.group("10.0.0.1"), 1), conditions=[{"Field": "http-header", "HttpHeaderConfig": header}])
    asked = "GET / HTTP/1.1\r\nHost: x\r\nX-Slot: blue\r\nx-slot: GREEN\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", lb.port), timeout=10) as link:
        link.sendall(asked.encode())
        answer = link.makefile("rb").read()
    assert answer.endswith(b"one")


def test_a_default_action_forwards_by_weight(process):
    """Two listeners of one load balancer, each with weights of its own."""
    one, two = process.group("10.0.0.1"), process.group("10.0.0.2")
    with listening(process, forward((one, 1), (two, 1))) as first:
        assert {get(first).text for _ in range(40)} == {"one", "two"}
        url, arn = first.url, first.listener
        with listening(process, [{"Type": "forward", "TargetGroupArn": two}]) as second:
            assert {get(second).text for _ in range(5)} == {"two"}
            assert {requests.get(url, timeout=10).text for _ in range(40)} == {"one", "two"}
        process.elbv2.modify_listener(ListenerArn=arn, DefaultActions=forward((one, 0), (two, 1)))
        assert "one" in {requests.get(url, timeout=10).text for _ in range(20)}
        time.sleep(UNTIL_MET)
        assert {requests.get(url, timeout=10).text for _ in range(20)} == {"two"}
        process.listener = arn


@pytest.mark.parametrize(
    ("redirect", "location"),
    [
        ({"Protocol": "HTTPS", "Port": "443"}, "https://web.example.com:443/a%20b?c=%2Fd"),
        (
            {"Host": "new.#{host}", "Path": "/old/#{path}"},
            "http://new.web.example.com:{port}/old/a%20b?c=%2Fd",
        ),
        (
            {"Path": "/gone", "Query": "x=#{query}", "Port": "8443"},
            "http://web.example.com:8443/gone?x=c=%2Fd",
        ),
    ],
)
def test_a_redirect_sends_clients_elsewhere(process, redirect, location):
    """What the redirect does not name stays as it was asked for."""
    action = {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", **redirect}}
    with listening(process, [action]) as lb:
        answer = get(lb, "/a%20b?c=%2Fd", headers={"Host": "web.example.com"}, allow_redirects=False)
        assert answer.status_code == 301
        assert answer.headers["Location"] == location.replace("{port}", str(lb.port))


@pytest.fixture
def secure(process: Balancer) -> Iterator[Balancer]:
    """An HTTPS listener with ACM's certificate for `SHARED`."""
    arn = process.client("acm").request_certificate(DomainName=SHARED)["CertificateArn"]
    with listening(process, protocol="HTTPS", Certificates=[{"CertificateArn": arn}]) as lb:
        yield lb


def test_an_https_listener_speaks_tls(secure):
    """Who trusts the sandbox's authority verifies this machine; the target learns of HTTPS."""
    secure.rule((secure.group("10.0.0.1"), 1))
    answer = get(secure, "/secure", verify=str(secure.authority))
    seen = next(each for each in secure.targets["10.0.0.1"].seen if each["path"] == "/secure")
    assert answer.text == "one"
    assert (seen["x-forwarded-proto"], seen["x-forwarded-port"]) == ("https", str(secure.port))
    with pytest.raises(requests.exceptions.SSLError):
        get(secure)  # a public authority has not signed it
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(f"http://127.0.0.1:{secure.port}/", timeout=10)


@pytest.mark.parametrize(("name", "fits"), [("web.example.com", True), ("web.example.org", False)])
def test_a_certificate_is_for_the_names_that_acm_has(secure, name, fits):
    """A client that connects to another name does not go on."""
    trusting = ssl.create_default_context(cafile=str(secure.authority))

    def connect() -> str:
        link = socket.create_connection(("127.0.0.1", secure.port), timeout=10)
        with link, trusting.wrap_socket(link, server_hostname=name) as safe:
            return str(safe.version())

    if fits:
        assert connect().startswith("TLS")
        return
    with pytest.raises(ssl.SSLCertVerificationError):
        connect()


def test_a_listener_may_become_secure(lb):
    """The same port; a certificate that ACM does not know is shown for this machine alone."""
    certificate = {"CertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/unknown"}
    lb.elbv2.modify_listener(ListenerArn=lb.listener, Protocol="HTTPS", Certificates=[certificate])
    lb.protocol = "HTTPS"
    time.sleep(UNTIL_MET)
    assert get(lb, verify=str(lb.authority)).text == "no version is live"


class Issuer(ThreadingHTTPServer):
    """An OpenID provider that knows one user; `forms` is what its token endpoint was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.forms: list[dict[str, list[str]]] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def login(self, **more: str) -> dict[str, Any]:
        """The configuration of a login there."""
        at = f"http://127.0.0.1:{self.server_address[1]}"
        endpoints = {
            "Issuer": at,
            "AuthorizationEndpoint": f"{at}/authorize",
            "TokenEndpoint": f"{at}/token",
            "UserInfoEndpoint": f"{at}/userinfo",
        }
        config = endpoints | {"ClientId": "web", "ClientSecret": "hush"} | more
        return {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": config}


class _Answers(BaseHTTPRequestHandler):
    server: Issuer

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.forms.append(parse_qs(form))
        self._answer({"access_token": "token", "token_type": "Bearer"})

    def do_GET(self) -> None:
        self._answer({"sub": "somebody"})

    def _answer(self, body: dict[str, str]) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An OpenID provider."""
    server = Issuer()
    yield server
    server.shutdown()
    server.server_close()


def behind_a_login(lb: Balancer, login: dict[str, Any]) -> None:
    last = {**forward((lb.group("10.0.0.1"), 1))[0], "Order": 2}
    lb.elbv2.create_rule(
        ListenerArn=lb.listener,
        Priority=1,
        Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
        Actions=[login, last],
    )
    time.sleep(UNTIL_MET)


@pytest.mark.parametrize(
    ("unauthenticated", "status"),
    [
        ({}, 302),
        ({"OnUnauthenticatedRequest": "authenticate"}, 302),
        ({"OnUnauthenticatedRequest": "deny"}, 401),
        ({"OnUnauthenticatedRequest": "allow"}, 200),
    ],
)
def test_a_login_stands_before_the_forward(secure, issuer, unauthenticated, status):
    """Who has not logged in is sent to do so, refused, or let pass, and then cannot claim to be logged in."""
    behind_a_login(secure, issuer.login(**unauthenticated))
    path = f"/to-{status}"
    answer = get(
        secure,
        path,
        headers={"X-Amzn-Oidc-Identity": "me"},
        allow_redirects=False,
        verify=str(secure.authority),
    )
    at = issuer.login()["AuthenticateOidcConfig"]["AuthorizationEndpoint"]
    assert answer.status_code == status
    assert answer.headers.get("Location", "").startswith(at if status == 302 else "")
    seen = [each for each in secure.targets["10.0.0.1"].seen if each["path"] == path]
    assert ["x-amzn-oidc-identity" in each for each in seen] == [False] * (status == 200)


def test_who_has_logged_in_passes(secure, issuer):
    """The session's cookie is for HTTPS and goes with every request; the target is told who it is."""
    behind_a_login(secure, issuer.login())
    with requests.Session() as client:
        client.trust_env, client.verify = False, str(secure.authority)
        first = client.get(secure.url + "/mine?a=b", allow_redirects=False, timeout=10)
        asked = parse_qs(urlsplit(first.headers["Location"]).query)
        assert asked["redirect_uri"] == [f"{secure.url}/oauth2/idpresponse"]
        answered = {"code": "c", "state": asked["state"][0]}
        back = client.get(asked["redirect_uri"][0], params=answered, allow_redirects=False, timeout=10)
        assert (back.status_code, back.headers["Location"]) == (302, secure.url + "/mine?a=b")
        assert {(c.name, c.secure) for c in client.cookies} == {("AWSELBAuthSessionCookie-0", True)}
        assert client.get(back.headers["Location"], timeout=10).text == "one"
    seen = next(each for each in secure.targets["10.0.0.1"].seen if each["path"] == "/mine?a=b")
    assert seen["x-amzn-oidc-identity"] == "somebody"
    assert issuer.forms[0]["client_secret"] == ["hush"]
