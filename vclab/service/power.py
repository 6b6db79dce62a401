"""Switching computers: tell the power, on, off, reset, boot device; and where a computer is switched."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from typing import TypeVar

from sqlalchemy.orm import Session

from vclab.contract import power as contract
from vclab.contract.endpoints import Login
from vclab.contract.power import Heard, Seen, Switch, Switchable
from vclab.contract.retiring import Named
from vclab.model import power as model
from vclab.model.catalog import Computer, ComputerKind
from vclab.model.errors import Invalid, Refused, Unreachable, VclabError
from vclab.model.messages import console_workflow
from vclab.model.power import PowerAddress, PowerVerb, console_lines
from vclab.model.steps import Unattended
from vclab.power.address import Address, Scheme, parse
from vclab.power.base import Bmc, BootDevice
from vclab.power.control import LONGEST_LISTENING, LONGEST_SOFT_OFF, Power, validate
from vclab.power.redfish import certificate
from vclab.provisioning.kind import Need
from vclab.secrets.references import Destination
from vclab.service import checks, module_data
from vclab.service.endpoints import confirmed, refuse_without_secrets
from vclab.service.use_case import Call, does
from vclab.store import catalog, power

T = TypeVar("T")

ASK = 5.0
"""Seconds for Temporal to answer."""

TRIED_AT_ONCE = 16
"""BMCs. Each one is asked by a process of its own, of 40 MB; one that does not answer takes 15 s."""

_LOOK = 0.2  #: seconds between two looks whether that is to stop


@dataclass(frozen=True)
class Attempt:
    """A login that is to be tried."""

    name: str  #: of the computer
    group: str  #: its endpoint, at whose site it is switched
    address: Address
    fingerprint: str | None = None  #: of its certificate, confirmed
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Tried:
    """A login that works."""

    name: str
    group: str
    at: PowerAddress
    password: str = field(default="", repr=False)


@does(contract.switch)
async def switch(call: Call, question: Switch) -> Seen:
    checks.name(question.name, "a computer", 60, more="")
    _check(question)
    asked = model.Switch(
        question.name,
        question.verb,
        question.soft_seconds,
        question.device,
        question.always,
        question.force,
        call.intent,
        question.listen_seconds,
        question.take,
    )
    sent = await call.backend.reservations()
    if question.take:
        await sent.hang_up(question.name)
    seen = await sent.switch(asked)
    return Seen(computer=question.name, **asdict(seen))


@does(contract.heard)
async def heard(call: Call, question: Named) -> Heard:
    from vclab.temporal.pending_activities import said_by

    text = await said_by(await call.backend.temporal(ASK), console_workflow(question.name))
    count, lines = console_lines(text)
    return Heard(computer=question.name, count=count, lines=lines)


@does(contract.hang_up)
async def hang_up(call: Call, question: Named) -> Heard:
    checks.name(question.name, "a computer", 60, more="")
    await (await call.backend.reservations()).hang_up(question.name)
    return Heard(computer=question.name, count=0, lines=())


@does(contract.preview)
async def preview(call: Call, question: Switchable) -> Login:
    address = address_of(question)
    if address is None:
        raise Invalid("nothing says where it is switched")
    if has_password(address):
        refuse_without_secrets(call)
    shown = await asyncio.to_thread(certificate, address) if _is_certified(address) else ""
    if question.fingerprint is not None and shown:
        confirmed(str(address), shown, question.fingerprint)
        shown = ""
    return Login(url=str(address), username=address.user, certificate=shown, password=has_password(address))


def address_of(question: Switchable) -> Address | None:
    """Where it is to be switched; None: that stays. Raises ``Invalid``."""
    if question.bmc is None:
        if question.fingerprint is not None or question.password is not None:
            raise Invalid("a certificate and a password belong to a BMC", "name it with --bmc")
        return None
    try:
        return parse(question.bmc)
    except Refused as error:
        raise Invalid(error.message, error.hint) from None


def place_of(computer: Computer) -> str:
    """Where it is switched, whoever logs in for that; empty: nowhere."""
    try:
        return parse(computer.power).place_of_power if computer.power else ""
    except Refused:  # recorded by another release
        return ""


def check_new_place(session: Session, computer: Computer, address: Address) -> None:
    """Whether a computer can be switched there from now on. Raises ``Refused``, also when another one is."""
    if computer.kind is not ComputerKind.LAB:
        raise Refused(f"{computer.name} is a virtual machine's identity: its endpoint switches it")
    if Need.BMC in module_data.kind_of(computer.module).computer_needs and not has_password(address):
        raise Refused(f"a computer of {computer.pool} needs a BMC: ipmi://… or redfish://…")
    place = address.place_of_power
    for other in catalog.computers(session) if place else ():
        if other.name != computer.name and place_of(other) == place:
            raise Refused(f"the BMC {place} of {computer.name} belongs to {other.name}")


def has_password(address: Address) -> bool:
    """Whether somebody logs in there with a password."""
    return address.scheme in (Scheme.IPMI, Scheme.REDFISH)


def attempt_of(name: str, group: str, address: Address, question: Switchable) -> Attempt:
    """The login that is to be tried. Raises ``Invalid`` when there is no password."""
    password = question.password.get_secret_value() if question.password else ""
    if has_password(address) and not password:
        raise Invalid(f"{address} needs the password of {address.user}", "type it, or put it into standard input")
    return Attempt(name, group, address, question.fingerprint, password)


async def tried(call: Call, attempt: Attempt) -> Tried:
    """Ask a computer for its power. Raises ``Refused``, ``Unreachable``."""
    if attempt.password:
        refuse_without_secrets(call)
    (found,) = (await try_all(call, [attempt])).values()
    if isinstance(found, VclabError):
        raise found
    return found


async def try_all(
    call: Call, attempts: Sequence[Attempt], confirm: str = "--fingerprint"
) -> dict[str, Tried | VclabError]:
    """Ask several computers for their power at once: by name what works, and why the others don't. Nothing is changed.
    One that does not answer keeps no other waiting, but for its turn.

    ``confirm``: what a certificate's fingerprint is given by, for messages.
    """
    what = f"asking {len(attempts)} BMCs" if len(attempts) > 1 else "asking its BMC"
    return await call.work(lambda told: _try_all(attempts, confirm, told), what) if attempts else {}


async def written(call: Call, found: Sequence[Tried], change: Callable[[Session], T]) -> T:
    """Write a change, and that these computers are switched there from now on, in one transaction. When it is
    cancelled before its end, nothing is written; when it fails, no password stays."""

    def run(told: Callable[[int, int], None]) -> T:
        ended = False

        def both(session: Session) -> T:
            nonlocal ended
            ended = False
            answer = change(session)
            power.set_addresses(session, {each.name: each.at for each in found})
            told(0, 0)
            ended = True
            return answer

        try:
            sites = _sites(call)
            for number, each in enumerate(found):
                told(number, len(found))
                if each.at.password_ref:
                    there = Destination(str(parse(each.at.address)), each.at.fingerprint)
                    call.backend.secrets.put(each.at.password_ref, each.password, there, sites.get(each.group))
            return call.backend.store.run(both, checked=True)
        except BaseException:
            if not ended:  # else the database was lost in the commit, and may have what names them
                _forget(call, found)
            raise

    return await call.work(run, "writing")


def _sites(call: Call) -> dict[str, str]:
    """By group, the site whose workers switch its computers."""
    with call.backend.store.read() as session:
        return {endpoint.name: endpoint.site for endpoint in catalog.endpoints(session)}


def _forget(call: Call, found: Sequence[Tried]) -> None:
    for each in found:
        if each.at.password_ref:
            call.backend.secrets.forget(each.at.password_ref)


def _try_all(
    attempts: Sequence[Attempt], confirm: str, told: Callable[[int, int], None]
) -> dict[str, Tried | VclabError]:
    context, number = Unattended(), len(attempts)
    with ThreadPoolExecutor(min(TRIED_AT_ONCE, number), "BMC") as pool:
        running = [pool.submit(_try, each, confirm, context) for each in attempts]
        try:
            while left := len(wait(running, _LOOK).not_done):
                told(number - left, number if number > 1 else 0)
            told(number, number if number > 1 else 0)
        except BaseException:
            context.cancelled = True
            for one in running:
                one.cancel()
            raise
    return {each.name: one.result() for each, one in zip(attempts, running, strict=True)}


def _try(attempt: Attempt, confirm: str, context: Unattended) -> Tried | VclabError:
    address = attempt.address
    reference = f"power/{attempt.name}/{secrets.token_hex(8)}" if has_password(address) else ""
    bmc = Bmc(attempt.name, address, reference)
    try:
        if _is_certified(address):
            bmc = replace(bmc, fingerprint=confirmed(str(address), _shown(bmc), attempt.fingerprint, confirm))
        validate(bmc)
        Power(lambda _: attempt.password).status(bmc, context)
    except VclabError as error:
        return error
    return Tried(attempt.name, attempt.group, PowerAddress(str(address), reference, bmc.fingerprint), attempt.password)


def _shown(bmc: Bmc) -> str:
    """Raises ``Unreachable``."""
    try:
        return certificate(bmc.address)
    except Unreachable as error:
        raise Unreachable(f"{bmc.computer}: {bmc.title} {error.message}", error.hint) from None


def _check(question: Switch) -> None:
    if not 0 <= question.soft_seconds <= LONGEST_SOFT_OFF:
        raise Invalid(f"a system can be given 0 to {LONGEST_SOFT_OFF:g} s to shut down")
    if question.soft_seconds and question.verb is not PowerVerb.OFF:
        raise Invalid("only what is switched off is given time to shut down")
    if (question.listen_seconds or question.take) and question.verb is not PowerVerb.CONSOLE:
        raise Invalid("only a console is listened to")
    if question.verb is PowerVerb.CONSOLE and not 0 < question.listen_seconds <= LONGEST_LISTENING:
        raise Invalid(f"a console can be listened to for up to {LONGEST_LISTENING:g} s")
    if question.verb is not PowerVerb.BOOT_DEVICE and (question.device or question.always):
        raise Invalid("a boot device belongs to boot-device")
    if question.device:
        checks.one_of(question.device, "boot device", [each.value for each in BootDevice])
    elif question.always:
        raise Invalid("say what it is always to boot from")


def _is_certified(address: Address) -> bool:
    return address.scheme is Scheme.REDFISH
