"""A deployment as it is seen from outside: by a client, and by somebody who looks at what is live."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any, Self

from probe.record import RequestRecord
from tests.sandbox.cloud import Cloud, Counts, Weights
from tests.sandbox.executions import Execution
from tests.sandbox.rest import Live, other
from tests.sandbox.scaling import suspended

WEIGHTS_SECONDS, COUNTS_SECONDS = 0.25, 1.0
"""How often is looked at the weights, and at the rest: each look costs the sandbox as much as the test."""


@dataclass(frozen=True)
class Sample:
    """What was live at a moment (seconds since the epoch), and what of the slots' scaling was suspended.

    ``rules`` are the weights of each production rule, ``weights`` those of the one by which the probe asks.
    Counts and scaling are older by a second at most, and read since the weights were set.
    """

    at: float
    rules: tuple[Weights | None, ...]
    desired: Counts
    suspended: dict[str, frozenset[str]]

    @property
    def weights(self) -> Weights | None:
        """Those of the first rule."""
        return self.rules[0]


class Sampler:
    """Looks at the weights several times a second for the time of a `with` block.

    At task counts and scaling it looks once a second, and as soon as the weights have changed.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.samples: list[Sample] = []
        self._cloud = cloud
        self._looked = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(timeout=30)
        self._look()

    def _run(self) -> None:
        while not self._over.wait(WEIGHTS_SECONDS):
            last, at = self.samples[-1], time.time()
            if at < self._looked + COUNTS_SECONDS and self._cloud.weights_of_rules() == last.rules:
                self.samples.append(replace(last, at=at))
            else:
                self._look()

    def _look(self) -> None:
        cloud, self._looked = self._cloud, time.time()
        sample = Sample(self._looked, cloud.weights_of_rules(), cloud.desired(), suspended(cloud))
        self.samples.append(sample)


@dataclass(frozen=True)
class Rehearsal:
    """A deployment that has ended, and what was seen of it from outside.

    ``item`` is the journal's of the deployment, ``seen`` what was found out meanwhile. ``before`` and
    ``after`` are what was live; ``holder`` is who holds the service after it, and ``unrest`` what is not as
    it has to be when all is over.
    """

    execution: Execution
    certificate: dict[str, Any]
    requests: list[RequestRecord] = field(repr=False)
    client_status: int | None
    samples: list[Sample] = field(repr=False)
    holder: str | None
    before: Live | None
    after: Live | None
    item: dict[str, Any] = field(repr=False)
    unrest: list[str]
    seen: dict[str, Any]

    @property
    def weights_seen(self) -> list[Weights | None]:
        """The live weights one after the other, each as often as it was newly set."""
        seen = [sample.weights for sample in self.samples]
        return [weights for place, weights in enumerate(seen) if place == 0 or seen[place - 1] != weights]

    @property
    def shares_seen(self) -> list[int]:
        """The same as the weight of the slot that was not live before: the candidate's."""
        assert self.before
        place = ("blue", "green").index(other(self.before.slot))
        return [weights[place] if weights else 0 for weights in self.weights_seen]


@dataclass(frozen=True)
class GoodRelease(Rehearsal):
    """A rehearsal with a second push and a second `sam deploy` in the middle of it.

    ``tagged`` are the executions that two more tags of its image have started, the last one the version that
    the application answers. ``weights_at_deploy`` are the live weights when `sam deploy` began.
    """

    tagged: list[Execution]
    second_push: Execution
    weights_at_deploy: Weights | None
