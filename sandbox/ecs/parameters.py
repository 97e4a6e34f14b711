"""What a container gets of a parameter that its `secrets` name."""

from __future__ import annotations

from collections.abc import Callable

from ministack.services import ssm

from sandbox.patching import replaces


@replaces(ssm, "resolve_parameter_value", version="1.5.33")
def decrypt(
    emulator: Callable[..., str | None], name: str, version: str | None = None, decrypt: bool = True
) -> str | None:
    """MiniStack: a container gets a SecureString as it is encrypted."""
    return emulator(name, version, decrypt=decrypt)
