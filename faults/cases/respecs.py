"""What becomes of a service's spec while it is deployed or rolled back: changed, gone, or malformed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from faults.aws.services import CLUSTER_OF_OTHERS
from faults.aws.stores import Parameters
from faults.cases.service import RULE

Document = dict[str, Any]


def _times(document: Document) -> None:
    """Everything takes longer."""
    document["launch"]["hold_seconds"] += 2
    document["retire"]["drain_seconds"] += 2
    for stage in document["stages"]:
        stage["min_seconds"] += 2


def _stages(document: Document) -> None:
    """Other weights, and more of them."""
    first, between, last = document["stages"]
    document["stages"] = [first, between | {"weight": 40}, between | {"weight": 60}, last]


def _rule(document: Document) -> None:
    """The production rule is to be another one."""
    document["traffic"] = [{"rule": document["traffic"][0].get("rule", RULE).replace("/3", "/99")}]


def _like(document: Document) -> None:
    """The pattern is to be another service, behind another target group."""
    document["like"] = document["like"].replace("/web/web", "/web/api")


def _network(document: Document) -> None:
    """Probes are to run elsewhere."""
    document["probe"]["network"]["subnets"] = ["subnet-9"]


def _cluster(document: Document) -> None:
    """The cluster is another service's."""
    document["like"] = f"{CLUSTER_OF_OTHERS.replace(':cluster/', ':service/')}/web"


CHANGES: dict[str, Callable[[Document], None]] = {
    "spec-times": _times,
    "spec-stages": _stages,
    "spec-rule": _rule,
    "spec-like": _like,
    "spec-network": _network,
    "spec-cluster": _cluster,
}
GONE, MALFORMED, CUT_OFF = "spec-gone", "spec-malformed", "spec-cut-off"
RESPECS = (*CHANGES, GONE, MALFORMED, CUT_OFF)
"""The ways in which a spec can turn out to be another one."""


def respec(parameters: Parameters, name: str, kind: str) -> None:
    """Let this become of the spec in the parameter of a name; harmless when it is gone already."""
    text = parameters.values.pop(name, None)
    if text is None or kind == GONE:
        return
    if kind == CUT_OFF:
        parameters.values[name] = text[: len(text) // 2]
        return
    document = json.loads(text)
    if kind == MALFORMED:
        document["tasks"] = 0
    else:
        CHANGES[kind](document)
    parameters.values[name] = json.dumps(document)
