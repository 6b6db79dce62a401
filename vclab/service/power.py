"""Switching computers: tell the power, on, off, reset, boot device; and where a computer is switched."""

import asyncio
import secrets
from dataclasses import asdict

from pydantic import SecretStr
from sqlalchemy.orm import Session

from vclab.model import power as model
from vclab.model.errors import Invalid, Refused
from vclab.model.power import PowerAddress, PowerVerb
from vclab.model.steps import Unattended
from vclab.power.address import Address, Scheme, parse
from vclab.power.base import Bmc, BootDevice
from vclab.power.control import LONGEST_SOFT_OFF, Power, validate
from vclab.power.redfish import certificate
from vclab.service import checks
from vclab.service.endpoints import Login, confirmed
from vclab.service.retiring import Named
from vclab.service.use_case import Call, Question, Rule, act, read
from vclab.service.views import View
from vclab.store import power

_WITH_PASSWORD = (Scheme.IPMI, Scheme.REDFISH)


class Seen(View):
    """What was seen of a computer."""

    computer: str
    power: str  #: "on", "off" or "unknown"; empty: the boot device was asked for
    why: str  #: it is not known
    device: str  #: that it boots from next; empty: its power was asked for
    always: bool  #: not the next time only
    warnings: tuple[str, ...]  #: of how its BMC is guarded, the worst first


class Switch(Named):
    """``verb``: status, on, off, reset, boot-device or check."""

    verb: PowerVerb
    soft_seconds: float = 0.0  #: off: for its system to shut down, before the power is cut
    device: str = ""  #: boot-device: default, disk, network, cd or setup; empty: it is only told
    always: bool = False  #: boot-device: not the next time only
    force: bool = False  #: although somebody holds the computer


class Switchable(Question):
    """Where a computer is switched; what is None stays."""

    bmc: str | None = None  #: ipmi://USER@HOST, redfish://USER@HOST, wol://MAC@ADDRESS/BROADCAST, or none
    fingerprint: str | None = None  #: SHA-256 of its certificate that was confirmed
    password: SecretStr | None = None  #: of its user


@act(Rule.KEEPERS)
async def switch(call: Call, question: Switch) -> Seen:
    """Switch a computer, or tell its power, and see it."""
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
    )
    seen = await (await call.backend.reservations()).switch(asked)
    return Seen(computer=question.name, **asdict(seen))


@read(Rule.KEEPERS)
async def preview(call: Call, question: Switchable) -> Login:
    """Check where a computer is to be switched, and say what the login needs."""
    address = _parsed(question)
    if address is None:
        raise Invalid("nothing says where it is switched")
    shown = await asyncio.to_thread(certificate, address) if _is_certified(address) else ""
    if question.fingerprint is not None and shown:
        confirmed(str(address), shown, question.fingerprint)
        shown = ""
    return Login(url=str(address), username=address.user, certificate=shown, password=address.scheme in _WITH_PASSWORD)


async def tried(call: Call, name: str, question: Switchable) -> PowerAddress | None:
    """Ask there for the power, and keep the password among the secrets. None: nothing is to be changed. Raises
    ``Invalid``, ``Refused``, ``Unreachable``."""
    address = _parsed(question)
    if address is None:
        return None
    fingerprint = ""
    if _is_certified(address):
        fingerprint = confirmed(str(address), await asyncio.to_thread(certificate, address), question.fingerprint)
    password, reference = question.password.get_secret_value() if question.password else "", ""
    if address.scheme in _WITH_PASSWORD:
        if not password:
            raise Invalid(f"{address} needs the password of {address.user}", "type it, or put it into standard input")
        reference = f"power/{name}/{secrets.token_hex(8)}"
    bmc = Bmc(name, address, reference, fingerprint)
    validate(bmc)
    own = Power(lambda _: password)
    await call.backend.work(lambda told: own.status(bmc, Unattended()), f"asking {address}")
    if reference:
        call.backend.secrets.put(reference, password)
    return PowerAddress(str(address), reference, fingerprint)


def keep(session: Session, name: str, tried_at: PowerAddress | None) -> None:
    """It is switched there from now on."""
    if tried_at is not None:
        power.set_address(session, name, tried_at)


def _check(question: Switch) -> None:
    if not 0 <= question.soft_seconds <= LONGEST_SOFT_OFF:
        raise Invalid(f"a system can be given 0 to {LONGEST_SOFT_OFF:g} s to shut down")
    if question.soft_seconds and question.verb is not PowerVerb.OFF:
        raise Invalid("only what is switched off is given time to shut down")
    if question.verb is not PowerVerb.BOOT_DEVICE and (question.device or question.always):
        raise Invalid("a boot device belongs to boot-device")
    if question.device:
        checks.one_of(question.device, "boot device", [each.value for each in BootDevice])
    elif question.always:
        raise Invalid("say what it is always to boot from")


def _parsed(question: Switchable) -> Address | None:
    """Raises ``Invalid``."""
    if question.bmc is None:
        if question.fingerprint is not None or question.password is not None:
            raise Invalid("a certificate and a password belong to a BMC", "name it with --bmc")
        return None
    try:
        return parse(question.bmc)
    except Refused as error:
        raise Invalid(error.message, error.hint) from None


def _is_certified(address: Address) -> bool:
    return address.scheme is Scheme.REDFISH
