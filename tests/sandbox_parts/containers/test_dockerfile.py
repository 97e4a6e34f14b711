"""What the sandbox reads in a Dockerfile."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.host.dockerfile import DockerfileError, read_dockerfile


def read(folder: Path, text: str, **build_args: str):
    (folder / "Dockerfile").write_text(text)
    return read_dockerfile(folder, build_args)


def test_final_stage_is_read(folder: Path):
    """Environment, working directory, command, user and ports come from the final stage."""
    recipe = read_dockerfile(folder, {"VERSION": "1.2.3"})

    assert recipe.env == {"VERSION": "1.2.3", "GREETING": "hello 1.2.3"}
    assert recipe.workdir == "/app"
    assert recipe.command == ["python", "app.py"]
    assert recipe.user == "1000"
    assert recipe.ports == [8080]
    assert recipe.copies == [(["app.py"], "/app/"), (["data/"], "/app/data/")]


@pytest.mark.parametrize(
    ("text", "build_args", "expected"),
    [
        pytest.param("FROM a\nARG V=1\nENV X=$V", {}, "1", id="default"),
        pytest.param("FROM a\nARG V=1\nENV X=$V", {"V": "2"}, "2", id="build-arg"),
        pytest.param("ARG V=3\nFROM a\nARG V\nENV X=${V}", {}, "3", id="global-declared-again"),
        pytest.param("ARG V=3\nFROM a\nENV X=${V}", {}, "", id="global-not-declared-again"),
        pytest.param("FROM a\nARG V=1\nENV V=4\nENV X=$V", {"V": "2"}, "4", id="env-beats-arg"),
    ],
)
def test_build_arguments(folder: Path, text: str, build_args: dict[str, str], expected: str):
    """ARG and ENV are substituted as Docker does it."""
    assert expected == read(folder, text, **build_args).env["X"]


def test_entrypoint_forgets_an_earlier_command(folder: Path):
    """A CMD before the ENTRYPOINT belongs to another entry point."""
    recipe = read(folder, 'FROM a\nCMD ["old"]\nENTRYPOINT ["python"]\nCMD ["-m", "app"]')

    assert (recipe.entrypoint, recipe.command) == (["python"], ["-m", "app"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("FROM a\nCMD python app.py", "exec form", id="shell-form"),
        pytest.param("ENV A=b", "no FROM", id="no-from"),
        pytest.param("FROM a\nENV A=${B:-c}", "not supported", id="modifier"),
        pytest.param("FROM a\nCOPY one", "no destination", id="copy-to-nowhere"),
    ],
)
def test_what_cannot_be_followed_is_said(folder: Path, text: str, message: str):
    """Each instruction that the sandbox cannot follow has its sentence."""
    with pytest.raises(DockerfileError, match=message):
        read(folder, text)


def test_unknown_build_argument_is_named(folder: Path):
    """A build argument that no ARG declares is most likely a slip."""
    assert read_dockerfile(folder, {"VERSON": "1"}).unused_build_args == ["VERSON"]
