"""Credentials of task roles, so that IAM is enforced on tasks as it is on AWS.

MiniStack serves random keys of no role to tasks; here the keys are a session of the task's role, and
only when the role trusts ecs-tasks.amazonaws.com.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import iam, imds, sts

from sandbox.patching import replaces

_PATH = "/v2/credentials/"
_PRINCIPAL = "ecs-tasks.amazonaws.com"
_SECONDS = 6 * 3600

Response = tuple[int, dict[str, str], bytes]
Handler = Callable[[str, str, dict[str, str], bytes, dict[str, Any]], Awaitable[Response]]


class RoleNotAssumable(Exception):
    """The task's role does not exist, or does not trust ECS tasks; the task cannot start."""


class TaskCredentials:
    """The metadata service's credentials endpoint: one secret path and token per container."""

    def __init__(self) -> None:
        self._roles: dict[str, tuple[str, str, str]] = {}

    def grant(self, uri: str, token: str, role_arn: str, task_id: str) -> None:
        """Serve sessions of `role_arn` at `uri` to who shows `token`. Raises RoleNotAssumable."""
        account = role_arn.split(":")[4]
        role = iam._roles.get_scoped(account, None, role_arn.rsplit("/", 1)[-1])
        if role is None or not _trusts_tasks(role["AssumeRolePolicyDocument"]):
            raise RoleNotAssumable(
                f"ECS was unable to assume the role '{role_arn}' that was provided for this task. "
                "Please verify that the role being passed has the proper trust relationship and permissions "
                "and that your IAM user has permissions to pass this role."
            )
        self._roles[uri.rsplit("/", 1)[-1]] = (token, role_arn, task_id)

    def granted(self, path: str) -> tuple[str, str, str] | None:
        """The token, the role's ARN and the task's id behind a path; None: it is not of a task known here."""
        return self._roles.get(path.removeprefix(_PATH)) if path.startswith(_PATH) else None


credentials = TaskCredentials()


@replaces(imds, "handle_request", version="1.5.33")
async def serve_sessions(
    emulator: Handler, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
) -> Response:
    """Answer the endpoint of the tasks known here; leave everything else to the emulator."""
    granted = credentials.granted(path)
    if granted is None:
        return await emulator(method, path, headers, body, query)
    token, role_arn, task_id = granted
    if headers.get("authorization") != token:
        return 401, {"Content-Type": "text/plain"}, b"Unauthorized"
    document = json.dumps(_session(role_arn, task_id)).encode()
    return 200, {"Content-Type": "application/json"}, document


def _trusts_tasks(document: str | dict[str, Any]) -> bool:
    """The emulator's own evaluation knows no service principals, so the statements are looked at here."""
    policy = json.loads(document) if isinstance(document, str) else document
    statements = policy.get("Statement", [])
    return any(
        statement.get("Effect") == "Allow"
        and _PRINCIPAL in _listed(statement.get("Principal", {}).get("Service", []))
        and "sts:AssumeRole" in _listed(statement.get("Action", []))
        for statement in _listed(statements)
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _session(role_arn: str, task_id: str) -> dict[str, str]:
    account, role_name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    key, secret, token = iam._gen_session_access_key(), iam._gen_secret(), iam._gen_session_token()
    with request_scope(account, "us-east-1"):
        sts.register_session(
            key,
            {
                "Arn": f"arn:aws:sts::{account}:assumed-role/{role_name}/{task_id}",
                "UserId": f"{sts._role_id(role_arn)}:{task_id}",
                "SecretAccessKey": secret,
                "SessionToken": token,
                "Expiration": time.time() + _SECONDS,
                "AccountId": account,
                "PrincipalType": "AssumedRole",
            },
        )
    return {
        "AccessKeyId": key,
        "SecretAccessKey": secret,
        "Token": token,
        "Expiration": iam._future(_SECONDS),
        "RoleArn": role_arn,
    }
