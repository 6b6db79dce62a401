"""The entry point ``vclab``. It imports next to nothing, so that Ctrl-C while the rest is imported is no traceback."""

import gc
import os
import sys

INTERRUPTED = '{"error": {"code": "interrupted", "message": "stopped by Ctrl-C", "hint": null}}'
ALLOCATIONS = 200_000
"""Between two collections. Imports make objects that stay: to look for garbage among them costs an eighth of a verb."""


def main() -> None:
    """``vclab``: run the command line, then leave at once."""
    gc.set_threshold(ALLOCATIONS)
    try:
        from vclab.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
        if "--json" in sys.argv:
            print(INTERRUPTED, flush=True)
    if sys.stderr is not None:
        sys.stderr.flush()
    # A Temporal client's threads may panic while the interpreter ends (sdk-python#300); everything is written by now.
    os._exit(code)
