"""CheckHeld: finds the services that are held for longer than their deployments' plans allow.

Not a state of the workflow: EventBridge calls it every five minutes, so that what has stopped without a word
is found by what still runs. It fails where it finds one. An alarm counts the failures, and another one sees
that it runs at all (ADR 47).
"""

from datetime import datetime

from crossfade import stack
from crossfade.aws.journal import Journal
from crossfade.domain.errors import CrossfadeError, HeldTooLong
from crossfade.domain.journal import DELETION, State
from crossfade.domain.model import Model, iso
from crossfade.step import step, utc_now


class Held(Model):
    """The services that are held, all of them within their time."""

    services: tuple[str, ...]


@step
def handler(service: str | None = None) -> Held:
    """Look at every service in the journal, or at ``service`` alone.

    Raises
    ------
    HeldTooLong
        At least one is held for longer than its plan allows, or its plan cannot be read.
    """
    journal, now = stack.journal(), utc_now()
    held, late = [], []
    for name in [service] if service else journal.services():
        state = journal.state(name)
        if state.holder is None:
            continue
        held.append(name)
        try:
            late += _late(name, state, journal, now)
        except CrossfadeError as error:  # one plan that cannot be read must not hide the others
            late.append(f"{name} is held by {state.holder}, and {type(error).__name__}: {error}")
    if late:
        raise HeldTooLong(" ".join(late))
    return Held(services=tuple(held))


def _late(name: str, state: State, journal: Journal, now: datetime) -> list[str]:
    """What is to be said of a service that is held for too long; nothing where it is not.

    A service that is being deleted is no deployment's, even where its state still names the one from which it
    was taken. What keeps it is in its stack's events.
    """
    if state.deployment is None or state.holder == DELETION:
        return []
    plan = journal.history.of(name, state.deployment).plan
    if now <= plan.free_by:
        return []
    tried = f" {state.tried.times} rollbacks have taken it over." if state.tried else ""
    return [
        f"{name} is held by {state.holder} for {state.deployment}, which began at {iso(plan.began)}; by its "
        f"plan the service is free by {iso(plan.free_by)}.{tried} Read that execution, and the newest "
        "rollback; HeldTooLong in docs/operations.md says what to do."
    ]
