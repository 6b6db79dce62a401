"""A wire to a node that does what wires do. Run as a program, it runs a command line and passes on what comes in:

    wire.py pass|flip|cut|stall BYTES COMMAND

After so many bytes one is changed (``flip``), the command is killed (``cut``), or nothing more is passed on until the
command ends or the input is closed (``stall``); a file STALLED beside this process's folder says that it is so.
"""

import contextlib
import os
import select
import subprocess
import sys
from pathlib import Path

STALLED = "stalled"


def main(what: str, after: int, command: str) -> int:
    """As its words say."""
    with subprocess.Popen(("sh", "-c", f"exec {command}"), stdin=subprocess.PIPE) as running:
        assert running.stdin is not None
        passed = 0
        with contextlib.suppress(BrokenPipeError):
            while held := os.read(0, 4096):
                if passed <= after < passed + len(held):
                    if what == "flip":
                        at = after - passed
                        held = held[:at] + bytes([held[at] ^ 1]) + held[at + 1 :]
                    elif what == "cut":
                        running.kill()
                    elif what == "stall":
                        _until_closed(running)
                        break
                passed += len(held)
                running.stdin.write(held)
                running.stdin.flush()
        with contextlib.suppress(BrokenPipeError):
            running.stdin.close()
        return running.wait()


def _until_closed(running: "subprocess.Popen[bytes]") -> None:
    Path(STALLED).touch()
    closed = select.poll()
    closed.register(0, select.POLLHUP)
    while running.poll() is None and not closed.poll(100):
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
