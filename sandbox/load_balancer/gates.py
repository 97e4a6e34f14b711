"""What may stand before a forward: a login by OpenID Connect or by Cognito, a token's check.

MiniStack drops Cognito's, the tokens' and the parameters that a login adds to its request. All of them are
read and shown here by botocore's own description of them, so that an action can be written as it was read.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel
from ministack.services import alb

Action = dict[str, Any]
Params = dict[str, Any]
Problem = tuple[str, str]
"""An API error: its code and its message."""

OIDC = "authenticate-oidc"
CONFIGS = {
    OIDC: "AuthenticateOidcConfig",
    "authenticate-cognito": "AuthenticateCognitoConfig",
    "jwt-validation": "JwtValidationConfig",
}
"""Where each type of action has what it is made with."""
_LOGIN = {
    "Scope": "openid",
    "SessionCookieName": alb.OIDC_DEFAULT_COOKIE_NAME,
    "SessionTimeout": str(alb.OIDC_DEFAULT_SESSION_TIMEOUT),
    "OnUnauthenticatedRequest": "authenticate",
}
"""What AWS takes for a login that does not say otherwise."""
_NEVER_SHOWN = ("ClientSecret", "UseExistingClientSecret")


def read(action: Action, params: Params, at: str) -> None:
    """Give an action of a call what it is made with, which stands below `at` there."""
    if config := CONFIGS.get(action["Type"]):
        given = _read(_shape(config), params, f"{at}.{config}") or {}
        action[config] = with_defaults(action["Type"], given)


def with_defaults(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """A configuration as the API stores it, numbers and flags as text; of a call, or of a template."""
    flag = str(given.get("UseExistingClientSecret", False)).lower() == "true"
    stored = {k: v for k, v in given.items() if k != "UseExistingClientSecret"}
    return {
        **(_LOGIN if kind.startswith("authenticate-") else {}),
        **stored,
        **({"UseExistingClientSecret": True} if flag else {}),
    }


def xml(action: Action) -> str:
    """What an answer shows of it: all but its secret."""
    config = CONFIGS.get(action["Type"], "")
    if config not in action:
        return ""
    shown = {name: value for name, value in action[config].items() if name not in _NEVER_SHOWN}
    return f"<{config}>{_xml(_shape(config), shown)}</{config}>"


def problem_with_secrets(actions: Iterable[Action], stored: Iterable[Action]) -> Problem | None:
    """Why AWS refuses logins among these actions, which are to replace the stored ones, or None.

    A login comes with its secret, or says that the stored one stays; MiniStack takes it with neither.
    """
    for login in _logins(actions):
        given, kept = "ClientSecret" in login, bool(login.get("UseExistingClientSecret"))
        if given and kept:
            return (
                "InvalidLoadBalancerAction",
                "You cannot both specify a client secret and set UseExistingClientSecret to true",
            )
        if not given and (not kept or _secret(stored) is None):
            return (
                "InvalidLoadBalancerAction",
                "You must specify a client secret, or UseExistingClientSecret where there is one",
            )
    return None


def keep_secret(actions: Iterable[Action], stored: Iterable[Action]) -> None:
    """Give logins that say so the secret that was stored."""
    for login in _logins(actions):
        if login.pop("UseExistingClientSecret", False):
            login["ClientSecret"] = _secret(stored)


def _logins(actions: Iterable[Action]) -> list[dict[str, Any]]:
    return [action.get("AuthenticateOidcConfig") or {} for action in actions if action["Type"] == OIDC]


def _secret(actions: Iterable[Action]) -> str | None:
    return next((login["ClientSecret"] for login in _logins(actions) if "ClientSecret" in login), None)


@functools.cache
def _shape(config: str) -> Any:
    model = ServiceModel(Loader().load_service_model("elbv2", "service-2"))
    return model.shape_for(config.replace("Config", "ActionConfig"))


def _read(shape: Any, params: Params, at: str) -> Any:
    """A value of a call in the Query protocol; None when there is none."""
    if shape.type_name == "structure":
        found = {name: _read(member, params, f"{at}.{name}") for name, member in shape.members.items()}
        return {name: value for name, value in found.items() if value is not None} or None
    if shape.type_name == "list":
        members: list[Any] = []
        while (value := _read(shape.member, params, f"{at}.member.{len(members) + 1}")) is not None:
            members.append(value)
        return members or None
    if shape.type_name == "map":
        entries: dict[str, str] = {}
        while key := alb._p(params, f"{at}.entry.{len(entries) + 1}.key"):
            entries[key] = alb._p(params, f"{at}.entry.{len(entries) + 1}.value")
        return entries or None
    return alb._p(params, at) or None


def _xml(shape: Any, value: Any) -> str:
    if shape.type_name == "structure":
        given = {name: member for name, member in shape.members.items() if name in value}
        return "".join(f"<{name}>{_xml(member, value[name])}</{name}>" for name, member in given.items())
    if shape.type_name == "list":
        return "".join(f"<member>{_xml(shape.member, each)}</member>" for each in value)
    if shape.type_name == "map":
        pairs = ((alb._esc(str(key)), alb._esc(str(each))) for key, each in value.items())
        return "".join(f"<entry><key>{key}</key><value>{each}</value></entry>" for key, each in pairs)
    return str(alb._esc(str(value)))
