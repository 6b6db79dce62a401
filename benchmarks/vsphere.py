"""What a load asks of a vCenter: calls per load, and loads a minute at 1 and 16 at once, on the lab's simulator.

Beside it the same made bare with pyvmomi: the same tasks (copy the disk, make the machine, power it on) and as many
further calls, each a plain read, without observing, deciding or verifying anything.
"""

import contextlib
import datetime
import hashlib
import ipaddress
import json
import ssl
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pyVmomi.SoapAdapter import SoapStubAdapter

from benchmarks.processes import free_port
from vclab.lab import tools
from vclab.lab.disks import descriptor
from vclab.model.catalog import Endpoint
from vclab.model.plans import Facts, NodeStatus, StepInput, Target
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.data import ImageData
from vclab.provisioning.vsphere.module import VSphere

USER, PASSWORD = "bench@vsphere.local", "bench"
IMAGE_DATA = ImageData(master_path="vclab-images/image/1/disk.vmdk")
MASTER = IMAGE_DATA.master("ds1")
LOOKS = ("vsphere.find_address",)  # nothing boots on the bare simulator, so no address is ever found
CALLS_AT_ONCE = 4  # the default of the setting endpoint_calls_at_once
_TASKS = ("CopyVirtualDisk_Task", "MakeDirectory", "CreateVM_Task", "PowerOnVM_Task")


@dataclass(frozen=True)
class Speed:
    """So many loads at once."""

    concurrency: int
    loads_per_minute: float
    bare_loads_per_minute: float
    ratio_to_bare: float  #: how many times as long as bare


@dataclass(frozen=True)
class Load:
    """Calls of one load up to power on, those of the removal afterwards, and how fast it goes."""

    calls_per_load: int
    calls: Mapping[str, int]
    calls_per_removal: int
    speed: tuple[Speed, ...]


class Context:
    """The runner of a step whose tenure nobody contests."""

    remembered: Mapping[str, str] = {}
    cancelled = False

    def progress(self, text: str) -> None:
        """Nobody watches."""

    def remember(self, **details: str) -> None:
        """There is no next attempt."""

    def fence(self) -> None:
        """The tenure is ours."""


def measure(concurrency: tuple[int, ...], loads: int) -> Load:
    """``loads`` of them at each concurrency. Raises ``LabError`` when the simulator can't be had."""
    with tempfile.TemporaryDirectory(prefix="vclab-bench-") as folder, _simulator(Path(folder)) as endpoint:
        module = VSphere(lambda name: endpoint, lambda reference: PASSWORD, "bench", CALLS_AT_ONCE)
        bare = Bare(endpoint)
        try:
            load(module, target(0))
            with counted() as calls:
                load(module, target(1))
            with counted() as removal:
                module.remove(Context(), target(1))
            module.remove(Context(), target(0))
            speed = tuple(_speed(module, bare, count, max(loads, count), calls) for count in concurrency)
        finally:
            module.close()
    return Load(calls.total(), dict(calls.most_common()), removal.total(), speed)


def _speed(module: VSphere, bare: "Bare", count: int, loads: int, calls: Counter[str]) -> Speed:
    """Product and bare take turns in three rounds; the medians count."""
    others = calls.total() - sum(calls[name] for name in _TASKS)
    mine, theirs = [], []
    for number in range(3):
        targets = [target(1000 * (number + 1) + n) for n in range(loads)]
        mine.append(_per_minute(count, targets, lambda one: load(module, one)))
        _per_minute(count, targets, lambda one: module.remove(Context(), one))
        theirs.append(_per_minute(count, targets, lambda one: bare.load(one, others)))
        _per_minute(count, targets, bare.remove)
    ours, least = sorted(mine)[1], sorted(theirs)[1]
    return Speed(count, round(ours, 1), round(least, 1), round(least / ours, 2))


def _per_minute(count: int, targets: list[Target], work: Callable[[Target], object]) -> float:
    begun = time.perf_counter()
    with ThreadPoolExecutor(count) as threads:
        list(threads.map(work, targets))
    return 60 * len(targets) / (time.perf_counter() - begun)


def load(module: VSphere, wanted: Target) -> None:
    """All steps of the module's plan up to power on."""
    for step in module.load_plan(wanted, NodeStatus()).steps:
        if step.name in module.steps() and step.name not in LOOKS:
            module.steps()[step.name](Context(), StepInput(step.name, step.title, wanted, Facts()))


@contextlib.contextmanager
def counted() -> Iterator[Counter[str]]:
    """The calls that are made meanwhile, by name."""
    calls: Counter[str] = Counter()
    lock, invoke = threading.Lock(), SoapStubAdapter.InvokeMethod

    def count(stub: Any, mo: Any, info: Any, *args: Any, **named: Any) -> Any:
        with lock:
            calls[info.wsdlName] += 1
        return invoke(stub, mo, info, *args, **named)  # type: ignore[no-untyped-call]

    with patch.object(SoapStubAdapter, "InvokeMethod", count):
        yield calls


class Bare:
    """pyvmomi and nothing else."""

    def __init__(self, endpoint: Endpoint) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the simulator, on this machine
        port = int(endpoint.url.split(":")[2].split("/")[0])
        stub = SoapStubAdapter(  # type: ignore[no-untyped-call]
            host="127.0.0.1", port=port, path="/sdk", version="vim.version.v7_0", poolSize=18, sslContext=context
        )
        self._content = vim.ServiceInstance("ServiceInstance", stub).RetrieveContent()
        self._content.sessionManager.Login(USER, PASSWORD)
        self._datacenter = self._content.rootFolder.childEntity[0]
        self._folder = self._datacenter.vmFolder
        resource = self._datacenter.hostFolder.childEntity[0]
        self._pool, self._host = resource.resourcePool, resource.host[0]
        self._machines: dict[str, Any] = {}

    def load(self, wanted: Target, others: int) -> None:
        """Copy, make, power on; and so many other calls (the waits for tasks are among them)."""
        place = f"[ds1] bare/{wanted.machine_name}"
        self._content.fileManager.MakeDirectory(place, self._datacenter, True)
        manager, disk = self._content.virtualDiskManager, f"{place}/disk.vmdk"
        others -= self._wait(manager.CopyVirtualDisk_Task(MASTER, self._datacenter, disk, self._datacenter))
        files = vim.vm.FileInfo(vmPathName=f"{place}/machine.vmx")
        spec = vim.vm.ConfigSpec(name=wanted.machine_name, files=files, numCPUs=1, memoryMB=512)
        made = self._folder.CreateVM_Task(spec, self._pool, self._host)
        others -= self._wait(made)
        machine = self._machines[wanted.machine_name] = made.info.result
        others -= 1 + self._wait(machine.PowerOnVM_Task())
        for _ in range(others):
            _ = machine.runtime.powerState

    def remove(self, wanted: Target) -> None:
        """Power off and destroy."""
        machine = self._machines.pop(wanted.machine_name)
        self._wait(machine.PowerOffVM_Task())
        self._wait(machine.Destroy_Task())

    def _wait(self, task: Any) -> int:
        """How many calls it took."""
        for looks in range(1, 10_000):
            state = task.info.state
            if state == "success":
                return looks
            if state == "error":
                raise RuntimeError(f"the simulator failed: {task.info.error}")
            time.sleep(0.002)
        raise RuntimeError("a task of the simulator never ended")


def target(number: int) -> Target:
    """A machine of its own."""
    mac = f"{number >> 8 & 255:02x}:{number & 255:02x}"
    return Target(
        f"r{number}", f"vm{number:05}", 1, "bench", "vsphere", "linux", "vc", "esx1", "ds1", "image", 1,
        1, 512, 1, f"02:76:63:00:{mac}", f"02:76:63:01:{mac}", image_data=IMAGE_DATA.encoded(),
    )  # fmt: skip


@contextlib.contextmanager
def _simulator(folder: Path) -> Iterator[Endpoint]:
    """A vCenter with one host and one datastore that hold everything."""
    port, datastore = free_port(), folder / "ds1"
    disk = datastore / MASTER.partition(" ")[2]
    disk.parent.mkdir(parents=True)
    disk.write_text(descriptor(disk, 1))
    (folder / "password").write_text(PASSWORD)
    fingerprint = _certificate(folder / "cert.pem", folder / "key.pem")
    flags = {
        "listen": f"127.0.0.1:{port}",
        "user": USER,
        "password-file": folder / "password",
        "cert": folder / "cert.pem",
        "key": folder / "key.pem",
        "journal": folder / "journal",
        "control": folder / "control.sock",
        "hosts": "esx1=100000:1000000000",
        "datastores": f"ds1={datastore}:100000",
        "networks": "private,public",
    }
    command = [str(tools.vcsim()), *(f"-{name}={value}" for name, value in flags.items())]
    with (folder / "vcsim.log").open("wb") as log, (folder / "events").open("wb") as events:
        process = subprocess.Popen(command, stdout=events, stderr=log)
    try:
        _await_port(port, process, folder / "vcsim.log")
        url = f"https://127.0.0.1:{port}/sdk"
        yield Endpoint("vc", "vsphere", url, USER, "endpoint/vc", fingerprint)
    finally:
        process.terminate()
        process.wait(20)


def _await_port(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    import socket

    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the simulator did not start: {log.read_text()[-500:]}") from None
            time.sleep(0.05)


def _certificate(cert: Path, key: Path) -> str:
    """Self-signed; its SHA-256 fingerprint."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = builder.add_extension(alternative, False).sign(private, hashes.SHA256())
    plain, pem = serialization.NoEncryption(), serialization.Encoding.PEM
    cert.write_bytes(made.public_bytes(pem))
    key.write_bytes(private.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()


def shown(calls: Mapping[str, int]) -> str:
    """The calls in one line."""
    return json.dumps(calls)[1:-1].replace('"', "")
