"""A pretended outside world, for benchmarks, rehearsals and tests of clocks, as Ironic ships its fake hardware.

The ``fake`` provisioning module and the ``fake`` guest act on it as real drivers act on theirs: what they make stays
until they remove it, in memory or, so that it outlives a killed worker, in a file for each machine and disk. How long
things take and what goes wrong is said by ``Behaviour``, a part of the settings.
"""

import hashlib
import json
import os
import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from vclab.model.errors import StepFailed, Unreachable, VclabError
from vclab.model.plans import Target

T = TypeVar("T")

KINDS = ("unreachable", "failed")


@dataclass(frozen=True)
class Failure:
    """How something goes wrong: ``unreachable`` (worth another try) or ``failed`` (for good). To hang is a long delay.

    The first ``times`` attempts fail; later ones fail at random with the probability ``rate`` (0 to 1). ``host`` and
    ``image`` confine it. Attempts are counted by each worker for itself.
    """

    kind: str = "failed"
    times: int = 0
    rate: float = 0.0
    host: str = ""
    image: str = ""
    text: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"the kind of a failure is one of {', '.join(KINDS)}, not {self.kind!r}")
        if self.times < 0 or not 0 <= self.rate <= 1:
            raise ValueError("a failure's times is not negative, and its rate is between 0 and 1")

    def concerns(self, target: Target) -> bool:
        """Whether it can happen to this target."""
        return self.host in ("", target.host) and self.image in ("", target.image)


@dataclass(frozen=True)
class Size:
    """What a pretended host can hold: CPUs, MiB."""

    cpus: int = 64
    memory_mb: int = 262144
    maintenance: bool = False


@dataclass(frozen=True)
class Behaviour:
    """How the pretended world behaves. ``enabled``: a worker offers the module and the guest called ``fake``.

    ``delays`` gives seconds, fixed or as [from, to], by step or act: ``fake.copy_disk``, ``survey``, ``grant_access``;
    ``*`` is for all others. A step that looks for something finds it that long after power on. ``failures`` goes by the
    same names. ``connects_after`` and ``stays``: when a pretended user connects after access was given, and for how
    long they stay (both in seconds; negative: never, and for ever). ``hardware``: what an inspection finds
    otherwise than usual, by computer, as ``vclab.model.nodes.NodeReport`` has it. ``world``: the folder that keeps the
    machines and disks; without one they are kept in memory.
    """

    enabled: bool = False
    world: Path | None = None
    hosts: dict[str, Size] = field(default_factory=lambda: {"fake1": Size(), "fake2": Size()})
    disk_gb: int = 100_000
    delays: dict[str, float | tuple[float, float]] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    connects_after: float = 0.0
    stays: float = -1.0
    hardware: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, given in self.delays.items():
            shortest, longest = given if isinstance(given, tuple) else (given, given)
            if not 0 <= shortest <= longest:
                raise ValueError(f"the delay {name} is not a number of seconds, or [from, to]")

    def seconds(self, name: str) -> float:
        """How long this takes, this time."""
        given = self.delays.get(name, self.delays.get("*", 0.0))
        return random.uniform(*given) if isinstance(given, tuple) else given


@dataclass(frozen=True)
class Machine:
    """A pretended virtual machine. What is made first is its disk; it is defined when ``host`` is set."""

    uuid: str
    name: str
    endpoint: str
    installation: str
    reservation: str
    computer: str
    generation: int
    image: str
    revision: int
    host: str = ""
    powered_on_at: float = 0.0  #: seconds since 1970; 0: off
    boots: int = 0
    prepared: bool = False  #: the guest's post-load tag
    tainted: str = ""
    accounts: tuple[str, ...] = ()
    let_in: tuple[str, ...] = ()  #: addresses
    access_since: float = 0.0  #: seconds since 1970
    clock: float = 0.0  #: seconds by which its clock is fast
    disk_errors: tuple[str, ...] = ()  #: what its kernel says
    made_from: str = ""  #: path of the disk that its own is a child of; empty: no disk of a capture

    @property
    def on(self) -> bool:
        """Whether it is powered on."""
        return self.powered_on_at > 0

    @property
    def holds(self) -> "Held":
        """What is on its disk now."""
        return Held(self.image, self.revision, self.prepared, self.tainted, self.accounts)


@dataclass(frozen=True)
class Held:
    """What is on a pretended disk."""

    image: str
    revision: int
    prepared: bool = False
    tainted: str = ""
    accounts: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Pretended: the same for disks that hold the same."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Disk:
    """A pretended disk that a capture has made: a raw, sealed or published copy."""

    path: str
    endpoint: str
    capture: str  #: its id
    holds: Held


_BEGAN = time.time() - time.monotonic()


def now() -> float:
    """Seconds since 1970 by the pretended world's own clock: it goes on evenly while its host's is put right."""
    return _BEGAN + time.monotonic()


class _Kept(Generic[T]):
    """All things of a kind, by their keys: in memory, or a file for each. The kind's ``read`` makes one of JSON."""

    def __init__(self, read: Callable[[dict[str, Any]], T], suffix: str, folder: Callable[[], Path | None]) -> None:
        self._read, self._suffix, self._folder = read, suffix, folder
        self._there: dict[str, T] = {}

    def find(self, key: str) -> T | None:
        """The thing with that key."""
        file = self._file(key)
        if file is None:
            return self._there.get(key)
        return self._of(file) if file.exists() else None

    def all(self) -> list[T]:
        """All of them."""
        folder = self._folder()
        if folder is None:
            return list(self._there.values())
        return [self._of(file) for file in folder.glob(f"*{self._suffix}")] if folder.is_dir() else []

    def put(self, key: str, thing: Any) -> None:
        """Have it there, in place of one with the same key."""
        file = self._file(key)
        if file is None:
            self._there[key] = thing
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            fresh = file.with_suffix(f".{os.getpid()}")
            fresh.write_text(json.dumps(asdict(thing)))
            fresh.replace(file)  # at once: whoever reads sees the old one or the new one

    def remove(self, key: str) -> None:
        """Delete it; harmless when it is gone."""
        file = self._file(key)
        if file is None:
            self._there.pop(key, None)
        else:
            file.unlink(missing_ok=True)

    def _file(self, key: str) -> Path | None:
        folder = self._folder()
        return None if folder is None else folder / f"{key}{self._suffix}"

    def _of(self, file: Path) -> T:
        return self._read(json.loads(file.read_text()))


class World:
    """The machines and disks that there are, and what happens to those who act. Safe to use from several threads."""

    def __init__(self, behaviour: Behaviour | None = None) -> None:
        self.behaviour = behaviour or Behaviour()  #: may be replaced at any time
        self._lock = threading.RLock()
        self._machines = _Kept(_machine, ".json", lambda: self.behaviour.world)
        self._disks = _Kept(_disk, ".disk", lambda: self.behaviour.world)
        self._attempts: dict[str, int] = {}

    def misfortune(self, name: str, target: Target) -> VclabError | None:
        """What goes wrong with this attempt of a step or act; None: nothing."""
        failure = self.behaviour.failures.get(name)
        if failure is None or not failure.concerns(target) or not self._strikes(name, failure):
            return None
        text = failure.text or f"{name} fails on {target.host}, as the settings of the fake module say"
        return Unreachable(text) if failure.kind == "unreachable" else StepFailed(text)

    def _strikes(self, name: str, failure: Failure) -> bool:
        with self._lock:
            self._attempts[name] = self._attempts.get(name, 0) + 1
            return self._attempts[name] <= failure.times or random.random() < failure.rate

    def find(self, uuid: str) -> Machine | None:
        """The machine of that instance UUID."""
        with self._lock:
            return self._machines.find(uuid)

    def all(self, endpoint: str) -> list[Machine]:
        """All machines of an endpoint, by name."""
        with self._lock:
            return sorted((m for m in self._machines.all() if m.endpoint == endpoint), key=lambda m: m.name)

    def put(self, machine: Machine) -> Machine:
        """Make a machine, or change it."""
        with self._lock:
            self._machines.put(machine.uuid, machine)
            return machine

    def change(self, uuid: str, **changes: object) -> Machine:
        """Change what there is. Raises ``Unreachable`` when there is no such machine."""
        with self._lock:
            machine = self.find(uuid)
            if machine is None:
                raise Unreachable("the machine is not there")
            return self.put(replace(machine, **changes))  # type: ignore[arg-type]

    def remove(self, uuid: str) -> None:
        """Delete a machine; harmless when it is gone."""
        with self._lock:
            self._machines.remove(uuid)

    def find_disk(self, endpoint: str, path: str) -> Disk | None:
        """The disk at that path."""
        with self._lock:
            return self._disks.find(_key(endpoint, path))

    def disks(self, endpoint: str) -> list[Disk]:
        """All disks of an endpoint that captures have made, by path."""
        with self._lock:
            return sorted((d for d in self._disks.all() if d.endpoint == endpoint), key=lambda d: d.path)

    def put_disk(self, disk: Disk) -> Disk:
        """Make a disk, or write it anew."""
        with self._lock:
            self._disks.put(_key(disk.endpoint, disk.path), disk)
            return disk

    def remove_disk(self, endpoint: str, path: str) -> None:
        """Delete a disk; harmless when it is gone."""
        with self._lock:
            self._disks.remove(_key(endpoint, path))


def _key(endpoint: str, path: str) -> str:
    """A name for a file."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{endpoint}/{path}").hex


def _machine(values: dict[str, Any]) -> Machine:
    lists = {name: tuple(values.get(name, ())) for name in ("accounts", "let_in", "disk_errors")}
    return Machine(**{**values, **lists})


def _disk(values: dict[str, Any]) -> Disk:
    held = {**values["holds"], "accounts": tuple(values["holds"]["accounts"])}
    return Disk(**{**values, "holds": Held(**held)})
