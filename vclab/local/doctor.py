"""``vclab doctor``: checks the set-up of this management node; one line per check, with what to do.

A local tool: it looks at the node's files, database and services itself, whatever the command line talks to otherwise.
"""

import asyncio
import grp
import os
import pwd
import re
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar
from zoneinfo import ZoneInfo

import typer
from sqlalchemy.orm import Session

from vclab.cli.asking import asker, disabled
from vclab.cli.errors import Code, text_of
from vclab.cli.output import JsonValue, note, say_json, table
from vclab.cli.params import Json
from vclab.cli.tables import Column, Fit
from vclab.cli.times import clock
from vclab.local import replay as replaying
from vclab.local.check import Check, checking
from vclab.local.doctor_api import front_door
from vclab.model.errors import Refused
from vclab.provisioning import registry
from vclab.service.backend import Backend
from vclab.service.checks import traits, why_off
from vclab.service.endpoints import useless
from vclab.settings import config_file, load
from vclab.store import catalog, failures, host_rests

if TYPE_CHECKING:
    from temporalio.client import Client

    from vclab.model.catalog import Endpoint
    from vclab.provisioning.enquiry import Answer, Enquiry
    from vclab.settings import Settings, TemporalSettings

CLOCK_SECONDS = 30.0  #: by which clocks may differ; certificates and vCenter's sessions tolerate minutes
LEAST_FREE = 256 << 20  #: bytes
OPEN = "warning: have it ask for client certificates, and set `temporal.tls_cert` and `.tls_key` (deploy/README.md)"
UNSIGNED = "set `frontend.enablePrincipalPropagation: true` in its dynamic configuration (from 1.32 on)"
PLAIN = "warning: others on the network can read and change it; set `temporal.tls` (docs/installation.md)"
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)  #: vclab did not exist before: such a clock is wrong
T = TypeVar("T")


Replay = Annotated[
    bool, typer.Option("--replay", help="Only replay running workflows against the workflow code installed here.")
]


def doctor(context: typer.Context, replay: Replay = False, json: Json = False) -> None:
    """Check the whole set-up, and say what to do.

    Checks settings, versions, database, secrets, the management key, Temporal, workers, the API, identity providers,
    endpoints with their certificates, logins, hosts and images, and the clocks. Nothing is changed. Run it as root or
    as the worker's account, who can read the secrets. Exit code 1 when a check fails.

    With --replay, the histories of all running reservations, loads and removals are replayed against the workflow
    code that is installed here. Do that with a new version before you start its worker: with it, the workflows that
    are listed would stop. Nothing is changed, and no worker is needed. Exit code 1 when a workflow would stop.

    \b
    Examples:
      vclab doctor
      vclab doctor --json
      vclab doctor --replay
    """
    if replay:
        raise typer.Exit(replaying.replay(Backend(load()), json))
    checks = list(_checks(lambda: asker(context).zone()))
    bad = [check for check in checks if not check.ok]
    if json:
        each: list[JsonValue] = [{"name": c.name, "ok": c.ok, "found": c.found, "todo": c.todo or None} for c in checks]
        say_json({"ok": not bad, "checks": each})
    else:
        rows = [("✓" if c.ok else "✗", c.name, "; ".join(filter(None, (c.found, c.todo)))) for c in checks]
        table((Column(""), Column("CHECK"), Column("FOUND, AND WHAT TO DO", fit=Fit.FOLD)), rows)
        note(f"{len(bad)} of {len(checks)} checks failed." if bad else "All checks passed.")
    raise typer.Exit(Code.FAILED if bad else Code.OK)


def _checks(zone: Callable[[], ZoneInfo]) -> Iterator[Check]:
    yield _versions()
    try:
        backend = Backend(load())
    except Refused as error:
        yield Check("settings", False, text_of(error), "correct the file")
        return  # all else would be guessed
    yield _settings(backend)
    database = _database(backend)
    yield database
    if database.ok and backend.store.file is None:
        yield _link(backend)
    yield from _files(backend.settings)
    yield _room(backend.settings)
    yield from asyncio.run(_temporal(backend, _sites(backend) if database.ok else (backend.settings.site,)))
    yield from asyncio.run(front_door(backend.settings))
    if database.ok:
        yield from _catalog(backend)
        yield from _health(backend, zone())
        yield from _provisioning(backend)


def _read(backend: Backend, question: Callable[[Session], T]) -> T:
    with backend.store.read() as session:
        return question(session)


def _sites(backend: Backend) -> tuple[str, ...]:
    """The sites that have endpoints; before there are any, that of the settings."""
    found = dict.fromkeys(endpoint.site for endpoint in _read(backend, catalog.endpoints))
    return tuple(found) or (backend.settings.site,)


# The program and its settings.


def _versions() -> Check:
    """What is installed, compared with what this version was tested with."""
    wanted = _pinned()
    found = {name: _installed(name) for name in wanted}
    wrong = [f"{name} {found[name] or 'is missing'} (not {pin})" for name, pin in wanted.items() if found[name] != pin]
    main = ", ".join(f"{name} {_installed(name)}" for name in ("temporalio", "sqlalchemy", "pyvmomi", "asyncssh"))
    said = f"vclab {_installed('vclab')}, Python {sys.version.split()[0]}, {main}"
    if wrong:
        return Check("versions", False, f"{said}; but {', '.join(wrong)}", "uv sync --locked --no-dev --extra server")
    return Check("versions", True, said)


def _pinned() -> dict[str, str]:
    """The packages that vclab names with an exact version."""
    named = [line for distribution in ("vclab", "vclab-server") for line in _requirements(distribution)]
    found = (re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^;\s]+)", line) for line in named)
    return {match[1]: match[2] for match in found if match and not match[1].startswith("vclab")}


def _requirements(distribution: str) -> list[str]:
    """What a distribution needs. A checkout is one alone, which has the server's as an extra."""
    with suppress(PackageNotFoundError):
        return requires(distribution) or []
    return []


def _installed(package: str) -> str:
    with suppress(PackageNotFoundError):
        return version(package)
    return ""


def _settings(backend: Backend) -> Check:
    file, settings = config_file(), backend.settings
    if file is None:
        return Check("settings", False, "no file", "write /etc/vclab/vclab.toml, or name it in VCLAB_CONFIG")
    if _has_password(settings.database) and file.stat().st_mode & stat.S_IROTH:
        found = f"{file} contains the database's password, and everybody can read it"
        return Check("settings", False, found, f"chmod 640 {file}; chgrp it to those who use vclab")
    return Check("settings", True, f"{file}, installation {settings.installation}")


def _has_password(url: str) -> bool:
    import sqlalchemy as sa

    with suppress(sa.exc.ArgumentError):
        return bool(sa.make_url(url).password)
    return False


def _database(backend: Backend) -> Check:
    from vclab.store.migrations import HEAD

    try:
        store = backend.store
        store.check()
    except Refused as error:
        text, _, cure = str(error).rpartition(": ")
        return Check("database", False, text or str(error), cure if text else "correct `database` in the settings")
    except Exception as error:  # whatever it is, it is this check's finding
        todo = "start it, correct `database` in the settings, or create it: vclab store migrate"
        return Check("database", False, text_of(error), todo)
    kind = "" if store.file is None else " (SQLite: for demo and tests; PostgreSQL for real use)"
    if store.file is not None and store.file.stat().st_uid != _owner(backend.settings):
        worker = _account(_owner(backend.settings))
        found = f"{store.file} does not belong to {worker}, as the secrets do"
        return Check("database", False, found, f"chown {worker} {store.file}")
    if store.file is not None and store.file.stat().st_mode & 0o077:
        return Check("database", False, f"others can read {store.file}", f"chmod 600 {store.file}*")
    return Check("database", True, f"{store.shown_url}, schema {HEAD}{kind}")


def _link(backend: Backend) -> Check:
    """Nobody on the network may read along, or answer instead of the database; and each program has its own rights."""
    from vclab.store.link import VERIFIED, link
    from vclab.store.roles import excess

    found, more = _read(backend, link), _read(backend, excess)
    assert found is not None
    if not found.safe:
        todo = f"add ?sslmode={VERIFIED}&sslrootcert=FILE to `database` in the settings (docs/security.md)"
        why = "others can read along or answer instead of it"
        return Check("database connection", False, f"{found.text()}: {why}", todo)
    warning = f"; warning: this account {more}, give each program its role (`vclab store roles`)" if more else ""
    return Check("database connection", True, found.text() + warning)


# Secrets and keys.


def _owner(settings: "Settings") -> int:
    """The account that the worker runs as: the owner of the secrets, or of where they would be."""
    folder = settings.secrets_dir
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return there.stat().st_uid


def _account(uid: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return f"uid {uid}"


def _files(settings: "Settings") -> Iterator[Check]:
    for name, look in (("secrets", _secrets), ("management key", _key)):
        try:
            yield look(settings)
        except PermissionError as error:
            yield Check(name, False, f"you can't read {error.filename}", "run this as root or as its owner")
    if settings.dhcp_leases is not None:
        readable = os.access(settings.dhcp_leases, os.R_OK)
        todo = "" if readable else "correct `dhcp_leases` in the settings, or let the worker's account read it"
        yield Check("DHCP leases", readable, str(settings.dhcp_leases), todo)


def _room(settings: "Settings") -> Check:
    """On a full disk, records and secrets wait for room: nothing is lost, but nothing goes on."""
    from vclab.store.engine import open_store

    file: Path | None = None
    with suppress(Refused):  # another check reports it
        file = open_store(settings.database).file
    folders = [f for f in (settings.secrets_dir, file.parent if file else None) if f and f.is_dir()]
    free = {folder: shutil.disk_usage(folder).free for folder in folders}
    short = [folder for folder, left in free.items() if left < LEAST_FREE]
    told = ", ".join(f"{left >> 20} MiB free in {folder}" for folder, left in free.items())
    return Check("disk", not short, told or "none of our folders is here", "free some space there" if short else "")


def _secrets(settings: "Settings") -> Check:
    folder = settings.secrets_dir
    if not folder.is_dir():
        return Check(
            "secrets", False, f"there is no {folder}", f"mkdir -m 700 {folder}, or let `vclab endpoint add` make it"
        )
    state = folder.stat()
    if state.st_mode & stat.S_ISGID:  # it is given to a group, where worker and API are two accounts
        return _shared_secrets(settings, state)
    owner = _account(state.st_uid)
    loose = [path for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o077]
    if loose:
        return Check("secrets", False, f"others can read {loose[0]}", f"chmod -R go= {folder}")
    foreign = [path for path in folder.rglob("*") if path.stat().st_uid != state.st_uid]
    if foreign:
        return Check("secrets", False, f"{foreign[0]} does not belong to {owner}", f"chown -R {owner} {folder}")
    return _sealed(settings, f"{folder}, readable by {owner} only")


def _shared_secrets(settings: "Settings", state: os.stat_result) -> Check:
    """Each account of the group reads, replaces and removes what the other has made."""
    folder, group = settings.secrets_dir, _group(state.st_gid)
    for path in (folder, *folder.rglob("*")):
        now, needed = path.stat(), 0o2070 if path.is_dir() else 0o060
        if now.st_mode & 0o007:
            return Check("secrets", False, f"others can read {path}", f"chmod -R o= {folder}")
        if now.st_gid != state.st_gid or now.st_mode & needed != needed:
            todo = f"chgrp -R {group} {folder}; chmod -R g+rwX {folder}; find {folder} -type d -exec chmod g+s {{}} +"
            return Check("secrets", False, f"{path} is not open to the group {group}", todo)
    return _sealed(settings, f"{folder}, readable by the group {group} only")


def _group(gid: int) -> str:
    with suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return f"gid {gid}"


def _sealed(settings: "Settings", found: str) -> Check:
    """Whether all secrets are sealed, to keys that are there and that others can't read."""
    from vclab.secrets import rotation
    from vclab.secrets.references import site_reader
    from vclab.secrets.store import SecretStore

    try:
        store = SecretStore(settings.secrets_dir, settings.keys_folder, settings.site)
        state, ring = rotation.status(store), store.keys.ring(site_reader(settings.site))
    except Refused as error:
        return Check("secrets", False, error.message, error.hint)
    if state.plain:
        return Check("secrets", False, f"{len(state.plain)} are not sealed: {state.plain[0]}", "vclab secrets rotate")
    if lost := sum(each.lost for each in state.rings):
        todo = "restore the keys from your backup, or enter the passwords again"
        return Check("secrets", False, f"{lost} are sealed to keys that are lost (`vclab secrets status`)", todo)
    if state.damaged:
        return Check("secrets", False, f"{state.damaged[0]} is damaged", "enter that password again")
    if not ring:
        return Check("secrets", False, f"there are no keys in {settings.keys_folder}", "vclab secrets rotate")
    file, worker = settings.keys_folder / f"{site_reader(settings.site)}.key", _account(_owner(settings))
    if file.stat().st_uid != _owner(settings):
        return Check(
            "secrets", False, f"{file} does not belong to {worker}, as the secrets do", f"chown {worker} {file}"
        )
    return Check("secrets", True, f"{found}; sealed to keys in {settings.keys_folder}")


def _key(settings: "Settings") -> Check:
    import asyncssh

    file = settings.ssh_key
    if not file.is_file():
        todo = f"ssh-keygen -t ed25519 -N '' -f {file}; its .pub goes into each image's /root/.ssh/authorized_keys"
        return Check("management key", False, f"there is no {file}", todo)
    state, owner = file.stat(), _owner(settings)
    if state.st_mode & 0o077:
        return Check("management key", False, f"others can read {file}", f"chmod 600 {file}")
    if state.st_uid != owner:
        worker = _account(owner)
        found = f"{file} does not belong to {worker}, as the secrets do"
        return Check("management key", False, found, f"chown {worker} {file}")
    try:
        key = asyncssh.read_private_key(file)
    except (asyncssh.KeyImportError, ValueError) as error:
        if "assphrase" in str(error):
            found = f"{file} has a passphrase, which a worker can't enter"
            return Check("management key", False, found, f"ssh-keygen -p -N '' -f {file}")
        return Check("management key", False, f"{file} can't be read: {error}", "make a new one: ssh-keygen -t ed25519")
    return Check("management key", True, f"{file}, {key.get_algorithm()} {key.get_fingerprint()}")


# Temporal and its workers.


async def _temporal(backend: Backend, sites: tuple[str, ...]) -> list[Check]:
    from vclab.temporal import health
    from vclab.temporal.connection import connection

    settings, tried = backend.settings.temporal, connection(backend.settings.temporal)
    try:
        client = await backend.temporal(5.0)
        days = await health.retention_days(client)
        found = f"{tried.address} by {tried.text()}, server {await health.server_version(client)}"
    except Exception as error:  # as with the database
        todo = getattr(error, "hint", "") or "start it, or correct `temporal.address` in the settings"
        return [Check("temporal", False, getattr(error, "message", "") or text_of(error), todo)]
    found += f", namespace {tried.namespace}, keeps histories {days:g} days"
    server = Check("temporal", True, found, "" if tried.tls or tried.local else PLAIN)
    workers = await _workers(client, settings.workflow_queue, sites)
    access = await _access(client, settings, tried.local)
    kept = _histories(days, backend.settings.retention.reservations)
    schedules = await _reconciler(client), await _retention(client)
    return [server, access, kept, await _attributes(client), await _queries(client), *workers, *schedules]


def _histories(days: float, longest: float) -> Check:
    """They say who reserved what, as the database does, and nothing but the server deletes them."""
    found = f"kept {days:g} days"
    if days <= longest:
        return Check("histories", True, found)
    todo = f"set the namespace's retention to {longest:g} days at most, or `retention.reservations` higher"
    return Check("histories", False, f"{found}; the settings keep what tells of people {longest:g} days", todo)


async def _access(client: "Client", settings: "TemporalSettings", local: bool) -> Check:
    """Who may do what there is as good as the server asks."""
    from vclab.temporal import health
    from vclab.temporal.client import lets_in_strangers

    with checking("temporal access") as finding:
        if await lets_in_strangers(settings):
            who = "every account of this machine" if local else "everybody on the network"
            finding.tell(True, f"{who} may end and change every reservation: the server asks for no certificate", OPEN)
        elif known := await health.known_as(client):
            finding.tell(True, f"only with a certificate or token; we are {known}")
        else:
            finding.tell(True, "only with a certificate or token; it does not write down who sent a signal", UNSIGNED)
    return finding.check


async def _attributes(client: "Client") -> Check:
    from vclab.temporal import health

    with checking("search attributes") as finding:
        missing = await health.missing_search_attributes(client)
        if missing:
            finding.tell(False, f"the namespace lacks {', '.join(missing)}", "restart a worker: it adds them")
        else:
            finding.tell(True, "all there")
    return finding.check


async def _queries(client: "Client") -> Check:
    from vclab.temporal import health

    with checking("queries") as finding:
        if await health.refuses_early_queries(client):
            finding.tell(True, "refused while a workflow task runs, as they must be")
        else:
            todo = "set `history.MaxBufferedQueryCount: 0` in Temporal's dynamic configuration (deploy/README.md)"
            finding.tell(False, "one that meets a running record can leave a reservation that stands still", todo)
    return finding.check


async def _workers(client: "Client", workflow_queue: str, sites: tuple[str, ...]) -> list[Check]:
    from vclab.temporal.client import failing_workflows, queue_health

    with checking("workers") as polling:
        idle = [queue for queue in await queue_health(client, workflow_queue, sites) if not queue.ok]
        if idle:
            found = "; ".join(f"{queue.name}: {queue.text()}" for queue in idle)
            polling.tell(False, found, "systemctl start vclab-worker on a machine of that site, with its `site` set")
        else:
            polling.tell(True, f"poll {workflow_queue} for workflows, and all queues of {', '.join(sites)}")
    with checking("workflows") as running:
        failing = await failing_workflows(client)
        running.tell(not failing.workflows, failing.text(), "see the worker's log" if failing.workflows else "")
    return [polling.check, running.check]


async def _retention(client: "Client") -> Check:
    from vclab.temporal import health
    from vclab.temporal.schedules import RETENTION

    with checking("retention") as finding:
        if await health.runs(client, RETENTION):
            finding.tell(True, "its schedule is active")
        else:
            missing = "its schedule is missing or paused: records are kept for good"
            finding.tell(False, missing, "restart a worker, or unpause it in the UI")
    return finding.check


async def _reconciler(client: "Client") -> Check:
    from vclab.temporal import health

    with checking("reconciler") as finding:
        if await health.reconciles(client):
            finding.tell(True, "its schedule is active")
        else:
            finding.tell(False, "its schedule is missing or paused", "restart a worker, or unpause it in the UI")
    return finding.check


# The catalog, and the endpoints.


def _catalog(backend: Backend) -> Iterator[Check]:
    for name, count, verb in (
        ("users", len(_read(backend, catalog.users)), "vclab user add LOGIN --key FILE"),
        ("images", len(_read(backend, catalog.images)), "vclab image add --help"),
        ("computers", len(_read(backend, catalog.computers)), "vclab computer add vm --count 40"),
        ("endpoints", len(_read(backend, catalog.endpoints)), "vclab endpoint add --help"),
    ):
        yield Check(name, count > 0, str(count or "none"), "" if count else verb)


def _health(backend: Backend, zone: ZoneInfo) -> Iterator[Check]:
    """Hosts out of service and suspect revisions."""
    for rest in _read(backend, host_rests.resting).values():
        found = rest.text(lambda at: clock(at, zone))
        todo = f"repair it, then vclab host wake {rest.endpoint}/{rest.host}"
        yield Check(f"host {rest.endpoint}/{rest.host}", False, found, todo)
    for suspect in _read(backend, failures.suspects):
        todo = f"make a new revision, or vclab image edit {suspect.image} --trusted"
        yield Check(f"image {suspect.image}", False, suspect.text(), todo)


def _provisioning(backend: Backend) -> Iterator[Check]:
    """Each endpoint; then whether each image's master is anywhere; at last the clocks of all."""
    clocks, answers = dict(_database_clock(backend)), dict[str, "Answer"]()
    for endpoint in _read(backend, catalog.endpoints):
        yield from _entry(backend, endpoint)
        kind = registry.kind(endpoint.module)
        if kind is not None and kind.enquiry is not None:
            yield _asked(backend, kind.enquiry(), endpoint, clocks, answers)
            if (answer := answers.get(endpoint.name)) is not None:
                yield _privileges(endpoint.name, answer)
                for warning in answer.warnings:
                    yield Check(f"capture at {endpoint.name}", True, f"warning: {warning}")
    for image in _read(backend, catalog.images):
        if any(image.name in answer.masters for answer in answers.values()):
            yield _master(image.name, answers)
    yield _clock(clocks)


def _privileges(endpoint: str, answer: "Answer") -> Check:
    """What the login lacks, object by object."""
    todo = "give its role these privileges (docs/first-lab.md)"
    found = "; ".join(answer.lacking) or "all that is needed"
    return Check(f"privileges at {endpoint}", not answer.lacking, found, todo if answer.lacking else "")


def _master(image: str, answers: Mapping[str, "Answer"]) -> Check:
    """One endpoint is enough: machines are made where the master is."""
    there = [endpoint for endpoint, answer in answers.items() if answer.masters.get(image)]
    if there:
        return Check(f"master of {image}", True, f"on {', '.join(there)}")
    missing = [text for answer in answers.values() for text in answer.missing if text.startswith(f"{image}: ")]
    return Check(f"master of {image}", False, "; ".join(missing), "copy the disk there, or `vclab image edit`")


def _entry(backend: Backend, endpoint: "Endpoint") -> Iterator[Check]:
    """What can be said of an endpoint without asking it."""
    if why := why_off(endpoint.module, backend.settings):
        todo = "switch it on and restart the worker; until then nothing is placed there"
        yield Check(f"endpoint {endpoint.name}", False, f"its module {why}", todo)
    elif traits(endpoint.module).lent:
        machines = len(_read(backend, lambda session: catalog.group(session, endpoint.name)))
        todo = "" if machines else f"vclab computer add NAME --group {endpoint.name} --address A"
        yield Check(f"endpoint {endpoint.name}", machines > 0, f"{machines or 'no'} lab machines", todo)


def _asked(
    backend: Backend,
    enquiry: "Enquiry",
    endpoint: "Endpoint",
    clocks: dict[str, float],
    answers: dict[str, "Answer"],
) -> Check:
    """Whether it can be used. Its answer goes into ``answers``, and by how many seconds its clock is ahead into
    ``clocks``."""
    name, asked = f"endpoint {endpoint.name}", datetime.now(UTC)
    try:
        answer = _ask(backend, enquiry, endpoint)
    except PermissionError as error:
        return Check(name, False, f"you can't read {error.filename}", "run this as root or as its owner")
    except Exception as error:  # as with the database
        return Check(name, False, text_of(error), f"vclab endpoint edit {endpoint.name} --help")
    clocks[endpoint.name] = (answer.clock - asked).total_seconds()
    answers[endpoint.name] = answer
    return _of_endpoint(endpoint, answer)


def _ask(backend: Backend, enquiry: "Enquiry", endpoint: "Endpoint") -> "Answer":
    images = [image for image in _read(backend, catalog.images) if image.module == endpoint.module]
    password = backend.secrets.endpoint_password(endpoint)
    return enquiry.ask(endpoint, password, backend.settings.installation, images)


def _of_endpoint(endpoint: "Endpoint", answer: "Answer") -> Check:
    hosts = answer.inventory.hosts
    usable = sum(host.usable for host in hosts)
    found = f"{answer.product}; {usable} of {len(hosts)} hosts usable"
    why = useless(answer.inventory)
    found += (f": {why}" if why else "") + (f"; {disabled(endpoint)}" if endpoint.disabled_at else "")
    return Check(f"endpoint {endpoint.name}", not why, found, f"vclab endpoint check {endpoint.name}" if why else "")


def _database_clock(backend: Backend) -> Iterator[tuple[str, float]]:
    """By how many seconds the database's clock is ahead; SQLite has ours."""
    import sqlalchemy as sa

    if backend.store.file is None:
        there = _read(backend, lambda session: session.scalar(sa.text("SELECT clock_timestamp()")))
        if isinstance(there, datetime):
            yield "the database", (there - datetime.now(UTC)).total_seconds()


def _clock(ahead: dict[str, float]) -> Check:
    now = datetime.now(UTC)
    todo = "let NTP set the clocks (systemd-timesyncd, chrony; the hosts' own settings)"
    if now < EARLIEST:
        return Check("clock", False, f"this machine says {now:%Y-%m-%d %H:%M} UTC", todo)
    off = [
        f"{name} is {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"
        for name, seconds in ahead.items()
        if abs(seconds) > CLOCK_SECONDS
    ]
    if off:
        return Check("clock", False, f"{now:%Y-%m-%d %H:%M:%S} UTC here; {', '.join(off)}", todo)
    others = f", as on {', '.join(ahead)}" if ahead else ""
    return Check("clock", True, f"{now:%Y-%m-%d %H:%M:%S} UTC{others}")
