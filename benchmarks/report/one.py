"""One report in a process of its own: ``python -m benchmarks.report.one REQUESTS`` prints what it took."""

import json
import resource
import sys
import time

from benchmarks.report.deployment import ended, plan
from crossfade.domain.model import iso
from crossfade.handlers.write_report import handler


class Context:
    """What Lambda tells a handler about itself."""

    function_name = "crossfade"
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:crossfade"
    aws_request_id = "bench"


def main(requests: int) -> None:
    """Draw the report up, and print CPU and wall time in seconds and the peak of memory in MB."""
    event = {
        "plan": plan().model_dump(mode="json"),
        "outcome": "rolled_back",
        "reason": "CandidateWorse",
        "executions": [plan().execution],
        "probed": True,
        "ended": iso(ended(requests)),
    }
    cpu, wall = time.process_time(), time.monotonic()
    handler(event, Context())  # type: ignore[arg-type]
    took = {"cpu": time.process_time() - cpu, "wall": time.monotonic() - wall}
    print(json.dumps(took | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
