"""The management node's name server is gone: who is logged in works on, and whoever has to ask says what is missing."""

import ctypes
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.provisioning.bench import STEPS, Bench, FakeContext
from vclab.model.errors import Unreachable

pytestmark = pytest.mark.lab

ADDRESS = "127.77.0.53"
CLONE_NEWNS = 0x00020000


class NameServer:
    """Every name is this machine. ``silent``: it answers nobody, as one that is cut off."""

    def __init__(self) -> None:
        self.silent = False
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((ADDRESS, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                question, whom = self._socket.recvfrom(1500)
            except OSError:
                return  # closed
            self.asked += 1
            if not self.silent:
                self._socket.sendto(_answer(question), whom)


def _answer(message: bytes) -> bytes:
    """127.0.0.1, when an IPv4 address is asked for; of other kinds there is none."""
    end = message.index(b"\0", 12) + 5
    (kind,) = struct.unpack("!H", message[end - 4 : end - 2])
    found = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4) + socket.inet_aton("127.0.0.1") if kind == 1 else b""
    return message[:2] + struct.pack("!HHHHH", 0x8580, 1, bool(found), 0, 0) + message[12:end] + found


@pytest.fixture
def names() -> Iterator[NameServer]:
    """The name server."""
    if os.geteuid():
        pytest.skip("another /etc/resolv.conf needs root")
    server = NameServer()
    yield server
    server.close()


def asking(resolver: Path, work: Callable[[], None]) -> None:
    """Do it in a thread that has a /etc/resolv.conf of its own."""
    errors: list[BaseException] = []

    def inside() -> None:
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
                raise OSError(ctypes.get_errno(), "no mounts of one's own")
            subprocess.run(["mount", "--make-rprivate", "/"], check=True)
            subprocess.run(["mount", "--bind", resolver, "/etc/resolv.conf"], check=True)
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def test_the_name_server_is_gone_and_comes_back(bench: Bench, names: NameServer, tmp_path: Path) -> None:
    resolver = tmp_path / "resolv.conf"
    resolver.write_text(f"nameserver {ADDRESS}\noptions timeout:1 attempts:1\n")
    url = f"https://vcenter.lab.test:{urlsplit(bench.endpoint.url).port}/sdk"

    def scene() -> None:
        worker = bench.new_module(url=url)
        assert worker.survey("lab-vcenter").hosts and names.asked

        names.silent = True
        target = bench.target()
        for step in STEPS:
            bench.run(step, target, module=worker)  # by the connection that there is
        assert [machine.power for machine in bench.machines(target.computer)] == ["on"]

        restarted = bench.new_module(url=url)
        for ask in (lambda: restarted.survey("lab-vcenter"), lambda: restarted.node_status(target)):
            with pytest.raises(Unreachable, match=r"vcenter\.lab\.test.* does not answer: no name server answers"):
                ask()

        names.silent = False
        restarted.remove(FakeContext(), target)
        assert bench.machines(target.computer) == []
        worker.close()
        restarted.close()

    asking(resolver, scene)
