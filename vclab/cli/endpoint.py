"""``vclab endpoint …``: what provisions: vCenters and ESXi hosts."""

import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vclab.cli import checks, module_data
from vclab.cli.administer import Administration, administration, group, may_write
from vclab.cli.context import Lab, lab_of, near
from vclab.cli.errors import Usage, quoted
from vclab.cli.output import JsonValue, fields, note, say, say_json, table
from vclab.cli.params import AsUser, EndpointName, Json
from vclab.cli.times import iso
from vclab.model.catalog import Endpoint
from vclab.model.errors import Failed, NotFound, Refused
from vclab.model.inventory import Inventory
from vclab.provisioning import registry

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from vclab.provisioning.enquiry import Answer, Enquiry

app = group("endpoint", "What provisions (vCenters, ESXi hosts): add, check, list, show, edit.")

NewName = Annotated[str, typer.Argument(metavar="ENDPOINT", help="Its name here.", show_default=False)]
Url = Annotated[str | None, typer.Option("--url", help="https://HOST[:PORT]/sdk", show_default=False)]
Username = Annotated[str | None, typer.Option("--username", help="Who logs in there.", show_default=False)]
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
    typer.Option("--private-network", help="Port group that we manage by [default: private].", show_default=False),
]
Public = Annotated[
    str | None,
    typer.Option("--public-network", help="Port group that people use [default: public].", show_default=False),
]
Datacenter = Annotated[str | None, typer.Option("--datacenter", help="Which, if it has several.", show_default=False)]
Site = Annotated[
    str | None,
    typer.Option(
        "--site", help="Whose worker reaches it [default: the site of this machine's settings].", show_default=False
    ),
]
Overcommit = Annotated[
    float | None,
    typer.Option("--cpu-overcommit", help="Virtual CPUs a hardware thread [default: 4].", show_default=False),
]
Reserve = Annotated[
    int | None,
    typer.Option("--memory-reserve", metavar="MIB", help="Left to each host [default: 1024].", show_default=False),
]


@app.command("add")
def add(
    context: typer.Context,
    name: NewName,
    url: Url = None,
    username: Username = None,
    module: Annotated[str, typer.Option("--module", help=f"What knows it: {', '.join(checks.MODULES)}.")] = (
        registry.DEFAULT
    ),
    fingerprint: Fingerprint = None,
    folder: Folder = None,
    private_network: Private = None,
    public_network: Public = None,
    datacenter: Datacenter = None,
    cpu_overcommit: Overcommit = None,
    memory_reserve: Reserve = None,
    fields_: module_data.Fields = None,
    site: Site = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Add a vCenter or an ESXi host; or, with --module standalone, a group of lab machines.

    Shows the certificate's fingerprint to be confirmed (or compares it with --fingerprint) and pins it; logs in;
    reads hosts, capacity, datastores and networks. Nothing is changed there. The password is asked for without echo,
    or read from standard input, and kept among the secrets: it never is an argument.

    A group of lab machines is only a name; its machines are added by `vclab computer add`.
    What only the module knows of an endpoint is said by --set FIELD=VALUE; --folder, --private-network,
    --public-network and --datacenter are short for that.

    \b
    Examples:
      vclab endpoint add vc1 --url https://vcenter.example.org/sdk --username vclab@vsphere.local
      vclab endpoint add esx --url https://esx.example.org --username root --fingerprint 12:ab:… < password-file
      vclab endpoint add room-12 --module standalone --site north
      vclab endpoint add texts --module text-file --set folder=/srv/texts
    """
    admin = _keeper(lab_of(context, as_user))
    checks.name(name, "an endpoint")
    checks.offered(checks.one_of(module, "module of endpoints", checks.MODULES), admin.settings)
    own, data = _site(site), _said(fields_, folder, private_network, public_network, datacenter)
    own |= _given(module, cpu_overcommit, memory_reserve)
    if module_data.kind_of(module).enquiry is None:
        if url is not None or username is not None or fingerprint is not None:
            raise Usage(f"the module {module} has nothing to log in to: no URL, no user name and no certificate")
        _add_plain(admin, name, module, own, data, json)
        return
    if url is None or username is None:
        raise Usage("an endpoint needs --url and --username")
    given = own | {"url": checks.url(url), "username": checks.line(username, "the user name")}
    pin = checks.fingerprint(fingerprint) if fingerprint is not None else ""
    known = _endpoints(admin).get(name)
    plain = {"name": name, "module": module, "password_ref": f"endpoint/{name}", "fingerprint": ""}
    new = Endpoint(**{"site": admin.settings.site, **plain, **given})
    endpoint = _changed(new if known is None else replace(known, **given), data)
    if known is not None and (endpoint != known or known.module != module):
        raise Refused(f"there is an endpoint {name} already; change it with `vclab endpoint edit {name}`")
    endpoint = replace(endpoint, fingerprint=_confirmed(endpoint, pin))
    _try_and_keep(admin, endpoint, _password(endpoint), json)


@app.command("edit")
def edit(
    context: typer.Context,
    name: EndpointName,
    url: Url = None,
    username: Username = None,
    new_password: Annotated[bool, typer.Option("--password", help="Ask for a new password.")] = False,
    new_certificate: Annotated[
        bool, typer.Option("--certificate", help="Confirm and pin the certificate that it shows now.")
    ] = False,
    fingerprint: Fingerprint = None,
    folder: Folder = None,
    private_network: Private = None,
    public_network: Public = None,
    datacenter: Datacenter = None,
    cpu_overcommit: Overcommit = None,
    memory_reserve: Reserve = None,
    fields_: module_data.Fields = None,
    site: Site = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Change an endpoint: what is not said stays. It is tried first, and nothing is changed if that fails.

    \b
    Examples:
      vclab endpoint edit vc1 --password
      vclab endpoint edit vc1 --certificate
      vclab endpoint edit vc1 --public-network students --cpu-overcommit 6
    """
    admin = _keeper(lab_of(context, as_user))
    known, data = _known(name, _endpoints(admin)), _said(fields_, folder, private_network, public_network, datacenter)
    given = _site(site) | _given(known.module, cpu_overcommit, memory_reserve)
    of_login = {url, username, fingerprint} != {None} or new_password or new_certificate
    if module_data.kind_of(known.module).enquiry is None and (data or given) and not of_login:
        _edit_plain(admin, replace(known, **given), data, json)
        return
    if url is not None:
        given["url"] = checks.url(url)
    if username is not None:
        given["username"] = checks.line(username, "the user name")
    pin = checks.fingerprint(fingerprint) if fingerprint is not None else ""
    endpoint = _changed(replace(_asked(name, {name: known}), **given), data)
    _check_site(admin, endpoint)
    if new_certificate or pin or url is not None:
        endpoint = replace(endpoint, fingerprint=_confirmed(endpoint, pin))
    password = _password(endpoint) if new_password or username is not None else admin.secrets.get(endpoint.password_ref)
    _try_and_keep(admin, endpoint, password, json)


@app.command("check")
def check(context: typer.Context, name: EndpointName, json: Json = False, as_user: AsUser = "") -> None:
    """Ask an endpoint what it can hold now, and tell what is unusable and why. Nothing is changed there.

    Exit code 1 when no machine could be placed there.

    \b
    Examples:
      vclab endpoint check vc1
      vclab endpoint check vc1 --json
    """
    admin = _keeper(lab_of(context, as_user))
    endpoint = _asked(name, _endpoints(admin))
    answer = _ask(admin, endpoint, admin.secrets.get(endpoint.password_ref))
    if json:
        say_json(_answer_json(endpoint, answer))
    else:
        _tell_answer(answer)
    if why := useless(answer.inventory):
        raise Failed(f"nothing can be placed on {name}: {why}")


@app.command("list")
def list_(context: typer.Context, json: Json = False) -> None:
    """List the endpoints.

    \b
    Examples:
      vclab endpoint list
      vclab endpoint list --json
    """
    found = lab_of(context).records.endpoints()
    if json:
        say_json([_json(each) for each in found])
    elif found:
        rows = [(e.name, e.module, e.site, e.url, e.username, e.fingerprint[:16] + "…" * bool(e.url)) for e in found]
        table(("ENDPOINT", "MODULE", "SITE", "URL", "USER", "CERTIFICATE"), rows)
    else:
        note("There are no endpoints yet; `vclab endpoint add --help` says how one is added.")


@app.command("show")
def show(context: typer.Context, name: EndpointName, json: Json = False) -> None:
    """Show one endpoint as it is recorded; ``check`` asks it.

    \b
    Examples:
      vclab endpoint show vc1
    """
    endpoint = _known(name, {each.name: each for each in lab_of(context).records.endpoints()})
    _tell_entry(endpoint, json)


def useless(inventory: Inventory) -> str:
    """Why no machine can be placed there at all; empty when one can."""
    if not inventory.hosts:
        return "it has no hosts"
    usable = [host for host in inventory.hosts if host.usable]
    if not usable:
        return "; ".join(f"{host.name}: {host.why_not}" for host in inventory.hosts)
    stores = {store.name: store for store in inventory.datastores}
    if not any(stores[name].usable for host in usable for name in host.datastores if name in stores):
        whys = "; ".join(f"{store.name}: {store.why_not}" for store in inventory.datastores if store.why_not)
        return f"no usable host has a usable datastore{f' ({whys})' if whys else ''}"
    return ""


def _keeper(lab: Lab) -> Administration:
    """Who may read and write the endpoints' passwords. Raises ``Refused`` before anybody types one."""
    admin = administration(lab)
    if not may_write(admin.settings.secrets_dir):
        raise Refused(
            f"you can't write {admin.settings.secrets_dir}, where passwords are kept: run this as root or its owner"
        )
    return admin


def _endpoints(admin: Administration) -> dict[str, Endpoint]:
    from vclab.store import catalog

    return {each.name: each for each in admin.read(catalog.endpoints)}


def _known(name: str, known: dict[str, Endpoint]) -> Endpoint:
    if name not in known:
        raise NotFound(f"there is no endpoint {quoted(name)}{near(name, known)}; `vclab endpoint list` lists them")
    return known[name]


def _asked(name: str, known: dict[str, Endpoint]) -> Endpoint:
    """One that can be asked. Raises ``Refused`` for one that is not logged in to."""
    endpoint = _known(name, known)
    _enquiry(endpoint)
    return endpoint


def _enquiry(endpoint: Endpoint) -> "Enquiry":
    kind = module_data.kind_of(endpoint.module)
    if kind.enquiry is None:
        todo = ": `vclab computer list`" if kind.traits.lent else ""
        raise Refused(f"{endpoint.name} is of the module {endpoint.module}, which has nothing to log in to{todo}")
    return kind.enquiry()


def _add_plain(
    admin: Administration, name: str, module: str, own: dict[str, Any], data: dict[str, str], json: bool
) -> None:
    """One that nobody logs in to, as a group of lab machines: nothing is there to be asked."""
    plain = {"url": "", "username": "", "password_ref": "", "fingerprint": "", "site": admin.settings.site}
    endpoint = _changed(Endpoint(name, module, **{**plain, **own}), data)

    def change(session: "Session") -> Endpoint:
        from vclab.store import catalog

        known = {each.name: each for each in catalog.endpoints(session)}.get(name)
        if known is not None and known.module != module:
            raise Refused(f"there is an endpoint {name} already, of the module {known.module}")
        if known is not None and _changed(replace(known, **own), data) != _changed(known, {}):
            raise Refused(f"there is an endpoint {name} already; change it with `vclab endpoint edit {name}`")
        if known is None:
            catalog.put_endpoint(session, endpoint)
        return known or endpoint

    _tell_entry(admin.write(change), json)


def _edit_plain(admin: Administration, endpoint: Endpoint, data: dict[str, str], json: bool) -> None:
    changed = _changed(endpoint, data)

    def change(session: "Session") -> None:
        from vclab.store import catalog

        catalog.put_endpoint(session, changed)

    admin.write(change)
    _tell_entry(changed, json)


def _check_site(admin: Administration, endpoint: Endpoint) -> None:
    """Before anybody types a password, and it is kept. Raises ``Refused``."""

    def look(session: "Session") -> None:
        from vclab.store import catalog

        catalog.check_site(session, endpoint)

    admin.read(look)


def _changed(endpoint: Endpoint, said: dict[str, str]) -> Endpoint:
    """The endpoint with what was said laid over what its module knows of it. Raises ``Usage`` and ``Refused``."""
    data, whose = module_data.kind_of(endpoint.module).endpoint_data, f"the endpoint {endpoint.name}"
    text = module_data.laid_over(data, endpoint.module_data, said, whose, endpoint.module)
    return replace(endpoint, module_data=text)


def _said(
    words: list[str] | None,
    folder: str | None,
    private_network: str | None,
    public_network: str | None,
    datacenter: str | None,
) -> dict[str, str]:
    """What was said of what only the module knows, checked; what was not said is not there."""
    texts = {
        "folder": (folder, "the folder"),
        "private_network": (private_network, "the private network"),
        "public_network": (public_network, "the public network"),
        "datacenter": (datacenter, "the datacenter"),
    }
    options = {field: checks.line(text, what, 200) for field, (text, what) in texts.items() if text is not None}
    return module_data.said(words, options)


def _site(said: str | None) -> dict[str, Any]:
    """The site, if one was said, checked as that of the settings is."""
    if said is None:
        return {}
    if checks.name(said, "a site", 31, "").endswith("-long"):
        raise Usage(f"the name of a site can't end in -long: {quoted(said)}")
    return {"site": said}


def _given(module: str, cpu_overcommit: float | None, memory_reserve: int | None) -> dict[str, Any]:
    """What was said of its hosts, checked; what was not said is not there."""
    if checks.traits(module).lent and (cpu_overcommit, memory_reserve) != (None, None):
        raise Usage(
            f"the computers of the module {module} are claimed as a whole: nothing is overcommitted or reserved"
        )
    given: dict[str, Any] = {}
    if cpu_overcommit is not None:
        if not 0.1 <= cpu_overcommit <= 100:
            raise Usage(f"the CPU overcommit must be between 0.1 and 100, not {cpu_overcommit}")
        given["cpu_overcommit"] = cpu_overcommit
    if memory_reserve is not None:
        given["memory_reserve_mb"] = checks.number(memory_reserve, "the memory reserve", 0, checks.MOST_MEMORY_MB)
    return given


def _confirmed(endpoint: Endpoint, wanted: str) -> str:
    """The fingerprint of the certificate that it shows, confirmed by ``--fingerprint`` or at the terminal."""
    seen = _enquiry(endpoint).shown_fingerprint(endpoint.url)
    shown = ":".join(seen[n : n + 2] for n in range(0, len(seen), 2))
    if wanted:
        if seen != wanted:
            raise Refused(f"{endpoint.url} shows another certificate: SHA-256 {shown}. Nothing was sent to it")
        return seen
    if not sys.stdin.isatty():
        raise Refused(
            f"{endpoint.url} shows a certificate with the SHA-256 fingerprint {shown}; compare it with what the "
            f"machine itself says, and confirm it by --fingerprint {seen}"
        )
    note(f"{endpoint.url} shows a certificate with the SHA-256 fingerprint\n  {shown}")
    note("Compare it with what the machine itself says. Is it the same? Type yes: ")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("the certificate was not confirmed; nothing was sent, and nothing was changed")
    return seen


def _password(endpoint: Endpoint) -> str:
    """From the terminal without echo, else the first line of standard input."""
    from getpass import getpass

    try:
        if sys.stdin.isatty():
            password = getpass(f"Password of {endpoint.username}: ", stream=sys.stderr)
        else:
            password = sys.stdin.readline(1000).rstrip("\r\n")
    except (UnicodeDecodeError, EOFError):
        raise Usage("the password that was read is no text") from None
    if not password:
        raise Usage("there is no password: type it at the terminal, or put it into standard input (< file)")
    return password


def _ask(admin: Administration, endpoint: Endpoint, password: str) -> "Answer":
    from vclab.store import catalog

    images = [image for image in admin.read(catalog.images) if image.module == endpoint.module]
    return _enquiry(endpoint).ask(endpoint, password, admin.settings.installation, images)


def _try_and_keep(admin: Administration, endpoint: Endpoint, password: str, json: bool) -> None:
    """Ask it; if it can be used at all, keep password and entry."""
    answer = _ask(admin, endpoint, password)
    if answer.mistakes:
        raise Refused("; ".join(answer.mistakes))

    def change(session: "Session") -> None:
        from vclab.store import catalog

        catalog.put_endpoint(session, endpoint)

    admin.secrets.put(endpoint.password_ref, password)  # first: an entry without its password would be no use
    admin.write(change)
    if json:
        say_json(_answer_json(endpoint, answer))
        return
    _tell(endpoint)
    say("")
    _tell_answer(answer)
    if why := useless(answer.inventory):
        note(f"Nothing can be placed there now: {why}")


def _tell_entry(endpoint: Endpoint, json: bool) -> None:
    if json:
        say_json(_json(endpoint))
    else:
        _tell(endpoint)


def _tell(endpoint: Endpoint) -> None:
    data = module_data.of_endpoint(endpoint)
    rows = [("Endpoint", endpoint.name), ("Module", endpoint.module), ("Site", endpoint.site)]
    if endpoint.url:
        rows += [
            ("URL", endpoint.url),
            ("User", endpoint.username),
            ("Certificate", f"SHA-256 {endpoint.fingerprint}"),
        ]
    rows += module_data.rows(data)
    if endpoint.url:
        limits = f"{endpoint.cpu_overcommit:g} CPUs a thread; {endpoint.memory_reserve_mb} MiB left to each host"
        rows.append(("Limits", limits))
    fields(rows)


def _tell_answer(answer: "Answer") -> None:
    say(answer.product)
    hosts = [
        (h.name, "yes" if h.usable else "no", str(h.cpus), f"{h.memory_mb} MiB", ", ".join(h.datastores), h.why_not)
        for h in answer.inventory.hosts
    ]
    table(("HOST", "USABLE", "CPUS", "MEMORY", "DATASTORES", "WHY NOT"), hosts, right=("CPUS", "MEMORY"))
    stores = [
        (s.name, "yes" if s.usable else "no", f"{s.disk_gb} GiB", f"{s.free_gb} GiB", s.why_not)
        for s in answer.inventory.datastores
    ]
    table(("DATASTORE", "USABLE", "FOR US", "FREE", "WHY NOT"), stores, right=("FOR US", "FREE"))
    for text in answer.missing:
        note(f"Missing master: {text}")


def _json(endpoint: Endpoint) -> dict[str, JsonValue]:
    return asdict(endpoint) | {"disabled_at": iso(endpoint.disabled_at)} | module_data.json(endpoint)


def _answer_json(endpoint: Endpoint, answer: "Answer") -> dict[str, JsonValue]:
    hosts: list[JsonValue] = [
        asdict(host) | {"datastores": list(host.datastores), "networks": list(answer.networks.get(host.name, ()))}
        for host in answer.inventory.hosts
    ]
    stores: list[JsonValue] = [asdict(store) for store in answer.inventory.datastores]
    return {
        **_json(endpoint),
        "product": answer.product,
        "usable": not useless(answer.inventory),
        "hosts": hosts,
        "datastores": stores,
        "missing_masters": list(answer.missing),
    }
