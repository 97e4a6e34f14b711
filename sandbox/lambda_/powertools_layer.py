"""The Powertools layer's stand-in: a name and an ARN, so that templates deploy unchanged.

MiniStack has no public layers, and `/aws/…` parameters are reserved in it. Lambda functions run with
the sandbox's own Python, which has Powertools; so the layer holds nothing.
"""

from __future__ import annotations

import base64
import io
import json
import zipfile

from ministack.services import lambda_svc, ssm

PARAMETER = "/crossfade/sandbox/powertools-layer"


def publish() -> None:
    """Publish the layer and put its version's ARN into the parameter that the sandbox's profile names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("python/README", "Powertools comes from the sandbox's own environment.\n")
    content = {"ZipFile": base64.b64encode(buffer.getvalue()).decode()}
    status, _, body = lambda_svc._publish_layer_version("powertools", {"Content": content})
    if status >= 300:
        raise RuntimeError(f"the emulator refused the layer: {body.decode()}")
    arn = json.loads(body)["LayerVersionArn"]
    ssm._put_parameter({"Name": PARAMETER, "Type": "String", "Value": arn})
