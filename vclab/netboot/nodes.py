"""Who boots what: one directory a machine, by its MAC, which the TFTP server shows to that machine alone.

It is replaced as a whole, by one rename, and read back. So a machine sees the old state or the new one, never half of
each; and the private key of a load goes with the next state.

Who may read is decided by the root directory alone: the worker's, with the group of the TFTP server, and closed to all
others. What is below is readable, whatever the umask.
"""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vclab.model.errors import Failed, Invalid, NotFound
from vclab.netboot import dnsmasq, scripts, values
from vclab.netboot.environment import KERNEL, MANIFEST, Environment, forget_old
from vclab.netboot.values import Node, State

_ENVIRONMENTS, _BOOTS = "environments", "boots"
_STATE, _LOAD, _CURRENT = "state", "load", "current"


@dataclass(frozen=True)
class Load:
    """What a machine comes up with in the imaging environment."""

    environment: str  #: the name of one that is published
    name: str  #: of the load, for people
    initrd: bytes  #: of this load alone: ``vclab.netboot.load``


def prepare(root: Path) -> None:
    """Make the directories that dnsmasq looks at when it starts, below one that is there. Raises ``Failed``."""
    with _failures(f"prepare {root}"):
        for name in (dnsmasq.HOSTS, dnsmasq.TFTP):
            _make_folder(root / name)


def publish(root: Path, environment: Environment) -> str:
    """Put an environment where machines can be given it; its name, for ``Load``. Raises ``Failed``."""
    place = root / _ENVIRONMENTS / values.load(environment.name)
    if not (place / MANIFEST).is_file():
        with _failures("publish the imaging environment"), _beside(place) as fresh:
            shutil.copytree(environment.folder, fresh)
            for file in fresh.iterdir():
                _settle(file)
            fresh.chmod(0o755)
    with _failures("name the imaging environment"), _beside(root / _CURRENT) as fresh:
        fresh.write_text(f"{environment.name}\n")
        _settle(fresh)
    with _failures("remove old imaging environments"):
        used = {link.readlink().parent.name for link in root.glob(f"{_BOOTS}/*/{KERNEL}")}
        forget_old(place.parent, {place.name, *used})
    return environment.name


class Nodes:
    """The files of a provisioning network. All methods can be repeated, and raise ``Invalid`` or ``Failed``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def environment(self) -> str:
        """The name of the imaging environment that was published last."""
        try:
            return values.load((self._root / _CURRENT).read_text().strip())
        except FileNotFoundError:
            raise Failed(f"there is no imaging environment in {self._root}", "build it: vclab-netboot build") from None
        except (OSError, UnicodeDecodeError) as error:
            raise Failed(f"which imaging environment there is can't be read: {error}") from None

    def enlist(self, network: dnsmasq.Network, node: Node) -> None:
        """Have the machine known in its network: else DHCP says nothing to it. dnsmasq sees the file by itself.

        A new one is set to boot its disk: a machine without a directory of its own could ask for that of another. No
        other one has its address or its name any more: an earlier card of the same machine, or one that has another
        address by now and is enlisted before it is started next. dnsmasq is started anew then (``serving``).
        """
        line = dnsmasq.host(network, node)
        if not (self._root / dnsmasq.TFTP / values.hyphened(node.mac)).is_dir():
            self.set(node.mac, State.BOOT)
        hosts, name = self._root / dnsmasq.HOSTS, values.hyphened(node.mac)
        with _failures(f"tell DHCP of {node.name}"):
            before = _lines(hosts)
            wrong = [other for other, theirs in before.items() if other != name and _is_same(theirs, line)]
            for other in wrong:
                (hosts / other).unlink(missing_ok=True)
            if before.get(name) != line:
                self._write(hosts / name, line.encode())
            if wrong or before.get(name, line) != line:
                self._start_anew()

    def set(self, mac: str, state: State, load: Load | None = None) -> None:
        """From its next boot on the machine boots that. ``load``: for all states but ``boot``."""
        if (state is State.BOOT) != (load is None):
            raise Invalid("a machine needs a load in the imaging environment, and none to boot its disk")
        name = values.hyphened(mac)
        self._expect_closed()
        place = self._root / _BOOTS / f"{name}.{secrets.token_hex(8)}"
        with _failures(f"set what {mac} boots"):
            with _beside(place) as fresh:
                fresh.mkdir()
                self._fill(fresh, mac, state, load)
            self._point(name, place)
            self._forget_old(name, place)
        if self.state(mac) is not state:
            raise Failed(f"what {mac} boots could not be set to {state.value}: it reads {self.state(mac)}")

    def state(self, mac: str) -> State:
        """What the machine boots, as it lies there now. Raises ``NotFound`` for one that was never set."""
        place = self._root / dnsmasq.TFTP / values.hyphened(mac)
        try:
            said = (place / _STATE).read_text()
        except FileNotFoundError:
            raise NotFound(f"nothing says what {mac} boots") from None
        except (OSError, UnicodeDecodeError) as error:
            raise Failed(f"what {mac} boots can't be read: {error}") from None
        found = values.state(said.strip())
        served = (place / scripts.IPXE).exists()
        if served != (found is not State.BOOT):
            raise Failed(f"what {mac} boots is broken: its directory says {found.value}", "set it anew")
        return found

    def load(self, mac: str) -> str:
        """The name of the load that the machine boots the imaging environment for; empty: it boots none."""
        place = self._root / dnsmasq.TFTP / values.hyphened(mac) / _LOAD
        try:
            return values.load(place.read_text().strip())
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise Failed(f"for which load {mac} boots can't be read: {error}") from None

    def known(self) -> list[str]:
        """The MACs of all machines that were set to something."""
        with _failures(f"list the machines in {self._root}"):
            names = [place.name for place in (self._root / dnsmasq.TFTP).iterdir() if not place.name.startswith(".")]
        return sorted(name.replace("-", ":") for name in names)

    def forget(self, mac: str) -> None:
        """Leave nothing of the machine. dnsmasq is started anew (``serving``), and answers it no more."""
        name = values.hyphened(mac)
        with _failures(f"forget {mac}"):
            if (self._root / dnsmasq.HOSTS / name).exists():
                (self._root / dnsmasq.HOSTS / name).unlink(missing_ok=True)
                self._start_anew()
            (self._root / dnsmasq.TFTP / name).unlink(missing_ok=True)
            self._forget_old(name, None)

    def _expect_closed(self) -> None:
        with _failures("look at the directory of the provisioning network"):
            open_to_all = self._root.stat().st_mode & 0o007
        if open_to_all:
            raise Failed(
                f"everybody on this machine could read the keys of loads in {self._root}",
                f"chmod 750 {self._root}, and give it the group of the TFTP server",
            )

    def _fill(self, folder: Path, mac: str, state: State, load: Load | None) -> None:
        texts = {_STATE: f"{state.value}\n".encode()}
        if load is not None:
            self._link_environment(folder, load.environment)
            texts[scripts.IPXE] = scripts.ipxe(mac, state, load.name).encode()
            texts[scripts.GRUB] = scripts.grub(mac, state, load.name).encode()
            texts[scripts.LOAD] = load.initrd
            texts[_LOAD] = f"{load.name}\n".encode()
        for name, data in texts.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
            _settle(folder / name)
            if (folder / name).read_bytes() != data:
                raise Failed(f"{folder / name} reads otherwise than it was written")
        for below in (folder, folder / "grub"):
            if below.is_dir():
                below.chmod(0o755)

    def _link_environment(self, folder: Path, name: str) -> None:
        source = self._root / _ENVIRONMENTS / values.load(name)
        if not (source / MANIFEST).is_file():
            raise Invalid(f"there is no imaging environment {name}", "publish it first: vclab-netboot build")
        for file in source.iterdir():
            if file.name != MANIFEST:
                (folder / file.name).symlink_to(Path("../..") / _ENVIRONMENTS / name / file.name)

    def _start_anew(self) -> None:
        """Have dnsmasq started anew (``serving``): it knows what is not so any more."""
        self._write(self._root / dnsmasq.STALE, secrets.token_hex(8).encode())

    def _write(self, place: Path, data: bytes) -> None:
        with _beside(place) as fresh:
            fresh.write_bytes(data)
            _settle(fresh)
        if place.read_bytes() != data:
            raise Failed(f"{place} reads otherwise than it was written")

    def _point(self, name: str, place: Path) -> None:
        with _beside(self._root / dnsmasq.TFTP / name) as fresh:
            fresh.symlink_to(Path("..") / _BOOTS / place.name)

    def _forget_old(self, name: str, kept: Path | None) -> None:
        for old in (self._root / _BOOTS).glob(f"*{name}.*"):
            if old != kept:
                shutil.rmtree(old)


def _lines(hosts: Path) -> dict[str, str]:
    """What the file of each machine says."""
    found = {}
    for file in hosts.glob("[!.]*"):
        with contextlib.suppress(FileNotFoundError):
            found[file.name] = file.read_text()
    return found


def _is_same(one: str, other: str) -> bool:
    """Whether the lines have the same address, or the same name. In proxy mode they have neither."""
    return any(a == b for a, b in zip(*(line.strip().split(",")[1:3] for line in (one, other)), strict=False))


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)


@contextlib.contextmanager
def _beside(place: Path) -> Iterator[Path]:
    """A path that has the place's name at the end, or is gone."""
    fresh = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
    _make_folder(place.parent)
    try:
        yield fresh
        fresh.replace(place)
        _sync(place.parent)
    finally:
        if fresh.is_dir() and not fresh.is_symlink():
            shutil.rmtree(fresh, ignore_errors=True)
        else:
            fresh.unlink(missing_ok=True)


def _settle(file: Path) -> None:
    """It is readable whatever the umask, and on the disk."""
    file.chmod(0o644)
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _failures(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Failed(f"could not {what}: {error}") from None
