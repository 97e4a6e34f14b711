"""How the things are named that Crossfade makes for a service beside the owner's own.

``specs_path`` is where Crossfade's stack looks for specs, ``/<stack>/services/``. It is part of each name, so
that two Crossfades in an account stay apart.
"""

import hashlib
import re

from crossfade.domain.slots import Slot

SERVICE_TAG = "crossfade:service"
"""The tag of all that Crossfade made for a service; its value is the service's name."""
SPEC_TAG = "crossfade:spec"
"""The other tag: the SSM parameter of the service's spec, which tells two Crossfades of an account apart."""


def own_tags(service: str, parameter: str) -> dict[str, str]:
    """Both tags; ``parameter`` is the SSM parameter of the spec."""
    return {SERVICE_TAG: service, SPEC_TAG: parameter}


def mark(text: str) -> str:
    """6 hexadecimal digits that stand for a name that is too long, e.g. of a spec's SSM parameter."""
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def target_group_name(specs_path: str, service: str, slot: Slot, port: str = "") -> str:
    """The name of a slot's target group, e.g. ``cf-web-1f2e3d-blue``.

    ``port`` is which of several ports of the slot's tasks it is of, e.g. ``app:8080``; empty where there is
    one. ELB takes 32 letters, digits and hyphens, and no two hyphens in a row.
    """
    of_port = f"/{port}" if port else ""
    return f"{target_group_prefix(service)}{mark(f'{specs_path}{service}{of_port}')}-{slot}"


def target_group_prefix(service: str) -> str:
    """How the names of a service's target groups begin, and perhaps those of others as well."""
    short = re.sub("-+", "-", service)[:16].strip("-")
    return f"cf-{short}-"


def preview_role(leads_to: str, port: str = "") -> str:
    """What the secret header says after the secret: ``blue``, or ``blue.1f2e3d4c`` for a further port."""
    return f"{leads_to}.{hashlib.sha256(port.encode()).hexdigest()[:8]}" if port else leads_to


def preview_secret(specs_path: str, service: str) -> str:
    """The name of the SSM parameter that holds the secret of a service's preview rules."""
    return f"{specs_path.removesuffix('services/')}preview/{service}"


def spec_parameter(secret: str) -> str:
    """The SSM parameter of the spec of the service whose secret has that name."""
    stack, _, service = secret.rpartition("/preview/")
    return f"{stack}/services/{service}"
