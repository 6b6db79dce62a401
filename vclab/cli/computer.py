"""``vclab computer …``: the computers that people get. A virtual machine's is an identity: a host name and two MACs."""

import sys
from collections.abc import Sequence
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from vclab.cli import module_fields
from vclab.cli.asking import Asker, asker, confirm, given
from vclab.cli.console import console
from vclab.cli.endpoint_login import with_login
from vclab.cli.errors import Usage
from vclab.cli.events import tell as tell_events
from vclab.cli.failed import print_failed_load
from vclab.cli.inspect import hardware_rows, inspect
from vclab.cli.nouns import group
from vclab.cli.output import fields, note, say, table
from vclab.cli.params import AsUser, ComputerName, ComputerNames, Json, Why
from vclab.cli.power import tell as tell_power
from vclab.cli.tables import Column, Fit
from vclab.cli.times import clock, dated, parse_time, utc_now
from vclab.cli.user import key_texts
from vclab.contract import computers, events, lab_machines, power
from vclab.contract.acts import MOST_REVISIONS
from vclab.contract.computers import Computer, DetailedComputer, Reloaded
from vclab.contract.retiring import Named
from vclab.model.errors import Refused
from vclab.model.power import PowerVerb

COLUMNS = (
    Column("COMPUTER"),
    Column("KIND", drop=6),
    Column("STATE", drop=1),
    Column("HOLDS", drop=4),
    Column("HELD BY", drop=2),
    Column("ADDRESS", drop=5),
    Column("NOTES", drop=3, fit=Fit.CUT),
)

RELOADS = (Column("COMPUTER"), Column("HOLDS", drop=2), Column("WILL HOLD"), Column("WHEN", drop=1, fit=Fit.FOLD))

app = group(
    "computer",
    "The computers that people get: list, show, events, add, import, edit, check, inspect, console, reload, disable, "
    "enable, remove.",
)

PoolOrName = Annotated[
    str, typer.Argument(metavar="PREFIX|NAME", help="Prefix of a pool's names, or one name.", show_default=False)
]
Count = Annotated[
    int | None, typer.Option("--count", help="Size of the pool: PREFIX01, PREFIX02, …", show_default=False)
]
MacPrefix = Annotated[
    str | None,
    typer.Option(
        "--mac-prefix",
        help=f"First three bytes of a pool's MACs [default: {computers.MAC_PREFIX}].",
        show_default=False,
    ),
]
PrivateMac = Annotated[
    str | None,
    typer.Option(
        "--mac", "--private-mac", metavar="MAC", help="Of its private card, from which it boots.", show_default=False
    ),
]
PublicMac = Annotated[
    str | None, typer.Option("--public-mac", metavar="MAC", help="Of its public card.", show_default=False)
]
Group = Annotated[
    str | None, typer.Option("--group", metavar="ENDPOINT", help="Endpoint of a lab machine.", show_default=False)
]
Module = Annotated[
    str | None,
    typer.Option("--module", help="Of a lab machine, instead of its only endpoint's name.", show_default=False),
]
Address = Annotated[str | None, typer.Option("--address", help="Private address of a lab machine.", show_default=False)]
HostKey = Annotated[
    str | None,
    typer.Option("--host-key", metavar="KEY|FILE", help="Host key of a lab machine, to be pinned.", show_default=False),
]

BmcAddress = Annotated[
    str | None,
    typer.Option(
        "--bmc",
        metavar="ADDRESS",
        help="Where it is switched: ipmi://USER@HOST, redfish://USER@HOST, wol://MAC@ADDRESS/BROADCAST, none.",
        show_default=False,
    ),
]
Fingerprint = Annotated[
    str | None,
    typer.Option("--fingerprint", metavar="SHA256", help="Of its BMC's certificate, confirmed.", show_default=False),
]
TrustFirstContact = Annotated[
    bool,
    typer.Option("--trust-first-contact", help="Pin the host key of whoever answers first at a lab machine's address."),
]


@app.command("add")
def add(
    context: typer.Context,
    name: PoolOrName,
    count: Count = None,
    mac_prefix: MacPrefix = None,
    private_mac: PrivateMac = None,
    public_mac: PublicMac = None,
    group_: Group = None,
    module: Module = None,
    address: Address = None,
    host_key: HostKey = None,
    trust_first_contact: TrustFirstContact = False,
    bmc: BmcAddress = None,
    fingerprint: Fingerprint = None,
    sets: module_fields.Sets = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Add computers: identities that virtual machines get while they are reserved, or a lab machine (bare metal too).

    An identity is a host name and a MAC on each of the two networks. As many people can have a computer at one time
    as there are identities, if the hosts have room. A pool can grow: a higher --count adds what is missing.

    A lab machine exists already. --group names the endpoint that it belongs to; --module, if there is one of it.
    One of the module standalone has the management key in root's authorized_keys. --host-key says how it is known (its
    /etc/ssh/ssh_host_ed25519_key.pub); --trust-first-contact pins what answers first. Computers that are loaded need
    neither. Adding it again changes it; `vclab computer import` adds many.

    --bmc says where it is switched; that is tried first. The BMC's password is asked for, never an argument.
    --set FIELD=VALUE sets what only its module knows of it.

    \b
    Examples:
      vclab computer add vm --count 40
      vclab computer add lab --count 8 --mac-prefix 00:50:56
      vclab computer add paint-1 --mac 02:76:63:99:00:01 --public-mac 02:76:63:99:01:01
      vclab computer add pc-07 --group room-12 --address 10.77.0.27 --host-key ./pc-07.pub
      vclab computer add pc-08 --group room-12 --address 10.77.0.28 --host-key ./pc-08.pub \\
        --bmc wol://02-76-63-99-00-08@10.77.0.28/10.77.255.255
      vclab computer add metal01 --module bare-metal --mac 52:54:00:12:34:01 --address 10.78.0.11 \\
        --bmc ipmi://vclab@10.9.0.11 --set disk=serial=S3X9NB0K123456
    """
    pool = (count, mac_prefix) != (None, None)
    machine = (group_, module, address, host_key, bmc, fingerprint, sets) != (None,) * 7
    ask, one = asker(context), (private_mac, public_mac) != (None, None)
    if machine or trust_first_contact:
        _add_lab_machine(context, group_, host_key, pool, json)
    elif count is not None and not one:
        ask.tell(computers.add_pool, given(context, computers.AddPool), json, _list)
    elif pool or not one:
        raise Usage("nothing to add", "use --count for a pool of computers, or --mac and --public-mac for one")
    elif private_mac is None or public_mac is None:
        raise Usage("one computer needs both --mac and --public-mac")
    else:
        ask.tell(computers.add_identity, given(context, computers.AddIdentity), json, _list)


def _add_lab_machine(context: typer.Context, group: str | None, host_key: str | None, pool: bool, json: bool) -> None:
    if pool:
        raise Usage("a lab machine has no --count and no --mac-prefix", "use --address")
    ask, keys = asker(context), key_texts([host_key] if host_key is not None else None)
    data = module_fields.typed(context.params["sets"], {})
    question = given(context, lab_machines.LabMachine, group=group, host_key=keys[0] if keys else None, data=data)
    question = with_login(question, ask(lab_machines.preview, question))
    ask.tell(lab_machines.add, question, json, lambda computer: _tell(computer, ask.zone()))


@app.command("edit")
def edit(
    context: typer.Context,
    name: ComputerName,
    maintenance: Annotated[
        bool | None, typer.Option("--maintenance/--available", help="Take out of service / return to service.")
    ] = None,
    notes: Annotated[str | None, typer.Option("--notes", help="Notes for administrators.", show_default=False)] = None,
    bmc: BmcAddress = None,
    fingerprint: Fingerprint = None,
    sets: module_fields.Sets = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Take a computer out of service, return it to service, change its notes, or say where it is switched.

    A computer that is held now keeps its state until its reservation has ended. A BMC is logged in to first; its
    password is asked for without echo, or read from standard input, and kept among the secrets. --set FIELD=VALUE sets
    what only its module knows of it.

    \b
    Examples:
      vclab computer edit vm07 --maintenance --notes "its address belongs to another machine"
      vclab computer edit vm07 --available --notes ""
      vclab computer edit metal01 --bmc ipmi://vclab@10.9.0.11 < password-file
    """
    ask = asker(context)
    question = given(context, computers.Edit, data=module_fields.typed(sets, {}))
    if question.bmc is not None:
        question = with_login(question, ask(computers.preview_edit, question))
    ask.tell(computers.edit, question, json, lambda computer: _tell(computer, ask.zone()))


@app.command("check")
def check(context: typer.Context, name: ComputerName, json: Json = False, as_user: AsUser = "") -> None:
    """Ask where a computer is switched whether it is on, and warn of a BMC that is badly guarded.

    It lets anybody in, has the password that it was delivered with, or its address is in a network of users' computers
    (the setting `tenant_networks`; whether packets really get there is not tried). Nothing is changed.

    \b
    Examples:
      vclab computer check metal01
    """
    question = power.Switch(name=name, verb=PowerVerb.CHECK)
    asker(context).tell(power.switch, question, json, tell_power)


app.command("inspect")(inspect)
app.command("console")(console)


@app.command("events")
def what_was_done(context: typer.Context, name: ComputerName, json: Json = False, as_user: AsUser = "") -> None:
    """Show what was done to a computer while no reservation had it: loaded, switched, checked, taken out of service.

    \b
    Examples:
      vclab computer events metal07
    """
    ask = asker(context)
    ask.tell(events.of_computer, given(context, Named), json, lambda found: tell_events(found, ask.zone()))


@app.command("reload")
def reload(
    context: typer.Context,
    names: ComputerNames = None,
    group_: Annotated[
        str,
        typer.Option(
            "--group",
            metavar="ENDPOINT",
            help="All computers of this group that are not in maintenance.",
            show_default=False,
        ),
    ] = "",
    image: Annotated[
        str,
        typer.Option(
            "--image",
            metavar="IMAGE[:REVISION]",
            help="Load this image [default: on each what was loaded last].",
            show_default=False,
        ),
    ] = "",
    when_free: Annotated[
        bool,
        typer.Option("--when-free/--now", help="Those that somebody holds, when nobody does any more / refuse them."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Load computers anew, with the image that was loaded last or another one. All that is on them is lost.

    Shows which computers are hit, and asks. All are loaded, or none: one that is unknown, can't be loaded, or is held
    (without --when-free) is named. Only so many are loaded at one time (the settings `idle`); the others follow.

    For computers that stay and can be loaded (module bare-metal). A completed load ends a taint, maintenance and
    failure; a failed load leaves the computer failed. `vclab computer show` tells the reason.

    \b
    Examples:
      vclab computer reload metal07
      vclab computer reload metal07 metal08 --image debian-12-metal:4 --yes
      vclab computer reload --group room-9 --when-free
    """
    ask = asker(context)
    name, revision = _image_and_revision(image)
    found = ask(
        computers.preview_reload,
        computers.WhichReload(
            names=tuple(names or ()), group=group_, image=name, revision=revision, when_free=when_free
        ),
    )
    if refused := [each.why_not for each in found if each.why_not]:
        held = any(each.holder for each in found) and not when_free
        raise Refused("; ".join(refused), "use --when-free for those that somebody holds" if held else "")
    if not yes:
        _confirm_reload(found, ask.zone())
    chosen = tuple(each.name for each in found)
    question = computers.Reload(names=chosen, image=name, revision=revision, when_free=when_free)
    ask.tell(computers.reload, question, json, _tell_reloaded)


@app.command("disable")
def disable(
    context: typer.Context,
    name: ComputerName,
    why: Why = "",
    when_free: Annotated[
        bool, typer.Option("--when-free", help="As soon as nobody holds it; until then nobody else gets it.")
    ] = False,
    until: Annotated[
        str, typer.Option("--until", metavar="TIME", help="It returns by itself then.", show_default=False)
    ] = "",
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Take a computer out of service: now, which is refused while somebody holds it, or --when-free.

    \b
    Examples:
      vclab computer disable vm07 --why "its address belongs to another machine"
      vclab computer disable pc-07 --when-free --why "a new fan" --until "2026-12-01 10:00"
    """
    ask = asker(context)
    end = parse_time(until, ask.zone(), utc_now()) if until else None
    question = given(context, computers.TakeOut, until=end)
    ask.tell(computers.disable, question, json, lambda computer: _tell(computer, ask.zone()))


@app.command("enable")
def enable(context: typer.Context, name: ComputerName, json: Json = False, as_user: AsUser = "") -> None:
    """Return a computer to service.

    \b
    Examples:
      vclab computer enable vm07
    """
    ask = asker(context)
    ask.tell(computers.enable, given(context, Named), json, lambda computer: _tell(computer, ask.zone()))


@app.command("remove")
def remove(context: typer.Context, name: ComputerName, json: Json = False, as_user: AsUser = "") -> None:
    """Remove a computer. Refused while it is in use; a lab machine itself stays as it is.

    \b
    Examples:
      vclab computer remove vm07
    """
    question = given(context, Named)
    asker(context).tell(computers.remove, question, json, lambda _: say(f"{name} is removed"))


@app.command("list")
def list_(context: typer.Context, json: Json = False) -> None:
    """List the computers, what they hold and who holds them.

    \b
    Examples:
      vclab computer list
      vclab computer list --json
    """
    asker(context).tell(computers.listing, computers.Which(), json, _list)


@app.command("show")
def show(context: typer.Context, name: ComputerName, json: Json = False) -> None:
    """Show one computer; to operators, also why its last load failed.

    \b
    Examples:
      vclab computer show vm07
    """
    ask = asker(context)
    ask.tell(computers.show, given(context, Named), json, lambda computer: _describe(computer, ask))


def _image_and_revision(text: str) -> tuple[str, int]:
    """ "debian-12:4". Raises ``Usage``."""
    name, colon, number = text.partition(":")
    if not colon:
        return name, 0
    if not (number.isascii() and number.isdecimal() and 0 < int(number) <= MOST_REVISIONS):
        raise Usage(f"{number!r} is no number of a revision", "write --image IMAGE:REVISION, such as debian-12:4")
    return name, int(number)


def _confirm_reload(found: Sequence[Reloaded], zone: ZoneInfo) -> None:
    """Raises ``Refused``."""
    lost = f"all that is on {_many(found)} would be lost"
    if not sys.stdin.isatty():
        raise Refused(lost, "confirm it by --yes")
    rows = [(each.name, each.holds, each.will_hold, _when(each, zone)) for each in found]
    table(RELOADS, rows)
    confirm(f"All that is on {_many(found)} will be lost. Go on?", "it was not confirmed", "nothing was changed")


def _when(each: Reloaded, zone: ZoneInfo) -> str:
    if not each.holder:
        return "now" + (f"; then it is in service again: {each.why_out_of_service}" if each.why_out_of_service else "")
    return f"when {each.holder} has left it" + (f", probably {dated(each.until, zone)}" if each.until else "")


def _many(found: Sequence[Reloaded]) -> str:
    return found[0].name if len(found) == 1 else f"{len(found)} computers"


def _tell_reloaded(found: Sequence[Reloaded]) -> None:
    now, later = [each.name for each in found if not each.holder], [each.name for each in found if each.holder]
    if now:
        say(f"{', '.join(now)}: to be loaded; `vclab computer list` shows how far it is")
    if later:
        say(f"{', '.join(later)}: to be loaded when nobody holds {'it' if len(later) == 1 else 'them'} any more")


def _list(found: Sequence[Computer]) -> None:
    if found:
        table(COLUMNS, map(_row, found))
    else:
        note("There are no computers yet; add a pool with `vclab computer add vm --count 40`.")


def _row(c: Computer) -> tuple[str, ...]:
    state, image = str(c.state), f"{c.image}/{c.revision}" if c.image else ""
    if c.spare_until or (c.off_since and not c.holder):
        state = "spare" if c.spare_until else f"{c.state}, off"
    return (
        c.name,
        str(c.kind),
        state,
        image,
        c.holder,
        c.public_address,
        c.why_out_of_service or c.why_leaving or c.notes,
    )


def _describe(computer: DetailedComputer, ask: Asker) -> None:
    zone = ask.zone()
    _tell(computer, zone)
    if computer.hardware is not None and computer.hardware_at is not None:
        say("")
        fields([("Hardware", f"recorded {dated(computer.hardware_at, zone)}"), *hardware_rows(computer.hardware)])
    if computer.failure:
        say("")
        print_failed_load(computer.failure, zone)


def _tell(computer: Computer, zone: ZoneInfo) -> None:
    fields(
        [
            ("Computer", computer.name),
            ("Kind", str(computer.kind)),
            ("Group", f"{computer.pool} ({computer.module})" if computer.module else ""),
            ("State", str(computer.state)),
            ("Held by", f"{computer.holder} (generation {computer.generation})" if computer.holder else ""),
            ("Holds", f"{computer.image}, revision {computer.revision}" if computer.image else ""),
            ("Private", " ".join(filter(None, (computer.private_mac, computer.private_address)))),
            ("Public", " ".join(filter(None, (computer.public_mac, computer.public_address)))),
            ("Switched", computer.power or ""),
            *module_fields.shown(computer.module_data),
            ("Error", computer.error or ""),
            ("Spare", _spare(computer, zone)),
            ("Out of service", computer.why_out_of_service),
            ("Leaves service", f"when it is free: {computer.why_leaving or 'no reason given'}" * computer.leaving),
            ("Checked", _checked(computer, zone)),
            ("Off since", _off(computer, zone)),
            ("Loaded anew", _wanted_load(computer)),
            ("Returns", dated(computer.returns_at, zone) if computer.returns_at else ""),
            ("Notes", computer.notes),
        ]
    )


def _checked(computer: Computer, zone: ZoneInfo) -> str:
    if computer.checked_at is None or not computer.check_found:
        return ""
    return f"{dated(computer.checked_at, zone)}: {computer.check_found}"


def _off(computer: Computer, zone: ZoneInfo) -> str:
    if computer.off_since is None:
        return ""
    return f"{dated(computer.off_since, zone)}; it is switched on when somebody needs it"


def _wanted_load(computer: Computer) -> str:
    if not computer.load_intent:
        return ""
    revision = f", revision {computer.load_revision}" if computer.load_revision else ""
    return f"as soon as it is free and has its turn, with {computer.load_image or 'what was loaded last'}{revision}"


def _spare(computer: Computer, zone: ZoneInfo) -> str:
    if computer.spare_until is None:
        return ""
    until = clock(computer.spare_until, zone)
    return f"its machine on {computer.host} goes to the next reservation of that image, or is removed after {until}"
