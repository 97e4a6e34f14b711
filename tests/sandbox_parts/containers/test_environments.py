"""Packages of an image that the project's own environment does not have."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import pytest

from sandbox.host.environments import Environments, PackagesError
from sandbox.host.environments import environments as environments_of_the_project
from sandbox.host.images import build
from sandbox.push import main
from tests.sandbox_parts.containers.cluster import Cluster
from tests.sandbox_parts.containers.conftest import PROJECT

OWN = Path(sys.executable).parent
DOCKERFILE = """\
FROM python:3.13-slim
COPY requirements.txt /
RUN pip install -r /requirements.txt
CMD ["greet"]
"""


def wheel(folder: Path, name: str, version: str, source: str) -> None:
    """A package of one module, whose `main` is the program of the same name."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, content in (files | {f"{info}/RECORD": record}).items():
            archive.writestr(path, content)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this machine's pip finds packages: two versions of `greet`, and a `boto3` of its own."""
    folder = tmp_path / "index"
    folder.mkdir()
    for version in ("1.0", "2.0"):
        wheel(folder, "greet", version, f"def main(): print('greet {version}')\n")
    source = "import importlib.util as u\ndef main(): print('boto3 is', u.find_spec('boto3') and 'there')\n"
    wheel(folder, "alone", "1.0", source)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    """None is made yet."""
    return Environments(tmp_path / "environments")


def said(programs: Path, *command: str) -> str:
    """What a program prints."""
    return subprocess.run(
        [programs / command[0], *command[1:]], capture_output=True, text=True
    ).stdout.strip()


def test_each_version_has_an_environment_of_its_own(index: Path, environments: Environments):
    """Programs and modules are those of the requirements."""
    first, second = (environments.programs([f"greet=={version}"]) for version in ("1.0", "2.0"))

    assert [said(first, "greet"), said(second, "greet")] == ["greet 1.0", "greet 2.0"]
    assert said(first, "python", "-c", "import greet; greet.main()") == "greet 1.0"


def test_nothing_of_the_project_is_in_it(index: Path, environments: Environments):
    """A package that a Dockerfile forgets is missing here too."""
    assert said(environments.programs(["alone==1.0"]), "alone") == "boto3 is None"


def test_it_is_made_once(index: Path, environments: Environments, monkeypatch: pytest.MonkeyPatch):
    """Also when several ask at the same time; then pip is not needed any more."""
    with ThreadPoolExecutor() as pool:
        asked = list(pool.map(environments.programs, [["greet==1.0"]] * 4))
    made = (asked[0] / "greet").stat().st_mtime_ns
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")

    assert {*asked, environments.programs(["greet==1.0"])} == {asked[0]}
    assert (asked[0] / "greet").stat().st_mtime_ns == made


def test_one_that_was_interrupted_is_made_anew(index: Path, environments: Environments):
    """Only a whole one is used."""
    programs = environments.programs(["greet==1.0"])
    (programs.parent / "requirements.txt").unlink()
    (programs / "greet").unlink()

    assert said(environments.programs(["greet==1.0"]), "greet") == "greet 1.0"


def test_pips_words_when_it_fails(index: Path, environments: Environments, tmp_path: Path):
    """Nothing half-made is left."""
    with pytest.raises(PackagesError, match=r"No matching distribution found for greet==3\.0"):
        environments.programs(["greet==3.0"])

    assert not [path for path in (tmp_path / "environments").iterdir() if path.is_dir()]


@pytest.mark.parametrize("folder", ["sample_app", "probe"])
def test_the_projects_own_images_use_its_environment(folder: str, environments: Environments, tmp_path: Path):
    """They are pinned to what is installed for all else."""
    requirements = build(PROJECT / folder).requirements

    assert requirements
    assert environments.programs(requirements) == OWN
    assert not (tmp_path / "environments").exists()


@pytest.mark.parametrize(
    ("line", "own"),
    [
        pytest.param("Requests=={}", True, id="the-same"),
        pytest.param("requests=={} --hash=sha256:aa", True, id="with-a-hash"),
        pytest.param("greet==1.0; python_version < '3'", True, id="not-for-this-python"),
        pytest.param("requests=={}; python_version > '3'", True, id="for-this-python"),
        pytest.param("requests==2.0.0", False, id="another-version"),
        pytest.param("requests>=2", False, id="no-pin"),
        pytest.param("requests==2.*", False, id="any-of-many"),
        pytest.param("requests", False, id="no-version"),
        pytest.param("requests[socks]=={}", False, id="more-than-the-package"),
        pytest.param("greet==1.0", False, id="not-there"),
    ],
)
def test_what_counts_as_the_same(line: str, own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Just that version, and nothing more than it; else pip is called, which finds nothing here."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    asked = [line.format(metadata.version("requests"))]
    if own:
        assert Environments(tmp_path).programs(asked) == OWN
    else:
        with pytest.raises(PackagesError):
            Environments(tmp_path).programs(asked)


def test_a_push_says_what_pip_says(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """As a build does, before anything is pushed."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "requirements.txt").write_text("greet==3.0\n")

    assert main([str(folder), "--tag", "1", "--endpoint-url", "http://127.0.0.1:1"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("push failed: pip install failed:\nERROR: Could not find a version")
    assert "No matching distribution found for greet==3.0" in said


@pytest.mark.enable_socket
def test_a_task_runs_with_its_images_packages(cluster: Cluster, index: Path, tmp_path: Path):
    """Two releases with two versions of a package, side by side."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    for version in ("1.0", "2.0"):
        (folder / "requirements.txt").write_text(f"greet=={version}\n")
        done = cluster.sandbox.push(folder, "--tag", version, "--repository", "tasks")
        assert done.returncode == 0, done.stderr

    tasks = [cluster.run(f"tasks:{version}") for version in ("1.0", "2.0")]

    assert [cluster.line(task, "greet") for task in tasks] == ["greet 1.0", "greet 2.0"]


@pytest.mark.enable_socket
def test_a_task_whose_packages_are_gone(cluster: Cluster, index: Path, tmp_path: Path):
    """They are asked for again; where pip fails, the task says so, as of an image that cannot be pulled."""
    package = index / "greet-1.0-py3-none-any.whl"
    asked = f"greet @ {package.as_uri()}"
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "requirements.txt").write_text(asked)
    assert cluster.sandbox.push(folder, "--tag", "gone", "--repository", "tasks").returncode == 0
    shutil.rmtree(environments_of_the_project.programs([asked]).parent)
    package.unlink()

    reason = cluster.stopped(cluster.run("tasks:gone"))["stoppedReason"]

    assert reason.startswith("CannotPullContainerError: pip install failed:")
    assert f"No such file or directory: '{package}'" in reason
