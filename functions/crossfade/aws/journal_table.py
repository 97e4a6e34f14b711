"""The journal's table, and the condition of all that a deployment writes: its execution is the holder."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from crossfade.aws.dynamodb import Table
from crossfade.domain.journal import Hold, State, service_lost

STATE = "state"
NUMBERS = "releases"
"""The item with the highest number of a release; it outlives the state, so that no number comes twice."""
HISTORY_DAYS = 400
HELD = "holder = :execution"


class Change(NamedTuple):
    """A DynamoDB update expression, its values, and its names for words that DynamoDB keeps for itself."""

    expression: str
    values: Mapping[str, Any]
    names: Mapping[str, str] | None = None


class JournalTable(Table):
    """The items of services and deployments; each ``change`` raises ServiceLost where the hold is lost."""

    def state(self, service: str) -> State:
        """The state of a service; empty before its first deployment."""
        item = self.get(service, STATE)
        return State.model_validate({key: item[key] for key in State.model_fields if key in item})

    def change_state(self, hold: Hold, expression: str, values: Mapping[str, Any]) -> None:
        """Change the service's state; the expression may speak of the holder as ``:execution``."""
        values = {**values, ":execution": hold.holder}
        if not self.update_if(hold.service, STATE, expression, values, condition=HELD):
            raise service_lost(hold)

    def change_deployment(self, hold: Hold, change: Change) -> None:
        """Change the deployment's item."""
        held = self.checking(hold.service, STATE, HELD, {":execution": hold.holder})
        self._transact(hold, held, change)

    def change_both(self, hold: Hold, state: Change, deployment: Change, *more: dict[str, Any]) -> None:
        """Change the service's state and the deployment's item, and make ``more`` updates; all, or none."""
        values = {**state.values, ":execution": hold.holder}
        held = self.updating(hold.service, STATE, state.expression, values, condition=HELD, names=state.names)
        self._transact(hold, held, deployment, *more)

    def _transact(self, hold: Hold, held: dict[str, Any], deployment: Change, *more: dict[str, Any]) -> None:
        expression, values, names = deployment
        update = self.updating(hold.service, item_of(hold.deployment), expression, values, names=names)
        if not self.transact_if([held, update, *more]):
            raise service_lost(hold)


def numbered(number: int) -> str:
    """The name of the item that says which deployment has promoted the release of a number."""
    return f"release#{number}"


def item_of(deployment: str) -> str:
    """The name of a deployment's item."""
    return f"deployment#{deployment}"


def expiry(now: datetime) -> int:
    """When an item that is closed now is forgotten, in seconds since 1970."""
    return int(now.timestamp()) + HISTORY_DAYS * 86_400
