"""What a BMC lets anybody see of it by IPMI, without a login: three packets, each with a time-out."""

import contextlib
import socket
import struct

from vclab.model.errors import Unreachable
from vclab.power.address import Address
from vclab.power.findings import Probed

ANSWER_SECONDS = 2.0
TRIES = 2

_RMCP = bytes((0x06, 0x00, 0xFF, 0x07))
_CAPABILITIES = bytes((0x38, 0x8E, 0x04))
"""Get Channel Authentication Capabilities: of this channel, with IPMI 2.0's data, as administrator (22.13)."""
_OPEN_SESSION, _SESSION_OPENED = 0x10, 0x11  #: payload types (13.27.3)


def probe(address: Address) -> Probed:
    """Ask. Raises ``Unreachable`` when it does not answer at all; what it does not tell is None."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)[0]
    except socket.gaierror as error:
        raise Unreachable(f"{address.host} can't be resolved: {error.strerror}") from None
    with contextlib.closing(socket.socket(family, kind, protocol)) as line:
        line.settimeout(ANSWER_SECONDS)
        line.connect(where)
        said = _exchange(line, _capabilities())
        if said is None:
            raise Unreachable(f"the BMC at {address.place} does not answer to IPMI")
        return Probed(*_accounts(said), cipher_zero=_session_opened(_exchange(line, _open_session(0))))


def addresses(address: Address) -> list[str]:
    """Those of its host; none when they can't be found now."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)
    except socket.gaierror:
        return []
    return sorted({str(each[4][0]) for each in found})


def _exchange(line: socket.socket, packet: bytes) -> bytes | None:
    for _ in range(TRIES):
        with contextlib.suppress(OSError):
            line.send(packet)
            return line.recv(1024)
    return None


def _capabilities() -> bytes:
    """IPMI 1.5 without a session (13.6, 13.8): checksums over each half."""
    head = bytes((0x20, 0x18))
    body = bytes((0x81, 0x00)) + _CAPABILITIES
    message = head + _checksum(head) + body + _checksum(body)
    return _RMCP + bytes(9) + bytes((len(message),)) + message


def _checksum(part: bytes) -> bytes:
    return bytes((-sum(part) & 0xFF,))


def _accounts(answer: bytes) -> tuple[bool | None, bool | None]:
    """Whether there is an anonymous login, and whether a user without a name has a password (22.13, byte 4).

    The message begins after RMCP (4) and session (10) headers, and its data after 6 more bytes.
    """
    data = answer[20:-1]
    if len(data) < 4 or data[0] != 0:
        return None, None
    return bool(data[3] & 1), bool(data[3] & 2)


def _open_session(suite: int) -> bytes:
    """RMCP+ Open Session Request (13.17): no authentication, no integrity, no confidentiality is cipher suite 0."""
    algorithms = b"".join(bytes((kind, 0, 0, 8, suite, 0, 0, 0)) for kind in range(3))
    payload = struct.pack("<BBHI", 0, 0, 0, 0x766C6162) + algorithms
    return _RMCP + bytes((0x06, _OPEN_SESSION)) + bytes(8) + struct.pack("<H", len(payload)) + payload


def _session_opened(answer: bytes | None) -> bool | None:
    """Whether it agrees (13.18, status 0). Who answers something else, or nothing, does not tell."""
    if answer is None or len(answer) < 18 or answer[5] & 0x3F != _SESSION_OPENED:
        return None
    return answer[17] == 0
