"""``vclab image import …``: the verbs of an image's revisions and their bytes."""

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from vclab.cli import module_fields
from vclab.cli.asking import asker, given
from vclab.cli.client import client_of
from vclab.cli.errors import Usage
from vclab.cli.events import tell
from vclab.cli.image import Cpus, GuestId, GuestName, Memory, Module, Ports, Root, Title, app
from vclab.cli.output import fields, say, say_json, table
from vclab.cli.params import AsUser, ImageName, Json
from vclab.cli.running import run
from vclab.cli.tables import Column, Fit
from vclab.cli.times import clock
from vclab.cli.transfers import Progress, sized
from vclab.client.protocol import Client
from vclab.client.transfers import fetched, sent
from vclab.contract import events, library
from vclab.contract.library import CopyView, Exported, RevisionView
from vclab.contract.retiring import Named
from vclab.model.errors import Refused
from vclab.model.typed import quoted

HISTORY = (
    Column("REVISION", right=True),
    Column("STATE"),
    Column("MADE", drop=3),
    Column("BY", drop=4),
    Column("FROM", drop=6),
    Column("SIZE", drop=5, right=True),
    Column("COPIES", drop=1, fit=Fit.FOLD),
    Column("NOTES", drop=2, fit=Fit.CUT),
)

Number = Annotated[int, typer.Argument(metavar="REVISION", help="Its number.", show_default=False)]
Firmware = Annotated[
    str | None, typer.Option("--firmware", help="bios or efi [default: as the disk says].", show_default=False)
]
Controller = Annotated[
    str | None, typer.Option("--controller", help="Of its disk, e.g. pvscsi, lsilogic, nvme.", show_default=False)
]
Card = Annotated[str | None, typer.Option("--card", help="Network card, e.g. vmxnet3, e1000e.", show_default=False)]
Dedicated = Annotated[
    bool | None,
    typer.Option("--dedicated/--linked", help="Each disk is a full copy [default: linked].", show_default=False),
]
InRepository = Annotated[
    str | None, typer.Option("--repository", help="Where it is kept [default: the only one].", show_default=False)
]
OnServer = Annotated[bool, typer.Option("--on-server", help="The file is where the server runs, not here.")]
Revision = Annotated[int | None, typer.Option("--revision", help="[default: in production]", show_default=False)]
Notes = Annotated[str, typer.Option("--notes", help="What is new in it.")]


@app.command("history")
def history(context: typer.Context, name: ImageName, json: Json = False, as_user: AsUser = "") -> None:
    """List the revisions of an image: where each comes from, and where it is.

    \b
    Examples:
      vclab image history debian-12
    """
    ask = asker(context)
    ask.tell(library.history, given(context, Named), json, lambda found: _history(found, ask.zone()))


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A disk: QCOW2, VMDK or raw.", show_default=False)],
    name: Annotated[str, typer.Option("--as", metavar="IMAGE", help="The image whose revision it is.")],
    title: Title = None,
    cpus: Cpus = None,
    memory_mb: Memory = None,
    ports: Ports = None,
    root_access: Root = None,
    module: Module = None,
    guest: GuestName = None,
    guest_id: GuestId = None,
    firmware: Firmware = None,
    controller: Controller = None,
    card: Card = None,
    dedicated: Dedicated = None,
    sets: module_fields.Sets = None,
    notes: Notes = "",
    repository: InRepository = None,
    on_server: OnServer = False,
    json: Json = False,
) -> None:
    """Take a disk image into the library, as a new revision.

    The first revision of an image is in production at once; others are for tests until `vclab image promote`. What is
    not given is as in the revision in production. Content is kept as it is read, and its SHA-256 with it. The file
    is sent to the server first; what was sent in part is gone on with.

    \b
    Examples:
      vclab image import debian-12.qcow2 --as debian-12 --title "Debian 12" --cpus 1 --memory 1024
      vclab image import new.vmdk --as debian-12 --notes "with LaTeX"
    """
    data = module_fields.typed(sets, {"guest_id": guest_id})
    question = given(context, library.Import, data=data)
    if not on_server:
        transfer = _sent(client_of(context), Path(file), repository)
        question = question.model_copy(update={"file": "", "transfer": transfer})
    asker(context).tell(library.import_image, question, json, _tell)


@app.command("export")
def export(
    context: typer.Context,
    name: ImageName,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A new file.", show_default=False)],
    revision: Revision = None,
    format: Annotated[str, typer.Option("--format", help="qcow2, vmdk or raw.")] = "qcow2",
    on_server: OnServer = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Write a revision of the library to a file.

    \b
    Examples:
      vclab image export debian-12 /tmp/debian-12.qcow2
      vclab image export debian-12 /tmp/debian-12.vmdk --revision 3 --format vmdk
    """
    ask, question = asker(context), given(context, library.Export)
    if on_server:
        ask.tell(library.export_image, question, json, _exported)
        return
    if Path(file).exists():
        raise Refused(f"{quoted(file)} exists", "give another name")
    made = ask(library.export_image, question.model_copy(update={"file": ""}))
    _fetched(client_of(context, as_user), made.transfer or "", Path(file))
    there = made.model_copy(update={"file": file, "transfer": None})
    if json:
        say_json(library.export_image.document(there))
    else:
        _exported(there)


@app.command("promote")
def promote(
    context: typer.Context, name: ImageName, revision: Number, json: Json = False, as_user: AsUser = ""
) -> None:
    """New reservations get this revision, and those for later do when they start. Running ones keep theirs.

    The revision before it is a test revision then; spares of it are removed.

    \b
    Examples:
      vclab image promote debian-12 3
    """
    asker(context).tell(library.promote, given(context, library.Numbered), json, _tell)


@app.command("retire")
def retire(context: typer.Context, name: ImageName, revision: Number, json: Json = False, as_user: AsUser = "") -> None:
    """A revision can't be reserved any more. `vclab image restore` takes that back.

    \b
    Examples:
      vclab image retire debian-12 1
    """
    asker(context).tell(library.retire, given(context, library.Numbered), json, _tell)


@app.command("restore")
def restore(
    context: typer.Context, name: ImageName, revision: Number, json: Json = False, as_user: AsUser = ""
) -> None:
    """A retired revision is a test revision again.

    \b
    Examples:
      vclab image restore debian-12 1
    """
    asker(context).tell(library.restore, given(context, library.Numbered), json, _tell)


@app.command("delete")
def delete(context: typer.Context, name: ImageName, revision: Number, json: Json = False, as_user: AsUser = "") -> None:
    """Delete a retired revision, and the copies that vclab has made of it. There is no way back.

    Refused while a reservation, a spare or a machine needs it. Copies on datastores are deleted in the background,
    once no machine there has a disk that is made from them.

    \b
    Examples:
      vclab image retire debian-12 1 && vclab image delete debian-12 1
    """
    asker(context).tell(library.delete, given(context, library.Numbered), json, _deleted)


@app.command("verify")
def verify(context: typer.Context, name: ImageName, revision: Number, json: Json = False, as_user: AsUser = "") -> None:
    """Read a revision's copies in repositories back, all of them. What has other bytes is broken, and not used.

    \b
    Examples:
      vclab image verify debian-12 3
    """
    asker(context).tell(library.verify, given(context, library.Numbered), json, _tell)


@app.command("events")
def what_was_done(context: typer.Context, name: ImageName, json: Json = False, as_user: AsUser = "") -> None:
    """Show what vclab has done to an image's copies and revisions by itself: made room, found one broken, deleted it.

    \b
    Examples:
      vclab image events debian-12
    """
    ask = asker(context)
    ask.tell(events.of_image, given(context, Named), json, lambda found: tell(found, ask.zone()))


@app.command("copy")
def copy(
    context: typer.Context,
    name: ImageName,
    revision: Number,
    endpoint: Annotated[str | None, typer.Option("--endpoint", help="Where it is to be.", show_default=False)] = None,
    datastore: Annotated[
        str | None, typer.Option("--datastore", help="On which of its datastores.", show_default=False)
    ] = None,
    repository: Annotated[
        str | None, typer.Option("--repository", help="Or in which repository.", show_default=False)
    ] = None,
    at_once: Annotated[bool, typer.Option("--now", help="Do not wait for the night of the settings.")] = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Have a revision copied to a datastore before anybody waits for it, or into a repository. `vclab image history`
    shows how it goes.

    Into a repository it comes from a datastore of the same site: so the library gets an image that was added by its
    master, and its SHA-256 is known from then on.
    If the settings name a night (library.night), it is made then, or as soon as a reservation waits for it.

    \b
    Examples:
      vclab image copy debian-12 3 --endpoint vc1 --datastore ds2
      vclab image copy debian-12 1 --repository main
    """
    asker(context).tell(library.copy, given(context, library.CopyTo), json, _tell)


def _sent(client: Client, file: Path, repository: str | None) -> str:
    """Its id. Raises ``Usage`` when it can't be read."""
    try:
        return run(sent(client, file, repository, Progress())).transfer
    except OSError as error:
        raise Usage(f"{quoted(str(file))} can't be read: {error.strerror or error}") from None


def _fetched(client: Client, transfer: str, file: Path) -> None:
    """Raises ``Refused`` when the file exists, or can't be written."""
    try:
        run(fetched(client, transfer, file, Progress()))
    except OSError as error:
        raise Refused(f"{quoted(str(file))} can't be written: {error.strerror or error}") from None


def _history(found: tuple[RevisionView, ...], zone: ZoneInfo) -> None:
    table(
        HISTORY,
        [
            (
                str(each.revision),
                each.state,
                clock(each.made_at, zone) if each.made_at else "",
                each.made_by,
                _made_from(each),
                sized(each.size) if each.size else "",
                "; ".join(map(_copy, each.copies)),
                "; ".join(filter(None, (_untried(each), each.notes))),
            )
            for each in found
        ],
    )


def _made_from(each: RevisionView) -> str:
    """``debian-12/1 (12 MiB written)``."""
    return f"{each.parent} ({sized(each.differs)} written)" if each.parent and each.differs else each.parent


def _untried(each: RevisionView) -> str:
    return "no boot test" * each.untried


def _copy(each: CopyView) -> str:
    state = "" if each.state == "usable" else f" ({each.state}{': ' * bool(each.why)}{each.why})"
    return f"{each.place}{state}"


def _tell(found: RevisionView) -> None:
    fields(
        [
            ("Image", found.image),
            ("Revision", f"{found.revision}, {found.state}"),
            ("Size", sized(found.size) if found.size else ""),
            ("SHA-256", found.sha256),
            ("Made by", found.made_by),
            ("Made from", _made_from(found)),
            ("Beware", _untried(found)),
            ("Notes", found.notes),
            *(("Copy", _copy(each)) for each in found.copies),
        ]
    )


def _deleted(found: RevisionView) -> None:
    say(f"{found.image}/{found.revision} is deleted")
    for each in found.copies:
        say(f"the copy on {each.place} {'is being deleted' if each.ours else 'stays: vclab has not made it'}")


def _exported(found: Exported) -> None:
    say(f"{found.file}: {sized(found.bytes)}, {found.format}; SHA-256 of its content {found.sha256}")
