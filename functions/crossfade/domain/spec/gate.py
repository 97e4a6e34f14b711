"""What can be set about the gate. All of it is fixed before a deployment begins: α counts on that."""

from math import ceil
from typing import Annotated, Literal

from pydantic import Field

from crossfade.domain.model import Model

Share = Annotated[float, Field(gt=0, lt=1)]
Seconds = Annotated[float, Field(ge=0, le=3600)]


class GateSettings(Model):
    """The gate's part of a service spec; every field has a default.

    Parameters
    ----------
    alpha
        The share of healthy deployments that may be rolled back by chance, at most.
    beta
        The share of stages that may be ended early by chance although the candidate is beyond the margins.
    suspicion
        From this much evidence on (1 : 20) that the candidate is worse, no stage is ended.
    excess
        Failures of the candidate beyond the stable side's that are no reason to roll back (share of
        requests).
    slower_by
        A request counts as slow on the candidate when it is slower by this share than on the stable side.
    users_harmed
        What advancing may cost at most: the share of all users' requests that fail because of the candidate.
    users_margin, probe_margin
        The excess of failures that the evidence to advance must rule out at most (users: at small weights),
        at least (probe).
    users_seconds, users_seen_seconds
        How long a stage waits for the users' proof. If it is still missing then, because there are few users,
        the stage advances without it, once ``users_seen_seconds`` of their outcomes were seen.
    failing
        A candidate that fails more than this share of its requests does not advance, whatever the stable side
        does; it is rolled back when there is no stable side to compare with. Nor does a stage advance while
        the production lane fails more than this share.
    dead_requests, dead_seconds
        Fail fast: after this many failures in a row on the candidate's lane, over at least this long, while
        the stable lane answers.
    warm_up_seconds
        The beginning of the candidate's life that is left out: a cold cache is truly worse, by no fault.
    clump_seconds
        How long one spell of failures (a pause, a noisy neighbour) goes on, about. After a step back the
        candidate climbs again once it was well for that time.
    give_up_seconds
        How long after its launch a candidate may still be held back by suspicion; then it is rolled back.
    users
        Where users' outcomes come from: the target groups' metrics, or the application's outcome feed.
    settle_seconds
        How long after its end a span of users' outcomes is taken as complete; None: 10 s for the feed, 60 s
        for metrics.
    """

    alpha: Share = 0.001
    beta: Share = 0.05
    suspicion: float = Field(default=20, gt=1)
    excess: float = Field(default=0.0005, ge=0, lt=0.1)
    slower_by: float = Field(default=0.2, gt=0, le=10)
    users_harmed: Share = 0.002
    users_margin: Share = 0.05
    users_seconds: Seconds = 300
    users_seen_seconds: Seconds = 60
    probe_margin: Share = 0.01
    failing: Share = 0.05
    dead_requests: int = Field(default=10, ge=5)
    dead_seconds: Seconds = 3
    warm_up_seconds: Seconds = 10
    clump_seconds: Annotated[float, Field(gt=0, le=300)] = 15
    give_up_seconds: Annotated[float, Field(gt=0, le=14_400)] = 1800
    users: Literal["metrics", "feed"] = "metrics"
    settle_seconds: Annotated[float, Field(ge=0, le=180)] | None = None

    @property
    def retry_seconds(self) -> float:
        """How long a retry at a small weight lasts, before the candidate climbs to where it was."""
        return self.clump_seconds * 5 / 3

    @property
    def users_reported_after(self) -> float:
        """Seconds of a stage after which enough users were seen to advance without their proof."""
        if not self.users_seen_seconds:
            return 0.0
        block = self._block
        # Wherever in a block the stage begins; one that began a little earlier counts.
        return (ceil(self.users_seen_seconds / block) + 1) * block - block / 6 + self.settle

    @property
    def users_news_seconds(self) -> float:
        """How old the end of the last block that reports users of the candidate may be.

        A block comes when it has settled, of metrics a block later at most; the next one a block after it.
        """
        return 3 * self._block + self.settle

    @property
    def _block(self) -> int:
        return 5 if self.users == "feed" else 60

    @property
    def settle(self) -> float:
        """Seconds after its end until a span of users' outcomes is complete."""
        if self.settle_seconds is not None:
            return self.settle_seconds
        return 10.0 if self.users == "feed" else 60.0
