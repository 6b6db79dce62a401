"""``python -m vclab.lab.wakeable FOLDER``: a computer without a BMC, which its magic packet wakes.

The folder is a node's (``vclab/lab/bmcs.py``). While it is on it accepts connections at its port; on the same number
its card listens for packets (UDP). ``MAC`` is that of all of them: each has an address of its own.
"""

import json
import select
import socket
import sys
import time
from pathlib import Path

from vclab.lab.bmcs import Fault, Node

MAC = "02:76:63:00:00:01"
_PACKET = b"\xff" * 6 + bytes.fromhex(MAC.replace(":", "")) * 16
_LOOK = 0.05  #: seconds until it notices that it was switched off


def main() -> None:
    """Be that computer until killed."""
    folder = Path(sys.argv[1])
    node = Node(folder, **json.loads((folder / "node.json").read_text()))
    card = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    card.bind(("", node.port))  # a broadcast has another address than its own
    while True:
        if node.power == "on":
            _be_on(node)
            _forget(card)
        if _woken(card, node):
            node.switch(True)


def _be_on(node: Node) -> None:
    with socket.create_server((node.address, node.port)) as sshd:
        while node.power == "on":
            if select.select([sshd], [], [], _LOOK)[0]:
                sshd.accept()[0].close()


def _forget(card: socket.socket) -> None:
    """Packets that came while it was on."""
    while select.select([card], [], [], 0)[0]:
        card.recv(1024)


def _woken(card: socket.socket, node: Node) -> bool:
    if not select.select([card], [], [], _LOOK)[0]:
        return False
    packet = card.recv(1024)
    if packet != _PACKET:
        return False
    if "woken" not in node.told:
        with (node.folder / "told").open("a") as told:
            told.write("woken\n")
    slow = node.folder / "faults" / Fault.SLOW
    if slow.exists():
        time.sleep(float(slow.read_text()))
    return not (node.folder / "faults" / Fault.LYING).exists()


if __name__ == "__main__":
    main()
