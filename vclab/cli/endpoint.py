"""``vclab endpoint …``: what provisions: vCenters, ESXi hosts, groups of lab machines."""

from typing import Annotated, Any

import typer

from vclab.cli import module_fields
from vclab.cli.asking import asker, disabled, given
from vclab.cli.endpoint_login import with_login
from vclab.cli.events import tell
from vclab.cli.nouns import group
from vclab.cli.output import fields, note, say, table
from vclab.cli.params import AsUser, EndpointName, Json, Why
from vclab.cli.tables import Column, Fit
from vclab.contract import endpoints, events
from vclab.contract.endpoints import CheckedEndpoint, Endpoint
from vclab.contract.retiring import Disable, Named
from vclab.contract.use_case import Nothing
from vclab.model.catalog import DEFAULT_MODULE, AfterUse
from vclab.model.errors import Failed

COLUMNS = (
    Column("ENDPOINT"),
    Column("MODULE", drop=4),
    Column("SITE", drop=3),
    Column("URL", drop=2),
    Column("USER", drop=5),
    Column("CERTIFICATE", drop=6),
    Column("NOTE", drop=1, fit=Fit.CUT),
)
HOSTS = (
    Column("HOST"),
    Column("USABLE", drop=1),
    Column("CPUS", drop=3, right=True),
    Column("MEMORY", drop=4, right=True),
    Column("DATASTORES", drop=5),
    Column("WHY NOT", drop=2, fit=Fit.FOLD),
)
DATASTORES = (
    Column("DATASTORE"),
    Column("USABLE", drop=1),
    Column("FOR US", drop=3, right=True),
    Column("FREE", drop=4, right=True),
    Column("WHY NOT", drop=2, fit=Fit.FOLD),
)

_OPTIONS = (
    "folder",
    "private_network",
    "public_network",
    "imaging_network",
    "datacenter",
    "resource_pool",
    "host_policy",
    "datastore_policy",
)
"""Fields of the module's data that have an option of their own."""

app = group(
    "endpoint", "What provisions (vCenters, ESXi hosts): list, show, check, add, edit, disable, enable, remove."
)

NewName = Annotated[str, typer.Argument(metavar="ENDPOINT", help="Its name here.", show_default=False)]
Url = Annotated[str | None, typer.Option("--url", help="https://HOST[:PORT]/sdk", show_default=False)]
Username = Annotated[str | None, typer.Option("--username", help="User name of the login there.", show_default=False)]
Module = Annotated[str, typer.Option("--module", help="Its provisioning module.")]
Fingerprint = Annotated[
    str | None,
    typer.Option("--fingerprint", metavar="HEX", help="SHA-256 of its certificate, confirmed.", show_default=False),
]
Folder = Annotated[
    str | None,
    typer.Option("--folder", help="Folder for our machines [default: vclab].", show_default=False),
]
Private = Annotated[
    str | None,
    typer.Option(
        "--private-network", help="Port group of the management network [default: private].", show_default=False
    ),
]
Public = Annotated[
    str | None,
    typer.Option("--public-network", help="Port group of the users' network [default: public].", show_default=False),
]
Imaging = Annotated[
    str | None,
    typer.Option(
        "--imaging-network",
        help="Port group for sealing captured images, with DHCP and the management node only [default: none: nothing "
        "can be captured there].",
        show_default=False,
    ),
]
Datacenter = Annotated[
    str | None, typer.Option("--datacenter", help="Its datacenter, if it has several.", show_default=False)
]
Pool = Annotated[
    str | None,
    typer.Option(
        "--resource-pool",
        help="Of its hosts and clusters, for our machines [default: the root pool].",
        show_default=False,
    ),
]
HostPolicy = Annotated[
    str | None,
    typer.Option("--host-policy", help="best-fit (the fullest host first) or spread.", show_default=False),
]
DatastorePolicy = Annotated[
    str | None,
    typer.Option("--datastore-policy", help="spread (the emptiest datastore first) or best-fit.", show_default=False),
]
Site = Annotated[
    str | None,
    typer.Option(
        "--site",
        help="Site whose worker reaches it [default: the site of this machine's settings].",
        show_default=False,
    ),
]
Overcommit = Annotated[
    float | None,
    typer.Option("--cpu-overcommit", help="Virtual CPUs per hardware thread [default: 4].", show_default=False),
]
Reserve = Annotated[
    int | None,
    typer.Option("--memory-reserve", metavar="MIB", help="Left to each host [default: 1024].", show_default=False),
]


After = Annotated[
    str | None,
    typer.Option(
        "--after-use",
        metavar="on|off|unloaded",
        help="Of a group: its computers are brought back to their image and left on [default], or switched off; or "
        "switched off as they are, and loaded when somebody needs them.",
        show_default=False,
    ),
]


@app.command("add")
def add(
    context: typer.Context,
    name: NewName,
    url: Url = None,
    username: Username = None,
    module: Module = DEFAULT_MODULE,
    fingerprint: Fingerprint = None,
    folder: Folder = None,
    private_network: Private = None,
    public_network: Public = None,
    imaging_network: Imaging = None,
    datacenter: Datacenter = None,
    resource_pool: Pool = None,
    host_policy: HostPolicy = None,
    datastore_policy: DatastorePolicy = None,
    cpu_overcommit: Overcommit = None,
    memory_reserve_mb: Reserve = None,
    after_use: After = None,
    sets: module_fields.Sets = None,
    site: Site = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Add a vCenter or an ESXi host; or, with --module standalone, a group of lab machines.

    Shows the certificate's fingerprint to be confirmed (or compares it with --fingerprint) and pins it; logs in;
    reads hosts, capacity, datastores and networks. Nothing is changed there. The password is asked for without echo,
    or read from standard input, and kept among the secrets: it is never an argument.

    Machines can be captured where there is an imaging network. One that a host lacks is only warned of.

    A group of lab machines is only a name; its machines are added by `vclab computer add`.
    --set FIELD=VALUE sets what only the module knows of an endpoint; --folder, the networks, --datacenter,
    --resource-pool and the policies are short for that.
    A machine goes where a copy of its image is; of such hosts and datastores to the one that the policies prefer.

    \b
    Examples:
      vclab endpoint add vc1 --url https://vcenter.example.org/sdk --username vclab@vsphere.local
      vclab endpoint add esx --url https://esx.example.org --username root --fingerprint 12:ab:… < password-file
      vclab endpoint add room-12 --module standalone --site north
      vclab endpoint add texts --module text-file --set folder=/srv/texts
    """
    question, ask = given(context, endpoints.Add, data=_data(context)), asker(context)
    question = with_login(question, ask(endpoints.preview_add, question))
    ask.tell(endpoints.add, question, json, _describe)


@app.command("edit")
def edit(
    context: typer.Context,
    name: EndpointName,
    url: Url = None,
    username: Username = None,
    new_password: Annotated[bool, typer.Option("--password", help="Ask for a new password.")] = False,
    certificate: Annotated[
        bool, typer.Option("--certificate", help="Confirm and pin the certificate that it shows now.")
    ] = False,
    fingerprint: Fingerprint = None,
    folder: Folder = None,
    private_network: Private = None,
    public_network: Public = None,
    imaging_network: Imaging = None,
    datacenter: Datacenter = None,
    resource_pool: Pool = None,
    host_policy: HostPolicy = None,
    datastore_policy: DatastorePolicy = None,
    cpu_overcommit: Overcommit = None,
    memory_reserve_mb: Reserve = None,
    after_use: After = None,
    sets: module_fields.Sets = None,
    site: Site = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Change an endpoint; what is not given stays. It is tried first, and nothing is changed if that fails.

    \b
    Examples:
      vclab endpoint edit vc1 --password
      vclab endpoint edit vc1 --certificate
      vclab endpoint edit vc1 --public-network students --cpu-overcommit 6
      vclab endpoint edit vc1 --host-policy spread --resource-pool students
      vclab endpoint edit vc1 --imaging-network lab-imaging
      vclab endpoint edit room-12 --after-use off
    """
    question, ask = given(context, endpoints.Edit, data=_data(context)), asker(context)
    question = with_login(question, ask(endpoints.preview_edit, question))
    ask.tell(endpoints.edit, question, json, _describe)


@app.command("check")
def check(context: typer.Context, name: EndpointName, json: Json = False, as_user: AsUser = "") -> None:
    """Ask an endpoint what it can hold now; show what is unusable and why. Nothing is changed there.

    Exit code 1 when no machine can be placed there.

    \b
    Examples:
      vclab endpoint check vc1
      vclab endpoint check vc1 --json
    """
    checked = asker(context).tell(endpoints.check, given(context, Named), json, _tell_answer)
    if checked.why_not:
        raise Failed(f"no machine can be placed on {name}: {checked.why_not}")


@app.command("events")
def what_was_done(context: typer.Context, name: EndpointName, json: Json = False, as_user: AsUser = "") -> None:
    """Show what vclab has noticed at an endpoint: datastores that filled.

    \b
    Examples:
      vclab endpoint events vc1
    """
    ask = asker(context)
    ask.tell(events.of_endpoint, given(context, Named), json, lambda found: tell(found, ask.zone()))


@app.command("disable")
def disable(
    context: typer.Context, name: EndpointName, why: Why = "", json: Json = False, as_user: AsUser = ""
) -> None:
    """Place nothing at an endpoint from now on. What runs there goes on.

    \b
    Examples:
      vclab endpoint disable vc1 --why "storage is replaced on Monday"
    """
    asker(context).tell(endpoints.disable, given(context, Disable), json, _tell)


@app.command("enable")
def enable(context: typer.Context, name: EndpointName, json: Json = False, as_user: AsUser = "") -> None:
    """Place at an endpoint again.

    \b
    Examples:
      vclab endpoint enable vc1
    """
    asker(context).tell(endpoints.enable, given(context, Named), json, _tell)


@app.command("remove")
def remove(context: typer.Context, name: EndpointName, json: Json = False, as_user: AsUser = "") -> None:
    """Remove an endpoint and its password. Refused while it is in use; nothing is changed there.

    \b
    Examples:
      vclab endpoint remove vc1
    """
    question = given(context, Named)
    asker(context).tell(endpoints.remove, question, json, lambda _: say(f"{name} is removed"))


@app.command("list")
def list_(context: typer.Context, json: Json = False) -> None:
    """List the endpoints.

    \b
    Examples:
      vclab endpoint list
      vclab endpoint list --json
    """
    asker(context).tell(endpoints.listing, Nothing(), json, _list)


@app.command("show")
def show(context: typer.Context, name: EndpointName, json: Json = False) -> None:
    """Show one endpoint as it is recorded; ``check`` asks it.

    \b
    Examples:
      vclab endpoint show vc1
    """
    asker(context).tell(endpoints.show, given(context, Named), json, _tell)


def _data(context: typer.Context) -> dict[str, str]:
    """The module's data that was given."""
    given: dict[str, Any] = context.params
    return module_fields.typed(given["sets"], {name: given[name] for name in _OPTIONS})


_AFTER_USE = {
    AfterUse.OFF: "off: brought back to their image, and switched off",
    AfterUse.UNLOADED: "unloaded: switched off as they are",
}


def _list(found: tuple[Endpoint, ...]) -> None:
    rows = [
        (e.name, e.module, e.site, e.url or "", e.username or "", _short(e.fingerprint), disabled(e)) for e in found
    ]
    if found:
        table(COLUMNS, rows)
    else:
        note("There are no endpoints yet; `vclab endpoint add --help` says how one is added.")


def _short(fingerprint: str) -> str:
    return f"{fingerprint[:16]}…" if fingerprint else ""


def _describe(endpoint: CheckedEndpoint) -> None:
    _tell(endpoint)
    if endpoint.product:
        say("")
        _tell_answer(endpoint)
    if endpoint.why_not:
        note(f"No machine can be placed there now: {endpoint.why_not}")


def _tell(endpoint: Endpoint) -> None:
    if endpoint.error:
        raise Failed(endpoint.error)
    fields(
        [
            ("Endpoint", endpoint.name),
            ("Module", endpoint.module),
            ("Site", endpoint.site),
            ("After use", "" if endpoint.after_use is AfterUse.ON else _AFTER_USE[endpoint.after_use]),
            ("Note", disabled(endpoint)),
            *_login_rows(endpoint),
            *module_fields.shown(endpoint.module_data),
            ("Limits", _limits(endpoint) if endpoint.fingerprint else ""),
        ]
    )


def _login_rows(endpoint: Endpoint) -> list[tuple[str, str]]:
    certificate = f"SHA-256 {endpoint.fingerprint}" if endpoint.fingerprint else ""
    return [("URL", endpoint.url or ""), ("User", endpoint.username or ""), ("Certificate", certificate)]


def _limits(endpoint: Endpoint) -> str:
    return f"{endpoint.cpu_overcommit:g} CPUs per thread; {endpoint.memory_reserve_mb} MiB left to each host"


def _tell_answer(endpoint: CheckedEndpoint) -> None:
    say(endpoint.product)
    hosts = [
        (h.name, "yes" if h.usable else "no", str(h.cpus), f"{h.memory_mb} MiB", ", ".join(h.datastores), h.why_not)
        for h in endpoint.hosts
    ]
    table(HOSTS, hosts)
    stores = [
        (s.name, "yes" if s.usable else "no", f"{s.disk_gb} GiB", f"{s.free_gb} GiB", s.why_not)
        for s in endpoint.datastores
    ]
    table(DATASTORES, stores)
    for text in endpoint.lacking:
        note(f"its login may not do what is needed on {text}")
    for text in endpoint.warnings:
        note(f"Warning: {text}")
    for text in endpoint.missing_masters:
        note(f"Missing master: {text}")
