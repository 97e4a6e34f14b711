"""The metrics of a finished deployment that do not depend on its certificate."""

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from crossfade.domain.proof.certificate import Outcome

COUNTERS: dict[Outcome, str] = {
    "promoted": "DeploymentsPromoted",
    "rolled_back": "DeploymentsRolledBack",
    "failed": "DeploymentsFailed",
}

metrics = Metrics(namespace="Crossfade")


def measure_outcome(service: str, outcome: Outcome, seconds: float) -> None:
    """Add how a deployment of a service ended, and after how many seconds; the caller flushes ``metrics``."""
    metrics.add_dimension(name="service", value=service)
    for counted, name in COUNTERS.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=int(outcome == counted))
    metrics.add_metric(name="DeploymentTime", unit=MetricUnit.Seconds, value=seconds)
