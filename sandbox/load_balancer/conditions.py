"""The conditions of a rule: which requests meet them, how they are stored, shown and refused.

MiniStack drops query strings and regular expressions, takes every source address, tells capital letters in
host names apart, and joins the values of a header that comes twice. Who compares what how: the
documentation of each `…ConditionConfig` in botocore's elbv2 model.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ministack.services import alb

from sandbox.load_balancer.gates import Params, Problem
from sandbox.patching import replaces

Condition = dict[str, Any]

MAX_VALUES = 5
"""Of a rule: "Condition values per rule" in ELB's quotas. They cannot be raised."""
MAX_LENGTH = 128

_FIELDS = (
    "path-pattern",
    "host-header",
    "http-request-method",
    "query-string",
    "http-header",
    "source-ip",
)
_SEVERAL = ("http-header", "query-string")
"""Of the others a rule has one condition, says RuleCondition's documentation."""
_CONFIGS = {
    "host-header": "HostHeaderConfig",
    "path-pattern": "PathPatternConfig",
    "http-header": "HttpHeaderConfig",
}
"""The fields that regular expressions may be given for, and where they then stand."""


@dataclass(frozen=True)
class Seen:
    """What conditions ask of a request: its path as sent, without the query; headers by small letters."""

    method: str
    path: str
    headers: Mapping[str, Sequence[str]]
    query: Mapping[str, Sequence[str]]
    client: str
    """The address that the connection comes from."""


def met(condition: Condition, seen: Seen) -> bool:
    """Whether a request meets a condition in its stored form."""
    values, patterns = condition.get("Values") or [], condition.get("RegexValues") or []
    match condition["Field"]:
        case "host-header":
            host = "".join(seen.headers.get("host", [])[:1])
            name = re.sub(r":\d+$", "", host)
            return any(_like(name, value, re.IGNORECASE) for value in values) or _found(patterns, [host])
        case "path-pattern":
            return any(_like(seen.path, value) for value in values) or _found(patterns, [seen.path])
        case "http-header":
            header = condition.get("HttpHeaderConfig") or {}
            sent = seen.headers.get(header.get("HttpHeaderName", "").lower(), [])
            wanted = header.get("Values") or []
            return any(_like(s, v, re.IGNORECASE) for s in sent for v in wanted) or _found(patterns, sent)
        case "http-request-method":
            return seen.method in values
        case "source-ip":
            address = ipaddress.ip_address(seen.client)
            return any(address in ipaddress.ip_network(value, strict=False) for value in values)
        case "query-string":
            pairs = (condition.get("QueryStringConfig") or {}).get("Values") or []
            return any(_in_query(pair, seen.query) for pair in pairs)
    raise ValueError(f"a load balancer has no condition {condition['Field']}")


def _like(text: str, pattern: str, flags: int = 0) -> bool:
    return _matches(text, (("." if c == "?" else ".*" if c == "*" else re.escape(c)) for c in pattern), flags)


def _like_in_query(text: str, pattern: str) -> bool:
    """In query strings alone a backslash takes the meaning of a `*` or `?` away."""
    parts = re.findall(r"\\[*?]|.", pattern, re.DOTALL)
    single = {"?": ".", "*": ".*", r"\?": r"\?", r"\*": r"\*"}
    return _matches(text, (single.get(part) or re.escape(part) for part in parts), re.IGNORECASE)


def _matches(text: str, parts: Iterable[str], flags: int) -> bool:
    return re.fullmatch("".join(parts), text, flags | re.DOTALL) is not None


def _found(patterns: Iterable[str], texts: Sequence[str]) -> bool:
    """AWS does not say whether an expression has to match the whole text; here any part of it does."""
    return any(re.search(pattern, text) for pattern in patterns for text in texts)


def _in_query(pair: Mapping[str, str], query: Mapping[str, Sequence[str]]) -> bool:
    return any(
        _like_in_query(value, pair["Value"])
        for key, values in query.items()
        if not pair.get("Key") or _like_in_query(key, pair["Key"])
        for value in values
    )


# --- what is refused ----------------------------------------------------------------------------------------


def problem_with(conditions: Sequence[Condition]) -> Problem | None:
    """Why AWS refuses these conditions, or None."""
    values = [value for condition in conditions for value in _values(condition)]
    if len(values) > MAX_VALUES:
        return "ValidationError", f"A rule can only have '{MAX_VALUES}' condition values"
    fields = [condition["Field"] for condition in conditions]
    for condition in conditions:
        if problem := _problem_with_one(condition, fields.count(condition["Field"])):
            return "ValidationError", problem
    if too_long := [value for value in values if len(value) > MAX_LENGTH]:
        return (
            "ValidationError",
            f"Condition value '{too_long[0]}' cannot be longer than '{MAX_LENGTH}' characters",
        )
    return None


def _problem_with_one(condition: Condition, times: int) -> str | None:
    field = condition["Field"]
    if field not in _FIELDS:
        return f"Condition field '{field}' must be one of '[{', '.join(_FIELDS)}]'"
    if times > 1 and field not in _SEVERAL:
        return f"A rule can only have one '{field}' condition"
    if not list(_values(condition)):
        return f"A condition value must be specified for '{field}'"
    if invalid := [each for each in condition.get("RegexValues") or [] if alb._regex_invalid(each)]:
        return f"Condition regular expression '{invalid[0]}' is not valid"
    if field == "source-ip" and (wrong := [each for each in condition["Values"] if not _is_network(each)]):
        return f"Condition value '{wrong[0]}' is not a valid CIDR block"
    return None


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def _values(condition: Condition) -> Iterator[str]:
    yield from condition.get("Values") or []
    yield from condition.get("RegexValues") or []
    yield from (condition.get("HttpHeaderConfig") or {}).get("Values") or []
    for pair in (condition.get("QueryStringConfig") or {}).get("Values") or []:
        yield f"{pair.get('Key', '')}{pair['Value']}"


# --- how they are stored ------------------------------------------------------------------------------------


def stored(condition: Condition, given: Condition) -> Condition:
    """MiniStack's form of a condition with what it has dropped of the given one, which is in AWS's shape."""
    if condition["Field"] == "query-string":
        pairs = (given.get("QueryStringConfig") or {}).get("Values") or []
        return {**condition, "Values": [], "QueryStringConfig": {"Values": [dict(pair) for pair in pairs]}}
    config = _CONFIGS.get(condition["Field"], "")
    expressions = given.get("RegexValues") or (given.get(config) or {}).get("RegexValues")
    return {**condition, "RegexValues": list(expressions)} if expressions else condition


def _given(params: Params, at: str, field: str) -> Condition:
    """A call's condition in AWS's shape, as far as MiniStack does not read it."""
    if field == "query-string":
        pairs: list[dict[str, str]] = []
        values = f"{at}.QueryStringConfig.Values.member"
        while value := alb._p(params, f"{values}.{len(pairs) + 1}.Value"):
            pairs.append({"Key": alb._p(params, f"{values}.{len(pairs) + 1}.Key"), "Value": value})
        return {"QueryStringConfig": {"Values": pairs}}
    plain = alb._parse_member_list(params, f"{at}.RegexValues")
    nested = alb._parse_member_list(params, f"{at}.{_CONFIGS.get(field)}.RegexValues")
    return {"RegexValues": plain or nested}


@replaces(alb, "_parse_conditions", version="1.5.33")
def keep_what_is_given(
    emulator: Callable[..., list[Condition]], params: Params, prefix: str = "Conditions"
) -> list[Condition]:
    """Every condition of a call is read by this name."""
    return [
        stored(condition, _given(params, f"{prefix}.member.{number}", condition["Field"]))
        for number, condition in enumerate(emulator(params, prefix), start=1)
    ]


@replaces(alb, "_condition_xml", version="1.5.33")
def show_what_was_given(emulator: Callable[[Condition], str], condition: Condition) -> str:
    """Every condition of an answer is shown by this name; MiniStack does not escape values either."""
    xml = emulator({**condition, "Values": [alb._esc(value) for value in condition.get("Values", [])]})
    if config := condition.get("QueryStringConfig"):
        pairs = "".join(
            "<member>"
            + (f"<Key>{alb._esc(pair['Key'])}</Key>" if pair.get("Key") else "")
            + f"<Value>{alb._esc(pair['Value'])}</Value></member>"
            for pair in config["Values"]
        )
        pairs = f"<QueryStringConfig><Values>{pairs}</Values></QueryStringConfig>"
        return xml.removesuffix("</member>") + pairs + "</member>"
    if expressions := condition.get("RegexValues"):
        listed = "".join(f"<member>{alb._esc(expression)}</member>" for expression in expressions)
        listed, end = f"<RegexValues>{listed}</RegexValues>", f"</{_CONFIGS[condition['Field']]}>"
        xml = xml.replace(end, listed + end).removesuffix("</member>") + listed + "</member>"
    return xml
