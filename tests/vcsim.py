"""The lab's vCenter as a child process, for tests that need a real vSphere API."""

import hashlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from vclab.lab import tools

DISK = """# Disk DescriptorFile
version=1
CID=fffffffe
parentCID=ffffffff
createType="vmfs"

# Extent description
RW {sectors} VMFS "{flat}"

# vclab.rootfs = {rootfs}
ddb.adapterType = "lsilogic"
"""


class VcsimProcess:
    """A vCenter of its own in a folder: start, kill and start it again; machines and disks stay.

    ``hosts`` maps names to (CPU threads, MiB), ``datastores`` names to GiB. ``keep_parents``: a
    disk that has had children can't be deleted, as on some real ones.
    """

    def __init__(
        self,
        folder: Path,
        hosts: dict[str, tuple[int, int]] | None = None,
        datastores: dict[str, int] | None = None,
        networks: tuple[str, ...] = ("private", "public", "imaging"),
        address: str = "127.0.0.1",
        keep_parents: bool = False,
    ) -> None:
        self.folder = folder
        self._keep_parents = keep_parents
        self.user = "administrator@vsphere.local"
        self.password = "correct horse"
        self.events: list[dict[str, Any]] = []
        self._hosts = hosts or {"esx1": (8, 16384), "esx2": (8, 16384)}
        self._datastores = datastores or {"ds1": 200, "ds2": 200}
        self._networks = networks
        self.address = address
        self.port = _free_port(address)
        self._process: subprocess.Popen[str] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "password").write_text(self.password + "\n")
        cert = folder / "cert.pem"
        if not cert.exists():
            certificate(cert, folder / "key.pem", address)
        self.fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(cert.read_text())).hexdigest()

    @property
    def url(self) -> str:
        """The vSphere API's address."""
        return f"https://{self.address}:{self.port}/sdk"

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """All that it said on stderr."""
        return (self.folder / "vcsim.log").read_text()

    def datastore(self, name: str) -> Path:
        """A datastore's folder on this machine."""
        return self.folder / "datastores" / name

    def start(self, within: float = 20.0) -> "VcsimProcess":
        """Start it, and wait until its port answers (after its journal was replayed)."""
        with (self.folder / "vcsim.log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=log, text=True)
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        deadline = time.monotonic() + within
        while True:
            try:
                socket.create_connection((self.address, self.port), timeout=1).close()
                return self
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"vcsim did not start: {self.log[-2000:]}") from None
                time.sleep(0.02)

    def stop(self) -> None:
        """End it with SIGTERM; harmless when it has ended."""
        self._end(kill=False)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(kill=True)

    def restart(self, kill: bool = False) -> None:
        """End it and start it again on the same port; ``events`` begins anew."""
        self._end(kill)
        self.events = []
        self.start()

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Call the control socket. Raises ``RuntimeError`` with its answer when it refuses."""
        connection = _UnixConnection(self.folder / "control.sock")
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text}")
        return json.loads(text) if text else None

    def master(
        self, datastore: str, path: str, gib: int, rootfs: str = "debian-12", content: bytes | None = None
    ) -> str:
        """Put an image's master disk on a datastore; returns its datastore path. With ``content`` it is thin, and
        begins with that."""
        file = self.datastore(datastore) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        flat = file.with_name(file.stem + "-flat.vmdk")
        file.write_text(DISK.format(sectors=gib << 21, flat=flat.name, rootfs=rootfs))
        flat.touch()
        if content is not None:
            file.write_text(file.read_text() + 'ddb.thinProvisioned = "1"\n')
            flat.write_bytes(content)
            os.truncate(flat, gib << 30)
        return f"[{datastore}] {path}"

    def wait_event(self, within: float = 5.0, **fields: object) -> dict[str, Any]:
        """The first event with these fields; waits for it. Raises ``AssertionError``."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            for event in list(self.events):
                if all(event.get(name) == value for name, value in fields.items()):
                    return event
            time.sleep(0.01)
        raise AssertionError(f"no event {fields}, only {self.events}")

    def command(self) -> list[str]:
        """What ``start`` runs."""
        hosts = ",".join(f"{name}={cpus}:{memory}" for name, (cpus, memory) in self._hosts.items())
        stores = ",".join(f"{name}={self.datastore(name)}:{gib}" for name, gib in self._datastores.items())
        return [
            str(tools.vcsim()),
            *("-listen", f"{self.address}:{self.port}", "-user", self.user),
            *("-password-file", str(self.folder / "password")),
            *("-cert", str(self.folder / "cert.pem"), "-key", str(self.folder / "key.pem")),
            *("-journal", str(self.folder / "journal"), "-control", str(self.folder / "control.sock")),
            *("-python", sys.executable),
            *("-hosts", hosts, "-datastores", stores, "-networks", ",".join(self._networks)),
            *(("-keep-parents",) if self._keep_parents else ()),
        ]

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.events.append(json.loads(line))

    def _end(self, kill: bool) -> None:
        if self._process is None:
            return
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        self._process.wait(20)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("control", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        # A unix socket's path has at most 107 bytes, and pytest's folders are deep: go by the open folder.
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            self.sock.connect(f"/proc/self/fd/{folder}/{self._path.name}")
        finally:
            os.close(folder)


def _free_port(address: str) -> int:
    with socket.create_server((address, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def certificate(cert: Path, key: Path, address: str) -> str:
    """Write a self-signed certificate; its SHA-256 fingerprint in hex."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(private, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    cert.write_bytes(pem)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode())).hexdigest()
