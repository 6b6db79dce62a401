"""A node's serial port: what its console says goes out, what is typed comes in, by TCP. Its BMC is at the other end,
for serial over LAN (``vclab/lab/bmcs.py``), whether the node is on or off."""

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from vclab.lab import network


def nobody(typed: bytes) -> None:
    """Nothing runs that could be typed at."""


class SerialPort:
    """One port. What is said while nobody is connected, or reads it too slowly, is lost, as on a wire."""

    def __init__(self, address: str, port: int, namespace: Path | None = None) -> None:
        """``namespace``: the network namespace of the BMC; none: that of this process."""
        self.typed: Callable[[bytes], None] = nobody  #: called in a thread of its own
        self._place = address, port, namespace
        self._listening: socket.socket | None = None
        self._connected: socket.socket | None = None

    def open(self) -> None:
        """Listen. Raises ``OSError``."""
        address, port, namespace = self._place
        with network.entered(namespace) if namespace else contextlib.nullcontext():
            self._listening = socket.create_server((address, port))
        threading.Thread(target=self._serve, args=(self._listening,), daemon=True).start()

    def say(self, said: bytes) -> None:
        """Send what the console says. Never waits."""
        if (connected := self._connected) is not None:
            with contextlib.suppress(OSError):
                connected.send(said, socket.MSG_DONTWAIT)

    def close(self) -> None:
        """Harmless when it is not open."""
        for one in (self._listening, self._connected):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    def _serve(self, listening: socket.socket) -> None:
        """One BMC at a time; the next one when that has gone."""
        with contextlib.suppress(OSError):  # closed
            while True:
                connected, _ = listening.accept()
                with connected, contextlib.suppress(OSError):
                    self._connected = connected
                    while typed := connected.recv(4096):
                        self.typed(typed)
                self._connected = None
