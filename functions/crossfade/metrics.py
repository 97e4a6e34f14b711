"""The metrics of a finished deployment, in the embedded metric format on the function's log.

CloudWatch makes metrics of such lines by itself:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from crossfade import stack
from crossfade.domain.proof.certificate import Certificate, Outcome

COUNTERS: dict[Outcome, str] = {
    "promoted": "DeploymentsPromoted",
    "rolled_back": "DeploymentsRolledBack",
    "failed": "DeploymentsFailed",
}
UNITS: dict[str, MetricUnit] = {
    **dict.fromkeys(COUNTERS.values(), MetricUnit.Count),
    "DeploymentTime": MetricUnit.Seconds,
    "OverheadTime": MetricUnit.Seconds,
    "ProductionRequests": MetricUnit.Count,
    "ProductionFailures": MetricUnit.Count,
    "StepBacks": MetricUnit.Count,
    "HeldTime": MetricUnit.Seconds,
    "TimeToDetect": MetricUnit.Seconds,
    "TimeToRestoreApi": MetricUnit.Seconds,
    "TimeToRestore": MetricUnit.Seconds,
    "ReportsNotWritten": MetricUnit.Count,
}
"""Every metric by its name, with its unit; docs/signals.md says what each one means."""

metrics = Metrics(namespace="Crossfade")


def measure(certificate: Certificate) -> None:
    """Publish what a certificate has; a time that it has not is left out."""
    timing, production = certificate.reported.timing, certificate.requests["production"]
    harm = certificate.rolled_back
    times = {
        "TimeToDetect": harm.detected if harm else None,
        "TimeToRestoreApi": harm.restored_api if harm else None,
        "TimeToRestore": harm.restored if harm else None,
    }
    _publish(
        certificate.service,
        certificate.outcome,
        {
            "DeploymentTime": timing.total,
            "OverheadTime": timing.overhead,
            "ProductionRequests": production.sent,
            "ProductionFailures": production.failed,
            "StepBacks": len(certificate.reported.step_backs),
            "HeldTime": timing.held,
            **{name: seconds for name, seconds in times.items() if seconds is not None},
            "ReportsNotWritten": 0,
        },
    )


def measure_not_reported(service: str, outcome: Outcome, seconds: float) -> None:
    """Publish how a deployment without a certificate ended, and after how many seconds."""
    _publish(service, outcome, {"DeploymentTime": seconds, "ReportsNotWritten": 1})


def _publish(service: str, outcome: Outcome, values: dict[str, float]) -> None:
    metrics.add_dimension(name="service", value=service)
    metrics.add_dimension(name="stack", value=stack.name())  # another one's service may be named alike
    counted = {name: int(outcome == one) for one, name in COUNTERS.items()}
    for name, value in (counted | values).items():
        metrics.add_metric(name=name, unit=UNITS[name], value=value)
    metrics.flush_metrics()
