"""``python -m vclab.lab.redfish FOLDER``: the Redfish service of one node, by sushy-tools with a driver of ours.

The folder is a node's (``vclab/lab/bmcs.py``), with ``cert.pem``, ``key.pem``, and ``users``. sushy-tools keeps no
"Once" of a boot device, and refuses "Disabled": both are done here.
"""

import json
import os
import signal
import ssl
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import flask
from sushy_tools import error
from sushy_tools.emulator import main as emulator
from sushy_tools.emulator.resources.systems.base import AbstractSystemsDriver
from werkzeug.serving import make_server

from vclab.lab.bmcs import Fault, Node, write

_ON = ("On", "ForceOn", "ForceRestart", "GracefulRestart")


def main() -> None:
    """Serve until killed."""
    folder = Path(sys.argv[1])
    node = Node(folder, **json.loads((folder / "node.json").read_text()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    make_server(node.address, node.port, service(node), threaded=True, ssl_context=context).serve_forever()


def service(node: Node) -> Any:
    """sushy-tools' application for this node."""
    system = _System(node)
    emulator.Application.systems = property(lambda self: system)  # before the first request
    emulator.app.configure(extra_config={"SUSHY_EMULATOR_AUTH_FILE": str(node.folder / "users")})
    emulator.app.before_request(lambda: _before(node, flask.request.method, flask.request.get_json(silent=True) or {}))
    emulator.app.after_request(lambda answer: _after(node, answer))
    return emulator.app


def _after(node: Node, answer: flask.Response) -> flask.Response:
    said = answer.get_json(silent=True)
    if isinstance(said, dict) and isinstance(said.get("Boot"), dict):
        said["Boot"]["BootSourceOverrideEnabled"] = node.boot.partition(" ")[2]
        answer.set_data(json.dumps(said))
    return answer


def _before(node: Node, method: str, asked: Any) -> Any:
    """What happens before sushy-tools sees a request; an answer ends it."""
    faults = node.folder / "faults"
    if (slow := faults / Fault.SLOW).exists():
        time.sleep(float(slow.read_text()))
    if method == "GET":
        return None
    with (node.folder / "told").open("a") as told:
        told.write(f"{json.dumps(asked)}\n")
    if (faults / Fault.UNPLUGGED_WHEN_TOLD).exists():
        os.kill(os.getpid(), signal.SIGSTOP)
    if (faults / Fault.LYING).exists():
        return "", 204
    if boot := asked.get("Boot"):
        enabled = str(boot.get("BootSourceOverrideEnabled", "Continuous"))
        if enabled == "Continuous" and (faults / Fault.ONCE_ONLY).exists():
            return {"error": {"message": "BootSourceOverrideEnabled: Once and Disabled are supported"}}, 400
        target = str(boot.get("BootSourceOverrideTarget") or node.boot.partition(" ")[0])
        write(node.folder / "boot", f"{target} {enabled}")
        return "", 204
    return None


class _System(AbstractSystemsDriver):  # type: ignore[misc]
    """sushy-tools' driver: one system, whose state is in the node's folder."""

    driver = "<vclab>"

    def __init__(self, node: Node) -> None:
        self._node, self._uuid = node, str(uuid.uuid5(uuid.NAMESPACE_DNS, node.name))

    @property
    def systems(self) -> list[str]:
        return [self._uuid]

    def uuid(self, identity: str) -> str:
        if identity not in (self._uuid, self._node.name):
            raise error.NotFound(f"there is no system {identity}")
        return self._uuid

    def name(self, identity: str) -> str:
        self.uuid(identity)
        return self._node.name

    def get_power_state(self, identity: str) -> str:
        return self._node.power.capitalize()

    def set_power_state(self, identity: str, state: str) -> None:
        if state == "GracefulShutdown":
            self._node.press()
            return
        on, anew = state in _ON, state in ("ForceRestart", "GracefulRestart")
        if on and not self._node.has_chassis:
            self._node.take_boot()
        self._node.switch(on)
        if anew:
            self._node.cut()

    def get_boot_device(self, identity: str) -> str:
        return self._node.boot.partition(" ")[0]

    def set_boot_device(self, identity: str, source: str) -> None:
        """Never called: ``_before`` has done it."""

    def get_boot_mode(self, identity: str) -> str:
        return "UEFI"


if __name__ == "__main__":
    main()
