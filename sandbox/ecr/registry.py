"""Images as the emulator's ECR holds them, unpacked into folders that processes can run in."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import tarfile
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.errors import ImageNotFound
from ministack.services import ecr

from sandbox.host.images import REQUIREMENTS_LABEL

_REFERENCE = re.compile(
    r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/"
    r"(?P<repository>[a-z0-9][a-z0-9._/-]*?)(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$"
)


PLATFORM = "linux/amd64"
"""What Fargate runs unless the task definition's runtimePlatform says otherwise."""


@dataclass(frozen=True)
class UnpackedImage:
    """An image ready to run: its root folder and its config in the shape of the OCI image config."""

    digest: str
    root: Path
    config: dict[str, Any]

    @property
    def ports(self) -> list[int]:
        """The ports that the image exposes."""
        return [int(port.split("/")[0]) for port in self.config.get("ExposedPorts", {})]

    @property
    def requirements(self) -> list[str]:
        """What its Dockerfile has pip install."""
        return str((self.config.get("Labels") or {}).get(REQUIREMENTS_LABEL, "")).splitlines()

    def env(self) -> dict[str, str]:
        """The image's variables; folders of the image (as in PYTHONPATH) are named as they are here."""
        pairs = (entry.split("=", 1) for entry in self.config["Env"])
        return {name: os.pathsep.join(map(self.inside, value.split(os.pathsep))) for name, value in pairs}

    def inside(self, path: str) -> str:
        """An absolute path of the image as the path on this machine, when the image holds it."""
        here = self.root / path.lstrip("/")
        return str(here) if path.startswith("/") and path.strip("/") and here.exists() else path


class Registry:
    """Finds images by `repository:tag` or `repository@digest` and unpacks each digest once."""

    folder: Path
    """Where they are unpacked; set when the sandbox starts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def digest(self, reference: str) -> str:
        """The digest that `reference` stands for now. Raises docker's ImageNotFound, in ECR's words."""
        return str(self._find(reference)["imageDigest"])

    def pull(self, reference: str, platform: str = PLATFORM) -> UnpackedImage:
        """The image of `reference`, unpacked. Raises docker's ImageNotFound, in ECR's words.

        An index has an image for each platform, and what Docker attests of the build beside them.
        """
        record = self._find(reference)
        manifest = json.loads(record["imageManifest"])
        if "manifests" in manifest:
            record = self._find(f"{_name(reference)}@{_of_platform(manifest, platform)}")
            manifest = json.loads(record["imageManifest"])
        blobs = ecr._layer_blobs.get(record["repositoryName"], {})
        wanted = [manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]
        if missing := [digest for digest in wanted if digest not in blobs]:
            raise ImageNotFound(f"{reference}: its content {missing[0]} was never pushed")
        config, *layers = [blobs[digest] for digest in wanted]
        root = self._unpack(record["imageDigest"], layers)
        return UnpackedImage(record["imageDigest"], root, json.loads(config)["config"])

    def _find(self, reference: str) -> dict[str, Any]:
        match = _REFERENCE.match(reference)
        if match is None:
            raise ImageNotFound(f"invalid reference format: {reference}")
        repository = match["repository"]
        digest, tag = match["digest"], match["tag"] or "latest"
        image_id = {"imageDigest": digest} if digest else {"imageTag": tag}
        record = ecr._find_image(repository, image_id) if repository in ecr._repositories else None
        if record is None:
            raise ImageNotFound(
                "pull image manifest has been retried 1 time(s): "
                f"failed to resolve ref {reference}: {reference}: not found"
            )
        return dict(record)

    def _unpack(self, digest: str, layers: list[bytes]) -> Path:
        target = self.folder / digest.removeprefix("sha256:")
        with self._lock:
            if not target.exists():
                self.folder.mkdir(parents=True, exist_ok=True)
                draft = Path(tempfile.mkdtemp(dir=self.folder, prefix="unpacking-"))
                for layer in layers:
                    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
                        tar.extractall(draft, filter="data")
                shutil.move(draft, target)
        return target


registry = Registry()
"""That of this process."""


def _name(reference: str) -> str:
    """A reference without its tag and digest."""
    folder, slash, name = reference.partition("@")[0].rpartition("/")
    return f"{folder}{slash}{name.partition(':')[0]}"


def _of_platform(index: dict[str, Any], platform: str) -> str:
    """The digest of an index's image for a platform."""
    for entry in index["manifests"]:
        made_for = entry.get("platform") or {}
        if f"{made_for.get('os')}/{made_for.get('architecture')}" == platform:
            return str(entry["digest"])
    raise ImageNotFound(f"image Manifest does not contain descriptor matching platform '{platform}'")


class Images:
    """docker-py's `client.images`, backed by the emulator's ECR."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def pull(self, reference: str, platform: str = PLATFORM, **_: object) -> Pulled:
        """Unpack an image. Raises docker's ImageNotFound."""
        return Pulled(self._registry.pull(reference, platform).digest)

    def get(self, reference: str) -> Pulled:
        """The same: what was pulled is what ECR holds."""
        return self.pull(reference)

    def get_registry_data(self, reference: str, **_: object) -> Pulled:
        """The digest that a tag stands for now. Raises docker's ImageNotFound."""
        return Pulled(self._registry.digest(reference))


@dataclass(frozen=True)
class Pulled:
    """A docker-py image; `id` is the manifest's digest."""

    id: str

    def tag(self, repository: str, tag: str) -> bool:
        """ECR's tags are the only tags, so there is nothing to set."""
        return True
