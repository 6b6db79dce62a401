"""A serial port of a node: served by TCP, as ``ipmi_sim`` takes it."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Serial:
    """A serial port that is served by TCP, as ``ipmi_sim`` takes it."""

    listening: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    line: socket.socket | None = None
    came: threading.Event = field(default_factory=threading.Event)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.listening.getsockname()[1]}"

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            self.line, _ = self.listening.accept()
            self.came.set()

    def wait(self) -> None:
        """Until ``ipmi_sim`` has come."""
        assert self.came.wait(20), "ipmi_sim does not come to the serial port"

    def say(self, text: bytes) -> None:
        assert self.line is not None
        self.line.sendall(text)


@dataclass
class Spoken:
    """Says a numbered line now and then, until it is left."""

    serial: Serial
    ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Spoken":
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        self.thread.join()

    def _run(self) -> None:
        number = 0
        while not self.ended.wait(0.1):
            self.serial.say(b"\x1b[32mline %d\x1b[0m\r\n" % number)
            number += 1


@contextlib.contextmanager
def serving_serial() -> Iterator[Serial]:
    """One that can be come to."""
    made = Serial()
    with made.listening:
        threading.Thread(target=made.accept, daemon=True).start()
        yield made
    if made.line:
        made.line.close()
