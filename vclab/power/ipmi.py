"""IPMI 2.0 over LAN, by pyghmi. Only in a child process (``child.py``): pyghmi hangs when a BMC dies in a session.

Power is told by the specification's own bytes (IPMI 2.0, 28.2 and 28.3) instead of ``set_power``, which first asks
which vendor the BMC is of, and may then go ways of its own.
"""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any, ClassVar

from vclab.model.bmc_facts import MOST, BmcFacts
from vclab.model.errors import StepFailed, Unreachable
from vclab.power.address import Address
from vclab.power.base import Boot, BootDevice, Command, LoginRefused, PowerState, Seen

_CHASSIS, _APPLICATION = 0, 6  #: network functions
_DEVICE_ID, _USER_ACCESS, _USER_NAME = 0x01, 0x44, 0x46
_THIS_CHANNEL = 0x0E
_DISABLED, _MESSAGES = 2, 0x10  #: of a user's access: the status, and that it may log in (22.27)
_PRIVILEGES = {1: "callback", 2: "user", 3: "operator", 4: "administrator", 5: "OEM"}
_SHORTEST = 4  #: bytes of an answer that are looked at
_STATUS, _CONTROL = 1, 2
_BYTES = {Command.OFF: 0, Command.ON: 1, Command.RESET: 3, Command.SOFT_OFF: 5}
_DEVICES = {
    BootDevice.DEFAULT: "default",
    BootDevice.DISK: "hd",
    BootDevice.NETWORK: "network",
    BootDevice.CD: "optical",
    BootDevice.SETUP: "setup",
}
_TROUBLES = {2: "overload", 4: "interlock", 8: "power fault", 16: "power control fault"}
_NO_ANSWER = 0xFFFF  #: pyghmi's own code for a time-out or a lost session
_BUSY = (0xC0, 0xC3, 0xC4, 0xD1, 0xD2)  #: completion codes that pass: busy, time-out, out of space, initialising


class Ipmi:
    """A ``Driver``. It keeps one session, for pyghmi logs in to a BMC only once in a process."""

    commands: ClassVar[frozenset[Command]] = frozenset(Command)
    boots: ClassVar[bool] = True
    has_facts: ClassVar[bool] = True
    sees_off: ClassVar[bool] = True

    def __init__(self, address: Address, password: str, fingerprint: str = "") -> None:
        """Log in. ``fingerprint`` means nothing to IPMI."""
        from pyghmi.exceptions import IpmiException
        from pyghmi.ipmi.command import Command as Session

        self._error, self._port = IpmiException, address.port
        self._console: Any = None
        try:
            socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)
            self._session: Any = Session(
                bmc=address.host, userid=address.user, password=password, port=address.port, keepalive=False
            )
        except socket.gaierror as error:
            raise Unreachable(f"has a host name that can't be resolved: {error.strerror}") from None
        except IpmiException as error:
            raise _login_error(str(error), address.user) from None

    def power(self) -> Seen:
        """Bit 0 of the chassis status; other bits say why it may stay so (28.2)."""
        answer = self._ask(_STATUS)
        troubles = [text for bit, text in _TROUBLES.items() if answer[0] & bit]
        return Seen(PowerState.ON if answer[0] & 1 else PowerState.OFF, ", ".join(troubles))

    def send(self, command: Command) -> None:
        """Chassis Control."""
        self._ask(_CONTROL, _BYTES[command])

    def boot(self) -> Boot:
        """The boot flags."""
        with self._said():
            found = self._session.get_bootdev()
        named = {name: device for device, name in _DEVICES.items()}
        device = named.get(str(found["bootdev"]))
        if device is None:
            raise StepFailed(f"boots from a device that is not known here: {found['bootdev']}")
        return Boot(device, once=device is not BootDevice.DEFAULT and not found.get("persistent"))

    def set_boot(self, boot: Boot) -> None:
        """The boot flags, for UEFI: firmware that is set to BIOS ignores that bit."""
        with self._said():
            self._session.set_bootdev(_DEVICES[boot.device], persist=not boot.once, uefiboot=True)

    def listen(self, seconds: float, take: bool) -> bytes:
        """Serial over LAN, beside other commands of this session."""
        from vclab.power.sol import Sol

        with self._said():
            if self._console is None:
                self._console = Sol(self._session.ipmi_session, self._port, take)
            return bytes(self._console.received(seconds))

    def facts(self) -> BmcFacts:
        """Users who may log in by this channel (22.22 to 22.29), a boot device that is set for ever, and the version
        of the BMC's firmware (20.1). IPMI tells nothing of the settings of the computer's firmware, and some BMCs
        tell an operator nothing of accounts."""
        version = self._ask_application(_DEVICE_ID)
        boot = self.boot()
        always = () if boot.once or boot.device is BootDevice.DEFAULT else (str(boot.device),)
        try:
            accounts: tuple[str, ...] | None = tuple(self._accounts())
        except StepFailed:
            accounts = None
        return BmcFacts(accounts, always, "", f"{version[2] & 0x7F}.{version[3]:02x}")

    def _accounts(self) -> Iterator[str]:
        most = 1
        number = 0
        while (number := number + 1) <= most:
            access = self._ask_application(_USER_ACCESS, _THIS_CHANNEL, number)
            most = min(access[0] & 0x3F, MOST)
            privilege, status = access[3] & 0x0F, access[1] >> 6
            if status == _DISABLED or privilege not in _PRIVILEGES or not (status or access[3] & _MESSAGES):
                continue
            yield f"{number} {self._user_name(number) or '(without a name)'}: {_PRIVILEGES[privilege]}"

    def _user_name(self, number: int) -> str:
        try:
            return self._ask_application(_USER_NAME, number).rstrip(b"\0").decode("ascii", "replace")
        except StepFailed:  # some have no name, and say so by an error
            return ""

    def close(self) -> None:
        """Log out: BMCs have few sessions."""
        with contextlib.suppress(Exception):
            if self._console is not None:
                self._console.close()
        with contextlib.suppress(Exception):
            self._session.ipmi_session.logout()

    def _ask_application(self, command: int, *data: int) -> bytes:
        return self._ask(command, *data, function=_APPLICATION).ljust(_SHORTEST, b"\0")

    def _ask(self, command: int, *data: int, function: int = _CHASSIS) -> bytes:
        answer = self._session.raw_command(netfn=function, command=command, data=data)
        if "error" in answer:
            raise _refusal(str(answer["error"]), answer.get("code"))
        return bytes(answer["data"])

    @contextlib.contextmanager
    def _said(self) -> Any:
        try:
            yield
        except self._error as error:
            raise _refusal(str(error), getattr(error, "ipmicode", None)) from None


def _login_error(text: str, user: str) -> Unreachable:
    """pyghmi says None when nothing answers."""
    if "password" in text.lower():
        return LoginRefused(f"refuses the password kept for {user}")
    if "unauthorized name" in text.lower():
        return LoginRefused(f"has no user {user} who may log in over the network")
    if text in ("None", "") or "timeout" in text.lower():
        return Unreachable("does not answer")
    return Unreachable(f"refuses the login: {text}")


def _refusal(text: str, code: object) -> Exception:
    if code == _NO_ANSWER or "timeout" in text.lower() or "session" in text.lower():
        return Unreachable("does not answer any more")
    return Unreachable(f"is busy: {text}") if code in _BUSY else StepFailed(f"refuses: {text}")
