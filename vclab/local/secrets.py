"""``vclab secrets …``: the keys to which passwords are sealed. A local tool, where the private keys are."""

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from vclab.cli.errors import Code
from vclab.cli.nouns import group
from vclab.cli.output import note, say, say_json, table
from vclab.cli.params import Json
from vclab.cli.tables import Column
from vclab.model.errors import NotFound, Refused
from vclab.service.authentication import may_write
from vclab.service.backend import Backend
from vclab.settings import load

if TYPE_CHECKING:
    from vclab.secrets.references import Destination
    from vclab.secrets.rotation import RingStatus

app = group("secrets", "The keys to which passwords are sealed: rotate, status.")

_COLUMNS = (
    Column("READER"),
    Column("PRIVATE KEY"),
    Column("NEWEST KEY"),
    Column("MADE"),
    Column("SECRETS", right=True),
    Column("BY OLDER KEYS", right=True),
    Column("LOST", right=True),
)


@app.command("rotate")
def rotate(context: typer.Context, json: Json = False) -> None:
    """Make a new key for each reader whose private key is here, and seal all secrets anew.

    Run it once to make the first keys, where passwords lie in plain text to seal these, and from then on by your rules
    (each year; when somebody leaves who could read a key). Workers and API go on meanwhile. It may be cut off anywhere,
    and run again. The key before stays until the next time. Copy the public keys (*.pub) to the machines that seal,
    such as that of the API; copy private keys (*.key) to your backup. Run it as root, where a site's worker runs.

    \b
    Examples:
      vclab secrets rotate
    """
    from vclab.secrets import rotation
    from vclab.secrets.references import API, site_reader

    backend = _backend()
    done = rotation.rotate(backend.secrets, (site_reader(backend.settings.site), API), _where(backend))
    if json:
        say_json(asdict(done))
    else:
        say(f"{done.sealed + len(done.plain)} secrets are sealed to the newest keys in {backend.settings.keys_folder}")
        for reference in done.plain:
            note(f"{reference} lay in plain text{_said(_where(backend), reference)}")
        if done.left:
            note(f"{len(done.left)} secrets were left, for other machines have the keys: {', '.join(done.left[:5])} …")
        for failure in done.failed:
            note(f"not sealed anew: {failure}")
    raise typer.Exit(Code.FAILED if done.failed else Code.OK)


@app.command("status")
def status(context: typer.Context, json: Json = False) -> None:
    """Show the keys, and how many secrets are sealed to each. Nothing is changed, and no secret is opened.

    LOST are secrets that nobody can open any more: restore the key from your backup, or enter the passwords again. Exit
    code 1 when there are some, and when a secret is not sealed or damaged.

    \b
    Examples:
      vclab secrets status
      vclab secrets status --json
    """
    from vclab.secrets import rotation

    found = rotation.status(_backend().secrets)
    if json:
        keys = {ring.reader: [{"id": id, "made": made or None} for id, made in ring.keys] for ring in found.rings}
        rings = [asdict(ring) | {"keys": keys[ring.reader]} for ring in found.rings]
        say_json({"rings": rings, "plain": list(found.plain), "damaged": list(found.damaged)})
    else:
        table(_COLUMNS, [_row(ring) for ring in found.rings])
        for what, references in (("not sealed", found.plain), ("damaged", found.damaged)):
            if references:
                note(f"{len(references)} secrets are {what}: {', '.join(references[:5])}")
    wrong = found.plain or found.damaged or any(ring.lost for ring in found.rings)
    raise typer.Exit(Code.FAILED if wrong else Code.OK)


def _row(ring: "RingStatus") -> tuple[str, ...]:
    newest, made = ring.keys[0] if ring.keys else ("none", "")
    here = "here" if ring.private else "elsewhere"
    return ring.reader, here, newest, made, str(ring.newest + ring.older), str(ring.older), str(ring.lost)


def _said(where: "Callable[[str], tuple[Destination | None, str]]", reference: str) -> str:
    destination, _ = where(reference)
    return f"; from now on it is sent to {destination} only: check that" if destination else ""


def _where(backend: Backend) -> "Callable[[str], tuple[Destination | None, str]]":
    """Where a secret may be sent that is not sealed yet, as the database says now."""
    from vclab.secrets.references import Destination
    from vclab.secrets.store import destination_of
    from vclab.store import catalog, power

    def where(reference: str) -> "tuple[Destination | None, str]":
        kind = reference.partition("/")[0]
        if kind not in ("endpoint", "power"):
            return None, backend.settings.site
        with backend.store.read() as session:
            entries = catalog.endpoints(session)
            for entry in entries:
                if kind == "endpoint" and entry.password_ref == reference:
                    return destination_of(entry), entry.site
            sites = {entry.name: entry.site for entry in entries}
            names = {ref: name for name, ref in power.references(session).items()} if kind == "power" else {}
            if (name := names.get(reference)) is not None:
                at, computer = power.address(session, name), catalog.computer(session, name)
                return Destination(at.address, at.fingerprint), sites.get(computer.pool, backend.settings.site)
        raise NotFound("nothing in the database uses it", "remove its file, if nothing else needs it")

    return where


def _backend() -> Backend:
    """For root and the account whose secrets these are. Raises ``Refused`` for all others."""
    backend = Backend(load())
    if not may_write(backend.settings.secrets_dir):
        raise Refused("only root and the account whose secrets these are can do this", "run this as one of them")
    return backend
