"""An image is a folder plus a Dockerfile; its digest is the digest of what it would contain.

The image is a real OCI image in small: one layer (a tar of the copied files), a config, a manifest. The same
folder with the same build arguments gives the same bytes, on any machine and at any time.
"""

from __future__ import annotations

import fnmatch
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sandbox.host.dockerfile import Copies, DockerfileError, Recipe, read_dockerfile
from sandbox.host.requirements import asked_for

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
REQUIREMENTS_LABEL = "sandbox.requirements"
"""Of an image's config: what its Dockerfile has pip install, one requirement a line."""
# Compiled Python is a trace of having run the folder, not content: it would change the digest.
_NEVER_COPIED = ("**/__pycache__", "**/*.pyc")


@dataclass(frozen=True)
class Image:
    """A built image: the manifest's text and the blobs that it names, by digest."""

    manifest: str
    blobs: Mapping[str, bytes]
    requirements: tuple[str, ...] = ()
    unused_build_args: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """What ECR calls the image: `sha256:…` of the manifest."""
        return digest_of(self.manifest.encode())


def digest_of(content: bytes) -> str:
    """`sha256:…` of some bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def build(folder: Path, build_args: Mapping[str, str] | None = None) -> Image:
    """Make the image of `folder`. Raises DockerfileError when its Dockerfile cannot be followed."""
    recipe = read_dockerfile(folder, build_args or {})
    ignored = _ignore_patterns(folder)
    layer = _layer(_files(folder, recipe.copies, ignored))
    requirements = tuple(
        line
        for install in recipe.pip_installs
        for line in asked_for(install, _files(folder, install.copies, ignored))
    )
    config = _text(_config(recipe, requirements, digest_of(layer))).encode()
    manifest = _text(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": _CONFIG_TYPE, "size": len(config), "digest": digest_of(config)},
            "layers": [{"mediaType": _LAYER_TYPE, "size": len(layer), "digest": digest_of(layer)}],
        }
    )
    blobs = {digest_of(config): config, digest_of(layer): layer}
    return Image(manifest, blobs, requirements, tuple(recipe.unused_build_args))


def _config(recipe: Recipe, requirements: Sequence[str], layer_digest: str) -> dict[str, object]:
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Env": [f"{name}={value}" for name, value in sorted(recipe.env.items())],
            "WorkingDir": recipe.workdir,
            "Entrypoint": recipe.entrypoint,
            "Cmd": recipe.command,
            "User": recipe.user,
            "ExposedPorts": {f"{port}/tcp": {} for port in recipe.ports},
            "Labels": {REQUIREMENTS_LABEL: "\n".join(requirements)} if requirements else {},
        },
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
    }


def _files(folder: Path, copies: Copies, ignored: list[str]) -> dict[str, Path]:
    """Name in the image → file."""
    files: dict[str, Path] = {}
    for sources, destination in copies:
        for source in sources:
            files.update(_copied(folder, source, destination, ignored))
    return files


def _layer(files: Mapping[str, Path]) -> bytes:
    """A tar of the files, not compressed: compressors differ between machines."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, path in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            content = path.read_bytes()
            entry.size = len(content)
            entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _copied(folder: Path, source: str, destination: str, ignored: list[str]) -> Iterator[tuple[str, Path]]:
    """(name in the image, file) of one COPY source; a folder's content is copied, not the folder itself."""
    pattern = source.lstrip("/").removeprefix("./").rstrip("/") or "."
    found = [folder] if pattern == "." else sorted(folder.glob(pattern))
    if not found:
        raise DockerfileError(f"{folder / 'Dockerfile'}: COPY {source} matches no file in {folder}")
    for path in found:
        is_file = path.is_file()
        for file in [path] if is_file else sorted(path.rglob("*")):
            if not file.is_file() or _is_ignored(file.relative_to(folder), ignored):
                continue
            inside = PurePosixPath(destination)
            if not is_file:
                inside /= file.relative_to(path).as_posix()
            elif destination.endswith("/"):
                inside /= file.name
            yield str(inside).lstrip("/"), file


def _ignore_patterns(folder: Path) -> list[str]:
    path = folder / ".dockerignore"
    lines = path.read_text().splitlines() if path.is_file() else []
    written = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    return [*written, *_NEVER_COPIED]


def _is_ignored(relative: Path, patterns: list[str]) -> bool:
    """A pattern of .dockerignore hides a path or a folder above it; the last match decides, `!` shows."""
    hidden = False
    candidates = [relative.as_posix(), *(parent.as_posix() for parent in relative.parents if parent.name)]
    for pattern in patterns:
        wanted = pattern.lstrip("!").strip("/")
        anywhere = wanted.removeprefix("**/")
        for candidate in candidates:
            tail_matches = wanted != anywhere and any(
                fnmatch.fnmatchcase(part, anywhere) for part in PurePosixPath(candidate).parts
            )
            if fnmatch.fnmatchcase(candidate, wanted) or tail_matches:
                hidden = not pattern.startswith("!")
                break
    return hidden


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
