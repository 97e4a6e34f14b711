"""What a deployment tells its probe: environment variables, read once and checked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from probe.lane import LaneSettings
from probe.shown import without_password


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
    """Read the PROBE_… variables; raises BadSetting."""
    return TaskSettings(
        deployment=_text(environment, "PROBE_DEPLOYMENT"),
        log_group=_text(environment, "PROBE_LOG_GROUP"),
        log_stream=_text(environment, "PROBE_LOG_STREAM"),
        deadline=_positive(_text(environment, "PROBE_DEADLINE_SECONDS"), "PROBE_DEADLINE_SECONDS"),
        timeout=_positive(_text(environment, "PROBE_TIMEOUT_SECONDS"), "PROBE_TIMEOUT_SECONDS"),
        lanes=_lanes(_text(environment, "PROBE_LANES")),
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
    expected = {"name", "url", "headers", "rate", "starts", "pauses"}
    if not isinstance(entry, dict) or set(entry) != expected:
        raise BadSetting(f"{where} must be an object with exactly {', '.join(sorted(expected))}")
    name, url, headers = entry["name"], entry["url"], entry["headers"]
    if not isinstance(name, str) or not name:
        raise BadSetting(f"{where}.name must be a text")
    if not isinstance(url, str) or not is_http_url(url):
        shown = without_password(str(url))
        raise BadSetting(f"{where}.url must be an http or https address, not {shown!r}")
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise BadSetting(f"{where}.headers must be an object of texts")
    if entry["starts"] not in ("at_once", "when_answered"):
        raise BadSetting(f"{where}.starts must be at_once or when_answered, not {entry['starts']!r}")
    if not isinstance(entry["pauses"], bool):
        raise BadSetting(f"{where}.pauses must be true or false, not {entry['pauses']!r}")
    rate = _positive(entry["rate"], f"{where}.rate")
    return LaneSettings(name, url, rate, headers, entry["starts"] == "when_answered", entry["pauses"])


def is_http_url(text: str) -> bool:
    """Tell whether the text is an http or https address with a host."""
    try:
        parts = parse_url(text)
    except LocationParseError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.host)
