"""The computers that people get. That of a virtual machine is an identity: a host name and two MACs."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from vclab.contract import computers as contract
from vclab.contract.computers import (
    MAC_PREFIX,
    MOST,
    AddIdentity,
    AddPool,
    Computer,
    DetailedComputer,
    Edit,
    Reload,
    Reloaded,
    TakeOut,
    Which,
    WhichReload,
)
from vclab.contract.endpoints import Login
from vclab.contract.failures import FailedStep
from vclab.contract.retiring import Named
from vclab.model import catalog as model
from vclab.model import messages
from vclab.model.access import Permission, ResourceKind
from vclab.model.catalog import Identity, IdentityPool
from vclab.model.errors import Invalid, NotFound, Refused
from vclab.model.rules import Rules
from vclab.model.states import OUT_OF_SERVICE, ComputerState
from vclab.model.typed import known
from vclab.service import checks, module_data, power
from vclab.service.retiring import Kept
from vclab.service.rights import Care, care
from vclab.service.use_case import Call, does
from vclab.store import background_loads, catalog, failed_steps, inspections, maintenance, tenures


@does(contract.listing)
async def listing(call: Call, question: Which) -> tuple[Computer, ...]:
    checks.limit(question.limit)
    asked = question.pool, question.image, question.state, question.cursor, question.limit

    def ask(session: Session) -> tuple[Computer, ...]:
        cares = care(session, call.actor)
        return tuple(_seen(cares, each) for each in catalog.computers(session, *asked))

    return await call.backend.read(ask)


@does(contract.show)
async def show(call: Call, question: Named) -> DetailedComputer:
    maintains = await call.may(Permission.MAINTAIN, ResourceKind.COMPUTER, question.name)

    def ask(session: Session) -> DetailedComputer:
        computer = _known(session, question.name)
        failed = [each for each in failed_steps.of_loads(session) if each.computer == computer.name]
        shown = FailedStep.of(failed[0]) if failed and maintains else None
        report, at = inspections.recorded(session, computer.name) or (None, None)
        hardware = report.document() if report else None
        seen = _seen(care(session, call.actor), computer)
        return DetailedComputer(**dict(seen), failure=shown, hardware=hardware, hardware_at=at)

    return await call.backend.read(ask)


@does(contract.add_pool)
async def add_pool(call: Call, question: AddPool) -> tuple[Computer, ...]:
    _check_name(question.name)
    checks.number(question.count, "the count", 1, MOST)
    prefix = checks.given(question, mac_prefix=checks.mac_prefix).get("mac_prefix", "")

    def change(session: Session) -> tuple[Computer, ...]:
        members = _members(session, question.name)
        return _put(session, _pool(question.name, question.count, prefix, members), members)

    return await call.backend.write(change)


@does(contract.add_identity)
async def add_identity(call: Call, question: AddIdentity) -> tuple[Computer, ...]:
    _check_name(question.name)
    identity = Identity(question.name, checks.mac(question.private_mac), checks.mac(question.public_mac))
    if identity.private_mac == identity.public_mac:
        raise Invalid("the two network cards of a computer need different MACs")
    pool = IdentityPool(prefix=question.name, count=1, identities=(identity,))
    return await call.backend.write(lambda session: _put(session, pool, _members(session, question.name)))


@does(contract.preview_edit)
async def preview_edit(call: Call, question: Edit) -> Login:
    await call.backend.read(lambda session: _check_edit(session, question))
    return await power.preview(call, question)


@does(contract.edit)
async def edit(call: Call, question: Edit) -> Computer:
    if (question.maintenance, question.notes, question.bmc, question.data) == (None, None, None, {}):
        raise Invalid("nothing is to be changed", "use --maintenance, --available, --notes, --set or --bmc")
    state = None if question.maintenance is None else _STATES[question.maintenance]
    notes = checks.line(question.notes, "the note", 500) if question.notes else question.notes
    address = power.address_of(question)
    group = (await call.backend.read(lambda session: _check_edit(session, question))).pool
    found = [await power.tried(call, power.attempt_of(question.name, group, address, question))] if address else []

    def change(session: Session) -> None:
        computer = _check_edit(session, question)
        if question.data:
            data = _edited_data(computer, question.data)
            catalog.put_lab_computer(session, computer.name, module_data=data)
        catalog.set_computer(session, computer.name, state, notes, why=notes or "")

    await power.written(call, found, change)
    return view(await call.backend.read(lambda session: _known(session, question.name)))


@does(contract.preview_reload)
async def preview_reload(call: Call, question: WhichReload) -> tuple[Reloaded, ...]:
    return await call.backend.read(lambda session: _reloaded(session, _named(session, question), question, call))


@does(contract.reload)
async def reload(call: Call, question: Reload) -> tuple[Reloaded, ...]:
    workflows = await call.backend.reservations()

    def change(session: Session) -> tuple[Reloaded, ...]:
        found = _reloaded(session, _distinct(question.names), question, call)
        if refused := [each.why_not for each in found if each.why_not]:
            raise Refused("; ".join(refused), "nothing was begun" if len(found) > 1 else "")
        for each in found:
            background_loads.want(session, _message(each.name, question, call))
        return found

    found = await call.backend.write(change)
    for each in found:
        if not each.holder:
            with suppress(Refused):  # it is being loaded already: it follows
                await workflows.reload(_message(each.name, question, call))
    return found


@does(contract.disable)
async def disable(call: Call, question: TakeOut) -> Computer:
    why = checks.line(question.why, "the reason") if question.why else ""
    if question.until is not None:
        checks.with_zone(question.until, "end")
        if question.until <= datetime.now(UTC):
            raise Invalid("the end is in the past", "use a time to come")

    def change(session: Session) -> Computer:
        computer = _known(session, question.name)
        maintenance.take_out(session, computer.name, why, question.when_free, question.until)
        return view(catalog.computer(session, computer.name))

    return await call.backend.write(change)


@does(contract.enable)
async def enable(call: Call, question: Named) -> Computer:
    def change(session: Session) -> Computer:
        computer = _known(session, question.name)
        maintenance.put_back(session, computer.name)
        return view(catalog.computer(session, computer.name))

    return await call.backend.write(change)


@does(contract.remove)
async def remove(call: Call, question: Named) -> None:
    await _COMPUTERS.remove(call, question.name)


_STATES = {True: ComputerState.MAINTENANCE, False: ComputerState.AVAILABLE}


def _check_name(name: str) -> None:
    checks.name(name, "a computer", 60, more="")


def _known(session: Session, name: str) -> model.Computer:
    computers = {computer.name: computer for computer in catalog.computers(session)}
    return known("computer", name, computers, "`vclab computer list` lists them")


_COMPUTERS = Kept(model.Thing.COMPUTER, _known)


# Loading anew.


def _named(session: Session, question: WhichReload) -> tuple[str, ...]:
    """The computers that are meant. Raises ``NotFound``, and ``Invalid`` when none is."""
    names = question.names
    if question.group:
        endpoints = {each.name: each for each in catalog.endpoints(session)}
        known("group of computers", question.group, endpoints, "`vclab endpoint list` lists them")
        members = catalog.group(session, question.group)
        names += tuple(each.name for each in members if each.state is not ComputerState.MAINTENANCE)
        if not names:
            raise Refused(
                f"all computers of {question.group} are in maintenance" if members else f"{question.group} is empty"
            )
    return _distinct(names)


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Raises ``Invalid`` when there is none."""
    found = tuple(sorted(set(names)))
    if not found:
        raise Invalid("no computer is named", "name some, or use --group")
    return found


def _reloaded(session: Session, names: Iterable[str], question: Reload, call: Call) -> tuple[Reloaded, ...]:
    """What becomes of each. Raises ``NotFound`` when one is unknown, or the image is."""
    if question.revision and not question.image:
        raise Invalid("a revision belongs to an image", "name it, too")
    if question.image:
        images = {name: name for name in catalog.names_of_all_images(session)}
        known("image", question.image, images, "`vclab images` lists them")
    computers, rules = [_known(session, name) for name in names], call.backend.settings.rules()
    return tuple(
        _one_reloaded(session, each, question, _message(each.name, question, call), rules) for each in computers
    )


def _one_reloaded(
    session: Session, computer: model.Computer, question: Reload, message: messages.Reload, rules: Rules
) -> Reloaded:
    held, will_hold, why_not = tenures.current(session, computer.name), "", ""
    try:
        image = background_loads.planned(session, message, rules)
        will_hold = f"{image.name}/{image.revision}"
        if held is not None and not question.when_free:
            why_not = f"{computer.name} is held by {held.holder}"
    except (Refused, NotFound) as error:
        why_not = str(error)
    return Reloaded(
        name=computer.name,
        holds=f"{computer.image}/{computer.revision}" if computer.image else "",
        will_hold=will_hold,
        tainted=computer.tainted,
        why_out_of_service=(computer.why_out_of_service or computer.state) if computer.state in OUT_OF_SERVICE else "",
        holder=held.holder if held else "",
        until=held.expected_end if held else None,
        why_not=why_not,
    )


def _message(name: str, question: Reload, call: Call) -> messages.Reload:
    return messages.Reload(name, question.image, call.intent or "preview", question.revision)


# Identities.


def _members(session: Session, pool: str) -> list[model.Computer]:
    return [each for each in catalog.computers(session) if each.pool == pool]


def _pool(prefix: str, count: int, wanted: str, members: list[model.Computer]) -> IdentityPool:
    """The pool, grown or new. It keeps its MACs: DHCP and firewalls know machines by them."""
    present = members[0].private_mac[: len(MAC_PREFIX)] if members else ""
    if present and wanted and wanted != present:
        raise Refused(f"the MACs of the pool {prefix} begin with {present}, not {wanted}")
    return IdentityPool(prefix=prefix, count=count, mac_prefix=present or wanted or MAC_PREFIX)


def _put(session: Session, pool: IdentityPool, members: list[model.Computer]) -> tuple[Computer, ...]:
    _refuse_other_macs(pool, members)
    catalog.put_pool(session, pool)
    identities = {identity.name: identity for identity in catalog.identities(pool)}
    checks.identities(identities.values())
    return tuple(view(each) for each in catalog.computers(session) if each.name in identities)


def _refuse_other_macs(pool: IdentityPool, members: Iterable[model.Computer]) -> None:
    """A known computer never gets other MACs unnoticed."""
    macs = {each.name: (each.private_mac, each.public_mac) for each in members}
    for identity in pool.identities:
        wanted = identity.private_mac, identity.public_mac
        if macs.get(identity.name, wanted) != wanted:
            raise Refused(f"the computer {identity.name} exists, with the MACs {' and '.join(macs[identity.name])}")


# Lab machines.


def _check_edit(session: Session, question: Edit) -> model.Computer:
    """The computer that can be changed so. Raises ``NotFound``, ``Invalid`` and ``Refused``."""
    computer, address = _known(session, question.name), power.address_of(question)
    _edited_data(computer, question.data)
    if address is not None:
        power.check_new_place(session, computer, address)
    return computer


def _edited_data(computer: model.Computer, given: dict[str, str]) -> str:
    """Raises ``Invalid``, and ``Refused`` for what has no module of its own or is held."""
    if not given:
        return computer.module_data
    if not computer.module:
        raise Refused(f"{computer.name} is a virtual machine's identity: no module knows anything of it alone")
    if computer.holder:
        raise Refused(f"{computer.name} is held by {computer.holder}", "change it when that has ended")
    data = module_data.kind_of(computer.module).computer_data
    return module_data.merged(data, computer.module_data, given, f"the computer {computer.name}", computer.module)


def _seen(cares: Care, computer: model.Computer) -> Computer:
    """A computer as it is stored; where and as whom it is switched only for who cares for it."""
    found = view(computer)
    return found if cares.of_computer(computer) else found.model_copy(update={"power": None})


def view(computer: model.Computer) -> Computer:
    """A computer as it is stored, for who keeps or maintains it."""
    data, error = module_data.document(computer)
    known = asdict(computer) | {"module_data": data, "error": error or None}
    del known["hardware"], known["hardware_at"]  # a detailed one has them
    return Computer(**known)
