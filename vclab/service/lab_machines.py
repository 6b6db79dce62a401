"""Lab machines as they are entered, one or many: all is checked before a BMC is asked, and before anything is written.

``plan`` compares what is entered with what is there; it needs no more than the store, so it is asked again in the
transaction that writes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from vclab.contract import lab_machines as contract
from vclab.contract.computers import Computer
from vclab.contract.endpoints import Login
from vclab.contract.lab_machines import LabMachine, What
from vclab.contract.views import shown
from vclab.model import catalog as model
from vclab.model.catalog import ComputerKind, LabEntry
from vclab.model.errors import Invalid, NotFound, Refused
from vclab.model.power import PowerAddress
from vclab.model.states import ComputerState
from vclab.model.typed import known
from vclab.power.address import Address, parse
from vclab.provisioning.kind import Kind, Need
from vclab.secrets.references import SecretMissing, SecretSealed
from vclab.service import checks, computers, module_data, power
from vclab.service.endpoints import refuse_without_secrets
from vclab.service.use_case import Call, does
from vclab.store import catalog
from vclab.store import power as power_store


@dataclass(frozen=True)
class Present:
    """What is there already."""

    computers: Mapping[str, model.Computer]
    groups: Mapping[str, str]  #: modules of the endpoints that lend computers, by name
    references: Mapping[str, str]  #: of BMCs' passwords, by computer
    sites: Mapping[str, str]  #: of endpoints, by name

    @classmethod
    def of(cls, session: Session) -> "Present":
        """As it is now."""
        entries = catalog.endpoints(session)
        endpoints = {each.name: each.module for each in entries}
        return cls(
            {each.name: each for each in catalog.computers(session)},
            {name: module for name, module in endpoints.items() if checks.traits(module).lent},
            power_store.references(session),
            {each.name: each.site for each in entries},
        )


@dataclass(frozen=True)
class Wanted:
    """A lab machine as it is to be, and what that changes."""

    entry: LabEntry
    before: model.Computer | None
    after: model.Computer
    changes: tuple[str, ...]  #: in words, what is not as it was
    address: Address | None  #: where it is switched from now on; None: that stays

    @property
    def name(self) -> str:
        """Its name."""
        return self.entry.name

    @property
    def what(self) -> What:
        """What becomes of it."""
        if self.before is None:
            return What.ADD
        return What.CHANGE if self.changes else What.SAME


Kept = Callable[[PowerAddress], str]
"""The password that is kept for where a computer is switched; empty: none that can be read here."""


@does(contract.preview)
async def preview(call: Call, question: LabMachine) -> Login:
    kept = kept_by(call)
    wanted = await call.backend.read(lambda session: _one(session, question, kept))
    if wanted.address is None:
        return Login(url="", username="", certificate="", password=False)
    return await power.preview(call, question)


@does(contract.add)
async def add(call: Call, question: LabMachine) -> Computer:
    kept = kept_by(call)
    wanted = await call.backend.read(lambda session: _one(session, question, kept))
    found = []
    if wanted.address is not None:
        found = [
            await power.tried(call, power.attempt_of(wanted.name, wanted.entry.endpoint, wanted.address, question))
        ]

    def change(session: Session) -> None:
        put(session, [_one(session, question, kept)])

    await power.written(call, found, change)
    return computers.view(await call.backend.read(lambda session: catalog.computer(session, question.name)))


def _one(session: Session, question: LabMachine, kept: Kept) -> Wanted:
    """Raises as ``plan``, and ``Refused`` when something of it belongs to another."""
    present = Present.of(session)
    wanted = plan(present, question, kept)
    for error in clashes(present, [wanted]).values():
        raise error
    return wanted


def kept_by(call: Call) -> Kept:
    """What the secret store keeps. Asked only where a password is given."""

    def password(at: PowerAddress) -> str:
        refuse_without_secrets(call)
        with suppress(SecretMissing, SecretSealed, Refused):
            return call.backend.secrets.power_password(at.password_ref, at.address, at.fingerprint)
        return ""

    return password


def put(session: Session, wanted: Iterable[Wanted]) -> None:
    """Write them, but for where they are switched."""
    catalog.put_lab_computers(session, [each.entry for each in wanted if each.what is not What.SAME])


def plan(present: Present, question: LabMachine, kept: Kept) -> Wanted:
    """What the question asks for, compared with what is there. Raises ``Invalid``, ``Refused`` and ``NotFound``."""
    name = checks.name(question.name, "a computer", 60, more="")
    before = present.computers.get(name)
    if before is not None and before.kind is not ComputerKind.LAB:
        raise Refused(f"there is already a virtual machine's identity {name}")
    group = _group(present.groups, question, before)
    kind, address = module_data.kind_of(present.groups[group]), power.address_of(question)
    entry = LabEntry(name, group, module_data=_data(kind, question, before), **_given(question))
    after = _after(entry, before, address, kind)
    _check(kind, question, after)
    _check_site(present, question, before, after)
    switched = _changes_of_power(present, question, before, address, kept)
    changes = (*_changes(kind, before, after), *switched) if before else ()
    if changes and after.holder:
        raise Refused(f"{name} is held by {after.holder}", "change it when that has ended")
    return Wanted(entry, before, after, changes, address if switched else None)


def clashes(present: Present, wanted: Sequence[Wanted], shown: Callable[[str], str] = str) -> dict[str, Refused]:
    """By name, why some of them can't be: an address, a MAC or a BMC of theirs belongs to another computer when all of
    them are written. Of two that are entered, the second one is told. ``shown``: a computer's name, for messages."""
    mine, owners, found = {each.name for each in wanted}, dict[tuple[str, str], str](), dict[str, Refused]()
    for computer in present.computers.values():
        if computer.name not in mine:
            owners |= dict.fromkeys(_belongings(computer), computer.name)
    for each in wanted:
        for what, value in _belongings(each.after):
            owner = owners.setdefault((what, value), each.name)
            if owner != each.name:
                found.setdefault(each.name, Refused(f"the {what} {value} of {each.name} belongs to {shown(owner)}"))
    return found


def _belongings(computer: model.Computer) -> Iterator[tuple[str, str]]:
    """What no other computer can have: what it is, and its value. A virtual machine's address is not for good."""
    values = [("MAC", computer.private_mac), ("MAC", computer.public_mac)]
    if computer.kind is ComputerKind.LAB:
        values.append(("address", computer.private_address))
    values.append(("BMC", power.place_of(computer)))
    return ((what, value) for what, value in values if value)


# What was given.


def _given(question: LabMachine) -> dict[str, str]:
    return checks.given(
        question, address=checks.address, host_key=checks.host_key, private_mac=checks.mac, public_mac=checks.mac
    )


def _group(groups: Mapping[str, str], question: LabMachine, before: model.Computer | None) -> str:
    """Raises ``NotFound`` for what is not a group of lab machines, ``Invalid`` when it is not clear which is meant."""
    if question.group is not None:
        add = f"add it with `vclab endpoint add NAME --module {question.module or '…'}`"
        module = known("group of lab machines", question.group, groups, add)
        if question.module not in (None, module):
            raise Invalid(f"{question.group} is a group of the module {module}, not {question.module}")
        return question.group
    if question.module is not None:
        return _only_group(groups, question.module, before)
    if before is None:
        raise Invalid(f"{question.name} is new and needs a group of lab machines", "use --group or --module")
    known("group of lab machines", before.pool, groups, "name another one with --group")
    return before.pool


def _only_group(groups: Mapping[str, str], module: str, before: model.Computer | None) -> str:
    """That in which it is, else the only one of a module."""
    if not checks.traits(checks.one_of(module, "provisioning module", checks.MODULES)).lent:
        raise Invalid(f"computers of the module {module} are made, not added by name", "leave it out and use --count")
    names = [name for name, each in groups.items() if each == module]
    if before is not None and before.pool in names:
        return before.pool
    if not names:
        add = f"add one with `vclab endpoint add NAME --module {module}`"
        raise NotFound(f"there is no group of computers of the module {module}", add)
    if len(names) > 1:
        raise Invalid(f"there are several groups of the module {module}: {', '.join(names)}", "use --group")
    return names[0]


def _data(kind: Kind, question: LabMachine, before: model.Computer | None) -> str:
    """The module's data; that of another module says nothing to this one."""
    text = before.module_data if before is not None and before.module == kind.name else ""
    return module_data.merged(kind.computer_data, text, question.data, f"the computer {question.name}", kind.name)


def _after(entry: LabEntry, before: model.Computer | None, address: Address | None, kind: Kind) -> model.Computer:
    """The computer as it is when that is written."""
    base = before or model.Computer(entry.name, ComputerKind.LAB, ComputerState.AVAILABLE)
    return replace(
        base,
        pool=entry.endpoint,
        module=kind.name,
        private_address=entry.address or base.private_address,
        host_key=entry.host_key or base.host_key,
        private_mac=entry.private_mac or base.private_mac,
        public_mac=entry.public_mac or base.public_mac,
        power=str(address) if address is not None else base.power,
        module_data=entry.module_data or "",
    )


def _check(kind: Kind, question: LabMachine, after: model.Computer) -> None:
    """Whether all is there that its module needs, and who is at its address is known. Raises ``Invalid``."""
    has = {
        Need.MAC: bool(after.private_mac),
        Need.ADDRESS: bool(after.private_address),
        Need.BMC: bool(after.power) and power.has_password(parse(after.power)),
    }
    if missing := [f"--{need}" for need in kind.computer_needs if not has[need]]:
        raise Invalid(f"a computer of {after.pool} needs {' and '.join(missing)}")
    if after.private_mac and after.private_mac == after.public_mac:
        raise Invalid("the two network cards of a computer need different MACs")
    if kind.traits.reloadable:
        if question.host_key is not None:
            raise Invalid(f"{after.name} gets a host key by each load", "leave out --host-key")
    elif question.address is not None and not question.trust_first_contact and not after.host_key:
        raise Invalid(
            f"the host key of {after.name} is not known, and anybody could answer at {question.address}",
            "use --host-key KEY|FILE, or --trust-first-contact",
        )


def _check_site(present: Present, question: LabMachine, before: model.Computer | None, after: model.Computer) -> None:
    """Raises ``Invalid`` when the workers that are to switch it can't open the password of its BMC."""
    if before is None or question.bmc is not None or not present.references.get(after.name):
        return
    site = present.sites.get(after.pool)
    if present.sites.get(before.pool) != site:
        raise Invalid(f"the workers of the site {site} have no password of the BMC of {after.name}", "enter it: --bmc")


# What it changes.


def _changes(kind: Kind, before: model.Computer, after: model.Computer) -> Iterator[str]:
    for what, field in _FIELDS.items():
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            yield f"{what} {old} → {new}" if old else f"{what} {new}"
    if before.host_key != after.host_key:
        yield "host key"
    old_data = module_data.document(before)[0] if before.module == after.module else {}
    for name, value in kind.computer_data.of(after.module_data, after.name).fields().items():
        if old_data is None or old_data.get(name) != value:
            yield f"{name} {shown(value)}".rstrip()


_FIELDS = {"group": "pool", "MAC": "private_mac", "public MAC": "public_mac", "address": "private_address"}


def _changes_of_power(
    present: Present, question: LabMachine, before: model.Computer | None, address: Address | None, kept: Kept
) -> list[str]:
    """What is not as it was of where it is switched; a password only if it is given."""
    if address is None:
        return []
    was, print_ = (before.power, before.power_fingerprint) if before is not None else ("", "")
    if was != str(address):
        return [f"BMC {was} → {address}" if was else f"BMC {address}"]
    if question.fingerprint is not None and print_ not in ("", checks.fingerprint(question.fingerprint)):
        return ["certificate of its BMC"]
    given = question.password.get_secret_value() if question.password else ""
    reference = present.references.get(question.name, "")
    if given and not (reference and given == kept(PowerAddress(was, reference, print_))):
        return ["password of its BMC"]
    return []
