"""``vclab computer …``: the computers, which for virtual machines are identities: a host name and two MACs each."""

import asyncio
import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from vclab.cli import checks
from vclab.cli.administer import administration, group, may_administer
from vclab.cli.context import Lab, lab_of, near
from vclab.cli.errors import Usage, quoted
from vclab.cli.needs_help import tell_failed_load, trouble_json
from vclab.cli.output import JsonValue, fields, note, say, say_json, table
from vclab.cli.params import AsUser, ComputerName, Json
from vclab.cli.times import clock, iso
from vclab.model.catalog import Computer, Identity, IdentityPool
from vclab.model.errors import NotFound, Refused
from vclab.model.intents import Intent, Verb
from vclab.model.messages import Reload
from vclab.model.states import ComputerState
from vclab.provisioning import standalone

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

MAC_PREFIX = "02:76:63"  # locally administered, and "vc" in ASCII
MOST = 4096

app = group("computer", "The computers that people get: add, list, show, edit.")


@app.command("add")
def add(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="PREFIX|NAME", help="Prefix of a pool's names, or one name.", show_default=False)
    ],
    count: Annotated[
        int | None, typer.Option("--count", help="A pool of so many: PREFIX01, PREFIX02, …", show_default=False)
    ] = None,
    mac_prefix: Annotated[
        str | None,
        typer.Option(
            "--mac-prefix", help=f"First three bytes of a pool's MACs [default: {MAC_PREFIX}].", show_default=False
        ),
    ] = None,
    private_mac: Annotated[
        str | None, typer.Option("--private-mac", metavar="MAC", help="Of one computer.", show_default=False)
    ] = None,
    public_mac: Annotated[
        str | None, typer.Option("--public-mac", metavar="MAC", help="Of one computer.", show_default=False)
    ] = None,
    group_: Annotated[
        str | None, typer.Option("--group", metavar="ENDPOINT", help="Of a lab machine.", show_default=False)
    ] = None,
    address: Annotated[
        str | None, typer.Option("--address", help="Private address of a lab machine.", show_default=False)
    ] = None,
    host_key: Annotated[
        str | None,
        typer.Option("--host-key", metavar="KEY|FILE", help="Of a lab machine, to be pinned.", show_default=False),
    ] = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Add computers: identities that virtual machines get while they are reserved, or a lab machine.

    An identity is a host name and a MAC on each of the two networks. So many people can have a computer at one time
    as there are identities, if the hosts have room. A pool can grow: a higher --count adds what is missing.

    A lab machine is there already, with the management key in root's authorized_keys; --group names the endpoint (of
    the module standalone) that it belongs to. Without --host-key, that of the first contact is pinned. What has no
    guest needs no address. Added again, it is changed to what is said.

    \b
    Examples:
      vclab computer add vm --count 40
      vclab computer add lab --count 8 --mac-prefix 00:50:56
      vclab computer add paint-1 --private-mac 02:76:63:99:00:01 --public-mac 02:76:63:99:01:01
      vclab computer add pc-07 --group room-12 --address 10.77.0.27
    """
    lab = lab_of(context, as_user)
    admin = administration(lab)
    checks.name(name, "a computer", 60, more="")
    if group_ is not None:
        if count is not None or mac_prefix is not None:
            raise Usage("a lab machine needs --address, and has no --count and no --mac-prefix")
        _tell(admin.write(_lab_machine(name, group_, address, host_key, private_mac, public_mac)), json, lab.zone)
        return
    if address is not None or host_key is not None:
        raise Usage("--address and --host-key are of lab machines, which need --group too")
    found = admin.write(_identities(name, count, mac_prefix, private_mac, public_mac))
    if json:
        say_json([_json(each) for each in found])
    else:
        _list(found)


@app.command("edit")
def edit(
    context: typer.Context,
    name: ComputerName,
    maintenance: Annotated[
        bool | None, typer.Option("--maintenance/--available", help="Give it to nobody / to people again.")
    ] = None,
    notes: Annotated[str | None, typer.Option("--notes", help="What is to be known of it.", show_default=False)] = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Take a computer out of use, give it back, or change its notes.

    One that is held now keeps its state until its reservation has ended.

    \b
    Examples:
      vclab computer edit vm07 --maintenance --notes "its address is somebody else's"
      vclab computer edit vm07 --available --notes ""
    """
    lab = lab_of(context, as_user)
    admin = administration(lab)
    if maintenance is None and notes is None:
        raise Usage("say --maintenance, --available or --notes")
    text = checks.line(notes, "the note", 500) if notes else notes
    state = None if maintenance is None else _STATES[maintenance]

    def change(session: "Session") -> Computer:
        from vclab.store import catalog

        _known(name, catalog.computers(session))
        return catalog.set_computer(session, name, state, text, why=text or "")

    _tell(admin.write(change), json, lab.zone)


@app.command("reload")
def reload(
    context: typer.Context,
    name: ComputerName,
    image: Annotated[
        str, typer.Option("--image", help="Load this image [default: what was loaded last].", show_default=False)
    ] = "",
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Load a computer anew that nobody holds, with what it was loaded with last or another image.

    For computers that stay and can be loaded (module fake-metal). A taint, maintenance and failure end with a completed
    load; one that fails leaves the computer failed, with the reason in its notes. `vclab computer show` tells.

    \b
    Examples:
      vclab computer reload metal07
      vclab computer reload metal07 --image debian-12-metal
    """
    lab = lab_of(context, as_user)
    admin = administration(lab)
    if image:
        lab.image(image)
    asked = _asked(admin.who, name, image)
    admin.write(lambda session: _record(session, asked))
    message = Reload(name, image, asked.id)

    def ask(session: "Session") -> str:
        from vclab.store import background_loads, catalog

        _known(name, catalog.computers(session))
        return background_loads.why_not(session, message, admin.settings.rules())

    why_not = admin.read(ask)
    if why_not:
        raise Refused(why_not)
    asyncio.run(_reload(lab, message))
    if json:
        say_json(_json(_known(name, lab.records.computers())))
    else:
        say(f"{name}  is being loaded; `vclab computer show {name}` tells")


def _asked(who: str, name: str, image: str) -> Intent:
    arguments = {"image": image} if image else {}
    roles, now = ("operator",), datetime.now(UTC)
    return Intent(uuid.uuid4().hex, now, who, "account", roles, Verb.RELOAD, name, arguments=arguments)


def _record(session: "Session", asked: Intent) -> None:
    from vclab.store import intents

    intents.write(session, asked)


async def _reload(lab: Lab, message: Reload) -> None:
    await (await lab.reservations()).reload(message)


@app.command("list")
def list_(context: typer.Context, json: Json = False) -> None:
    """List the computers, what they hold and who holds them.

    \b
    Examples:
      vclab computer list
      vclab computer list --json
    """
    found = lab_of(context).records.computers()
    if json:
        say_json([_json(each) for each in found])
    elif found:
        _list(found)
    else:
        note("There are no computers yet; add a pool with `vclab computer add vm --count 40`.")


@app.command("show")
def show(context: typer.Context, name: ComputerName, json: Json = False) -> None:
    """Show one computer; to operators, also what could be seen when it could not be loaded.

    \b
    Examples:
      vclab computer show vm07
    """
    lab = lab_of(context)
    computer = _known(name, lab.records.computers())
    failed = [each for each in lab.records.failed_loads() if each.computer == name] if may_administer(lab) else []
    if json:
        say_json(_json(computer) | {"failure": trouble_json(failed[0]) if failed else None})
        return
    _tell(computer, json, lab.zone)
    for trouble in failed:
        say("")
        tell_failed_load(lab, trouble)


_STATES = {True: ComputerState.MAINTENANCE, False: ComputerState.AVAILABLE}


def _lab_machine(
    name: str, group: str, address: str | None, host_key: str | None, private_mac: str | None, public_mac: str | None
) -> "Callable[[Session], Computer]":
    """The change that adds a lab machine, or lays what is said over what is known of it."""
    given = {"endpoint": group}
    for field, text, check in (
        ("address", address, checks.address),
        ("host_key", host_key, checks.host_key),
        ("private_mac", private_mac, checks.mac),
        ("public_mac", public_mac, checks.mac),
    ):
        if text is not None:
            given[field] = check(text)

    def change(session: "Session") -> Computer:
        from vclab.store import catalog

        modules = {each.name: checks.traits(each.module) for each in catalog.endpoints(session)}
        groups = [name for name, traits in modules.items() if traits.lent]
        if group not in groups:
            raise NotFound(
                f"there is no group of lab machines {quoted(group)}{near(group, groups)}; "
                f"make it with `vclab endpoint add NAME --module {standalone.NAME}`"
            )
        if modules[group].guest and address is None:
            raise Usage(f"a computer of {group} needs --address")
        computers = catalog.computers(session)
        for other in computers:
            if other.name == name and other.holder:
                raise Refused(f"{name} is held by {other.holder}; it can be changed when that has ended")
            if address and other.name != name and other.pool in groups and other.private_address == given["address"]:
                raise Refused(f"the address {given['address']} of {name} belongs to {other.name}")
            taken = {other.private_mac, other.public_mac} & {given.get("private_mac"), given.get("public_mac")}
            if other.name != name and taken - {"", None}:
                raise Refused(f"the MAC {taken.pop()} of {name} belongs to {other.name}")
        catalog.put_lab_computer(session, name, **given)
        return catalog.computer(session, name)

    return change


def _identities(
    name: str, count: int | None, mac_prefix: str | None, private_mac: str | None, public_mac: str | None
) -> "Callable[[Session], list[Computer]]":
    """The change that adds a pool of identities, lets it grow, or adds one."""
    one = private_mac is not None or public_mac is not None
    if one == (count is not None) or (one and mac_prefix is not None):
        raise Usage("say --count for a pool of computers, or --private-mac and --public-mac for one")
    pool = _one(name, private_mac, public_mac) if one else None
    if count is not None:
        checks.number(count, "the count", 1, MOST)
    wanted = checks.mac_prefix(mac_prefix) if mac_prefix is not None else ""

    def change(session: "Session") -> list[Computer]:
        from vclab.store import catalog

        known = [each for each in catalog.computers(session) if each.pool == name]
        chosen = pool or _pool(name, count or 0, wanted, known)
        _refuse_other_macs(chosen, known)
        catalog.put_pool(session, chosen)
        names = {identity.name for identity in catalog.identities(chosen)}
        checks.identities(catalog.identities(chosen))
        return [each for each in catalog.computers(session) if each.name in names]

    return change


def _one(name: str, private_mac: str | None, public_mac: str | None) -> IdentityPool:
    """A pool of one computer, which bears its name."""
    if not private_mac or not public_mac:
        raise Usage("one computer needs both --private-mac and --public-mac")
    identity = Identity(name, checks.mac(private_mac), checks.mac(public_mac))
    if identity.private_mac == identity.public_mac:
        raise Usage("the two network cards of a computer need different MACs")
    return IdentityPool(prefix=name, count=1, identities=(identity,))


def _pool(prefix: str, count: int, wanted: str, known: list[Computer]) -> IdentityPool:
    """The pool, grown or new. It keeps its MACs: machines are told by them in DHCP and firewalls."""
    present = known[0].private_mac[: len(MAC_PREFIX)] if known else ""
    if present and wanted and wanted != present:
        raise Refused(f"the pool {prefix} has MACs below {present}, not {wanted}")
    return IdentityPool(prefix=prefix, count=count, mac_prefix=present or wanted or MAC_PREFIX)


def _refuse_other_macs(pool: IdentityPool, known: list[Computer]) -> None:
    """A computer that is there already is not given other MACs unseen."""
    macs = {each.name: (each.private_mac, each.public_mac) for each in known}
    for identity in pool.identities:
        wanted = identity.private_mac, identity.public_mac
        if macs.get(identity.name, wanted) != wanted:
            raise Refused(
                f"there is a computer {identity.name} already, with the MACs {' and '.join(macs[identity.name])}"
            )


def _known(name: str, computers: list[Computer]) -> Computer:
    known = {each.name: each for each in computers}
    if name not in known:
        raise NotFound(f"there is no computer {quoted(name)}{near(name, known)}; `vclab computer list` lists them")
    return known[name]


def _list(found: list[Computer]) -> None:
    rows = [
        (
            c.name,
            str(c.kind),
            "spare" if c.spare_until else c.state,
            f"{c.image}/{c.revision}" if c.image else "",
            c.holder,
            c.public_address,
            c.why_out_of_service or c.notes,
        )
        for c in found
    ]
    table(("COMPUTER", "KIND", "STATE", "HOLDS", "HELD BY", "ADDRESS", "NOTES"), rows)


def _tell(computer: Computer, json: bool, zone: ZoneInfo) -> None:
    if json:
        say_json(_json(computer))
        return
    fields(
        [
            ("Computer", computer.name),
            ("Kind", str(computer.kind)),
            ("State", computer.state),
            ("Held by", f"{computer.holder} (generation {computer.generation})" if computer.holder else ""),
            ("Holds", f"{computer.image}, revision {computer.revision}" if computer.image else ""),
            ("Private", " ".join(filter(None, (computer.private_mac, computer.private_address)))),
            ("Public", " ".join(filter(None, (computer.public_mac, computer.public_address)))),
            ("Spare", _spare(computer, zone)),
            ("Out of service", computer.why_out_of_service),
            ("Notes", computer.notes),
        ]
    )


def _spare(computer: Computer, zone: ZoneInfo) -> str:
    if computer.spare_until is None:
        return ""
    until = clock(computer.spare_until, zone)
    return f"its machine on {computer.host} goes to the next reservation of that image, or is removed after {until}"


def _json(computer: Computer) -> dict[str, JsonValue]:
    words = {"kind": str(computer.kind), "state": str(computer.state), "spare_until": iso(computer.spare_until)}
    return asdict(computer) | words
