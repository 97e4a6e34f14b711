"""Certificates of the tests, held against their ledgers by `crossfade check`."""

import gzip
import json
from collections.abc import Iterable, Mapping
from typing import Any

from cli.check import Difference, against


def differences(certificate: Mapping[str, Any], lines: Iterable[str]) -> list[Difference]:
    """What differs; ``lines`` have no ends."""
    return list(against(certificate, (f"{line}\n".encode() for line in lines)).differences)


def unsupported(objects: Mapping[str, bytes]) -> list[str]:
    """What differs in a bucket's certificates, each beside its ledger."""
    found = []
    for key, body in objects.items():
        folder, _, name = key.rpartition("/")
        ledger = objects.get(f"{folder}/ledger.jsonl.gz")
        if name == "certificate.json" and ledger is not None:
            lines = iter(gzip.decompress(ledger).splitlines(keepends=True))
            found += [f"{folder}: {one}" for one in against(json.loads(body), lines).differences]
    return found
