"""Wake-on-LAN, for computers without a BMC: a packet wakes them, SSH shuts them down. Nothing switches them off hard.

No child process: one packet is sent, and one connection tried within a time-out. The packet is sent by this process, so
by a worker of the computer's site: routers pass on no broadcasts.
"""

import contextlib
import socket
from collections.abc import Callable
from typing import ClassVar

from vclab.model.bmc_facts import BmcFacts
from vclab.model.errors import StepFailed, Unreachable
from vclab.power.address import Address
from vclab.power.base import Boot, Command, PowerState, Seen

ANSWER_SECONDS = 1.5
"""Within which a computer of the same building accepts a connection."""
_PACKETS = 3  #: UDP may lose one


class WakeOnLan:
    """A ``Driver``. ``shut_down`` logs in and shuts the system down; it blocks, and raises our errors."""

    commands: ClassVar[frozenset[Command]] = frozenset({Command.ON, Command.SOFT_OFF})
    boots: ClassVar[bool] = False
    has_facts: ClassVar[bool] = False
    sees_off: ClassVar[bool] = False

    def __init__(self, address: Address, shut_down: Callable[[], None]) -> None:
        self._address = address
        self._shut_down = shut_down

    def power(self) -> Seen:
        """On when its SSH port accepts a connection. Else nobody knows: it may be cut off from the network."""
        try:
            with socket.create_connection((self._address.host, self._address.port), ANSWER_SECONDS):
                return Seen(PowerState.ON)
        except socket.gaierror as error:
            raise Unreachable(f"has a host name that can't be resolved: {error.strerror}") from None
        except OSError:
            return Seen(PowerState.UNKNOWN, f"nothing answers at {self._address.place}: off, starting, or cut off")

    def send(self, command: Command) -> None:
        """The magic packet, or a shutdown by SSH."""
        if command is Command.SOFT_OFF:
            self._shut()
        elif command is Command.ON:
            self._wake()
        else:
            raise StepFailed(f"has no {command}")

    def boot(self) -> Boot:
        """Never called: ``boots`` is false."""
        raise StepFailed("can't be told what to boot from")

    def set_boot(self, boot: Boot) -> None:
        """Never called: ``boots`` is false."""
        raise StepFailed("can't be told what to boot from")

    def listen(self, seconds: float, take: bool) -> bytes:
        """Never called: it has no console."""
        raise StepFailed("has no serial console")

    def facts(self) -> BmcFacts:
        """Never called: ``has_facts`` is false."""
        raise StepFailed("has no BMC")

    def close(self) -> None:
        """Nothing is open."""

    def _shut(self) -> None:
        try:
            self._shut_down()
        except (Unreachable, StepFailed) as error:
            raise type(error)(f"can't be shut down: {error.message}", error.hint) from None

    def _wake(self) -> None:
        packet = b"\xff" * 6 + bytes.fromhex(self._address.mac.replace(":", "")) * 16
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            try:
                for _ in range(_PACKETS):
                    sender.sendto(packet, (self._address.broadcast, self._address.broadcast_port))
            except OSError as error:
                raise Unreachable(f"can't be sent its packet: {error.strerror}") from None
