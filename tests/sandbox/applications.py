"""Images of applications that were not made for Crossfade, as a user would write them: `apps/NAME/RELEASE`.

They close idle connections after a few seconds, and do not drain when they are stopped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).with_name("apps")


@dataclass(frozen=True)
class Answer:
    """What an application answers."""

    headers: Mapping[str, str]
    body: str


INDEX_OF_DEVPI = "root/pypi"
"""The one that it has from the beginning, of its user root."""


@dataclass(frozen=True)
class Application:
    """One of them.

    `page` is one that users ask for. It fails where a release is `bad`, which is healthy and says the right
    version. `versions` are what the releases answer; None: there is no version in it.
    """

    name: str
    health_path: str
    page: str
    version_path: str
    version_in: Callable[[Answer], str | None]
    versions: Mapping[str, str | None]

    def folder(self, release: str) -> Path:
        """Where the release's Dockerfile is: `v1`, `v2` and `bad`."""
        return _FOLDER / self.name / release


def _of_pypiserver(answer: Answer) -> str | None:
    found = re.search(r"running version (\S+) of the", answer.body)
    return found and found[1]


APPLICATIONS = (
    Application(  # `/get` shows what arrived; the bad release refuses a request line of more than 64 bytes
        name="httpbin",
        health_path="/status/200",
        page=f"/get?text={'long' * 20}",
        version_path="/get",
        version_in=lambda answer: None,
        versions={"v1": None, "v2": None, "bad": None},
    ),
    Application(  # the bad release's page reads a table that is not there
        name="datasette",
        health_path="/-/versions.json",
        page="/_memory/towns.json",
        version_path="/-/versions.json",
        version_in=lambda answer: str(json.loads(answer.body)["datasette"]["version"]),
        versions={"v1": "0.64.8", "v2": "0.65.3", "bad": "0.65.5"},
    ),
    Application(  # the bad release's tasks begin without the index that everybody installs from
        name="devpi",
        health_path="/+api",
        page=f"/{INDEX_OF_DEVPI}",
        version_path="/+api",
        version_in=lambda answer: answer.headers["X-Devpi-Server-Version"],
        versions={"v1": "6.17.0", "v2": "6.19.3", "bad": "6.20.3"},
    ),
    Application(  # the bad release wants a password for the page
        name="pypiserver",
        health_path="/health",
        page="/simple/",
        version_path="/",
        version_in=_of_pypiserver,
        versions={"v1": "2.3.2", "v2": "2.4.1", "bad": "2.4.2"},
    ),
    Application(  # the bad release lacks the page
        name="files",
        health_path="/",
        page="/prices.csv",
        version_path="/version.txt",
        version_in=lambda answer: answer.body.strip(),
        versions={"v1": "1.0.0", "v2": "2.0.0", "bad": "3.0.0"},
    ),
)
