"""For all tests: settings of their own, and a quiet end."""

import gc
import os
import tempfile
import time
from pathlib import Path

# Never the settings of a lab that runs on this machine: an empty file instead.
_NO_SETTINGS = Path(tempfile.mkdtemp(prefix="vclab-tests-")) / "vclab.toml"
_NO_SETTINGS.touch()
os.environ["VCLAB_CONFIG"] = str(_NO_SETTINGS)


def pytest_sessionfinish() -> None:
    """A process that had a worker may abort while the interpreter ends (sdk-python#300): give it time to leave."""
    _NO_SETTINGS.unlink(missing_ok=True)
    _NO_SETTINGS.parent.rmdir()
    gc.collect()
    time.sleep(0.3)
