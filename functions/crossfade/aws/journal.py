"""The journal: a DynamoDB table with, for each service, who holds it, and one item for each deployment.

| key ``service`` | key ``item`` | what it holds |
|---|---|---|
| web | ``state`` | holder, how often tried, stable slot and release, candidate, weights, waiting, warm |
| web | ``deployment#<id>`` | plan, milestones, stages; in the end outcome, reason, counts, certificate |
| web | ``release#<number>`` | the deployment that has promoted it |
| web | ``releases`` | the highest number of a release |

The writes of a deployment have one condition in common: its execution still holds the service. Others are
conditional where two could meet. Which services there are is asked of the table's index, and of nothing
outside of the table (ADR 30). What waits is written by ``release_queue.py``.
Times are ISO 8601 strings, so that the console shows them as they are. Milestones keep the first time that is
written: a handler that runs twice does not move them.
"""

from typing import Any

from crossfade.aws.history import DeploymentHistory
from crossfade.aws.holding import Holding
from crossfade.aws.journal_table import STATE, JournalTable, item_of
from crossfade.aws.live import Live
from crossfade.domain.journal import Hold, Noticed, State, refuse_lost


class Journal:
    """Reads and writes the journal through a boto3 ``dynamodb`` client.

    ``holding`` changes who holds a service, ``live`` what is live there; ``history`` has the deployments.
    """

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._table = JournalTable(dynamodb, table)
        self.holding = Holding(self._table)
        self.live = Live(self._table)
        self.history = DeploymentHistory(self._table)

    def services(self) -> list[str]:
        """Every service that has a state here, whether or not it has a spec any more.

        One that was deployed for the first time a moment ago may be missing: who needs it looks again.
        """
        return self._table.services_with(STATE)

    def deployed_as(self, deployment: str) -> bool:
        """Whether a deployment of this name has an item, of whatever service.

        One whose item was written a moment ago may be missing.
        """
        return bool(self._table.services_with(item_of(deployment)))

    def state(self, service: str) -> State:
        """The state of a service; empty before its first deployment."""
        return self._table.state(service)

    def notice(self, service: str, found: Noticed) -> None:
        """Write down a pattern that differs from what is live, and when that was noticed.

        Not over what a deployment has written which was faster: that it is tried stays known.
        """
        values = {":noticed": found.model_dump(mode="json")}
        condition = "attribute_exists(service) AND attribute_not_exists(holder)"
        self._table.update_if(service, STATE, "SET noticed = :noticed", values, condition=condition)

    def refuse_lost(self, hold: Hold) -> State:
        """The service's state, if it is still held so.

        Raises
        ------
        ServiceLost
            It is not.
        """
        state = self.state(hold.service)
        refuse_lost(state, hold)
        return state
