"""``python -m vclab.lab.serial LOG ADDRESS PORT COMMAND…``: a node's serial port, for its BMC to carry.

It serves what comes to the log of the node's console by TCP, as ``ipmi_sim`` takes a serial port; then this process
becomes the command, the BMC, which may come to the port at once. What is typed there goes nowhere.
"""

import contextlib
import ctypes
import os
import select
import signal
import socket
import sys
import threading
from pathlib import Path

LOOK_SECONDS = 0.2
_DIE_WITH_PARENT = 1  #: PR_SET_PDEATHSIG


def main() -> None:
    """As its words say."""
    log, address, port, *command = sys.argv[1:]
    listening = socket.create_server((address, int(port)))
    mine = os.getpid()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() == mine:
            serve(listening, Path(log))
        os._exit(0)
    listening.close()
    os.execvp(command[0], command)


def serve(listening: socket.socket, log: Path) -> None:
    """For ever."""
    while True:
        line, _ = listening.accept()
        threading.Thread(target=_carry, args=(line, log), daemon=True).start()


def _carry(line: socket.socket, log: Path) -> None:
    """What is written to the log from now on, until the other side is gone."""
    at = log.stat().st_size if log.exists() else 0
    with line, contextlib.suppress(OSError):
        while True:
            if select.select([line], [], [], LOOK_SECONDS)[0] and not line.recv(4096):
                return
            if log.exists():
                with log.open("rb") as held:
                    held.seek(at)
                    while news := held.read(4096):
                        line.sendall(news)
                        at += len(news)


if __name__ == "__main__":
    main()
