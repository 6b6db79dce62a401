"""``vclab image …``: what can be reserved, as an administrator keeps it. ``vclab images`` is the users' list."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vclab.cli import checks
from vclab.cli.administer import administration, group
from vclab.cli.context import lab_of
from vclab.cli.errors import Usage
from vclab.cli.output import JsonValue, fields, note, say, say_json, table
from vclab.cli.params import AsUser, ImageName, Json
from vclab.cli.times import iso
from vclab.model.catalog import Image
from vclab.model.errors import Refused

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from vclab.model.health import Failure, Suspect

app = group("image", "What can be reserved: add, list, show, edit.")

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
Module = Annotated[
    str | None, typer.Option("--module", help="What provisions it [default: vsphere].", show_default=False)
]
GuestName = Annotated[str | None, typer.Option("--guest", help="Its OS family [default: linux].", show_default=False)]
GuestId = Annotated[
    str | None,
    typer.Option("--guest-id", help="vSphere's name of its OS [default: otherLinux64Guest].", show_default=False),
]


@app.command("add")
def add(
    context: typer.Context,
    name: NewName,
    master: Master = None,
    cpus: Cpus = None,
    memory: Memory = None,
    disk: Disk = None,
    title: Title = None,
    port: Ports = None,
    sudo: Root = None,
    module: Module = None,
    guest: GuestName = None,
    guest_id: GuestId = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Add an image, in its first revision.

    The master disk must be on a datastore already; `vclab doctor` looks for it. Without a datastore in its path,
    each machine's disk is copied within the datastore on which the machine is placed.
    With --module standalone it is what lab machines have on their own disks: --master names their group (see
    `vclab endpoint add`), or is left out if all have it; their users never become root.
    Adding the same again changes nothing.

    \b
    Examples:
      vclab image add debian-12 --title "Debian 12" --master "[ds1] vclab-images/debian-12/1/disk.vmdk" \\
          --cpus 1 --memory 1024 --disk 8 --guest-id debian12_64Guest
      vclab image add lab-debian --module standalone --master room-12 --cpus 8 --memory 16384 --disk 500
    """
    admin = administration(lab_of(context, as_user))
    checks.name(name, "an image")
    checks.offered(module, admin.settings)
    checks.offered(guest, admin.settings)
    given = _given(module or "vsphere", title, master, cpus, memory, disk, port, sudo, module, guest, guest_id)
    lent = checks.traits(module or "vsphere").lent
    missing = [f"--{word}" for word, field in _NEEDED.items() if field not in given and not (lent and word == "master")]
    if missing:
        raise Usage(f"a new image needs {', '.join(missing)} too")
    defaults: dict[str, Any] = {"module": "vsphere", "guest": "linux", "guest_id": "otherLinux64Guest", "title": name}
    defaults |= {"master_path": "", "root_access": not lent}
    image = Image(**{"name": name, "revision": 1, **defaults, **given})

    def change(session: "Session") -> Image:
        from vclab.store import catalog

        known = {each.name: each for each in catalog.images(session)}.get(name)
        if known is None:
            catalog.put_image(session, image)
        elif replace(known, **given) != known:
            raise Refused(f"there is an image {name} already; change it with `vclab image edit {name}`")
        return catalog.image(session, name)

    _tell(admin.write(change), json)


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
    memory: Memory = None,
    disk: Disk = None,
    title: Title = None,
    port: Ports = None,
    sudo: Root = None,
    module: Module = None,
    guest: GuestName = None,
    guest_id: GuestId = None,
    trusted: Annotated[bool, typer.Option("--trusted", help="It is well: it is not suspect any more.")] = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Change an image: what is not said stays. Reservations that run keep what they were placed with.

    A revision is what its master disk holds, so another --master needs another --revision. The revision that is
    named, or else the present one, is in production afterwards: new reservations get it.

    \b
    Examples:
      vclab image edit debian-12 --memory 2048
      vclab image edit debian-12 --revision 2 --master "[ds1] vclab-images/debian-12/2/disk.vmdk"
      vclab image edit debian-12 --revision 1        (back to the first)
      vclab image edit debian-12 --trusted           (loads of it may have failed, it is not to blame)
    """
    lab = lab_of(context, as_user)
    admin = administration(lab)
    kind = module or lab.image(name).module
    checks.offered(module, admin.settings)
    checks.offered(guest, admin.settings)
    given = _given(kind, title, master, cpus, memory, disk, port, sudo, module, guest, guest_id)
    if revision is not None:
        checks.number(revision, "the revision", 1, 1_000_000)

    def change(session: "Session") -> Image:
        from vclab.store import catalog, failures

        known = {image.revision: image for image, _ in catalog.revisions(session, name)}
        present = catalog.image(session, name)
        catalog.put_image(session, replace(_base(present, known, revision, given), **given))
        image = catalog.image(session, name)
        if trusted:
            failures.trust(session, name, image.revision)
        return image

    _tell(admin.write(change), json)


def _base(present: Image, known: dict[int, Image], revision: int | None, given: dict[str, Any]) -> Image:
    """What the changes are laid over. Raises ``Refused`` when they would make a revision something else."""
    number = present.revision if revision is None else revision
    base = known.get(number)
    if base is not None:
        other = {"master_path": base.master_path, "datastore": base.datastore} | given
        if (other["master_path"], other["datastore"]) != (base.master_path, base.datastore):
            raise Refused(
                f"revision {number} of {base.name} is what {_master(base)} holds; "
                f"another master is another revision: --revision {max(known) + 1}"
            )
        return base
    if number != max(known) + 1:
        raise Refused(f"the next revision of {present.name} is {max(known) + 1}, not {number}")
    if "master_path" not in given:
        raise Usage(f"revision {number} of {present.name} would be new: it needs its own --master")
    return replace(present, revision=number)


@app.command("list")
def list_(context: typer.Context, json: Json = False) -> None:
    """List the images with what they are made from.

    \b
    Examples:
      vclab image list
      vclab image list --json
    """
    records = lab_of(context).records
    found, suspect = records.images(), {(each.image, each.revision) for each in records.suspects()}
    if json:
        say_json([_json(image) | {"suspect": (image.name, image.revision) in suspect} for image in found])
    elif found:
        rows = [(*_row(image), "suspect" * ((image.name, image.revision) in suspect)) for image in found]
        headings = ("IMAGE", "REVISION", "MODULE", "CPUS", "MEMORY", "DISK", "MASTER", "NOTE")
        table(headings, rows, right=("REVISION", "CPUS"))
    else:
        note("There are no images yet; `vclab image add --help` says how one is added.")


def _row(i: Image) -> tuple[str, ...]:
    size = f"{i.memory_mb} MiB", f"{i.disk_gb} GiB"
    return i.name, str(i.revision), i.module, str(i.cpus), *size, _master(i)


@app.command("show")
def show(context: typer.Context, name: ImageName, json: Json = False) -> None:
    """Show one image and its revisions.

    \b
    Examples:
      vclab image show debian-12
    """
    lab = lab_of(context)
    image = lab.image(name)
    revisions = lab.records.revisions(name)
    suspects = {each.revision: each for each in lab.records.suspects(name)}
    if json:
        known: list[JsonValue] = [
            {
                "revision": each.revision,
                "production": production,
                "master_path": each.master_path,
                "suspect": suspect_json(suspects.get(each.revision)),
            }
            for each, production in revisions
        ]
        say_json({**_json(image), "revisions": known})
        return
    _tell(image, json=False)
    say("")
    rows = [
        (str(each.revision), "yes" * production, _master(each), "suspect" * (each.revision in suspects))
        for each, production in revisions
    ]
    table(("REVISION", "PRODUCTION", "MASTER", "NOTE"), rows, right=("REVISION",))
    for suspect in suspects.values():
        say(f"\n{suspect.text()}.\nA good load clears it, or `vclab image edit {name} --trusted`.")


def suspect_json(suspect: "Suspect | None") -> JsonValue:
    """Why a revision is suspect, for programs; null when it is not."""
    if suspect is None:
        return None
    failures: list[JsonValue] = [failure_json(failure) for failure in suspect.failures]
    return {"since": iso(suspect.since), "failures": failures}


def failure_json(failure: "Failure") -> dict[str, JsonValue]:
    """A failed load for programs."""
    return asdict(failure) | {"at": iso(failure.at)}


_NEEDED = {"master": "master_path", "cpus": "cpus", "memory": "memory_mb", "disk": "disk_gb"}


def _given(
    kind: str,
    title: str | None,
    master: str | None,
    cpus: int | None,
    memory: int | None,
    disk: int | None,
    ports: list[int] | None,
    sudo: bool | None,
    module: str | None,
    guest: str | None,
    guest_id: str | None,
) -> dict[str, Any]:
    """What was said, checked; what was not said is not there."""
    traits = checks.traits(kind)
    if traits.lent and not traits.reloadable and sudo:
        raise Usage("what root has changed only a load makes good again, and a lab machine can't be loaded: --no-sudo")
    datastore, path = (None, None) if master is None else _source(kind, master)
    said = {
        "title": title if title is None else checks.line(title, "the title", 100),
        "datastore": datastore,
        "master_path": path,
        "cpus": cpus if cpus is None else checks.number(cpus, "the number of CPUs", 1, checks.MOST_CPUS),
        "memory_mb": memory if memory is None else checks.memory(memory),
        "disk_gb": disk if disk is None else checks.number(disk, "the disk in GiB", 1, checks.MOST_DISK_GB),
        "ports": checks.ports(ports) if ports else None,
        "root_access": sudo,
        "module": module if module is None else checks.one_of(module, "provisioning module", checks.MODULES),
        "guest": guest if guest is None else checks.one_of(guest, "guest", checks.GUESTS),
        "guest_id": guest_id if guest_id is None else checks.guest_id(guest_id),
    }
    return {field: value for field, value in said.items() if value is not None}


def _source(kind: str, text: str) -> tuple[str, str]:
    """Where the image comes from: datastore and path of a disk, or the group of lab machines that have it."""
    if checks.traits(kind).lent:
        return "", checks.name(text, "a group of lab machines") if text else ""
    return checks.master(text)


def _master(image: Image) -> str:
    if checks.traits(image.module).lent:
        return f"on the machines of {image.master_path}" if image.master_path else "on all lab machines"
    return f"[{image.datastore}] {image.master_path}" if image.datastore else image.master_path


def _tell(image: Image, json: bool) -> None:
    if json:
        say_json(_json(image))
        return
    fields(
        [
            ("Image", image.name),
            ("Title", image.title),
            ("Revision", str(image.revision)),
            ("Master", _master(image)),
            ("Size", f"{image.cpus} CPUs, {image.memory_mb} MiB memory, {image.disk_gb} GiB disk"),
            ("Made by", f"{image.module}, as {image.guest_id}"),
            ("Guest", image.guest),
            ("Ports", ", ".join(map(str, image.ports))),
            ("Sudo", "yes" if image.root_access else "no"),
        ]
    )


def _json(image: Image) -> dict[str, JsonValue]:
    return asdict(image) | {"ports": list(image.ports)}
