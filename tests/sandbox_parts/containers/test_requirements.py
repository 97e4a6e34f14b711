"""What a Dockerfile's `pip install` asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.host.dockerfile import DockerfileError
from sandbox.host.images import build

PINS = """\
# what the application imports
flask==3.1.3   # not the newest
--index-url https://index.example/simple
-r more/web.txt
"""
WEB = """\
gunicorn==23.0.0 \\
    --hash=sha256:aa
greenlet==2.0.2; python_version < "3.12"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with requirements, one file of which names another."""
    (tmp_path / "more").mkdir()
    (tmp_path / "requirements.txt").write_text(PINS)
    (tmp_path / "more" / "web.txt").write_text(WEB)
    return tmp_path


def requirements(folder: Path, text: str, **build_args: str) -> list[str]:
    """Those of the image of a Dockerfile."""
    (folder / "Dockerfile").write_text(text)
    return list(build(folder, build_args).requirements)


OF_FILES = ["flask==3.1.3", "gunicorn==23.0.0 --hash=sha256:aa", 'greenlet==2.0.2; python_version < "3.12"']


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("RUN pip install a==1 b", ["a==1", "b"], id="names"),
        pytest.param('RUN pip install --no-cache-dir "a>=1" -U', ["a>=1"], id="quoted-and-options"),
        pytest.param("RUN apt-get update && pip3 install a; rm -rf /tmp/x", ["a"], id="one-command-of-many"),
        pytest.param("RUN python3.13 -m pip install \\\n  a \\\n  b", ["a", "b"], id="module-over-lines"),
        pytest.param('RUN ["python", "-m", "pip", "install", "a"]', ["a"], id="exec-form"),
        pytest.param("RUN --mount=type=cache,target=/c PIP_X=1 /venv/bin/pip install a", ["a"], id="mount"),
        pytest.param("RUN pip install --extra-index-url https://x.example/simple a", ["a"], id="an-index"),
        pytest.param("RUN pip install a\nRUN pip install b", ["a", "b"], id="twice"),
        pytest.param("ARG V=1\nENV P=a\nRUN pip install $P==${V}", ["a==2"], id="variables"),
        pytest.param("COPY . /srv\nRUN pip install -r /srv/requirements.txt", OF_FILES, id="file"),
        pytest.param("WORKDIR /srv\nCOPY . .\nRUN pip install -r requirements.txt", OF_FILES, id="beside"),
        pytest.param("RUN apt-get install -y python3-pip", [], id="another-program"),
        pytest.param("RUN echo pip install a", [], id="only-said"),
    ],
)
def test_what_pip_is_told(folder: Path, text: str, expected: list[str]):
    """Names and files, in the shell's form and in exec form; addresses of indexes are not kept."""
    assert expected == requirements(folder, f"FROM python\n{text}\n", V="2")


@pytest.mark.parametrize("named", ["build", "0"])
def test_a_stage_that_is_copied_from(folder: Path, named: str):
    """Its packages are the image's; those of a stage that nothing is copied from are not."""
    text = f"""\
FROM python AS build
COPY . /src
RUN pip install --prefix /out -r /src/more/web.txt
FROM python AS tests
RUN pip install pytest
FROM python
COPY --from={named} /out /usr/local
COPY --from=ghcr.io/other/image /x /x
RUN pip install last
"""
    assert [*OF_FILES[1:], "last"] == requirements(folder, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("RUN pip install -r requirements.txt", "no COPY before it brings", id="no-file"),
        pytest.param("COPY . /a\nRUN pip install -r requirements.txt", "no COPY before", id="elsewhere"),
        pytest.param("RUN pip install --no-deps a", "unrecognized arguments: --no-deps", id="option"),
        pytest.param("RUN pip install .", r"pip install \.: .* by their names only", id="folder"),
        pytest.param("RUN pip install -e .", "unrecognized arguments: -e", id="editable"),
    ],
)
def test_what_cannot_be_followed_is_said(folder: Path, text: str, message: str):
    """Better than an image that lacks a package."""
    with pytest.raises(DockerfileError, match=message):
        requirements(folder, f"FROM python\n{text}\n")


def test_other_requirements_other_digest(folder: Path):
    """A file that is only there for pip changes what would run."""
    text = "FROM python\nCOPY requirements.txt /\nRUN pip install -r /requirements.txt b=={}\n"
    (folder / "requirements.txt").write_text("a==1\n")
    digests = set()
    for version in ("1", "2"):
        (folder / "Dockerfile").write_text(text.format(version))
        digests |= {build(folder).digest}

    assert len(digests) == 2
