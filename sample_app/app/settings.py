"""What the image and the task say about this run, read from the environment once and checked.

An image with a mistyped fault must not go live as a healthy one, so a value that cannot be understood
ends the start with a sentence that names the variable.
"""

import math
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass


class BadSetting(ValueError):
    """An environment variable holds a value that cannot be used; the text names it."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Faults for rehearsals, set when the image is built. The defaults are no fault at all."""

    error_rate: float = 0.0
    """Share of the answers, 0 to 1, that are 500."""
    users_error_rate: float = 0.0
    """The same, but on neither /version nor /healthz: the probe is answered well."""
    latency_ms: float = 0.0
    """Added before every answer."""
    users_latency_ms: float = 0.0
    """The same, but on neither /version nor /healthz."""
    warm_up_seconds: float = 0.0
    """latency_ms is three times as long at first, 1.2 times at this age, then the same; 0: from the first."""
    version: str = ""
    """Answered instead of the image's own version."""
    crash_after_seconds: float = 0.0
    """The process dies, with status 1, at this age; 0: never."""
    never_healthy: bool = False
    """/healthz answers 503 for ever."""
    fail_after_seconds: float = 0.0
    """From this age on every answer is 500; 0: never."""
    break_path: str = ""
    """Once this path was called, every other answer of the task is 500; empty: there is no such path."""
    break_seconds: float = 0.0
    """For how long after the call; 0: for good."""
    break_preview: bool = False
    """Only for who comes by the preview rule: production is answered well."""
    spell_seconds: float = 0.0
    """For so long every answer is 500, then all is well again."""
    spell_every_seconds: float = 0.0
    """A spell begins whenever the age is a multiple of this; 0: never."""


NEEDED = {
    "warm_up_seconds": "latency_ms",
    "break_seconds": "break_path",
    "break_preview": "break_path",
    "spell_seconds": "spell_every_seconds",
    "spell_every_seconds": "spell_seconds",
}
"""Settings of a fault that are none without another one."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the application is told from outside."""

    version: str
    task: str
    host: str
    port: int
    shutdown_grace_seconds: float
    faults: Faults


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings from environment variables; raises BadSetting."""
    faults = _faults(environment)
    for name, other in NEEDED.items():
        if getattr(faults, name) and not getattr(faults, other):
            raise BadSetting(f"FAULT_{name.upper()} is no fault without FAULT_{other.upper()}")
    return Settings(
        version=environment.get("VERSION") or "0.0.0",
        task=_task_name(environment),
        # In its container it is reached through the task's own address; HOST narrows it on a laptop.
        host=environment.get("HOST") or "0.0.0.0",  # noqa: S104
        port=int(_number(environment, "PORT", default=8080, most=65535, whole=True)),
        shutdown_grace_seconds=_number(environment, "SHUTDOWN_GRACE_SECONDS", default=20),
        faults=faults,
    )


def _faults(environment: Mapping[str, str]) -> Faults:
    return Faults(
        error_rate=_number(environment, "FAULT_ERROR_RATE", most=1),
        users_error_rate=_number(environment, "FAULT_USERS_ERROR_RATE", most=1),
        latency_ms=_number(environment, "FAULT_LATENCY_MS"),
        users_latency_ms=_number(environment, "FAULT_USERS_LATENCY_MS"),
        warm_up_seconds=_number(environment, "FAULT_WARM_UP_SECONDS"),
        version=environment.get("FAULT_VERSION", ""),
        crash_after_seconds=_number(environment, "FAULT_CRASH_AFTER_SECONDS"),
        never_healthy=_number(environment, "FAULT_NEVER_HEALTHY", most=1, whole=True) == 1,
        fail_after_seconds=_number(environment, "FAULT_FAIL_AFTER_SECONDS"),
        break_path=_path(environment, "FAULT_BREAK_PATH"),
        break_seconds=_number(environment, "FAULT_BREAK_SECONDS"),
        break_preview=_number(environment, "FAULT_BREAK_PREVIEW", most=1, whole=True) == 1,
        spell_seconds=_number(environment, "FAULT_SPELL_SECONDS"),
        spell_every_seconds=_number(environment, "FAULT_SPELL_EVERY_SECONDS"),
    )


def _number(
    environment: Mapping[str, str], name: str, *, default: float = 0, most: float = 1e9, whole: bool = False
) -> float:
    text = environment.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= most or (whole and not value.is_integer()):
        kind = "a whole number" if whole else "a number"
        raise BadSetting(f"{name} must be {kind} from 0 to {most:g}, not {text!r}")
    return value


def _path(environment: Mapping[str, str], name: str) -> str:
    text = environment.get(name, "").strip()
    if text and not text.startswith("/"):
        raise BadSetting(f"{name} must begin with /, not {text!r}")
    return text


def _task_name(environment: Mapping[str, str]) -> str:
    """The ECS task's id where Fargate names one (in the metadata address), else the host's name."""
    named = re.search(r"/v4/([0-9a-f]{32})", environment.get("ECS_CONTAINER_METADATA_URI_V4", ""))
    return named[1] if named else socket.gethostname()
