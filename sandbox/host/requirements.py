"""What the `pip install` of a Dockerfile asks for, as lines of one requirements file.

pip's options: https://pip.pypa.io/en/stable/cli/pip_install/; what a requirements file may hold:
https://pip.pypa.io/en/stable/reference/requirements-file-format/.
"""

from __future__ import annotations

import argparse
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from packaging.requirements import InvalidRequirement, Requirement

from sandbox.host.dockerfile import DockerfileError, PipInstall

# Where from and how pip installs here is said by the configuration of this machine's pip, not by an image.
_WITHOUT_MEANING = (
    *(
        "--break-system-packages",
        "--disable-pip-version-check",
        "--force-reinstall",
        "--ignore-installed",
        "-I",
    ),
    *(
        "--no-cache",
        "--no-cache-dir",
        "--no-color",
        "--no-compile",
        "--no-index",
        "--no-input",
        "--prefer-binary",
    ),
    *(
        "--no-warn-script-location",
        "--quiet",
        "-q",
        "--system",
        "--upgrade",
        "-U",
        "--user",
        "--verbose",
        "-v",
    ),
)
_WITHOUT_MEANING_BUT_A_VALUE = (
    *("--cache-dir", "--default-timeout", "--extra-index-url", "--find-links", "-f", "--index-url", "-i"),
    *("--prefix", "--progress-bar", "--retries", "--root-user-action", "--target", "-t", "--timeout"),
    *("--trusted-host", "--upgrade-strategy"),
)
_COMMENT = re.compile(r"(^|\s+)#.*$")


def asked_for(install: PipInstall, files: Mapping[str, Path]) -> list[str]:
    """The requirements, one a line, in pip's notation. `files` are those of the image, by name in it.

    Raises DockerfileError where the sandbox does not know an option, a file is not in the image, or a package
    is not asked for by its name.
    """
    return list(_of_words(install.words, install.workdir, files))


def requirement(line: str) -> Requirement:
    """A line without its options (`--hash=…`). Raises packaging's InvalidRequirement."""
    return Requirement(line.partition(" --")[0])


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise DockerfileError(f"the sandbox cannot follow `pip install`: {message}")


def _parser() -> _Parser:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("names", nargs="*")
    parser.add_argument("-r", "--requirement", action="append", default=[], dest="files")
    for option in _WITHOUT_MEANING:
        parser.add_argument(option, action="store_true")
    for option in _WITHOUT_MEANING_BUT_A_VALUE:
        parser.add_argument(option)
    return parser


_PARSER = _parser()


def _of_words(words: Sequence[str], folder: str, files: Mapping[str, Path]) -> Iterator[str]:
    options = _PARSER.parse_intermixed_args(words)
    yield from map(_by_name, options.names)
    for name in options.files:
        yield from _of_file(posixpath.normpath(posixpath.join(folder, name)), files)


def _of_file(name: str, files: Mapping[str, Path]) -> Iterator[str]:
    path = files.get(name.lstrip("/"))
    if path is None:
        raise DockerfileError(f"pip install --requirement {name}: no COPY before it brings that file")
    for written in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        line = " ".join(_COMMENT.sub("", written).split())
        if line.startswith("-"):
            yield from _of_words(shlex.split(line), posixpath.dirname(name), files)
        elif line:
            yield _by_name(line)


def _by_name(line: str) -> str:
    try:
        requirement(line)
    except InvalidRequirement as error:
        raise DockerfileError(
            f"pip install {line}: the sandbox installs packages by their names only"
        ) from error
    return line
