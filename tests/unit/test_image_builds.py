"""`images.sh`: what it builds and pushes, and in which order; Docker and AWS are stand-ins."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from demo.probe_tag import content_tag

ROOT = Path(__file__).parents[2]
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
PROBE, SAMPLE = f"{REGISTRY}/crossfade-probe", f"{REGISTRY}/sample-app"
PROBE_IMAGE = f"{PROBE}:{content_tag()}"
STAND_IN = """#!{python} -S
import json, os, sys
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
if "describe-images" in sys.argv:
    sys.exit(os.environ["PROBE_IS_THERE"] != "yes")
for name in ("ProbeRepository", "SampleRepository"):
    if any(name in argument for argument in sys.argv):
        print(os.environ[name])
"""


class Shell:
    """A shell in which `aws` and `docker` only write down how they are called."""

    def __init__(self, folder: Path) -> None:
        self._calls = folder / "calls"
        self._bin = folder / "bin"
        self._bin.mkdir()
        for program in ("aws", "docker"):
            path = self._bin / program
            path.write_text(STAND_IN.format(python=sys.executable))
            path.chmod(0o755)

    def images(
        self, *arguments: str, version: str = "0.0.2", sample: str = SAMPLE, probe_is_there: bool = False
    ) -> list[list[str]]:
        """Run images.sh; returns the calls of docker that build and push."""
        environment = {
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "CALLS": str(self._calls),
            "VERSION": version,
            "ProbeRepository": PROBE,
            "SampleRepository": sample,
            "PROBE_IS_THERE": "yes" if probe_is_there else "no",
        }
        subprocess.run(["bash", "images.sh", *arguments], cwd=ROOT, env=environment, check=True)
        calls = [json.loads(line) for line in self._calls.read_text().splitlines()]
        return [call[1:] for call in calls if call[0] == "docker" and call[1] != "login"]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell with stand-ins."""
    return Shell(tmp_path)


def test_the_probe_goes_first(shell: Shell) -> None:
    """The push of the sample app starts a deployment, which needs the probe."""
    built_and_pushed = [(call[0], call[-2:]) for call in shell.images()]

    assert [what for what, _ in built_and_pushed] == ["build", "push", "build", "push"]
    assert built_and_pushed[0][1] == [PROBE_IMAGE, "probe"]
    assert built_and_pushed[1][1][-1] == PROBE_IMAGE
    assert built_and_pushed[2][1] == [f"{SAMPLE}:0.0.2", "sample_app"]
    assert built_and_pushed[3][1][-1] == f"{SAMPLE}:0.0.2"


def test_the_same_build_has_the_same_digest(shell: Shell) -> None:
    """Docker's attestation holds the time of the build; without it nothing in the image does."""
    builds = [call for call in shell.images() if call[0] == "build"]

    assert len(builds) == 2
    assert all("--provenance=false" in call for call in builds)
    assert all(call[call.index("--platform") + 1] == "linux/amd64" for call in builds)


def test_a_probe_of_this_content_is_not_built_again(shell: Shell) -> None:
    """Its tag names its content."""
    assert [call[-1] for call in shell.images(probe_is_there=True)] == ["sample_app", f"{SAMPLE}:0.0.2"]


def test_without_a_sample_service_the_probe_is_all(shell: Shell) -> None:
    """With DeploySampleApp=false the stack has no repository for the sample app; that is no failure."""
    assert [call[-1] for call in shell.images(sample="")] == ["probe", PROBE_IMAGE]


def test_without_a_version_the_probe_is_all(shell: Shell) -> None:
    """Before an update of Crossfade the new probe is pushed alone."""
    assert [call[-1] for call in shell.images(version="")] == ["probe", PROBE_IMAGE]


def test_arguments_go_to_the_sample_apps_build(shell: Shell) -> None:
    """So is a bad version made."""
    build = shell.images("--build-arg", "FAULT_ERROR_RATE=1", probe_is_there=True)[0]

    assert build[build.index("FAULT_ERROR_RATE=1") - 1] == "--build-arg"
    assert "VERSION=0.0.2" in build
