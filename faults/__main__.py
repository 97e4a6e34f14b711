"""`python -m faults`: a fault at every point of a deployment; see `--help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "functions"))

from faults.runner import main

sys.exit(main(sys.argv[1:]))
