"""The tag of the probe's image, a digest of what it is built from: `python -m demo.probe_tag` pins it.

A tag that stays the same would keep an older probe in use after an update of Crossfade. The tag stands in
template.yaml, because the task definition names the image before anybody has built it.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template.yaml"
_PINNED = re.compile(
    r'(?<=\n  ProbeImageTag:\n)(?P<before>(?:    .*\n)*?    Default: )"?(?P<tag>[^"\n]*)"?\n'
)
_DIGITS = 12


def content_tag(folder: Path = ROOT / "probe") -> str:
    """The first digits of the SHA-256 of the folder's files, names and contents; caches do not count."""
    digest = hashlib.sha256()
    files = (file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    for file in sorted(files):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:_DIGITS]


def pinned_tag() -> str:
    """The tag that the template names."""
    found = _PINNED.search(TEMPLATE.read_text(encoding="utf-8"))
    if found is None:
        raise LookupError(f"{TEMPLATE} has no parameter ProbeImageTag with a Default")
    return found["tag"]


def main() -> None:
    """Write the probe's tag into the template."""
    text = TEMPLATE.read_text(encoding="utf-8")
    tag = content_tag()
    # Quoted, because a digest like 1234e567 is a number to YAML.
    TEMPLATE.write_text(_PINNED.sub(rf'\g<before>"{tag}"\n', text), encoding="utf-8")
    print(tag)


if __name__ == "__main__":
    main()
