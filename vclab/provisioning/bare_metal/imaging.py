"""The imaging environment on a node: how it is reached, and who it must be."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vclab.imaging.sender import Node
from vclab.model import reported
from vclab.model.errors import NotYet, StepFailed
from vclab.model.plans import StepInput, Target
from vclab.provisioning.bare_metal.nodes import Node as MetalNode

CONNECT_SECONDS = 5
_ALIVE_SECONDS, _ALIVE_TIMES = 3, 3
"""A node that is gone, as by a power cut, is noticed after so many silences of that length."""
_ANSWER_SECONDS = 30.0
_LOOK = 2.0  #: seconds until somebody who does not answer is looked for again
_CMDLINE, _NAME = "/proc/cmdline", "/etc/vclab/load/name"
_OTHER_KEY = ("Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED")
_SAID = 300
_LONGEST_NAME = 100


class OtherSystem(NotYet):
    """What answers at the node's address is not the imaging environment of this load."""


@dataclass(frozen=True)
class Expected:
    """The imaging environment of one load. ``key``: the line of its public host key, made for that load."""

    computer: str
    address: str
    mac: str
    key: str
    load: str


def load_name(target: Target) -> str:
    """What the load is called on the node's console."""
    return target.machine_name[-_LONGEST_NAME:].lstrip("._-")


def expected(node: MetalNode, given: StepInput) -> Expected:
    """The imaging environment of a step's load."""
    name = load_name(given.target)
    return Expected(node.computer.name, node.address, node.mac, given.facts.imaging_key, name)


@contextmanager
def reached(expected: Expected, ssh_key: Path, disk: str = "") -> Iterator[Node]:
    """As somebody who runs programs there. Only whoever has the load's host key is talked to."""
    if not expected.key:
        raise StepFailed(f"nothing says how the imaging environment on {expected.computer} is known", "load it again")
    with tempfile.NamedTemporaryFile("w", prefix="vclab-known-hosts-") as known:
        known.write(f"{expected.address} {expected.key}\n")
        known.flush()
        try:
            yield Node(disk, _words(expected.address, ssh_key, Path(known.name)))
        except FileNotFoundError as error:
            raise StepFailed(f"{error.filename} is missing on the management node") from None


def look(expected: Expected, ssh_key: Path) -> None:
    """See that it has come up, on the node and for this load. Raises ``NotYet``, and ``StepFailed`` when another node
    has called in."""
    with reached(expected, ssh_key) as node:
        try:
            said = subprocess.run(
                node.command("cat", _CMDLINE, _NAME),
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=_ANSWER_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise NotYet(f"the imaging environment on {expected.computer} answers, but very slowly", _LOOK) from None
    if said.returncode:
        raise _why_not(expected, said.stderr.decode(errors="replace"))
    _must_be(expected, said.stdout.decode(errors="replace")[:4096].splitlines())


def _must_be(expected: Expected, lines: list[str]) -> None:
    words = lines[0].split() if lines else []
    card = next((word.removeprefix("BOOTIF=01-").replace("-", ":") for word in words if word.startswith("BOOTIF=")), "")
    if card.lower() != expected.mac:
        shown = reported.line(card) or "a card that it does not name"
        raise StepFailed(
            f"another node has called in at {expected.address}: it has booted from {shown}, not from {expected.mac}"
        )
    if lines[-1].strip() != expected.load:
        raise NotYet(f"{expected.computer} is still in the imaging environment of another load", _LOOK)


def _why_not(expected: Expected, said: str) -> NotYet:
    if any(text in said for text in _OTHER_KEY):
        return OtherSystem(
            f"another system than the imaging environment of this load answers at {expected.address}: has "
            f"{expected.computer} booted from its disk, or has somebody else its address?",
            _LOOK,
        )
    last = (said.strip().splitlines() or ["no answer"])[-1]
    text = f"the imaging environment on {expected.computer} does not answer: {reported.line(last)[:_SAID]}"
    return NotYet(text, _LOOK)


def _words(address: str, key: Path, known: Path) -> tuple[str, ...]:
    """OpenSSH with nothing of this account's own settings."""
    options = (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "HostKeyAlgorithms=ssh-ed25519",
        f"UserKnownHostsFile={known}",
        "GlobalKnownHostsFile=/dev/null",
        "IdentitiesOnly=yes",
        f"ConnectTimeout={CONNECT_SECONDS}",
        f"ServerAliveInterval={_ALIVE_SECONDS}",
        f"ServerAliveCountMax={_ALIVE_TIMES}",
        "LogLevel=ERROR",
    )
    given = tuple(word for option in options for word in ("-o", option))
    return ("ssh", "-F", "/dev/null", "-i", str(key), *given, f"root@{address}")
