"""`python -m tests.simulation`: a fault at every point of a deployment; see `--help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "functions"))

from tests.simulation.runner import main

sys.exit(main(sys.argv[1:]))
