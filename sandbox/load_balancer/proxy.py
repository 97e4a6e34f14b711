"""One request through the load balancer: choose rule, group and target, and stream both bodies through.

Answers of the load balancer itself carry `Server: awselb/2.0`; a target's answer keeps the target's headers.
"""

from __future__ import annotations

import random
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

import aiohttp
from aiohttp import hdrs, web
from ministack.services import alb
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from sandbox.host.addresses import addresses
from sandbox.load_balancer import rules
from sandbox.load_balancer.conditions import Seen
from sandbox.load_balancer.gates import OIDC
from sandbox.load_balancer.metrics import (
    CONNECTION_ERRORS,
    OWN_ERRORS,
    REQUESTS,
    RequestMetrics,
    request_metrics,
    target_code,
)
from sandbox.load_balancer.targets import Target, table

User = dict[str, str | None]
"""Headers that tell a target who has logged in; None: nobody has."""

CONNECT_SECONDS = 10.0  # ALB's own limit to reach a target; not configurable on AWS either
_HOP_BY_HOP = (
    "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
)  # fmt: skip
_USER = ("x-amzn-oidc-identity", "x-amzn-oidc-accesstoken", "x-amzn-oidc-data")
_TITLES = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}


class _Relayed(web.StreamResponse):
    """A target's answer: aiohttp fills in headers that the target did not send; a load balancer does not."""

    async def _prepare_headers(self) -> None:
        absent = [name for name in (hdrs.SERVER, hdrs.CONTENT_TYPE, hdrs.DATE) if name not in self.headers]
        await super()._prepare_headers()
        for name in absent:
            self.headers.popall(name, None)


def own_answer(
    status: int, headers: dict[str, str | list[str]] | None = None, body: bytes | None = None
) -> web.Response:
    """An answer that no target gave; without a body, ALB's short HTML page for that status."""
    if body is None:
        title = f"{status} {_TITLES.get(status) or HTTPStatus(status).phrase}"
        page = (
            f"<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>"
        )
        headers, body = {"Content-Type": "text/html"}, f"<html>\r\n{page}\r\n</html>\r\n".encode()
    answer = web.Response(status=status, headers={"Server": "awselb/2.0"}, body=body)
    for name, value in (headers or {}).items():  # cookies may be several
        answer.headers.popall(name, None)
        for each in value if isinstance(value, list) else [value]:
            answer.headers.add(name, each)
    return answer


class _Unanswered(Exception):
    """No answer came from the target: the client gets `status`; `reached`: there was a connection."""

    def __init__(self, status: int, reached: bool = True) -> None:
        super().__init__(status)
        self.status, self.reached = status, reached


async def _refusal(
    gate: dict[str, Any],
    method: str,
    path: str,
    headers: dict[str, str],
    query: dict[str, list[str]],
    listener: dict[str, Any],
) -> Any:
    """The answer of an action before the last one; None lets the request pass, and may add its user."""
    if gate["Type"] != OIDC:
        return 501, {"Content-Type": "text/plain"}, f"The sandbox has no {gate['Type']}.".encode()
    return await alb._authenticate_oidc(
        gate, method, path, headers, b"", query, listener["Port"], lb_arn=listener["LoadBalancerArn"]
    )


class Proxy:
    """Answers the requests of all listeners. Lives in the data plane's event loop."""

    def __init__(self, session: aiohttp.ClientSession, metrics: RequestMetrics = request_metrics) -> None:
        self._session = session
        self._metrics = metrics
        self._chance = random.Random()

    async def answer(self, port: int, request: web.BaseRequest) -> web.StreamResponse:
        """The answer of the listener on `port`, by the rules as they are now."""
        listener = next((each for each in alb._listeners.values() if each["Port"] == port), None)
        if listener is None:  # deleted a moment ago; the port closes next
            return own_answer(503)
        path, _, query = request.raw_path.partition("?")
        headers = {name.lower(): request.headers.getall(name) for name in request.headers}
        pairs = parse_qs(query, keep_blank_values=True)
        client = request.remote or "127.0.0.1"
        actions = rules.actions_for(listener, Seen(request.method, path, headers, pairs, client))
        if not actions:
            return self._own_error(listener, 503)
        seen = {name: ", ".join(values) for name, values in headers.items()}
        seen |= {"x-forwarded-proto": listener["Protocol"].lower(), "x-forwarded-port": str(port)}
        *gates, action = actions
        for gate in gates:
            if refusal := await _refusal(gate, request.method, path, seen, pairs, listener):
                return own_answer(*refusal)
        if action["Type"] != "forward":
            return own_answer(
                *await alb._execute_action(action, request.method, path, seen, b"", pairs, query)
            )
        user = {name: seen.get(name) for name in _USER} if gates else {}
        group = rules.choose_group(action, self._chance)
        target = table.acquire(group) if group else None
        if group is None or target is None:
            return self._own_error(listener, 503)
        try:
            return await self._forward(request, listener, group, target, user)
        finally:
            table.release(target)

    def _own_error(self, listener: dict[str, Any], status: int) -> web.Response:
        if status >= 500:
            self._metrics.count([OWN_ERRORS], listener["LoadBalancerArn"])
        return own_answer(status)

    async def _forward(
        self, request: web.BaseRequest, listener: dict[str, Any], group: str, target: Target, user: User
    ) -> web.StreamResponse:
        counted = [REQUESTS]
        try:
            answer = await self._ask(request, listener, target, user)
            counted.append(target_code(answer.status))
        except _Unanswered as failure:
            if not failure.reached:
                counted.append(CONNECTION_ERRORS)
            return self._own_error(listener, failure.status)
        finally:  # also when the client left
            self._metrics.count(counted, listener["LoadBalancerArn"], group)
        return await _relay(request, answer)

    async def _ask(
        self, request: web.BaseRequest, listener: dict[str, Any], target: Target, user: User
    ) -> aiohttp.ClientResponse:
        """The target's answer, its body still to come. Raises _Unanswered."""
        local = addresses.resolve(target.ip, target.port)
        if local is None:  # what a connection to an address without a host comes to
            raise _Unanswered(502, reached=False)
        if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        idle = float(alb._lb_attr(listener["LoadBalancerArn"], "idle_timeout.timeout_seconds", "60"))
        try:
            # A target may close an idle connection just as it is used again: aiohttp then repeats an
            # idempotent request once on a fresh one, as long as no byte of an answer came.
            return await self._session.request(
                request.method,
                URL(f"http://127.0.0.1:{local}{request.raw_path}", encoded=True),
                headers=_request_headers(request, listener, user),
                data=request.content if request.body_exists else None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=idle),
            )
        except TimeoutError as error:
            raise _Unanswered(504, not isinstance(error, aiohttp.ConnectionTimeoutError)) from error
        except (aiohttp.InvalidURL, ValueError) as error:
            raise _Unanswered(400) from error
        except (aiohttp.ClientError, OSError) as error:
            raise _Unanswered(502, not isinstance(error, aiohttp.ClientConnectorError)) from error


async def _relay(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """Stream the target's answer; one that breaks off breaks off for the client as well."""
    relayed = _Relayed(status=answer.status, reason=answer.reason, headers=_end_to_end(answer.headers))
    async with answer:
        try:
            await relayed.prepare(request)
            async for chunk in answer.content.iter_any():
                await relayed.write(chunk)
            await relayed.write_eof()
        except (aiohttp.ClientError, OSError):
            answer.close()
            if request.transport:
                request.transport.abort()
    return relayed


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    kept = CIMultiDict(headers)
    for name in _HOP_BY_HOP:
        kept.popall(name, None)
    return kept


def _request_headers(request: web.BaseRequest, listener: dict[str, Any], user: User) -> CIMultiDict[str]:
    """The client's headers with Host, X-Forwarded-*, X-Amzn-Trace-Id and the user as ALB sets them."""
    balancer, headers = listener["LoadBalancerArn"], _end_to_end(request.headers)
    for name, value in user.items():  # whatever a client claims there is not passed on
        headers.popall(name, None)
        if value is not None:
            headers[name] = value
    names = ("x-forwarded-for", "x-amzn-trace-id")
    given = {name: ", ".join(headers.popall(name)) for name in names if name in headers}
    headers.update(alb._target_headers(balancer, listener, given, request.remote or "127.0.0.1"))
    if alb._lb_attr(balancer, "routing.http.preserve_host_header.enabled", "false") != "true":
        headers["Host"] = alb._target_host_header(headers.get("Host", "localhost"), listener["Port"])
    return headers
