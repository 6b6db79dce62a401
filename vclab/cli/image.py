"""``vclab image …``: what can be reserved, as an administrator keeps it. ``vclab images`` is the users' list."""

from typing import Annotated

import typer

from vclab.cli import module_fields
from vclab.cli.asking import asker, disabled, given
from vclab.cli.nouns import group
from vclab.cli.output import fields, note, say, table
from vclab.cli.params import AsUser, ImageName, Json, Why
from vclab.cli.tables import Column, Fit
from vclab.contract import images
from vclab.contract.images import DetailedImage, Image, ListedImage
from vclab.contract.retiring import Disable, Named
from vclab.model.catalog import DEFAULT_MODULE
from vclab.model.errors import Failed

COLUMNS = (
    Column("IMAGE"),
    Column("REVISION", drop=2, right=True),
    Column("MODULE", drop=4),
    Column("CPUS", drop=5, right=True),
    Column("MEMORY", drop=6),
    Column("DISK", drop=7),
    Column("MASTER", drop=3),
    Column("NOTE", drop=1, fit=Fit.CUT),
)

app = group("image", "What can be reserved, and its revisions.")

NewName = Annotated[str, typer.Argument(metavar="IMAGE", help="Its name, for people to type.", show_default=False)]
Title = Annotated[str | None, typer.Option("--title", help="What it is, in a few words.", show_default=False)]
Master = Annotated[
    str | None,
    typer.Option(
        "--master", metavar="PATH", help="The master disk, e.g. '[ds1] images/debian/1/disk.vmdk'.", show_default=False
    ),
]
Cpus = Annotated[int | None, typer.Option("--cpus", help="Virtual CPUs.", show_default=False)]
Memory = Annotated[int | None, typer.Option("--memory", metavar="MIB", help="Memory, MiB.", show_default=False)]
Disk = Annotated[int | None, typer.Option("--disk", metavar="GIB", help="Disk, GiB.", show_default=False)]
Ports = Annotated[
    list[int] | None, typer.Option("--port", help="A TCP port for the user [default: 22].", show_default=False)
]
Root = Annotated[
    bool | None, typer.Option("--sudo/--no-sudo", help="Users may become root [default: yes].", show_default=False)
]
ChildFactor = Annotated[
    float | None,
    typer.Option(
        "--child-factor",
        metavar="SHARE",
        help="Of its size a linked disk claims so much, 0.05 to 1 [default: 0, as the settings say].",
        show_default=False,
    ),
]
Module = Annotated[
    str | None,
    typer.Option("--module", help=f"What provisions it [default: {DEFAULT_MODULE}].", show_default=False),
]
GuestName = Annotated[
    str | None,
    typer.Option("--guest", help="Its OS family [default: linux]; none: vclab does not enter it.", show_default=False),
]
GuestId = Annotated[
    str | None,
    typer.Option("--guest-id", help="vSphere's name of its OS [default: otherLinux64Guest].", show_default=False),
]
Unchecked = Annotated[
    bool, typer.Option("--unchecked", help="Don't check that an endpoint has the master and knows the guest id.")
]


@app.command("add")
def add(
    context: typer.Context,
    name: NewName,
    master: Master = None,
    cpus: Cpus = None,
    memory_mb: Memory = None,
    disk_gb: Disk = None,
    title: Title = None,
    ports: Ports = None,
    root_access: Root = None,
    child_factor: ChildFactor = None,
    module: Module = None,
    guest: GuestName = None,
    guest_id: GuestId = None,
    sets: module_fields.Sets = None,
    unchecked: Unchecked = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Add an image, in its first revision.

    The master disk must be on a datastore already: the image's endpoints are asked for it. Without a datastore in its
    path, each machine's disk is copied within the datastore on which the machine is placed.
    With --module standalone, the image is what lab machines have on their own disks: --master names their group (see
    `vclab endpoint add`), or is left out if all have it; their users never become root.
    --set FIELD=VALUE sets what only the module knows of an image; --master and --guest-id are short for that.
    Adding the same again changes nothing.

    \b
    Examples:
      vclab image add debian-12 --title "Debian 12" --master "[ds1] vclab-images/debian-12/1/disk.vmdk" \\
          --cpus 1 --memory 1024 --disk 8 --guest-id debian12_64Guest
      vclab image add lab-debian --module standalone --master room-12 --cpus 8 --memory 16384 --disk 500
      vclab image add note --module text-file --set text=Hello
    """
    data = module_fields.typed(sets, {"guest_id": guest_id})
    asker(context).tell(images.add, given(context, images.Add, data=data), json, _tell)


@app.command("edit")
def edit(
    context: typer.Context,
    name: ImageName,
    revision: Annotated[
        int | None,
        typer.Option("--revision", help="A new revision, or a known one to go back to.", show_default=False),
    ] = None,
    master: Master = None,
    cpus: Cpus = None,
    memory_mb: Memory = None,
    disk_gb: Disk = None,
    title: Title = None,
    ports: Ports = None,
    root_access: Root = None,
    child_factor: ChildFactor = None,
    module: Module = None,
    guest: GuestName = None,
    guest_id: GuestId = None,
    sets: module_fields.Sets = None,
    trusted: Annotated[bool, typer.Option("--trusted", help="Clear the suspect flag.")] = False,
    unchecked: Unchecked = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Change an image; what is not given stays. Running reservations keep what they were placed with.

    A revision is what its master disk holds, so another --master needs another --revision. The revision that is
    named, or else the present one, is in production afterwards: new reservations get it.

    \b
    Examples:
      vclab image edit debian-12 --memory 2048
      vclab image edit debian-12 --child-factor 0.25   (its disks grow to 2 of 8 GiB at most)
      vclab image edit debian-12 --revision 2 --master "[ds1] vclab-images/debian-12/2/disk.vmdk"
      vclab image edit debian-12 --revision 1        (back to the first)
      vclab image edit debian-12 --trusted           (failed loads of it had another cause)
    """
    data = module_fields.typed(sets, {"guest_id": guest_id})
    asker(context).tell(images.edit, given(context, images.Edit, data=data), json, _tell)


@app.command("disable")
def disable(context: typer.Context, name: ImageName, why: Why = "", json: Json = False, as_user: AsUser = "") -> None:
    """An image can't be reserved from now on. Reservations of it go on.

    \b
    Examples:
      vclab image disable debian-12 --why "replaced by debian-13"
    """
    asker(context).tell(images.disable, given(context, Disable), json, _tell)


@app.command("enable")
def enable(context: typer.Context, name: ImageName, json: Json = False, as_user: AsUser = "") -> None:
    """Let an image be reserved again.

    \b
    Examples:
      vclab image enable debian-12
    """
    asker(context).tell(images.enable, given(context, Named), json, _tell)


@app.command("remove")
def remove(context: typer.Context, name: ImageName, json: Json = False, as_user: AsUser = "") -> None:
    """Remove an image with all its revisions. Refused while it is in use.

    Master disks that an administrator has put somewhere stay there. What vclab has made of it, in repositories and on
    datastores, is deleted after the keep time of retired revisions (library.keep).

    \b
    Examples:
      vclab image remove debian-12
    """
    question = given(context, Named)
    asker(context).tell(images.remove, question, json, lambda _: say(f"{name} is removed"))


@app.command("list")
def list_(context: typer.Context, json: Json = False) -> None:
    """List the images with what they are made from.

    \b
    Examples:
      vclab image list
      vclab image list --json
    """
    asker(context).tell(images.listing, images.Which(), json, _list)


@app.command("show")
def show(context: typer.Context, name: ImageName, json: Json = False) -> None:
    """Show one image and its revisions.

    \b
    Examples:
      vclab image show debian-12
    """
    asker(context).tell(images.show, given(context, Named), json, _describe)


@app.command("check")
def check(context: typer.Context, name: ImageName, json: Json = False) -> None:
    """Ask all endpoints for an image's master, and place it only where it is.

    An image that was added with --unchecked is placed anywhere, until this has found it somewhere.

    \b
    Examples:
      vclab image check debian-12
    """
    asker(context).tell(images.check, given(context, Named), json, _describe)


def _list(found: tuple[ListedImage, ...]) -> None:
    if found:
        table(COLUMNS, map(_row, found))
    else:
        note("There are no images yet; `vclab image add --help` says how one is added.")


def _row(i: ListedImage) -> tuple[str, ...]:
    size = f"{i.memory_mb} MiB", f"{i.disk_gb} GiB"
    notes = ", ".join(filter(None, (disabled(i), "suspect" if i.suspect else "")))
    return i.name, str(i.revision), i.module, str(i.cpus), *size, i.source, notes


def _describe(image: DetailedImage) -> None:
    _tell(image)
    say("")
    rows = [
        (str(each.revision), each.state, each.source, "suspect" if each.suspect else "") for each in image.revisions
    ]
    table(("REVISION", "STATE", "MASTER", "NOTE"), rows, right=("REVISION",))
    if image.copies:
        say("")
        table(("ENDPOINT", "DATASTORE", "COPY"), [(each.endpoint, each.datastore, each.state) for each in image.copies])
    for suspect in (each.suspect for each in image.revisions if each.suspect):
        say(f"\n{suspect.text}.\nA good load clears it, or `vclab image edit {image.name} --trusted`.")


def _tell(image: Image) -> None:
    if image.error:
        raise Failed(image.error)
    fields(
        [
            ("Image", image.name),
            ("Title", image.title),
            ("Note", disabled(image)),
            ("Revision", str(image.revision)),
            ("Master", image.source),
            ("Size", f"{image.cpus} CPUs, {image.memory_mb} MiB memory, {image.disk_gb} GiB disk"),
            ("Claims", f"{image.child_factor:g} of its disk" if image.child_factor and not image.dedicated else ""),
            ("Module", image.module),
            *module_fields.shown(image.module_data),
            ("Guest", image.guest or "none"),
            ("Ports", ", ".join(map(str, image.ports))),
            ("Sudo", "yes" if image.root_access else "no"),
        ]
    )
