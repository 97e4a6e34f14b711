"""Which tests stay together in one process."""

GROUPS = {
    "tests/demo/": "demos, which write to one folder",
    "tests/sandbox/test_5_gate": "rehearsals of the gate",
    "tests/sandbox/test_5_late": "rehearsals where AWS is late",
    "tests/sandbox/test_5_update": "rehearsals of updates",
    "tests/sandbox/test_5_warm_up": "rehearsals of slowness",
    "tests/sandbox/test_owner_": "stacks of owners",
    "tests/sandbox/test_signals": "releases of a pipeline",
    "tests/sandbox/test_takeover_apps": "takeovers of applications",
    "tests/sandbox/test_takeover_plain": "the plain takeover",
    "tests/sandbox/test_takeover_ports": "the takeover of two ports",
    "tests/sandbox/test_takeover_shared": "the takeover on a shared listener",
    "tests/sandbox/test_two_stacks": "two stacks of Crossfade",
    "tests/sandbox/": "rehearsals",
    # All of these need every scenario unharmed, which takes ten seconds and is kept in the process.
    "tests/faults/test_disturbances": "cases of the simulation",
    "tests/faults/test_parting": "cases of the simulation",
    "tests/faults/test_simulated_deployments": "cases of the simulation",
    "tests/faults/test_writes": "cases of the simulation",
}
"""The beginning of files' names, and the group that they belong to; the first that fits counts.

The rehearsals end with the end of their sandbox, so nothing that needs it may come after them in one process:
with four processes the four groups that are collected first begin beside each other."""

LONGEST = ("tests/demo/", "tests/sandbox/")
"""The demos and the rehearsals, which wait most of their time: they begin first."""


_OF_EACH = "tests/sandbox/test_takeover_apps"
"""Each of its parameters, an application, has a sandbox of its own."""


def group_of(nodeid: str) -> str:
    """The group of a test, by its file, or by its file and parameter."""
    file = nodeid.partition("::")[0]
    group = next((group for start, group in GROUPS.items() if file.startswith(start)), file)
    return f"{group} {nodeid.partition('[')[2]}" if file.startswith(_OF_EACH) else group
