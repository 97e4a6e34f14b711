"""`python -m sandbox push FOLDER --tag TAG`: make an image from a folder and push it to the sandbox's ECR.

It goes the way of `docker push`: blobs through the registry protocol, then the manifest through PutImage,
which raises the event. So it works from any shell that can reach the endpoint.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import boto3
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sandbox.host.dockerfile import DockerfileError
from sandbox.host.environments import PackagesError, environments
from sandbox.host.images import MANIFEST_TYPE, Image, build

_TIMEOUT = 10  # seconds; everything is on this machine
_DEFAULT_ENDPOINT = "http://127.0.0.1:4566"


class PushError(Exception):
    """The push cannot be done; the message says why and what to do."""


def push(folder: Path, tag: str, repository: str, build_args: dict[str, str], endpoint: str) -> Image:
    """Build `folder` and push it as `repository`:`tag`.

    What its Dockerfile has pip install is installed here, as a build would do.
    Raises PushError, DockerfileError or PackagesError.
    """
    image = build(folder, build_args)
    environments.programs(image.requirements)
    ecr = boto3.client(
        "ecr",
        endpoint_url=endpoint,
        region_name=os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
        # The sandbox's own account: an ordinary AWS profile in the shell must never be used for this.
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106
        config=Config(connect_timeout=_TIMEOUT, read_timeout=_TIMEOUT, retries={"total_max_attempts": 1}),
    )
    try:
        ecr.describe_repositories(repositoryNames=[repository])
        for digest, content in image.blobs.items():
            requests.post(
                f"{endpoint}/v2/{repository}/blobs/uploads/",
                params={"digest": digest},
                data=content,
                timeout=_TIMEOUT,
            ).raise_for_status()
        ecr.put_image(
            repositoryName=repository,
            imageManifest=image.manifest,
            imageManifestMediaType=MANIFEST_TYPE,
            imageTag=tag,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "RepositoryNotFoundException":
            message = f"there is no repository {repository!r}: deploy the stack that owns it"
            raise PushError(message) from error
        raise PushError(str(error)) from error
    except (BotoCoreError, requests.RequestException) as error:
        raise PushError(f"no sandbox answers at {endpoint}: start one with `python -m sandbox`") from error
    return image


def main(arguments: list[str]) -> int:
    """The command line. 0: pushed; 1: could not; 2: called wrongly."""
    parser = argparse.ArgumentParser(prog="python -m sandbox push", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with a Dockerfile")
    parser.add_argument("--tag", required=True, help="the image's tag; moved when it exists already")
    parser.add_argument("--repository", help="ECR repository (default: the folder's name, _ becomes -)")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE", dest="build_args")
    parser.add_argument("--endpoint-url", default=os.environ.get("AWS_ENDPOINT_URL") or _DEFAULT_ENDPOINT)
    options = parser.parse_args(arguments)
    if wrong := [arg for arg in options.build_args if "=" not in arg]:
        parser.error(f"--build-arg takes NAME=VALUE, not {wrong[0]!r}")
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is not a folder")
    repository = options.repository or options.folder.resolve().name.replace("_", "-")
    build_args = dict(arg.split("=", 1) for arg in options.build_args)
    try:
        image = push(options.folder, options.tag, repository, build_args, options.endpoint_url.rstrip("/"))
    except (PushError, DockerfileError, PackagesError) as error:
        print(f"push failed: {error}", file=sys.stderr)
        return 1
    for name in image.unused_build_args:
        print(f"warning: the Dockerfile has no ARG {name}", file=sys.stderr)
    print(f"{repository}:{options.tag} {image.digest}")
    return 0
