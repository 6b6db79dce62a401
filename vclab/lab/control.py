"""The lab's levers for tests and demonstrations: faults of the vCenter and its hosts, and killed parts."""

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vclab.lab import processes, state
from vclab.lab.errors import LabError
from vclab.lab.layout import Layout

SECONDS = 10.0


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("vcsim", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(str(self._path))


@dataclass(frozen=True)
class Vcsim:
    """vcsim's control socket. Methods block and raise ``LabError`` when it does not answer, or refuses."""

    path: Path

    def machines(self) -> list[dict[str, Any]]:
        """All virtual machines: uuid, name, state, host, disks, nics."""
        found: list[dict[str, Any]] = json.loads(self._ask("GET", "/state"))["machines"]
        return found

    def guest(
        self,
        uuid: str,
        addresses: Mapping[str, str],
        hostname: str,
        running: bool,
        info: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Report what a machine's guest tools would: addresses by MAC, its host name, what it set as "guestinfo."."""
        ips = [{"mac": mac, "address": address} for mac, address in addresses.items()]
        tools = "guestToolsRunning" if running else "guestToolsNotRunning"
        self._ask(
            "POST", "/guest", {"uuid": uuid, "ips": ips, "hostname": hostname, "tools": tools, "info": dict(info)}
        )

    def power_off(self, uuid: str) -> None:
        """Tell that a machine has turned itself off."""
        self._ask("POST", "/power", {"uuid": uuid, "state": "poweredOff"})

    def full(self, datastore: str = "ds1") -> None:
        """The datastore has no space from now on."""
        self._ask("POST", "/fault", {"kind": "no_space", "datastore": datastore})

    def refuse_power_on(self, host: str, count: int = 0) -> None:
        """The host refuses to power machines on, the next ``count`` times; 0: always."""
        self._ask("POST", "/fault", {"kind": "power_on", "host": host, "count": count})

    def slow_copies(self, seconds: float) -> None:
        """Each copy of a disk takes at least that long."""
        self._ask("POST", "/fault", {"kind": "copy_delay", "ms": round(seconds * 1000)})

    def slow_task(self, task: str, seconds: float) -> None:
        """Each task of that name (e.g. "PowerOn") takes at least that long."""
        self._ask("POST", "/fault", {"kind": "task_delay", "task": task, "ms": round(seconds * 1000)})

    def mend(self) -> None:
        """No faults any more."""
        self._ask("DELETE", "/fault")

    def _ask(self, method: str, path: str, body: object = None) -> str:
        connection = _UnixConnection(self.path)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read().decode()
        except OSError as error:
            raise LabError(f"vcsim's control socket {self.path} does not answer: {error}") from None
        except http.client.HTTPException as error:
            raise LabError(f"vcsim's control socket {self.path} broke off: {type(error).__name__}") from None
        finally:
            connection.close()
        if answer.status >= 300:
            raise LabError(f"vcsim refuses {method} {path}: {text.strip()}")
        return text


def kill_part(layout: Layout, name: str, number: int) -> int:
    """Send a signal to a part ("temporal", "vcsim", "dnsmasq", "worker", "supervisor"); its pid.

    Raises ``LabError`` when it does not run.
    """
    now = state.read(layout)
    if name == "supervisor":
        pid, start = now.pid, now.start
    else:
        part = now.parts.get(name)
        if part is None:
            raise LabError(f"the lab has no part {name}; it has {', '.join(now.parts) or 'none: start it'}")
        pid, start = part.pid, part.start
    if not processes.send(pid, start, number):
        raise LabError(f"{name} does not run")
    return pid
