"""Which tests stay together in one process."""

GROUPS = {
    "tests/demo/": "demos, which write to one folder",
    "tests/sandbox/test_5_gate": "rehearsals of the gate",
    "tests/sandbox/test_5_late": "rehearsals where AWS is late",
    "tests/sandbox/test_5_update": "rehearsals of updates",
    "tests/sandbox/test_6": "rehearsals of stops",
    "tests/sandbox/test_7": "rehearsals of hands",
    "tests/sandbox/test_8": "rehearsals of deaths",
    "tests/sandbox/": "rehearsals",
}
"""The beginning of files' names, and the group that they belong to; the first that fits counts. What needs
nothing of what other rehearsals bring about has a sandbox of its own, beside theirs."""


def group_of(nodeid: str) -> str:
    """The group of a test, by its file."""
    file = nodeid.partition("::")[0]
    return next((group for start, group in GROUPS.items() if file.startswith(start)), file)
