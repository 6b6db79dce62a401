"""``vclab doctor``: is this installation set up right? One line a check, each with what to do."""

import asyncio
import os
import pwd
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vclab.cli import replay as replaying
from vclab.cli.checks import traits, why_off
from vclab.cli.context import Lab, lab_of
from vclab.cli.endpoint import useless
from vclab.cli.errors import Code, text_of
from vclab.cli.output import JsonValue, note, say_json, table
from vclab.cli.params import Json
from vclab.cli.times import clock
from vclab.model.errors import NotFound, Refused
from vclab.provisioning import registry
from vclab.settings import config_file

if TYPE_CHECKING:
    from temporalio.client import Client

    from vclab.model.catalog import Endpoint, Image
    from vclab.provisioning.enquiry import Answer, Enquiry
    from vclab.settings import Settings

CLOCK_SECONDS = 30.0  #: by which clocks may differ; certificates and vCenter's sessions bear minutes
LEAST_FREE = 256 << 20  #: bytes
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)  #: a clock before vclab was written is wrong


@dataclass(frozen=True)
class Check:
    """What was looked at, what was found, and what to do if that is not well."""

    name: str
    ok: bool
    found: str
    todo: str = ""


Replay = Annotated[
    bool, typer.Option("--replay", help="Only replay what runs now against the workflow code that is installed here.")
]


def doctor(context: typer.Context, replay: Replay = False, json: Json = False) -> None:
    """Check the whole set-up, and say what to do.

    Settings, versions, database, secrets, the management key, Temporal, workers, endpoints with their certificates,
    logins, hosts and images, and the clocks. Nothing is changed. Run it as root or as the worker's account, who can
    read the secrets. Exit code 1 when something is not well.

    With --replay, the histories of all reservations, loads and removals that run now are replayed against the workflow
    code that is installed here. Do that with a new version before its worker is started: those that are named would
    stand still with it. Nothing is changed, and no worker is needed. Exit code 1 when there are any.

    \b
    Examples:
      vclab doctor
      vclab doctor --json
      vclab doctor --replay
    """
    if replay:
        raise typer.Exit(replaying.replay(lab_of(context), json))
    checks = list(_checks(lab_of(context)))
    bad = [check for check in checks if not check.ok]
    if json:
        each: list[JsonValue] = [{"name": c.name, "ok": c.ok, "found": c.found, "todo": c.todo or None} for c in checks]
        say_json({"ok": not bad, "checks": each})
    else:
        table(("", "CHECK", "FOUND", "TO DO"), [("✓" if c.ok else "✗", c.name, c.found, c.todo) for c in checks])
        note(f"{len(bad)} of {len(checks)} checks failed." if bad else "All is well.")
    raise typer.Exit(Code.FAILED if bad else Code.OK)


def _checks(lab: Lab) -> Iterator[Check]:
    yield _versions()
    settings = _settings(lab)
    yield settings
    if not settings.ok and not _loads(lab):
        return  # all else would be guessed
    database = _database(lab)
    yield database
    yield from _files(lab.settings)
    yield _room(lab.settings)
    yield from asyncio.run(_temporal(lab, lab.sites() if database.ok else (lab.settings.site,)))
    if database.ok:
        yield from _catalog(lab)
        yield from _health(lab)
        yield from _provisioning(lab)


def _loads(lab: Lab) -> bool:
    with suppress(Refused):
        return bool(lab.settings)
    return False


# The program and its settings.


def _versions() -> Check:
    """What is installed, against what this version was tested with."""
    wanted = _pinned()
    found = {name: _installed(name) for name in wanted}
    wrong = [f"{name} {found[name] or 'is missing'} (not {pin})" for name, pin in wanted.items() if found[name] != pin]
    main = ", ".join(f"{name} {_installed(name)}" for name in ("temporalio", "sqlalchemy", "pyvmomi", "asyncssh"))
    said = f"vclab {_installed('vclab')}, Python {sys.version.split()[0]}, {main}"
    if wrong:
        return Check("versions", False, f"{said}; but {', '.join(wrong)}", "uv sync --locked --no-dev")
    return Check("versions", True, said)


def _pinned() -> dict[str, str]:
    """The packages that vclab names with an exact version."""
    found = (re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^;\s]+)", line) for line in requires("vclab") or ())
    return {match[1]: match[2] for match in found if match}


def _installed(package: str) -> str:
    with suppress(PackageNotFoundError):
        return version(package)
    return ""


def _settings(lab: Lab) -> Check:
    file = config_file()
    try:
        settings = lab.settings
    except Refused as error:
        return Check("settings", False, str(error), "mend the file")
    if file is None:
        return Check("settings", False, "no file", "write /etc/vclab/vclab.toml, or name it in VCLAB_CONFIG")
    if _has_password(settings.database) and file.stat().st_mode & stat.S_IROTH:
        found = f"{file} has the database's password, and everybody can read it"
        return Check("settings", False, found, f"chmod 640 {file}; chgrp it to those who use vclab")
    return Check("settings", True, f"{file}, installation {settings.installation}")


def _has_password(url: str) -> bool:
    import sqlalchemy as sa

    with suppress(sa.exc.ArgumentError):
        return bool(sa.make_url(url).password)
    return False


def _database(lab: Lab) -> Check:
    from vclab.store.engine import open_store
    from vclab.store.migrations import HEAD

    try:
        store = open_store(lab.settings.database)
        store.check()
    except Refused as error:
        text, _, cure = str(error).rpartition(": ")
        return Check("database", False, text or str(error), cure if text else "mend `database` in the settings")
    except Exception as error:  # whatever it is, it is this check's finding
        return Check("database", False, text_of(error), "start it, mend `database`, or make it: vclab store migrate")
    store.close()
    kind = "" if store.file is None else " (SQLite: for demo and tests; PostgreSQL for real use)"
    if store.file is not None and store.file.stat().st_uid != _owner(lab.settings):
        worker = _account(_owner(lab.settings))
        return Check("database", False, f"{store.file} is not {worker}'s, as the secrets are", f"chown {worker}")
    return Check("database", True, f"{store.shown_url}, schema {HEAD}{kind}")


# Secrets and keys.


def _owner(settings: "Settings") -> int:
    """The account that vclab works as: whose the secrets are, or would be."""
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
            yield Check(name, False, f"{error.filename} can't be read by you", "run this as root or as its owner")
    if settings.dhcp_leases is not None:
        readable = os.access(settings.dhcp_leases, os.R_OK)
        todo = "" if readable else "mend `dhcp_leases` in the settings, or let the worker's account read it"
        yield Check("DHCP leases", readable, str(settings.dhcp_leases), todo)


def _room(settings: "Settings") -> Check:
    """Records and secrets wait for room on a full disk; nothing is lost, and nothing moves."""
    from vclab.store.engine import open_store

    file: Path | None = None
    with suppress(Refused):  # that is told by another check
        file = open_store(settings.database).file
    folders = [f for f in (settings.secrets_dir, file.parent if file else None) if f and f.is_dir()]
    free = {folder: shutil.disk_usage(folder).free for folder in folders}
    short = [folder for folder, left in free.items() if left < LEAST_FREE]
    told = ", ".join(f"{left >> 20} MiB free in {folder}" for folder, left in free.items())
    return Check("disk", not short, told or "no folder of ours here", "make room there" if short else "")


def _secrets(settings: "Settings") -> Check:
    folder = settings.secrets_dir
    if not folder.is_dir():
        return Check("secrets", False, f"there is no {folder}", "`vclab endpoint add` makes it; or mkdir -m 700 it")
    owner = _account(folder.stat().st_uid)
    loose = [folder] if folder.stat().st_mode & 0o077 else []
    loose += [path for path in folder.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    if loose:
        return Check("secrets", False, f"others can read {loose[0]}", f"chmod -R go= {folder}")
    foreign = [path for path in folder.rglob("*") if path.stat().st_uid != folder.stat().st_uid]
    if foreign:
        return Check("secrets", False, f"{foreign[0]} is not {owner}'s", f"chown -R {owner} {folder}")
    return Check("secrets", True, f"{folder}, only for {owner}")


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
        return Check("management key", False, f"{file} is not {worker}'s, as the secrets are", f"chown {worker} {file}")
    try:
        key = asyncssh.read_private_key(file)
    except (asyncssh.KeyImportError, ValueError) as error:
        if "assphrase" in str(error):
            found = f"{file} has a passphrase, which nobody types for a worker"
            return Check("management key", False, found, f"ssh-keygen -p -N '' -f {file}")
        return Check("management key", False, f"{file} can't be read: {error}", "make another: ssh-keygen -t ed25519")
    return Check("management key", True, f"{file}, {key.get_algorithm()} {key.get_fingerprint()}")


# Temporal and its workers.


async def _temporal(lab: Lab, sites: tuple[str, ...]) -> list[Check]:
    from vclab.temporal import health

    settings = lab.settings.temporal
    try:
        client = await lab.client(5.0)
        days = await health.retention_days(client)
        found = f"{settings.address}, server {await health.server_version(client)}"
    except NotFound:
        todo = f"temporal operator namespace create -n {settings.namespace} --retention 30d"
        return [Check("temporal", False, f"{settings.address} has no namespace {settings.namespace}", todo)]
    except Exception as error:  # as with the database
        return [Check("temporal", False, text_of(error), "start it, or mend `temporal.address` in the settings")]
    told = Check("temporal", True, f"{found}, namespace {settings.namespace}, keeps histories {days:g} days")
    workers = await _workers(client, settings.workflow_queue, sites)
    return [told, await _attributes(client), *workers, await _reconciler(client)]


async def _attributes(client: "Client") -> Check:
    from vclab.temporal import health

    with _finding("search attributes") as finding:
        missing = await health.missing_search_attributes(client)
        if missing:
            finding.tell(False, f"the namespace does not know {', '.join(missing)}", "restart a worker: it makes them")
        else:
            finding.tell(True, "all are there")
    return finding.check


async def _workers(client: "Client", workflow_queue: str, sites: tuple[str, ...]) -> list[Check]:
    from vclab.temporal.client import failing_workflows, queue_health

    with _finding("workers") as polling:
        idle = [queue for queue in await queue_health(client, workflow_queue, sites) if not queue.ok]
        if idle:
            found = "; ".join(f"{queue.name}: {queue.text()}" for queue in idle)
            polling.tell(False, found, "systemctl start vclab-worker on a machine of that site, with its `site` set")
        else:
            polling.tell(True, f"poll {workflow_queue} for workflows, and all queues of the sites {', '.join(sites)}")
    with _finding("workflows") as running:
        failing = await failing_workflows(client)
        running.tell(not failing.workflows, failing.text(), "see the worker's log" if failing.workflows else "")
    return [polling.check, running.check]


async def _reconciler(client: "Client") -> Check:
    from vclab.temporal import health

    with _finding("reconciler") as finding:
        if await health.reconciles(client):
            finding.tell(True, "its schedule runs")
        else:
            finding.tell(False, "its schedule is missing or paused", "restart a worker, or unpause it in the UI")
    return finding.check


class _Finding:
    def __init__(self, name: str) -> None:
        self.check = Check(name, False, "was not looked at")

    def tell(self, ok: bool, found: str, todo: str = "") -> None:
        """What was found."""
        self.check = Check(self.check.name, ok, found, todo)


@contextmanager
def _finding(name: str) -> Iterator[_Finding]:
    """A check whose own failure is its finding."""
    finding = _Finding(name)
    try:
        yield finding
    except Exception as error:  # whatever it is
        finding.tell(False, text_of(error), "")


# What an administrator enters, and where it is provisioned.


def _catalog(lab: Lab) -> Iterator[Check]:
    for name, count, verb in (
        ("users", len(lab.records.users()), "vclab user add LOGIN --key FILE"),
        ("images", len(lab.records.images()), "vclab image add --help"),
        ("computers", len(lab.records.computers()), "vclab computer add vm --count 40"),
        ("endpoints", len(lab.records.endpoints()), "vclab endpoint add --help"),
    ):
        yield Check(name, count > 0, str(count or "none"), "" if count else verb)


def _health(lab: Lab) -> Iterator[Check]:
    """Hosts that rest and revisions that are suspect, if there are any."""
    for rest in lab.records.resting():
        found = rest.text(lambda at: clock(at, lab.zone))
        todo = f"mend it, then vclab host wake {rest.endpoint}/{rest.host}"
        yield Check(f"host {rest.endpoint}/{rest.host}", False, found, todo)
    for suspect in lab.records.suspects():
        todo = f"make a new revision, or vclab image edit {suspect.image} --trusted"
        yield Check(f"image {suspect.image}", False, suspect.text(), todo)


def _provisioning(lab: Lab) -> Iterator[Check]:
    """Each endpoint, then the images' masters on it; at last the clocks of all."""
    images = lab.records.images()
    clocks = dict(_database_clock(lab))
    for endpoint in lab.records.endpoints():
        if why := why_off(endpoint.module, lab.settings):
            todo = "switch it on and restart the worker; until then nothing is placed there"
            yield Check(f"endpoint {endpoint.name}", False, f"its module {why}", todo)
        elif traits(endpoint.module).lent:
            machines = sum(computer.pool == endpoint.name for computer in lab.records.computers())
            todo = "" if machines else f"vclab computer add NAME --group {endpoint.name} --address A"
            yield Check(f"endpoint {endpoint.name}", machines > 0, f"{machines or 'no'} lab machines", todo)
        kind = registry.kind(endpoint.module)
        if kind is None or kind.enquiry is None:
            continue
        asked = datetime.now(UTC)
        try:
            answer = _ask(lab, kind.enquiry(), endpoint, images)
        except PermissionError as error:
            found = f"{error.filename} can't be read by you"
            yield Check(f"endpoint {endpoint.name}", False, found, "run this as root or as its owner")
        except Exception as error:  # as with the database
            todo = f"vclab endpoint edit {endpoint.name} --help"
            yield Check(f"endpoint {endpoint.name}", False, text_of(error), todo)
        else:
            clocks[endpoint.name] = (answer.clock - asked).total_seconds()
            yield from _of_endpoint(endpoint, answer)
    yield _clock(clocks)


def _ask(lab: Lab, enquiry: "Enquiry", endpoint: "Endpoint", images: "list[Image]") -> "Answer":
    from vclab.secrets.store import SecretStore

    password = SecretStore(lab.settings.secrets_dir).get(endpoint.password_ref)
    return enquiry.ask(
        endpoint, password, lab.settings.installation, [i for i in images if i.module == endpoint.module]
    )


def _of_endpoint(endpoint: "Endpoint", answer: "Answer") -> Iterator[Check]:
    hosts = answer.inventory.hosts
    usable = sum(host.usable for host in hosts)
    found = f"{answer.product}; {usable} of {len(hosts)} hosts usable"
    why = useless(answer.inventory)
    if why:
        found += f": {why}"
    yield Check(f"endpoint {endpoint.name}", not why, found, f"vclab endpoint check {endpoint.name}" if why else "")
    name = f"masters on {endpoint.name}"
    if answer.missing:
        yield Check(name, False, "; ".join(answer.missing), "put the disk there, or `vclab image edit`")
    else:
        yield Check(name, True, "all are there")


def _database_clock(lab: Lab) -> Iterator[tuple[str, float]]:
    """By how many seconds the database's clock is ahead; SQLite has ours."""
    import sqlalchemy as sa

    from vclab.store.engine import open_store

    store = open_store(lab.settings.database)
    if store.file is None:
        with store.read() as session:
            there = session.scalar(sa.text("SELECT clock_timestamp()"))
            if isinstance(there, datetime):
                yield "the database", (there - datetime.now(UTC)).total_seconds()
    store.close()


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
