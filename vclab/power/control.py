"""Switch a computer: validate, wait for the turn at its BMC, observe, act, confirm.

What a BMC says after it was told something is believed only when it is seen: some say yes and do nothing.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NoReturn

from vclab.model.bmc_facts import BmcFacts
from vclab.model.errors import Interrupted, Refused, StepFailed, Unreachable, VclabError
from vclab.model.steps import StepContext, Unattended
from vclab.power.address import Address, Scheme
from vclab.power.base import Bmc, Boot, BootDevice, Command, Driver, LoginRefused, PowerState, Seen
from vclab.power.console import Lines
from vclab.power.findings import Probed, findings
from vclab.power.none import NoPower
from vclab.power.probe import addresses, probe
from vclab.power.process import Child
from vclab.power.turns import Turns
from vclab.power.wake_on_lan import WakeOnLan

LONGEST_SOFT_OFF = 1800.0
"""Seconds that a system may have to shut down."""
LONGEST_IPMI_PASSWORD = 20
"""Bytes (IPMI 2.0, 22.30)."""
IPMI_PORT = 623
"""At which a BMC that is asked by Redfish may answer to IPMI too."""
CONSOLES = frozenset({Scheme.IPMI})
LONGEST_LISTENING = 4 * 3600.0
"""Seconds."""
_FACTS = 4.0  #: times the limit of an answer: a BMC is asked for each of its accounts
_LISTEN = 1.0  #: seconds between two calls
_BY_IPMI = "serial over LAN is offered by IPMI only: ipmi://USER@HOST"
_FINGERPRINT = 64  #: hex digits of SHA-256
_PAUSES = (0.2, 0.5, 1.0, 2.0)  #: seconds between two looks at the power; the last one again and again
_LOOK = 0.1

DRIVERS: Mapping[Scheme, type[Driver]] = {
    Scheme.IPMI: Child,
    Scheme.REDFISH: Child,
    Scheme.WAKE_ON_LAN: WakeOnLan,
    Scheme.NONE: NoPower,
}


@dataclass(frozen=True)
class Limits:
    """Seconds."""

    answer: float = 15.0  #: for each answer of a BMC; the first one includes the login
    confirm: float = 60.0  #: until a BMC shows what it was told
    wake: float = 300.0  #: until a computer that was woken accepts SSH
    shut_down: float = 120.0  #: for a system that can only be asked to shut down
    turn: float = 120.0  #: waiting for another operation on the same BMC
    refused: float = 60.0  #: a password that was refused is not tried again


class Power:
    """Switches computers. Thread-safe; nothing stays open between two calls. All methods block.

    ``password`` is that of a BMC; ``shut_down`` logs in to a computer without a BMC and shuts it down. Methods
    raise ``Refused`` before anything is touched, ``Unreachable`` when nobody answers, ``StepFailed`` when a BMC refuses
    or does not do what it was told, ``Interrupted`` when stopped, and what the fence raises.
    """

    def __init__(
        self,
        password: Callable[[Bmc], str],
        shut_down: Callable[[Bmc], None] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._password = password
        self._shut_down = shut_down
        self._limits = limits or Limits()
        self._turns = Turns()
        self._refused: dict[str, tuple[float, str, str]] = {}  #: by address: when, with which password, what was said

    def status(self, bmc: Bmc, context: StepContext) -> Seen:
        """Tell whether the computer is on. Nothing is changed."""
        _validate(bmc)
        with self._driver(bmc, "status", context) as driver:
            return driver.power()

    def check(self, bmc: Bmc, tenants: Sequence[str], context: StepContext) -> tuple[Seen, list[str]]:
        """Tell whether the computer is on, and warnings of how its BMC is guarded, the worst first. Nothing is changed.
        ``tenants``: the networks that users' computers are in. A BMC that is asked by Redfish may answer to IPMI too:
        what it lets anybody do there is told as well. What is seen without a login is told also where that is refused.
        """
        address = bmc.address
        if address.scheme not in (Scheme.IPMI, Scheme.REDFISH):
            return self.status(bmc, context), []
        try:
            seen = self.status(bmc, context)
        except LoginRefused as refused:
            seen_by_all = findings(address, "", _probed(address), tenants, addresses(address))
            raise LoginRefused("; ".join((refused.message, *seen_by_all)), refused.hint) from None
        return seen, findings(address, self._password(bmc), _probed(address), tenants, addresses(address))

    def on(self, bmc: Bmc, context: StepContext) -> Seen:
        """Have the computer on. Harmless when it is."""
        _validate(bmc, Command.ON)
        with self._driver(bmc, "on", context) as driver:
            seen = driver.power()
            if seen.state is PowerState.ON:
                return seen
            _tell(driver, Command.ON, context)
            limit = self._limits.confirm if driver.sees_off else self._limits.wake
            return _confirmed(driver, PowerState.ON, Command.ON, limit, context)

    def off(self, bmc: Bmc, context: StepContext, soft_seconds: float = 0.0) -> Seen:
        """Have the computer off. Its system is given ``soft_seconds`` to shut down, and is then switched off hard; one
        that can't be is only asked. Harmless when it is off. The answer is unknown where off is only silence."""
        hard = Command.OFF in DRIVERS[bmc.address.scheme].commands
        _validate(bmc, Command.OFF if hard else Command.SOFT_OFF)
        if not 0 <= soft_seconds <= LONGEST_SOFT_OFF:
            raise Refused(f"a system can be given 0 to {LONGEST_SOFT_OFF:g} s to shut down, not {soft_seconds:g}")
        with self._driver(bmc, "off", context) as driver:
            seen = driver.power()
            if _is(driver, seen, PowerState.OFF):
                return seen
            if not hard:
                limit = soft_seconds or self._limits.shut_down
                _tell(driver, Command.SOFT_OFF, context)
                return _confirmed(driver, PowerState.OFF, Command.SOFT_OFF, limit, context)
            if soft_seconds and (softly := _softly(driver, soft_seconds, context)):
                return softly
            _tell(driver, Command.OFF, context)
            return _confirmed(driver, PowerState.OFF, Command.OFF, self._limits.confirm, context)

    def reset(self, bmc: Bmc, context: StepContext) -> Seen:
        """Start the computer anew, hard; one that is off is switched on. That it was reset no BMC shows: only its
        system knows when it has booted."""
        _validate(bmc, Command.RESET)
        with self._driver(bmc, "reset", context) as driver:
            on = driver.power().state is PowerState.ON
            command = Command.RESET if on else Command.ON
            _tell(driver, command, context)
            return _confirmed(driver, PowerState.ON, command, self._limits.confirm, context)

    def boot_device(self, bmc: Bmc, context: StepContext) -> Boot:
        """Tell what the computer boots from next. Nothing is changed."""
        _validate(bmc, boots=True)
        with self._driver(bmc, "boot device", context) as driver:
            return driver.boot()

    def set_boot_device(self, bmc: Bmc, boot: Boot, context: StepContext, or_once: bool = False) -> Boot:
        """Have the computer boot from there. What is read back is returned: the default, if the BMC does not tell, and
        then only the next boot shows whether it has obeyed. Raises ``StepFailed`` when it is another device.

        ``or_once``: the next time only will do for a BMC that keeps none for ever, and that is told."""
        _validate(bmc, boots=True)
        wanted = replace(boot, once=boot.once and boot.device is not BootDevice.DEFAULT)
        try:
            return self._boots_from(bmc, wanted, context)
        except StepFailed as error:
            if not or_once or wanted.once:
                raise
            context.progress(f"{error.message}: the next time only, then")
            return self._boots_from(bmc, replace(wanted, once=True), context)

    def _boots_from(self, bmc: Bmc, wanted: Boot, context: StepContext) -> Boot:
        with self._driver(bmc, "boot device", context) as driver:
            if driver.boot() == wanted:
                return wanted
            context.fence()
            driver.set_boot(wanted)
            found = driver.boot()
            if found != wanted and found.device is not BootDevice.DEFAULT:
                raise StepFailed(f"took {_words(wanted)} as boot device, but reads back {_words(found)}")
            return found

    def console(
        self,
        bmc: Bmc,
        seconds: float,
        context: StepContext,
        take: bool = False,
        told: Callable[[Lines], None] = lambda lines: None,
    ) -> tuple[str, ...]:
        """Listen to the computer's serial console for so many seconds, or until the step is asked to stop: the last
        lines, printable. ``take``: a session of somebody else is ended. ``told`` is called now and then with what has
        come; what it raises ends it. Other operations on the BMC go on meanwhile."""
        _validate(bmc)
        if bmc.address.scheme not in CONSOLES:
            raise Refused(f"{bmc.computer} has no serial console here: its power is {bmc.address.scheme}", _BY_IPMI)
        if not 0 < seconds <= LONGEST_LISTENING:
            raise Refused(f"a console can be listened to for up to {LONGEST_LISTENING:g} s, not {seconds:g}")
        try:
            return self._listened(bmc, seconds, context, take, told)
        except (Unreachable, StepFailed) as error:
            _named(error, bmc, "console")

    def _listened(
        self, bmc: Bmc, seconds: float, context: StepContext, take: bool, told: Callable[[Lines], None]
    ) -> tuple[str, ...]:
        lines, deadline = Lines(), time.monotonic() + seconds
        with self._turns.take(bmc.address.place, "console", self._limits.turn, context):
            # Not stopped by the context: a child that is killed leaves the console in use.
            driver = self._open(bmc, Unattended())
        try:
            while (left := deadline - time.monotonic()) > 0 and not context.cancelled:
                lines.feed(driver.listen(min(left, _LISTEN), take))
                told(lines)
        finally:
            driver.close()
        return lines.last

    def facts(self, bmc: Bmc, context: StepContext) -> BmcFacts:
        """Tell what the BMC says of its accounts and settings; empty where it has nothing to say. Nothing is
        changed."""
        _validate(bmc)
        if not DRIVERS[bmc.address.scheme].has_facts:
            return BmcFacts()
        with self._driver(bmc, "facts", context, _FACTS) as driver:
            return driver.facts()

    @contextmanager
    def _driver(self, bmc: Bmc, verb: str, context: StepContext, patience: float = 1.0) -> Iterator[Driver]:
        """Logged in, for one operation, and in turn; ``patience``: so many times the usual limit for each answer. What
        is raised names the computer and its BMC."""
        try:
            with self._turns.take(bmc.address.place or bmc.computer, verb, self._limits.turn, context):
                driver = self._open(bmc, context, patience)
                try:
                    yield driver
                finally:
                    driver.close()
        except (Unreachable, StepFailed) as error:
            _named(error, bmc, verb)

    def _open(self, bmc: Bmc, context: StepContext, patience: float = 1.0) -> Driver:
        match bmc.address.scheme:
            case Scheme.NONE:
                return NoPower()
            case Scheme.WAKE_ON_LAN:
                return WakeOnLan(bmc.address, lambda: self._shut(bmc))
        password = self._password(bmc)
        _validate_password(bmc, password)
        at, tried, why = self._refused.get(str(bmc.address), (0.0, "", ""))
        if tried == password and time.monotonic() - at < self._limits.refused:
            raise LoginRefused(why)
        try:
            return Child(bmc, password, self._limits.answer * patience, context)
        except LoginRefused as error:
            self._refused[str(bmc.address)] = (time.monotonic(), password, error.message)
            raise

    def _shut(self, bmc: Bmc) -> None:
        if self._shut_down is None:
            raise StepFailed("no SSH is set up for it")
        self._shut_down(bmc)


def _probed(address: Address) -> Probed | None:
    """What it shows anybody by IPMI; None: it does not answer to that."""
    if address.scheme is Scheme.REDFISH:
        address = Address(Scheme.IPMI, address.host, IPMI_PORT)
    try:
        return probe(address)
    except Unreachable:
        return None


def validate(bmc: Bmc) -> None:
    """Look at all that can be known without asking the BMC. Raises ``Refused``."""
    scheme = bmc.address.scheme
    if scheme in (Scheme.IPMI, Scheme.REDFISH) and not bmc.password_ref:
        raise Refused(f"no password is kept for the BMC of {bmc.computer}")
    known = len(bmc.fingerprint) == _FINGERPRINT and set(bmc.fingerprint) <= set("0123456789abcdef")
    if scheme is Scheme.REDFISH and not known:
        raise Refused(f"no certificate is pinned for the BMC of {bmc.computer}: 64 hex digits of SHA-256 are")


def _validate(bmc: Bmc, command: Command | None = None, boots: bool = False) -> None:
    validate(bmc)
    driver = DRIVERS[bmc.address.scheme]
    if command is not None and command not in driver.commands:
        missing = "no power control" if not driver.commands else f"no {command}: its power is {bmc.address.scheme}"
        raise Refused(f"{bmc.computer} has {missing}", "switch it by hand")
    if boots and not driver.boots:
        raise Refused(f"{bmc.computer} can't be told what to boot from: its power is {bmc.address.scheme}")


def _validate_password(bmc: Bmc, password: str) -> None:
    if not password or "\n" in password or not password.isprintable():
        raise Refused(f"what is kept as the password of the BMC of {bmc.computer} is no password")
    if bmc.address.scheme is Scheme.IPMI and len(password.encode()) > LONGEST_IPMI_PASSWORD:
        raise Refused(f"the password of the BMC of {bmc.computer} is too long: IPMI has {LONGEST_IPMI_PASSWORD} bytes")


def _named(error: VclabError, bmc: Bmc, verb: str) -> NoReturn:
    raise type(error)(f"{bmc.computer}: '{verb}' failed: {bmc.title} {error.message}", error.hint) from None


def _tell(driver: Driver, command: Command, context: StepContext) -> None:
    context.fence()
    with _may_have_obeyed(command):
        driver.send(command)


@contextmanager
def _may_have_obeyed(command: Command) -> Iterator[None]:
    """Who falls silent once it was told says nothing of whether it has heard that."""
    try:
        yield
    except LoginRefused:
        raise
    except Unreachable as error:
        raise Unreachable(f"{error.message} when it was told '{command}'; it may have obeyed") from None


def _softly(driver: Driver, seconds: float, context: StepContext) -> Seen | None:
    """Off, if the system has shut down in time."""
    try:
        _tell(driver, Command.SOFT_OFF, context)
        return _confirmed(driver, PowerState.OFF, Command.SOFT_OFF, seconds, context)
    except StepFailed as error:
        context.progress(f"its system was asked to shut down, but its BMC {error.message}: switching it off hard")
        return None


def _is(driver: Driver, seen: Seen, wanted: PowerState) -> bool:
    silent = wanted is PowerState.OFF and seen.state is PowerState.UNKNOWN and not driver.sees_off
    return seen.state is wanted or silent


def _confirmed(driver: Driver, wanted: PowerState, command: Command, seconds: float, context: StepContext) -> Seen:
    """Look until it is seen. Raises ``StepFailed`` when it is not within ``seconds``."""
    began = time.monotonic()
    looks = 0
    while not _is(driver, seen := _power_after(driver, command), wanted):
        waited = time.monotonic() - began
        state = f"{seen.state} ({seen.why})" if seen.why else seen.state
        if waited > seconds:
            raise StepFailed(f"took '{command}', but {seconds:g} s later the computer is {state}")
        context.progress(f"told '{command}', still {state} after {waited:.0f} of {seconds:g} s")
        _sleep(min(_PAUSES[min(looks, len(_PAUSES) - 1)], max(seconds - waited, 0.01)), context)
        looks += 1
    return seen


def _power_after(driver: Driver, command: Command) -> Seen:
    with _may_have_obeyed(command):
        return driver.power()


def _sleep(seconds: float, context: StepContext) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if context.cancelled:
            raise Interrupted("stopped while a BMC was watched")
        time.sleep(min(left, _LOOK))


def _words(boot: Boot) -> str:
    return f"{boot.device} ({'the next time' if boot.once else 'always'})"
