"""Stands for `docker` where there is none: it writes down what it is asked, and pushes to the sandbox's ECR.

The calls are written to `$DOCKER_CALLS`, one a line; images that were built are kept beside that file.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from sandbox.push import push

CALLS = Path(os.environ["DOCKER_CALLS"])
BUILT = CALLS.with_suffix(".built")


def main(arguments: list[str]) -> int:
    """`docker login`, `docker build` and `docker push`, as images.sh calls them."""
    with CALLS.open("a", encoding="utf-8") as calls:
        calls.write(json.dumps(arguments) + "\n")
    command, *rest = arguments
    if command == "login":
        return 0 if sys.stdin.read().strip() else 1
    images = json.loads(BUILT.read_text(encoding="utf-8")) if BUILT.exists() else {}
    if command == "build":
        parser = argparse.ArgumentParser(allow_abbrev=False)
        parser.add_argument("--platform", required=True)
        parser.add_argument("--provenance", required=True)
        parser.add_argument("--build-arg", action="append", default=[])
        parser.add_argument("--tag", required=True)
        parser.add_argument("folder")
        asked = parser.parse_args(rest)
        images[asked.tag] = [asked.folder, asked.build_arg]
        BUILT.write_text(json.dumps(images), encoding="utf-8")
        return 0
    if command == "push":
        folder, given = images[rest[0]]
        repository, _, tag = rest[0].partition("/")[2].rpartition(":")
        build_args = dict(each.split("=", 1) for each in given)
        push(Path(folder), tag, repository, build_args, os.environ["AWS_ENDPOINT_URL"])
        return 0
    print(f"docker {command}: the stand-in knows login, build and push", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
