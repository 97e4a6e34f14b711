"""A slow disk: a module whose import takes long, as the first one in a new task does."""

from pathlib import Path

SECONDS = 3.0
BEGUN = "importing"

_HOOK = """\
import pathlib, sys, time

class SlowImport:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            pathlib.Path({begun!r}).touch()
            ends_at = time.monotonic() + {seconds}
            while time.monotonic() < ends_at:
                time.sleep(0.01)

sys.meta_path.insert(0, SlowImport())
"""


def slow_import(folder: Path, module: str) -> Path:
    """Fill a folder for PYTHONPATH that makes the import slow; return the file that its beginning leaves."""
    begun = folder / BEGUN
    hook = _HOOK.format(module=module, begun=str(begun), seconds=SECONDS)
    (folder / "sitecustomize.py").write_text(hook, encoding="utf-8")
    return begun
