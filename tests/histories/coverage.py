"""Prints the workflow lines that no stored history passes when it is replayed.

    .venv/bin/python -m tests.histories.coverage

A new line of a workflow that stands there needs a life that passes it (``tests/histories/lives``). Is there none that
could be lived, it goes into ``not_passed.txt``, below the reason.
"""

import asyncio
import gc
import os
import sys
import time

from temporalio.runtime import Runtime

from tests.histories import replayed, stored
from vclab.temporal.client import quiet


def main() -> int:
    """The exit code: 0 when nothing is to be done."""
    began = time.monotonic()
    Runtime.set_default(quiet())
    found = asyncio.run(replayed.replay([stored.read(file) for file in stored.files()]))
    for name, error in found.failures.items():
        print(f"{name} does not replay: {error}")
    more, less = replayed.differences(found.passed)
    for line in more:
        print(line)
    for line in less:
        print(f"not_passed.txt: is passed, or is not there any more: {line}")
    print(f"{len(stored.files())} histories, {time.monotonic() - began:.1f} s", file=sys.stderr)
    return 1 if found.failures or more or less else 0


if __name__ == "__main__":
    code = main()
    gc.collect()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # as in record.py
