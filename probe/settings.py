"""What a deployment tells its probe: environment variables, read once and checked."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from probe.connection import endpoint
from probe.lane import LaneSettings
from probe.shown import without_password
from probe.turns import MOST_PATHS, MOST_WEIGHT, OtherPath
from probe.version import VersionFrom, version_from

_STATUSES = re.compile(r"([1-5]\d\d)(?:-([1-5]\d\d))?")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[!-~]([\t -~]*[!-~])?")


class BadSetting(ValueError):
    """An environment variable is missing or cannot be used; the text names it."""


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """What the deployment tells its probe; times are in seconds.

    `secret_parameter`: the SSM parameter whose value is meant by `{secret}` in the lanes' headers, if any.
    """

    deployment: str
    log_group: str
    log_stream: str
    deadline: float
    timeout: float
    lanes: tuple[LaneSettings, ...]
    secret_parameter: str | None = None


def read_settings(environment: Mapping[str, str]) -> TaskSettings:
    """Read the PROBE_… variables; raises BadSetting.

    PROBE_PATHS is there where several paths are asked: all of them, the first one being that of the lanes.
    """
    lanes = _lanes(_text(environment, "PROBE_LANES"))
    if environment.get("PROBE_PATHS"):
        paths = _paths(environment["PROBE_PATHS"])
        lanes = tuple(_asking(lane, paths) for lane in lanes)
    return TaskSettings(
        deployment=_text(environment, "PROBE_DEPLOYMENT"),
        log_group=_text(environment, "PROBE_LOG_GROUP"),
        log_stream=_text(environment, "PROBE_LOG_STREAM"),
        deadline=_positive(_text(environment, "PROBE_DEADLINE_SECONDS"), "PROBE_DEADLINE_SECONDS"),
        timeout=_positive(_text(environment, "PROBE_TIMEOUT_SECONDS"), "PROBE_TIMEOUT_SECONDS"),
        lanes=lanes,
        secret_parameter=environment.get("PROBE_SECRET_PARAMETER") or None,
    )


def _text(environment: Mapping[str, str], name: str) -> str:
    text = environment.get(name, "")
    if not text:
        raise BadSetting(f"{name} is not set")
    return text


def _positive(value: object, where: str) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = 0.0
    if not 0 < number < float("inf"):
        raise BadSetting(f"{where} must be a number above 0, not {value!r}")
    return number


def _lanes(text: str) -> tuple[LaneSettings, ...]:
    try:
        listed = json.loads(text)
    except ValueError as error:
        raise BadSetting(f"PROBE_LANES is not JSON: {error}") from error
    if not isinstance(listed, list) or not listed:
        raise BadSetting("PROBE_LANES must be a list of at least one lane")
    lanes = tuple(_lane(entry, f"PROBE_LANES[{index}]") for index, entry in enumerate(listed))
    if len({lane.name for lane in lanes}) < len(lanes):
        raise BadSetting("PROBE_LANES names a lane twice")
    return lanes


def _lane(entry: object, where: str) -> LaneSettings:
    expected = {"name", "url", "connect_to", "headers", "version_from", "ok", "rate", "starts", "pauses"}
    if not isinstance(entry, dict) or set(entry) != expected:
        raise BadSetting(f"{where} must be an object with exactly {', '.join(sorted(expected))}")
    name, url, headers = entry["name"], entry["url"], entry["headers"]
    if not isinstance(name, str) or not name:
        raise BadSetting(f"{where}.name must be a text")
    if not isinstance(url, str) or not is_http_url(url):
        shown = without_password(str(url))
        raise BadSetting(f"{where}.url must be an http or https address, not {shown!r}")
    if not isinstance(headers, dict) or not all(is_header(name, value) for name, value in headers.items()):
        # Without its value, which may be a secret.
        raise BadSetting(f"{where}.headers must be an object of names and values that HTTP allows")
    if entry["starts"] not in ("at_once", "when_answered"):
        raise BadSetting(f"{where}.starts must be at_once or when_answered, not {entry['starts']!r}")
    if not isinstance(entry["pauses"], bool):
        raise BadSetting(f"{where}.pauses must be true or false, not {entry['pauses']!r}")
    return LaneSettings(
        name,
        url,
        _positive(entry["rate"], f"{where}.rate"),
        headers,
        waits_for_answer=entry["starts"] == "when_answered",
        pauses=entry["pauses"],
        version_from=_version_from(entry["version_from"], f"{where}.version_from"),
        connect_to=_connect_to(entry["connect_to"], f"{where}.connect_to"),
        ok=_statuses(entry["ok"], f"{where}.ok"),
    )


def _paths(text: str) -> dict[str, int]:
    """Paths and their weights, in order."""
    try:
        listed = [(str(each["path"]), int(each["weight"])) for each in json.loads(text)]
    except (ValueError, TypeError, KeyError) as error:
        raise BadSetting(f"PROBE_PATHS is no JSON list of paths and weights: {error!r}") from error
    paths = {path: weight for path, weight in listed if path.startswith("/") and 1 <= weight <= MOST_WEIGHT}
    if not 1 <= len(paths) <= MOST_PATHS or len(paths) < len(listed):
        raise BadSetting(
            f"PROBE_PATHS must be 1 to {MOST_PATHS} different paths that begin with /, with weights from 1 "
            f"to {MOST_WEIGHT}"
        )
    return paths


def _asking(lane: LaneSettings, paths: Mapping[str, int]) -> LaneSettings:
    """The lane with all its paths."""
    (own, weight), *others = paths.items()
    if not lane.url.endswith(own):
        raise BadSetting(f"PROBE_PATHS must begin with the path of the lane {lane.name}")
    base = lane.url.removesuffix(own)
    return replace(
        lane,
        weight=weight,
        others=tuple(OtherPath(path, base + path, of_path) for path, of_path in others),
    )


def _version_from(value: object, where: str) -> VersionFrom:
    try:
        return version_from(str(value))
    except ValueError as error:
        raise BadSetting(f"{where}: {error}") from error


def _connect_to(value: object, where: str) -> str | None:
    if value is None:
        return None
    try:
        endpoint(str(value))
    except ValueError as error:
        raise BadSetting(f"{where}: {error}") from error
    return str(value)


def _statuses(value: object, where: str) -> tuple[tuple[int, int], ...]:
    matched = [_STATUSES.fullmatch(str(part)) for part in value] if isinstance(value, list) else []
    if not matched or None in matched:
        raise BadSetting(f"{where} must be a list of statuses such as 200-299 or 204, not {value!r}")
    return tuple((int(found[1]), int(found[2] or found[1])) for found in matched if found)


def is_header(name: object, value: object) -> bool:
    """Tell whether a header may have this name and this value (RFC 9110, section 5)."""
    return (
        isinstance(name, str)
        and isinstance(value, str)
        and _HEADER_NAME.fullmatch(name) is not None
        and _HEADER_VALUE.fullmatch(value) is not None
    )


def is_http_url(text: str) -> bool:
    """Tell whether the text is an http or https address with a host."""
    try:
        parts = parse_url(text)
    except LocationParseError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.host)
