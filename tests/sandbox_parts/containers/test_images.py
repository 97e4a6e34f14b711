"""Images: what they hold, and that their digests depend on that alone."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from sandbox.host.dockerfile import DockerfileError
from sandbox.host.images import Image, build, digest_of


def files(image: Image) -> dict[str, str]:
    """Path → content of an image's layer."""
    layer = json.loads(image.manifest)["layers"][0]["digest"]
    with tarfile.open(fileobj=io.BytesIO(image.blobs[layer])) as tar:
        return {entry.name: tar.extractfile(entry).read().decode() for entry in tar}


def test_only_what_is_copied_is_in_it(folder: Path):
    """The layer holds the files of COPY, not the Dockerfile and no compiled Python."""
    assert files(build(folder)) == {"app/app.py": "print('hello')\n", "app/data/a.txt": "a"}


def test_same_content_same_digest(folder: Path, tmp_path: Path):
    """Neither the place of the folder nor the age of its files changes the digest."""
    before = build(folder, {"VERSION": "1"})
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy)
    os.utime(copy / "app.py", (0, 0))

    assert before.digest == build(copy, {"VERSION": "1"}).digest


def test_running_the_folder_does_not_change_it(folder: Path):
    """Python's caches appear when the folder is used; they are no content."""
    before = build(folder)
    (folder / "data" / "__pycache__" / "new.pyc").write_text("more")

    assert before.digest == build(folder).digest


@pytest.mark.parametrize("change", ["file", "build-arg", "dockerfile", "mode"])
def test_other_content_other_digest(folder: Path, change: str):
    """Whatever would run differently has another digest."""
    before = build(folder)
    if change == "file":
        (folder / "app.py").write_text("print('bye')\n")
    elif change == "dockerfile":
        (folder / "Dockerfile").write_text((folder / "Dockerfile").read_text() + "ENV MORE=1\n")
    elif change == "mode":
        (folder / "app.py").chmod(0o755)

    assert before.digest != build(folder, {"VERSION": "2"} if change == "build-arg" else {}).digest


def test_manifest_names_its_blobs_by_content(folder: Path):
    """Every digest in the manifest is the digest of the blob, with its size."""
    image = build(folder)
    manifest = json.loads(image.manifest)

    for part in [manifest["config"], *manifest["layers"]]:
        assert part["digest"] == digest_of(image.blobs[part["digest"]])
        assert part["size"] == len(image.blobs[part["digest"]])
    assert image.digest == digest_of(image.manifest.encode())


@pytest.mark.parametrize(
    ("patterns", "kept"),
    [
        pytest.param("data\n", {"app/app.py"}, id="folder"),
        pytest.param("**/*.txt\n", {"app/app.py"}, id="anywhere"),
        pytest.param("data/*\n!data/a.txt\n", {"app/app.py", "app/data/a.txt"}, id="exception"),
        pytest.param("# data\n\n", {"app/app.py", "app/data/a.txt"}, id="comment"),
    ],
)
def test_dockerignore(folder: Path, patterns: str, kept: set[str]):
    """.dockerignore hides what it names."""
    (folder / ".dockerignore").write_text(patterns)

    assert kept == set(files(build(folder)))


def test_a_missing_source_is_an_error(folder: Path):
    """A COPY of nothing is an error, as it is for Docker."""
    (folder / "app.py").unlink()

    with pytest.raises(DockerfileError, match=r"COPY app\.py matches no file"):
        build(folder)
