"""The names of what Crossfade makes for a service beside the owner's own."""

import re

import pytest

from crossfade.domain.slots import SLOTS
from crossfade.domain.spec.names import preview_secret, target_group_name

PATH = "/crossfade/services/"


PORTS = ("", "app:8080", "app:9090", "a-container-of-a-very-long-name:8080")


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("service", ["w", "web", "a--b", "web-of-a-long-na--me", "w" * 63, "Web-1-" * 9])
def test_a_target_groups_name_is_one_that_elb_takes(service: str, port: str) -> None:
    """At most 32 characters, and no two hyphens in a row."""
    for slot in SLOTS:
        name = target_group_name(PATH, service, slot, port)
        assert len(name) <= 32
        assert re.fullmatch(r"cf-[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*", name)
        assert name.endswith(f"-{slot}")


def test_two_services_have_two_names() -> None:
    """Also those whose first letters are the same, and those of two Crossfades."""
    names = {
        target_group_name(path, service, slot)
        for path in (PATH, "/other/services/")
        for service in ("a-service-of-a-long-name-1", "a-service-of-a-long-name-2", "a-service", "a--service")
        for slot in SLOTS
    }
    assert len(names) == 16


def test_two_ports_of_a_service_have_two_names() -> None:
    """Those of one alone are named as they were before there could be several."""
    names = {target_group_name(PATH, "web", slot, port) for port in PORTS for slot in SLOTS}
    assert len(names) == 8
    assert target_group_name(PATH, "web", "blue") == "cf-web-947037-blue"


def test_the_secret_lies_beside_the_specs() -> None:
    """Where no role reads that reads specs."""
    assert preview_secret(PATH, "web") == "/crossfade/preview/web"
