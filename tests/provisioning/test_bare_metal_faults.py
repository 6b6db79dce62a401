"""What goes wrong while a node is loaded: it goes on, or one line says why, and nothing else is touched.

The node, its BMC and its network are real (``tests/provisioning/metal.py``). Most faults meet a node that stands in the
imaging environment; it is booted once for all of them. The others have a node of their own.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.netboot.bench import CARD, Log, run
from tests.provisioning.bench import FakeContext
from tests.provisioning.metal import (
    ADDRESS,
    IS_ROOT,
    MAC,
    SERIAL,
    Bootable,
    MetalBench,
    copied,
    metal_bench,
)
from vclab.lab.bmcs import Fault, Runs
from vclab.library.repository import Repository
from vclab.model.errors import CopyLost, Fenced, Interrupted, NotYet, Refused, StepFailed, Unreachable, VclabError
from vclab.model.plans import Status
from vclab.netboot.values import State
from vclab.power.control import Limits
from vclab.provisioning.bare_metal import returning
from vclab.provisioning.bare_metal.data import NodeData
from vclab.provisioning.bare_metal.module import BareMetal

pytestmark = [
    pytest.mark.skipif(not IS_ROOT, reason="namespaces and loop devices need root"),
    pytest.mark.timeout(300),
]
OTHER_MAC = "02:76:6d:00:00:02"
CHUNK_AT = 600 << 20  #: a byte of the disk that the image leaves alone
IMPATIENT = Limits(answer=3, confirm=3)


@pytest.fixture
def bench(tmp_path: Path, made: Bootable) -> Iterator[MetalBench]:
    """A node of its own, off."""
    with metal_bench(tmp_path, made, IMPATIENT) as found:
        yield found


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory, made: Bootable) -> Iterator[MetalBench]:
    """A node in the imaging environment, whose disk is found."""
    with metal_bench(tmp_path_factory.mktemp("standing"), made) as found:
        found.load("clean")
        yield found


@pytest.fixture
def imaging(standing: MetalBench, made: Bootable) -> Iterator[MetalBench]:
    """The same; all that a test has changed is as it was afterwards."""
    kept = standing.computer, standing.target, standing.facts, standing.metal
    yield standing
    standing.computer, standing.target, standing.facts, metal = kept
    standing.repository, standing.said = made.repository, []
    drive(standing, **metal.__dict__)
    assert standing.node.runs is Runs.IMAGING


def drive(bench: MetalBench, **changed: object) -> None:
    """Another worker's module, with other surroundings."""
    bench.metal = replace(bench.metal, **changed)  # type: ignore[arg-type]
    bench.module = BareMetal("vclab", lambda endpoint: [bench.computer], bench.metal)


def fails(bench: MetalBench, step: str, kind: type[VclabError], text: str, context: FakeContext | None = None) -> str:
    """The step fails with one line, as people are shown it."""
    with pytest.raises(kind, match=text) as caught:
        bench.once(step, context)
    assert type(caught.value) is kind and "\n" not in str(caught.value)
    return str(caught.value)


def data(bench: MetalBench, **fields: object) -> None:
    bench.computer = replace(bench.computer, module_data=NodeData.model_validate(fields).encoded())


def byte_at(bench: MetalBench, at: int) -> bytes:
    with bench.chassis.disk.open("rb") as disk:
        return os.pread(disk.fileno(), 1, at)


def set_byte(file: Path, at: int, value: bytes) -> None:
    with file.open("r+b") as disk:
        os.pwrite(disk.fileno(), value, at)


@contextmanager
def slow_wire(bench: MetalBench, rate: str = "80mbit") -> Iterator[None]:
    """From the management node to the node."""
    words = f"ip netns exec {bench.wires.tag} tc qdisc {{}} dev {CARD} root"
    run(*words.format("add").split(), *f"tbf rate {rate} burst 256kb latency 400ms".split())
    try:
        yield
    finally:
        run(*words.format("del").split())


def sent(bench: MetalBench) -> int:
    """Bytes that the management node has sent on the network."""
    said = run("ip", "-n", bench.wires.tag, "-s", "-j", "link", "show", CARD).stdout
    return int(json.loads(said)[0]["stats64"]["tx"]["bytes"])


@contextmanager
def listener(bench: MetalBench, namespace: str) -> Iterator[None]:
    """A system with an SSH server and a host key of its own."""
    program = f"""import asyncio, asyncssh
async def main():
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.listen("{ADDRESS}", 22, server_host_keys=[key])
    print("listening", flush=True)
    await server.wait_closed()
asyncio.run(main())"""
    process = bench.wires.inside(namespace, sys.executable, "-c", program, stdout=subprocess.PIPE)
    Log(process.stdout).wait_for("listening", 20)
    try:
        yield
    finally:
        process.kill()
        process.wait()


# --- before anything is touched --------------------------------------------------------------------------------------


def no_repository(bench: MetalBench) -> None:
    drive(bench, repositories=lambda target: [])


def no_network(bench: MetalBench) -> None:
    drive(bench, network=None)


def no_environment(bench: MetalBench) -> None:
    assert bench.metal.network
    (bench.metal.network.root / "current").unlink()


def open_network(bench: MetalBench) -> None:
    assert bench.metal.network
    bench.metal.network.root.chmod(0o755)


def key_is(text: str | None) -> Callable[[MetalBench], None]:
    def act(bench: MetalBench) -> None:
        key = bench.node.folder / "worker-key"
        if text is not None:
            key.write_text(text)
        drive(bench, ssh_key=key)

    return act


def locked_key(bench: MetalBench) -> None:
    key = bench.node.folder / "worker-key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(key))
    drive(bench, ssh_key=key)


def two_bmcs(bench: MetalBench) -> None:
    ours = bench.metal.switched("metal01")
    drive(bench, switched=lambda name: ours if name == "metal01" else replace(ours, address="ipmi://a@127.0.0.9"))


def same_mac(bench: MetalBench) -> None:
    others = [bench.computer, replace(bench.computer, name="metal02", private_address="10.78.0.52")]
    two_bmcs(bench)
    bench.module = BareMetal("vclab", lambda endpoint: others, bench.metal)


def same_address(bench: MetalBench) -> None:
    others = [replace(bench.computer, name="metal02", private_mac=OTHER_MAC), bench.computer]
    two_bmcs(bench)
    bench.module = BareMetal("vclab", lambda endpoint: others, bench.metal)


def no_bmc(bench: MetalBench) -> None:
    bench.computer = replace(bench.computer, power="")


def bad_data(bench: MetalBench) -> None:
    bench.computer = replace(bench.computer, module_data='{"disk": "the large one"}')


def bad_address(bench: MetalBench) -> None:
    bench.computer = replace(bench.computer, private_address="10.99.0.1")


def gone(bench: MetalBench) -> None:
    bench.module = BareMetal("vclab", lambda endpoint: [], bench.metal)


BEFORE = {
    "no repository has the image": ("check_bmc", no_repository, StepFailed, "no repository .* has debian-12.*copy"),
    "no provisioning network": ("set_network", no_network, StepFailed, "no provisioning network; set .netboot."),
    "no environment": ("set_network", no_environment, Unreachable, "no imaging environment in .*; build it"),
    "everybody may read keys": ("set_network", open_network, Unreachable, "everybody .* could read the keys.*chmod"),
    "no key": ("set_network", key_is(None), StepFailed, "worker-key can't be read: No such file.*; ssh_key"),
    "no key, but text": ("set_network", key_is("hello\n"), StepFailed, "worker-key can't be read: .*; ssh_key"),
    "a key with a passphrase": ("set_network", locked_key, StepFailed, "worker-key can't be read: Passphrase"),
    "a MAC that two have": ("set_network", same_mac, StepFailed, f"metal02 has the same MAC, {MAC}"),
    "an address that two have": ("check_bmc", same_address, StepFailed, f"metal02 has the same address, {ADDRESS}"),
    "no BMC": ("check_bmc", no_bmc, StepFailed, r"nobody has said its BMC \(--bmc\); say it by"),
    "data that nobody understands": ("check_bmc", bad_data, StepFailed, "data of metal01 can't be read"),
    "an address elsewhere": ("set_network", bad_address, StepFailed, "10.99.0.1 of metal01 is not in the network"),
    "a node that is gone": ("check_bmc", gone, StepFailed, "metal01 is no longer a node of metal"),
}


@pytest.mark.parametrize("case", BEFORE)
def test_nothing_is_touched(bench: MetalBench, case: str) -> None:
    step, spoil, kind, text = BEFORE[case]
    spoil(bench)
    fails(bench, step, kind, text)
    assert bench.node.told == []
    assert not list((bench.wires.network.root / "hosts").iterdir())


def test_a_repository_that_is_not_mounted_is_waited_for(bench: MetalBench, tmp_path: Path, made: Bootable) -> None:
    bench.repository = twin(made.repository, tmp_path)
    away = bench.repository.folder.rename(tmp_path / "away")
    fails(bench, "check_bmc", Unreachable, "there is no repository in .*; is its file system mounted")
    away.rename(bench.repository.folder)
    bench.once("check_bmc")


# --- BMCs ------------------------------------------------------------------------------------------------------------


def stopped(bench: MetalBench) -> Callable[[], None]:
    """The BMC's process answers nothing."""
    pid = int((bench.node.folder / "pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    return lambda: os.kill(pid, signal.SIGCONT)


def unplugged(bench: MetalBench) -> Callable[[], None]:
    """Its BMC goes silent when it is told something; it is plugged in again."""
    bench.node.fault(Fault.UNPLUGGED_WHEN_TOLD)
    pid = int((bench.node.folder / "pid").read_text())

    def mend() -> None:
        state = Path(f"/proc/{pid}/stat")
        bench.until(lambda: ") T " in state.read_text(), 10)
        bench.node.mend()
        os.kill(pid, signal.SIGKILL)
        bench.until(lambda: not Path(f"/proc/{pid}/fd/0").exists(), 10)
        bench.start_bmc()

    return mend


def faulty(fault: Fault, amount: float = 0.0) -> Callable[[MetalBench], Callable[[], None]]:
    def spoil(bench: MetalBench) -> Callable[[], None]:
        bench.node.fault(fault, amount)
        return bench.node.mend

    return spoil


BMCS = {
    "dead": (stopped, "check_bmc", Unreachable, "metal01: 'boot device' failed: its BMC .* did not answer"),
    "far too slow": (faulty(Fault.SLOW, 8), "check_bmc", Unreachable, "did not answer within 3 s"),
    "lying": (faulty(Fault.LYING), "boot_network", StepFailed, "took 'on', but 3 s later the computer is off"),
    "unplugged when told": (
        unplugged,
        "boot_network",
        Unreachable,
        "did not answer within 3 s",
    ),
}


@pytest.mark.parametrize("case", BMCS)
def test_a_bmc_that_is(bench: MetalBench, case: str) -> None:
    spoil, step, kind, text = BMCS[case]
    bench.load("boot_network")
    mend, began = spoil(bench), time.monotonic()
    fails(bench, step, kind, text)
    assert time.monotonic() - began < 15
    mend()
    bench.again("boot_network")
    assert bench.node.power == "on" and "boot pxe" in bench.node.told


@pytest.mark.long
def test_a_bmc_that_never_answers_fails_the_load(bench: MetalBench) -> None:
    """Whoever waits gets another node. What it holds is not known then, which is no error."""
    mend = stopped(bench)
    with pytest.raises(StepFailed, match="did not answer within 3 s, 3 times"):
        bench.again("check_bmc")
    with bench.inside():
        status = bench.module.node_status(bench.target)
    assert (status.status, status.power, status.ping, status.ssh) == (Status.RELOAD, "unknown", None, None)
    assert "did not answer" in status.why
    mend()
    bench.once("check_bmc")


def test_a_bmc_that_is_slow_is_waited_for(bench: MetalBench) -> None:
    bench.node.fault(Fault.SLOW, 0.5)
    bench.once("check_bmc")


@pytest.mark.long
def test_evidence_and_removal_with_a_dead_bmc(bench: MetalBench) -> None:
    """Whoever gathers evidence waits ten seconds."""
    bench.load("boot_network")
    mend, began = stopped(bench), time.monotonic()
    with bench.inside():
        seen = bench.module.evidence(bench.target)
    assert time.monotonic() - began < 10
    assert seen.power == "unknown" and any("BMC" in line for line in seen.missing)
    assert "the provisioning network has it set to image" in seen.endpoint
    with bench.inside(), pytest.raises(Unreachable, match="did not answer"):
        bench.module.remove(FakeContext(), bench.target)
    assert bench.wires.nodes.state(MAC) is State.BOOT, "nothing is served to it, though it may be on"
    mend()
    with bench.inside():
        bench.module.remove(FakeContext(), bench.target)
    assert bench.node.power == "off"


def test_the_last_words_on_its_console_are_evidence(bench: MetalBench) -> None:
    """By serial over LAN. Few BMCs keep what came before, so it is listened to for a while."""
    silent = threading.Event()

    def panic() -> None:
        while not silent.wait(0.05):
            bench.serial.say(b"Kernel panic - not syncing: VFS: unable to mount root\r\n")

    talking = threading.Thread(target=panic)
    talking.start()
    with bench.inside():
        seen = bench.module.evidence(bench.target)
    silent.set()
    talking.join()
    assert "Kernel panic - not syncing: VFS: unable to mount root" in seen.console, seen
    assert seen.power == "off" and "its BMC says that it is off" in seen.endpoint


# --- the imaging environment ----------------------------------------------------------------------------------------


def test_the_wrong_node_calls_in(imaging: MetalBench) -> None:
    """It has the load's key and our node's address, but has booted from another card."""
    imaging.computer = replace(imaging.computer, private_mac=OTHER_MAC)
    for step in ("await_imaging",):
        fails(
            imaging, step, StepFailed, f"another node has called in at {ADDRESS}: .* from {MAC}, not from {OTHER_MAC}"
        )


def test_another_system_has_its_address(bench: MetalBench) -> None:
    """Another host key: nobody logs in there. The node is started twice more, then it is said."""
    bench.load("boot_network")
    bench.once("boot_network")
    with foreign_address(bench) as namespace, listener(bench, namespace):
        remembered: dict[str, str] = {}
        for _ in range(returning.MOST_RESTARTS):
            context = FakeContext(remembered=remembered)
            text = fails(bench, "await_imaging", NotYet, f"another system .* answers at {ADDRESS}", context)
            assert "it was started from the network again" in text
            remembered = {**remembered, **context.kept}
        text = fails(bench, "await_imaging", StepFailed, "another system", FakeContext(remembered=remembered))
        assert "it was started from the network 2 times in this step" in text


@contextmanager
def foreign_address(bench: MetalBench) -> Iterator[str]:
    """Somebody who answers at the node's address, and the node is unplugged."""
    namespace = bench.wires.station(OTHER_MAC, ADDRESS)
    os.kill(serving(bench)[0], signal.SIGKILL)
    yield namespace


# --- disks and images -----------------------------------------------------------------------------------------------

RULES: dict[str, tuple[dict[str, object], str]] = {
    "none of that serial": ({"disk": "serial=OTHER"}, "the rule serial=OTHER names no disk; it has /dev/sda .*VC0001"),
    "none of that size": ({"disk": "size=480GB"}, "the rule size=480GB names no disk; .*vclab computer edit metal01"),
    "one that is kept": ({"keep": [SERIAL]}, "only disks that are kept"),
    "another firmware": ({"firmware": "efi"}, "metal01 has booted by bios, and must boot by efi; set"),
}


@pytest.mark.parametrize("case", RULES)
def test_a_rule_that_names(imaging: MetalBench, case: str) -> None:
    fields, text = RULES[case]
    set_byte(imaging.chassis.disk, CHUNK_AT, b"\x5a")
    data(imaging, **fields)
    fails(imaging, "find_disk", StepFailed, text)
    assert byte_at(imaging, CHUNK_AT) == b"\x5a"


def test_an_image_for_another_firmware(imaging: MetalBench, tmp_path: Path, made: Bootable) -> None:
    """Before the first write."""
    imaging.repository = twin(made.repository, tmp_path)
    disk = imaging.repository.disk("debian-12", 1)
    with disk.open("r+b") as held:
        held.write(bytes(440))
    set_byte(imaging.chassis.disk, CHUNK_AT, b"\x5a")
    fails(imaging, "find_disk", StepFailed, "no boot code in its first sector, and the node boots by BIOS; choose")
    assert byte_at(imaging, CHUNK_AT) == b"\x5a"


def twin(repository: Repository, folder: Path) -> Repository:
    """A repository with the same, of a test's own."""
    run("cp", "--archive", "--sparse=always", str(repository.folder), str(folder / "twin"))
    return Repository(folder / "twin")


def middle(repository: Repository) -> int:
    """A byte in the middle of what travels."""
    a_map = repository.block_map("debian-12", 1)
    chunks = list(a_map.with_data())
    return a_map.extents(chunks[len(chunks) // 2])[0][0]


def test_a_chunk_of_the_repository_is_broken(imaging: MetalBench, tmp_path: Path, made: Bootable) -> None:
    imaging.repository = twin(made.repository, tmp_path)
    disk = imaging.repository.disk("debian-12", 1)
    disk.chmod(0o600)
    at = middle(imaging.repository)
    with disk.open("rb") as held:
        was = os.pread(held.fileno(), 1, at)
    set_byte(disk, at, bytes([was[0] ^ 1]))
    fails(imaging, "write", CopyLost, r"the repository's copy has other bytes in chunk \d+ .*; \d+ of 512 chunks were")


def test_a_chunk_on_the_disk_is_broken(imaging: MetalBench, made: Bootable) -> None:
    imaging.once("write")
    at = middle(made.repository)
    set_byte(imaging.chassis.disk, at, bytes([byte_at(imaging, at)[0] ^ 1]))
    fails(
        imaging, "read_back", StepFailed, r"holds other bytes in chunk \d+ .* than the map has; the disk does not keep"
    )
    imaging.once("write")
    imaging.once("read_back")


def test_a_repository_that_goes_away_in_the_middle(imaging: MetalBench, tmp_path: Path, made: Bootable) -> None:
    imaging.repository = twin(made.repository, tmp_path)
    away = tmp_path / "away"

    class Unmounting(FakeContext):
        def remember(self, **details: str) -> None:
            super().remember(**details)
            if imaging.repository.folder.exists():
                imaging.repository.folder.rename(away)
                os.truncate(next(away.glob("images/*/1/disk.raw")), 1 << 20)

    with slow_wire(imaging):
        first = Unmounting()
        with pytest.raises((Unreachable, CopyLost)):
            imaging.once("write", first)
    away.rename(imaging.repository.folder)


# --- it is stopped, or cut off ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "when"),
    [pytest.param("clean", "MiB", marks=pytest.mark.long), ("write", "MiB"), ("read_back", "")],
)
def test_a_cancel_stops_within_two_seconds(imaging: MetalBench, step: str, when: str) -> None:
    """When such progress is told, or before it has begun."""
    asked = 0.0

    class Cancelled(FakeContext):
        def progress(self, text: str) -> None:
            nonlocal asked
            if when in text and not self.cancelled:
                self.cancelled, asked = True, time.monotonic()

    imaging.once("write")
    with slow_wire(imaging):
        asked = time.monotonic()
        with pytest.raises(Interrupted):
            imaging.once(step, Cancelled(cancelled=not when))
        assert time.monotonic() - asked < (2 if when else 5), "to reach a node takes a second or two here"


@pytest.mark.parametrize(
    "step", ["clean", "write", *(pytest.param(step, marks=pytest.mark.long) for step in ("fit", "set_boot_entry"))]
)
def test_without_the_fence_nothing_is_destroyed(imaging: MetalBench, step: str) -> None:
    imaging.once("write")
    before = written_last(imaging)
    fails(imaging, step, Fenced, "not ours", FakeContext(allowed=0))
    assert written_last(imaging) == before
    imaging.once("clean")
    assert written_last(imaging) != before


def written_last(bench: MetalBench) -> tuple[int, int]:
    """When, and how much the disk holds then."""
    now = bench.chassis.disk.stat()
    return now.st_mtime_ns, now.st_blocks


def test_the_fence_falls_in_the_middle_of_a_write(imaging: MetalBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vclab.provisioning.bare_metal.telling.FENCED_EVERY", 0.5)
    imaging.once("clean")
    with slow_wire(imaging, "40mbit"):
        fails(imaging, "write", Fenced, "not ours", FakeContext(allowed=2))
    at, count = middle(imaging.repository), imaging.repository.block_map("debian-12", 1).size
    assert byte_at(imaging, 0) and at < count
    with pytest.raises(StepFailed, match="holds other bytes"):
        imaging.once("read_back")


def test_a_killed_worker_goes_on_at_the_last_chunk(imaging: MetalBench, tmp_path: Path) -> None:
    """Its process is killed, with all threads, in the middle of a write; fewer bytes are sent then."""
    imaging.once("clean")
    begun = sent(imaging)
    imaging.once("write")
    whole = sent(imaging) - begun
    imaging.once("clean")
    with slow_wire(imaging):
        remembered = killed(imaging, "write", tmp_path / "kept", at_least=25)
    begun = sent(imaging)
    context = FakeContext(remembered=remembered)
    imaging.once("write", context)
    assert sent(imaging) - begun < 0.75 * whole, (whole, remembered)
    imaging.once("read_back")


def killed(bench: MetalBench, step: str, file: Path, at_least: int) -> dict[str, str]:
    """Run a step in a process that is killed when it has remembered a chunk; what it had remembered."""

    class Written(FakeContext):
        def remember(self, **details: str) -> None:
            super().remember(**details)
            file.with_suffix(".new").write_text(json.dumps(self.kept))
            file.with_suffix(".new").rename(file)

    child = os.fork()
    if not child:
        with suppress(BaseException):
            os.setsid()
            bench.once(step, Written())
        os._exit(0)
    deadline = time.monotonic() + 60
    while not file.exists() or int(json.loads(file.read_text()).get("chunk", "0")) < at_least:
        assert time.monotonic() < deadline and os.waitpid(child, os.WNOHANG) == (0, 0)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    remembered: dict[str, str] = json.loads(file.read_text())
    return remembered


# --- power -----------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_power_that_is_pulled_in_the_middle_of_a_write(bench: MetalBench) -> None:
    """What is half written does not boot. The node is started from the network again, and the write goes on."""
    bench.load("write")

    class Pulled(FakeContext):
        def remember(self, **details: str) -> None:
            super().remember(**details)
            if int(details.get("chunk", "0")) > 15 and bench.node.power == "on":
                bench.node.switch(False)
                self.told.append(f"pulled at {time.monotonic()}")

    context = Pulled()
    with slow_wire(bench):
        text = fails(
            bench, "write", Unreachable, "metal01 is off, says its BMC.*started from the network again", context
        )
    assert "of 512 chunks were written" in text
    pulled = next(float(line.split()[-1]) for line in context.told if line.startswith("pulled"))
    assert time.monotonic() - pulled < 40
    bench.runs(Runs.IMAGING)
    later = FakeContext(remembered=context.kept)
    deadline = time.monotonic() + 60
    while True:
        try:
            bench.once("write", later)
            break
        except Unreachable:
            assert time.monotonic() < deadline
    for step in ("read_back", "fit", "set_boot_entry", "boot_disk", "await_system"):
        bench.step(step)
    assert bench.node.runs is Runs.DISK


@dataclass(frozen=True)
class Built:
    """What a node is made of, and what is wrong with its disk."""

    step: str
    kind: type[VclabError]
    text: str
    fault: Fault | None = None
    amount: float = 0
    hardware: Mapping[str, object] = field(default_factory=dict)


DISKS = {
    "absent": Built("find_disk", StepFailed, "no rule names its disk, and it has no disk; .*; is it", Fault.NO_DISK),
    "read-only": Built("find_disk", Refused, "the disk /dev/sda is read-only; switch off", Fault.READ_ONLY_DISK),
    "failing": Built(
        "write",
        StepFailed,
        r"/dev/sda can't be \w+ .*; \d+ of 512 chunks.*; the disk does not keep",
        Fault.FAILING_DISK,
        90 << 20,
    ),
    "of 4096-byte sectors": Built(
        "find_disk", Refused, "has sectors of 4096 bytes, .* counts by 512", hardware={"sector": 4096}
    ),
    "too small": Built(
        "find_disk", Refused, "the disk /dev/sda is too small: .*; give", hardware={"disk_bytes": 1 << 30}
    ),
    "of a UEFI": Built(
        "find_disk", StepFailed, "no EFI system partition, and the node boots by UEFI", hardware={"efi": True}
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("case", DISKS)
def test_a_disk_that_is(tmp_path: Path, made: Bootable, case: str) -> None:
    """Before the first write, or in one line. The node is off and nothing is served to it when it was taken back."""
    built = DISKS[case]
    with metal_bench(tmp_path, made, IMPATIENT, **built.hardware) as bench:
        if built.fault:
            bench.node.fault(built.fault, built.amount)
        bench.load(built.step)
        fails(bench, built.step, built.kind, built.text)
        assert built.step == "write" or not bench.chassis.disk.stat().st_blocks, "nothing was written"
        with bench.inside():
            bench.module.remove(FakeContext(), bench.target)
        assert bench.node.power == "off" and bench.wires.nodes.state(MAC) is State.BOOT


# --- networks that are not as they should be -------------------------------------------------------------------------


@pytest.mark.long
def test_a_network_that_does_not_answer(bench: MetalBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """DHCP and TFTP are away: the look goes on, says what it sees, and starts the node again after a while."""
    monkeypatch.setattr(returning, "ASKED_EVERY", 0.0)
    bench.load("boot_network")
    os.kill(serving(bench)[0], signal.SIGKILL)
    bench.once("boot_network")
    bench.until(lambda: bench.node.runs is Runs.NOTHING, 60)
    context = FakeContext()
    fails(bench, "await_imaging", NotYet, "metal01 does not answer: .*; its BMC says that it is on", context)
    bench.wires.serve()
    monkeypatch.setattr(returning, "SILENT_SECONDS", 0.0)
    later = FakeContext(remembered={**context.kept, "silent-since": str(int(time.time()) - 2)})
    fails(
        bench, "await_imaging", NotYet, "on, says its BMC, and has not answered for .*started from the network", later
    )
    monkeypatch.undo()
    bench.step("await_imaging")


@pytest.mark.long
def test_dhcp_answers_from_elsewhere(bench: MetalBench) -> None:
    """With a boot file of its own: ours says that its offer was not taken."""
    bench.load("boot_network")
    station = bench.wires.station("52:54:00:00:01:01", "10.78.0.2")
    words = f"""dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --interface=eth0 --bind-interfaces
        --dhcp-range=10.78.0.90,10.78.0.99,1h --dhcp-leasefile={bench.node.folder}/leases --user=root --pid-file
        --dhcp-boot=other.0 --no-ping --log-facility=-"""
    Log(bench.wires.inside(station, *words.split()).stderr).wait_for("started", 10)
    [own] = serving(bench)
    os.kill(own, signal.SIGSTOP)
    bench.once("boot_network")
    bench.until(lambda: bench.node.runs is Runs.NOTHING, 60)
    os.kill(own, signal.SIGCONT)
    bench.until(lambda: "asked another DHCP server for 10.78.0.9" in evidence(bench), 10)
    fails(bench, "await_imaging", NotYet, "does not answer: .*; on the .* network it asked another DHCP server for 10")


def serving(bench: MetalBench) -> list[int]:
    pids = run("ip", "netns", "pids", bench.wires.tag).stdout.split()
    return [int(pid) for pid in pids if Path(f"/proc/{pid}/comm").read_text().strip() == "dnsmasq"]


def evidence(bench: MetalBench) -> str:
    with bench.inside():
        return "\n".join(bench.module.evidence(bench.target).endpoint)


# --- what boots ------------------------------------------------------------------------------------------------------


def installed(bench: MetalBench) -> None:
    """Its disk holds a system that boots."""
    copied(bench.made.repository.disk("debian-12", 1), bench.chassis.disk)
    os.truncate(bench.chassis.disk, bench.chassis.hardware.disk_bytes)


@pytest.mark.long
@pytest.mark.parametrize("mends", [True, False])
def test_a_node_that_boots_its_disk_whatever_its_bmc_was_told(bench: MetalBench, mends: bool) -> None:
    """It is started from the network again, twice; then that is said."""
    installed(bench)
    bench.node.fault(Fault.DISK_FIRST)
    bench.load("await_imaging")
    bench.runs(Runs.DISK)
    bench.until(bench.host_key)
    context = FakeContext()
    fails(bench, "await_imaging", NotYet, "another system .*: has metal01 booted from its disk.*started from", context)
    if mends:
        bench.node.mend()
        bench.step("await_imaging", FakeContext(remembered=context.kept))
        return
    with pytest.raises(StepFailed, match="started from the network 2 times in this step; look at its console"):
        bench.again("await_imaging")
    assert "its BMC says that it is on" in evidence(bench)


@pytest.mark.long
def test_a_node_that_boots_from_the_network_again(bench: MetalBench) -> None:
    """Instead of its disk: who waits for its own system says so."""
    bench.load("await_system")
    bench.runs(Runs.DISK)
    bench.node.switch(False)
    bench.step("set_network")
    bench.step("boot_network")
    bench.until(lambda: bench.host_key() == bench.facts.imaging_key)
    fails(bench, "await_system", NotYet, "metal01 is in the imaging environment, not in its own system: .*it was given")


# --- cut off anywhere ------------------------------------------------------------------------------------------------


class Cut(FakeContext):
    """The worker dies at the call of that number."""

    at = 0
    calls = 0

    def _call(self) -> None:
        self.calls += 1
        if self.calls == self.at:
            raise Death

    def progress(self, text: str) -> None:
        super().progress(text)
        self._call()

    def fence(self) -> None:
        super().fence()
        self._call()

    def remember(self, **details: str) -> None:
        self._call()
        super().remember(**details)


class Death(BaseException):
    pass


@pytest.mark.long
@pytest.mark.timeout(900)
def test_cut_off_in_each_step(bench: MetalBench) -> None:
    """At its first calls, one after the other; run again it ends well."""
    for step in bench.plan():
        name = step.name.partition(".")[2]
        remembered: dict[str, str] = {}
        for number in range(1, 5):
            context = Cut(remembered=remembered)
            context.at = number
            with suppress(Death, NotYet):
                bench.once(name, context)
            remembered = {**remembered, **context.kept}
            if context.calls < number:
                break
        bench.step(name, FakeContext(remembered=remembered))
    bench.runs(Runs.DISK)
    assert bench.host_key() not in ("", bench.facts.imaging_key)
    assert bench.wires.nodes.state(MAC) is State.BOOT
