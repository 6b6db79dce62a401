"""The user's own OpenSSH, with the computer's host key pinned."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from vclab.cli.errors import Usage
from vclab.client.contexts import ENTER_NAMESPACE
from vclab.client.private_files import make_folder, write_whole
from vclab.client.way import Way
from vclab.contract.views import Reservation
from vclab.model.addresses import checked_address
from vclab.model.errors import Failed, Refused
from vclab.model.typed import quoted

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", re.ASCII)


def known_hosts_line(view: Reservation, name: str = "") -> str:
    """The computer's public address, and the ``name`` that ssh has for it, with the host key pinned at load."""
    names = f"{name.lower()},{view.address}" if name else view.address
    return f"{names} {view.host_key}\n"


def known_hosts_folder() -> Path:
    """Where pinned keys are left for OpenSSH, in the user's cache: of one name the same place for each call."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(cache) if cache.startswith("/") else Path.home() / ".cache"
    return base / "vclab" / "known_hosts"


def _known_hosts_file(name: str) -> Path:
    """That of a reservation, or of a name that ssh has for it. Raises ``Failed`` for what can be neither."""
    if not _NAME.fullmatch(name):
        raise Failed(f"{quoted(name)} can't be a reservation", "what the server says is not to be trusted")
    return known_hosts_folder() / name


def write_known_hosts(view: Reservation, name: str = "") -> Path:
    """Write the known_hosts file of the reservation, or of the ``name`` that ssh has for it; whole or not at all.

    Raises ``Failed``, ``Refused``.
    """
    file = _known_hosts_file(name or view.id)
    make_folder(file.parent)
    write_whole(file, known_hosts_line(view, name).encode())
    return file


def forget_known_hosts(reservation: str) -> None:
    """Remove the known_hosts files of a reservation that are there. Raises ``Failed``."""
    for name in (reservation, f"vclab-{reservation}"):
        _known_hosts_file(name).unlink(missing_ok=True)


def ssh_command(view: Reservation, way: Way, known_hosts: Path, command: Sequence[str]) -> list[str]:
    """The OpenSSH command line. No key but the pinned one is accepted, and none is learned."""
    options = [
        f"UserKnownHostsFile={_option_path(known_hosts)}",
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
        "CheckHostIP=no",
        "ConnectTimeout=15",
        *(("IdentitiesOnly=yes",) if way.identity_file else ()),
    ]
    words = [*way.via, "ssh"]
    for option in options:
        words += ["-o", option]
    if way.identity_file:
        words += ["-i", way.identity_file]
    # What the computer or its endpoint says of its address is no option of ssh's, whatever it is.
    words += ["-l", view.user, "--", view.address or ""]
    # The far side is a shell: one argument is a line for it, several are passed exactly as they are.
    return [*words, command[0] if len(command) == 1 else shlex.join(command)] if command else words


def _option_path(path: Path) -> str:
    """A path inside an ssh option: quoted, for spaces separate files there; % starts a token."""
    return f'"{path}"'.replace("%", "%%") if " " in str(path) else str(path).replace("%", "%%")


def run_ssh(view: Reservation, way: Way, command: Sequence[str]) -> int:
    """Run OpenSSH on this terminal and return its exit code (128 + signal if it was killed).

    Raises ``Refused`` when the program is not there, or only root may run it.
    """
    if os.geteuid() and way.via[:3] == ENTER_NAMESPACE:
        raise Refused(
            f"{view.user} sits in a network namespace of the embedded lab, which only root may enter",
            f"run `sudo vclab connect {view.id}`",
        )
    with tempfile.TemporaryDirectory(prefix="vclab-connect-") as directory:
        known_hosts = Path(directory) / "known_hosts"
        known_hosts.write_text(known_hosts_line(view), encoding="utf-8")
        words = ssh_command(view, way, known_hosts, command)
        missing = next((program for program in ("ssh", words[0]) if shutil.which(program) is None), None)
        if missing:
            raise Refused(
                f"the program {missing} is not installed here; install it (Debian: apt install openssh-client)"
            )
        return _run(words)


def _run(words: list[str]) -> int:
    """Run a child that owns the terminal: Ctrl-C is the child's business, being asked to end is passed on to it."""
    child = subprocess.Popen(words)

    def pass_on(number: int, frame: FrameType | None) -> None:
        child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def caller_address(given: str, way: Way, public_address: str) -> str:
    """The address or prefix that the computer is to let in, in its shortest form.

    ``--from``, else the person's setting, else the client of the SSH session that this runs in, else the address from
    which this machine would reach the computer. Raises ``Usage`` for what is not an address.
    """
    if given:
        return checked_address(given)
    address = way.address or _session_address(public_address) or _own_address(public_address)
    if not address:
        raise Usage("can't tell which address you come from", "use --from ADDRESS")
    return checked_address(address)


def _session_address(towards: str) -> str:
    """The client of the SSH session that this runs in; empty when it can't be the way to ``towards``."""
    try:
        address = checked_address(os.environ.get("SSH_CONNECTION", "").split(" ")[0])
    except (Usage, Refused):
        return ""
    return address if (":" in address) == (":" in towards) else ""


def _own_address(towards: str) -> str:
    """The address with which this machine would speak to ``towards``; nothing is sent. Empty when there is none."""
    family = socket.AF_INET6 if ":" in towards else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((towards, 22))
            return str(probe.getsockname()[0])
    except OSError:
        return ""
