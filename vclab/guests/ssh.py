"""SSH to a computer as root with the management key: pinned host keys, bounded waits, nothing secret in arguments.

What is run is always a POSIX shell script with quoted arguments. Everything else (passwords, keys, rule sets) goes
through standard input, which neither ``ps`` nor a log shows.
"""

import asyncio
import contextlib
import ipaddress
import math
import shlex
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from vclab.model.errors import StepFailed, Unreachable

PORT = 22
HOST_KEY_ALGORITHMS = ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"]
"""Which key is pinned when a machine has several: the first of these."""

ANSWER_LIMIT = 1 << 20
"""Bytes. A user with root access decides what a computer answers; it must not fill the worker's memory."""

# Exit statuses that say nothing about the computer: none (a broken connection, a signal), the prelude's "cut off" and
# "locked", and those of timeout(1). Any other is the script's own failure; ``refuse`` gives 3.
_NO_ANSWER = (None, 4, 124, 137)

_PRELUDE = """set -eu
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
refuse() { printf '%s\\n' "$*" >&2; exit 3; }
nl='
'
# Whole input or none: a connection that breaks must not leave half a password or half a rule set.
input=$(cat)
case "$nl$input" in *"$nl.") ;; *) echo 'the input was cut off' >&2; exit 4 ;; esac
input=${input%.}
input=${input%"$nl"}
"""

_LOCK = """exec 9>/run/vclab.lock
flock -w 15 9 || { echo 'an earlier action of ours still runs there' >&2; exit 4; }
"""


@dataclass(frozen=True)
class Patience:
    """How long is waited, in seconds."""

    connect: float = 15.0  #: until TCP answers: whether the machine is there at all
    login: float = (
        60.0  #: key exchange and login: sshd may be slow, or ask a name server that is gone (VCL: 30, 3 times)
    )
    command: float = 60.0  #: one script (VCL run_script: 60)
    keepalive: float = 5.0  #: three unanswered ones end a connection


def one_line(key: asyncssh.SSHKey) -> str:
    """A public key as OpenSSH writes it, without a comment."""
    return " ".join(key.export_public_key("openssh").decode().split()[:2])


def fingerprint(public_key: str) -> str:
    """The SHA-256 fingerprint as ``ssh-keygen -l`` prints it; of something that is no key: "no key"."""
    try:
        return asyncssh.import_public_key(public_key).get_fingerprint()
    except asyncssh.KeyImportError:
        return "no key"


def public_line(key: Path) -> str:
    """The public half of the management key as authorized_keys has it. Raises ``StepFailed`` if it can't be read."""
    return one_line(_private_key(key))


def _private_key(key: Path) -> asyncssh.SSHKey:
    try:
        return asyncssh.read_private_key(key)
    except (OSError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise StepFailed(f"the management key {key} can't be read: {error}") from None


class WrongKey(StepFailed):
    """Another machine answers, by its host key ``found``."""

    found = ""


def _wrong_key(address: str, found: str, pinned: str) -> WrongKey:
    """The refusal of a machine whose host key is not the pinned one."""
    error = WrongKey(
        f"the machine at {address} shows host key {fingerprint(found)}, but {fingerprint(pinned)} was pinned when the "
        "computer was loaded: it is another machine or was made anew, so nothing was done to it"
    )
    error.found = found
    return error


def plain_address(address: str) -> str:
    """The address if it is one, IPv4 or IPv6, and not a name. Raises ``StepFailed``."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        raise StepFailed(f"{address!r} is not an address" if address else "the private address is not known") from None


async def host_key(address: str, patience: Patience) -> str:
    """The host key line that the machine shows now. Raises ``Unreachable``."""
    with _errors(address, "shows no host key"):
        async with _line(address, patience) as line:
            key = await asyncssh.get_server_host_key(
                address, PORT, sock=line, server_host_key_algs=HOST_KEY_ALGORITHMS, config=None
            )
    if key is None:
        raise Unreachable(f"the machine at {address} shows no host key")
    return one_line(key)


@contextlib.asynccontextmanager
async def _line(address: str, patience: Patience) -> AsyncIterator[socket.socket]:
    """A TCP connection, and the time for a login over it. A machine that is not there is known soon; a slow one is
    waited for."""
    line = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    line.setblocking(False)
    try:
        async with asyncio.timeout(patience.connect):
            await asyncio.get_running_loop().sock_connect(line, (address, PORT))
        async with asyncio.timeout(patience.login):
            yield line
    except BaseException:
        line.close()
        raise


class Shell:
    """An open connection, on which scripts are run as root."""

    def __init__(
        self,
        connection: asyncssh.SSHClientConnection,
        address: str,
        patience: Patience,
        fence: Callable[[], None] | None = None,
    ) -> None:
        """``fence`` blocks; it is asked before each script that changes something, and raises to keep it from that."""
        self._connection = connection
        self._patience = patience
        self._fence = fence
        self.address = address

    def fenced(self, fence: Callable[[], None] | None) -> "Shell":
        """The same connection, for somebody who may lose the computer to another while working on it."""
        return Shell(self._connection, self.address, self._patience, fence)

    async def look(self, what: str, script: str, *arguments: str) -> str:
        """Run a script that changes nothing; its standard output. Raises ``Unreachable`` or ``StepFailed``."""
        return await self._run(what, _PRELUDE + script, arguments, "", "")

    async def act(self, what: str, script: str, *arguments: str, text: str = "", secret: str = "") -> str:
        """Run a script that changes something; no two at once on a computer. Its standard output.

        The script finds ``text`` in ``$input``; a ``secret`` is the first line of it, and is cut out of any error.
        Raises ``StepFailed`` when the script fails, ``Unreachable`` when it was not heard of again or was locked out,
        and what the fence raises.
        """
        if self._fence:
            await asyncio.to_thread(self._fence)
        first = [secret] if secret else []
        return await self._run(what, _PRELUDE + _LOCK + script, arguments, "\n".join([*first, text]), secret)

    async def _run(self, what: str, script: str, arguments: Iterable[str], text: str, secret: str) -> str:
        # Bounded there too: a script that hangs would keep its lock after we gave it up.
        bounded = ["timeout", "-k", "5", str(math.ceil(self._patience.command))]
        command = shlex.join([*bounded, "sh", "-c", script, "vclab", *arguments])
        with _errors(self.address, f"could not be asked to {what}"):
            async with asyncio.timeout(self._patience.command):
                status, answer, complaint = await self._exchange(command, text)
        if status == 0:
            return answer
        complaint = complaint.replace(secret, "***") if secret else complaint
        reason = f"{what} at {self.address}: {_last_lines(complaint) or f'exit status {status}'}"
        raise Unreachable(reason) if status in _NO_ANSWER else StepFailed(reason)

    async def _exchange(self, command: str, text: str) -> tuple[int | None, str, str]:
        # Not ``async with``: leaving that waits for the script to end, even when it has been given up.
        process = await self._connection.create_process(command, errors="replace")
        with contextlib.suppress(BrokenPipeError):  # it has ended without reading: what it said counts
            process.stdin.write(f"{text}\n.\n")
            process.stdin.write_eof()
        answer, complaint = await asyncio.gather(_bounded(process.stdout), _bounded(process.stderr))
        await process.wait_closed()
        return process.exit_status, answer, complaint


async def _bounded(reader: asyncssh.SSHReader[str]) -> str:
    try:
        await reader.readexactly(ANSWER_LIMIT)
    except asyncio.IncompleteReadError as error:
        rest: str = error.partial  # type: ignore[assignment]  # asyncssh puts text here for a text stream
        return rest
    raise Unreachable(f"the computer answers with more than {ANSWER_LIMIT} characters")


def _last_lines(text: str) -> str:
    """The end of a complaint on one line, short and printable: it goes into records that people read."""
    lines = [" ".join("".join(c if c.isprintable() else " " for c in line).split()) for line in text.splitlines()]
    return "; ".join([line for line in lines if line][-3:])[-400:]


@contextlib.contextmanager
def _errors(address: str, what: str) -> Iterator[None]:
    """Library and system errors as ``Unreachable``, naming the machine."""
    try:
        yield
    except TimeoutError:
        raise Unreachable(f"the machine at {address} {what}: no answer in time") from None
    except asyncssh.PermissionDenied:
        raise Unreachable(f"the machine at {address} {what}: it does not accept the management key for root") from None
    except (OSError, asyncssh.Error) as error:
        raise Unreachable(f"the machine at {address} {what}: {str(error) or type(error).__name__}") from None


@contextlib.asynccontextmanager
async def connect(address: str, pinned: str, key: Path, patience: Patience) -> AsyncIterator[Shell]:
    """Log in as root. ``pinned`` is the only host key that is accepted.

    Raises ``StepFailed`` for another host key, a management key that can't be read, or no pinned key at all;
    ``Unreachable`` for all else, a refused login included: a user with root access may have locked us out.
    """
    address = plain_address(address)
    connection = await _login(address, pinned, key, patience)
    try:
        yield Shell(connection, address, patience)
    finally:
        connection.close()
        try:
            async with asyncio.timeout(1):
                await connection.wait_closed()
        except TimeoutError:
            connection.abort()


async def _login(address: str, pinned: str, key: Path, patience: Patience) -> asyncssh.SSHClientConnection:
    try:
        trusted = asyncssh.import_public_key(pinned)
    except asyncssh.KeyImportError:
        raise StepFailed(f"no host key is pinned for the machine at {address}; only a load can pin one") from None
    ours = _private_key(key)
    notary = _Notary()
    try:
        with _errors(address, "accepts no SSH login"):
            return await _connect(address, trusted, ours, patience, notary)
    except Unreachable:
        if notary.refused:
            raise _wrong_key(address, notary.refused, pinned) from None
        raise


class _Notary(asyncssh.SSHClient):
    """Is asked about each host key that is not the pinned one, and says no."""

    refused = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.refused = one_line(key)
        return False


async def try_login(
    address: str, pinned: str, login: str, key: asyncssh.SSHKey, patience: Patience, command: str
) -> str:
    """What a command prints that a user runs who logs in with a key of their own.

    Raises ``StepFailed`` with what was seen when the login is refused, the command fails or does not end in time;
    ``Unreachable`` when nothing answers.
    """
    trusted = asyncssh.import_public_key(pinned)
    try:
        connection = await _connect(plain_address(address), trusted, key, patience, _Notary(), login)
    except asyncssh.Error as error:
        raise StepFailed(f"sshd refuses {login}, who has the right key: {error.reason}") from None
    except OSError as error:
        raise Unreachable(f"the machine at {address} accepts no SSH login: {error or 'no answer in time'}") from None
    try:
        async with asyncio.timeout(patience.command):
            status, answer, complaint = await Shell(connection, address, patience)._exchange(command, "")
    except (asyncssh.Error, OSError) as error:
        raise StepFailed(f"{login} is let in, but a command of theirs does not end: {error or 'no answer'}") from None
    finally:
        connection.abort()
    if status != 0:
        said = _last_lines(f"{answer}\n{complaint}") or "nothing is said"
        raise StepFailed(f"{login} is let in, but a command of theirs ends with exit status {status}: {said}")
    return answer


async def _connect(
    address: str,
    trusted: asyncssh.SSHKey,
    ours: asyncssh.SSHKey,
    patience: Patience,
    notary: _Notary,
    login: str = "root",
) -> asyncssh.SSHClientConnection:
    """One attempt, without the agent, configuration or known_hosts file of whoever runs the worker."""
    kind = trusted.get_algorithm().removeprefix("ssh-")
    async with _line(address, patience) as line:
        return await asyncssh.connect(
            address,
            PORT,
            sock=line,
            username=login,
            client_keys=[ours],
            client_factory=lambda: notary,
            known_hosts=([trusted], [], []),
            # The pinned kind first: a machine with several keys shows that one. A machine without it shows another,
            # which is then refused by name.
            server_host_key_algs=sorted(HOST_KEY_ALGORITHMS, key=lambda name: kind not in name),
            preferred_auth=["publickey"],
            config=None,
            agent_path=None,
            gss_host=None,
            connect_timeout=patience.login,
            login_timeout=patience.login,
            keepalive_interval=patience.keepalive,
            keepalive_count_max=3,
        )
