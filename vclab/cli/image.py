"""``vclab image …``: what can be reserved, as an administrator keeps it. ``vclab images`` is the users' list."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from vclab.cli import checks, module_data
from vclab.cli.administer import administration, group
from vclab.cli.context import lab_of
from vclab.cli.errors import Usage
from vclab.cli.output import JsonValue, fields, note, say, say_json, table
from vclab.cli.params import AsUser, ImageName, Json
from vclab.cli.times import iso
from vclab.model.catalog import Image
from vclab.model.errors import Refused, StepFailed
from vclab.provisioning import registry

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from vclab.model.health import Failure, Suspect

T = TypeVar("T")

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
    str | None, typer.Option("--module", help=f"What provisions it [default: {registry.DEFAULT}].", show_default=False)
]
GuestName = Annotated[
    str | None,
    typer.Option("--guest", help="Its OS family [default: linux]; none: vclab does not enter it.", show_default=False),
]
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
    fields_: module_data.Fields = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Add an image, in its first revision.

    The master disk must be on a datastore already; `vclab doctor` looks for it. Without a datastore in its path,
    each machine's disk is copied within the datastore on which the machine is placed.
    With --module standalone it is what lab machines have on their own disks: --master names their group (see
    `vclab endpoint add`), or is left out if all have it; their users never become root.
    What only the module knows of an image is said by --set FIELD=VALUE; --master and --guest-id are short for that.
    Adding the same again changes nothing.

    \b
    Examples:
      vclab image add debian-12 --title "Debian 12" --master "[ds1] vclab-images/debian-12/1/disk.vmdk" \\
          --cpus 1 --memory 1024 --disk 8 --guest-id debian12_64Guest
      vclab image add lab-debian --module standalone --master room-12 --cpus 8 --memory 16384 --disk 500
      vclab image add note --module text-file --set text=Hello
    """
    admin = administration(lab_of(context, as_user))
    checks.name(name, "an image")
    checks.offered(module, admin.settings)
    checks.offered(guest, admin.settings)
    said = _said(
        module or registry.DEFAULT, title, master, cpus, memory, disk, port, sudo, module, guest, guest_id, fields_
    )
    image = _new(name, module or registry.DEFAULT, said)

    def change(session: "Session") -> Image:
        from vclab.store import catalog

        known = {each.name: each for each in catalog.images(session)}.get(name)
        if known is None:
            catalog.put_image(session, image, checks.traits(image.module).lent)
        elif _changed(known, said) != _changed(known, Changes({}, {})):
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
    fields_: module_data.Fields = None,
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
    said = _said(kind, title, master, cpus, memory, disk, port, sudo, module, guest, guest_id, fields_)
    if revision is not None:
        checks.number(revision, "the revision", 1, 1_000_000)

    def change(session: "Session") -> Image:
        from vclab.store import catalog, failures

        known = {image.revision: image for image, _ in catalog.revisions(session, name)}
        present = catalog.image(session, name)
        changed = _revised(present, known, revision, said)
        catalog.put_image(session, changed, checks.traits(changed.module).lent)
        image = catalog.image(session, name)
        if trusted:
            failures.trust(session, name, image.revision)
        return image

    _tell(admin.write(change), json)


def _new(name: str, module: str, said: "Changes") -> Image:
    """An image as it is added. Raises ``Usage`` when something is missing."""
    traits = checks.traits(module)
    missing = [f"--{word}" for word, field in _SIZES.items() if not traits.lent and field not in said.image]
    data = module_data.kind_of(module).image_data
    lacking = [name for name in data.needed() if name not in said.data]
    missing = [module_data.options(lacking)] * bool(lacking) + missing
    if missing:
        raise Usage(f"a new image needs {', '.join(missing)} too")
    guest = said.image.get("guest", "linux" if traits.guest else "")
    blank = Image(name, name, 1, module, guest, 0, 0, 0, root_access=not traits.lent, ports=(22,) if guest else ())
    return _changed(blank, said)


def _changed(image: Image, said: "Changes") -> Image:
    """The image with what was said laid over it. Raises ``Usage`` and ``Refused`` for what can't be."""
    changed = replace(image, **said.image)
    same = changed.module == image.module
    traits, whose = checks.traits(changed.module), f"the image {image.name}"
    guest = changed.guest
    if "guest" not in said.image and traits.guest != checks.traits(image.module).guest:
        guest = "linux" if traits.guest else ""
    if guest and not traits.guest:
        raise Usage(f"what the module {changed.module} provides has no guest")
    if not guest and traits.guest and traits.lent and not traits.reloadable:
        raise Usage("a lab machine needs a guest: it can't be loaded, so only a guest can clean it")
    data = module_data.kind_of(changed.module).image_data
    return replace(
        changed,
        guest=guest,
        module_data=module_data.laid_over(data, image.module_data if same else "", said.data, whose, changed.module),
    )


def _revised(present: Image, known: dict[int, Image], revision: int | None, said: "Changes") -> Image:
    """What an edit makes. Raises ``Refused`` when it would make a revision something else."""
    number = present.revision if revision is None else revision
    base = known.get(number)
    if base is not None:
        changed = _changed(base, said)
        if base.module == changed.module and _content(base) not in (None, _content(changed)):
            raise Refused(
                f"what revision {number} of {base.name} holds can't be changed ({_source(base) or base.module}); "
                f"it would be another revision: --revision {max(known) + 1}"
            )
        return changed
    if number != max(known) + 1:
        raise Refused(f"the next revision of {present.name} is {max(known) + 1}, not {number}")
    if not _says_content(present, said):
        option = _content_options(said.image.get("module", present.module))
        raise Usage(f"revision {number} of {present.name} would be new: it needs its own {option}")
    return _changed(replace(present, revision=number), said)


def _content(image: Image) -> tuple[Any, ...] | None:
    """What makes a revision what it is; None when it can't be read: then it can be put right."""
    try:
        data = module_data.of_image(image)
    except StepFailed:
        return None
    return (image.endpoint, *(getattr(data, name) for name in module_data.kind_of(image.module).image_data.content))


def _content_options(module: str) -> str:
    """The options that say what a revision holds. A lent computer without data of its own holds what its group does."""
    return module_data.options(module_data.kind_of(module).image_data.content) or "--master"


def _says_content(image: Image, said: "Changes") -> bool:
    content = module_data.kind_of(said.image.get("module", image.module)).image_data.content
    return "endpoint" in said.image or any(name in said.data for name in content)


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
    return i.name, str(i.revision), i.module, str(i.cpus), *size, _source(i)


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
                "endpoint": each.endpoint,
                **module_data.json(each),
                "suspect": suspect_json(suspects.get(each.revision)),
            }
            for each, production in revisions
        ]
        say_json({**_json(image), "revisions": known})
        return
    _tell(image, json=False)
    say("")
    rows = [
        (str(each.revision), "yes" * production, _source(each), "suspect" * (each.revision in suspects))
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


_SIZES = {"cpus": "cpus", "memory": "memory_mb", "disk": "disk_gb"}


@dataclass(frozen=True)
class Changes:
    """What was said, checked; what was not said is not there."""

    image: dict[str, Any]  #: fields of the image
    data: dict[str, str]  #: fields of what only its module knows


def _said(
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
    words: list[str] | None,
) -> Changes:
    if module is not None:
        checks.one_of(module, "provisioning module", checks.MODULES)
    traits = checks.traits(kind)
    if traits.lent and not traits.reloadable and sudo:
        raise Usage("what root has changed only a load makes good again, and a lab machine can't be loaded: --no-sudo")
    image = {
        "title": title if title is None else checks.line(title, "the title", 100),
        "endpoint": _group(master) if traits.lent and master is not None else None,
        "cpus": cpus if cpus is None else checks.number(cpus, "the number of CPUs", 1, checks.MOST_CPUS),
        "memory_mb": memory if memory is None else checks.memory(memory),
        "disk_gb": disk if disk is None else checks.number(disk, "the disk in GiB", 1, checks.MOST_DISK_GB),
        "ports": checks.ports(ports) if ports else None,
        "root_access": sudo,
        "module": module,
        "guest": guest if guest is None else checks.guest(guest),
    }
    datastore, path = (None, None) if master is None or traits.lent else checks.master(master)
    data = {
        "datastore": datastore,
        "master_path": path,
        "guest_id": guest_id,
    }
    return Changes(_there(image), module_data.said(words, _there(data)))


def _there(values: dict[str, T | None]) -> dict[str, T]:
    return {name: value for name, value in values.items() if value is not None}


def _group(text: str) -> str:
    """The group of lent computers that have the image; empty: all."""
    return checks.name(text, "a group of lab machines") if text else ""


def _source(image: Image) -> str:
    """Where the image comes from, in words."""
    try:
        data = module_data.of_image(image)
    except StepFailed as error:
        return str(error)
    if checks.traits(image.module).lent and not data.source():
        return f"on the machines of {image.endpoint}" if image.endpoint else "on all lab machines"
    return data.source()


def _tell(image: Image, json: bool) -> None:
    if json:
        say_json(_json(image))
        return
    data = module_data.of_image(image)
    fields(
        [
            ("Image", image.name),
            ("Title", image.title),
            ("Revision", str(image.revision)),
            ("Master", _source(image)),
            ("Size", f"{image.cpus} CPUs, {image.memory_mb} MiB memory, {image.disk_gb} GiB disk"),
            ("Made by", image.module),
            *module_data.rows(data),
            ("Guest", image.guest or "none"),
            ("Ports", ", ".join(map(str, image.ports))),
            ("Sudo", "yes" if image.root_access else "no"),
        ]
    )


def _json(image: Image) -> dict[str, JsonValue]:
    return asdict(image) | {"ports": list(image.ports), "disabled_at": iso(image.disabled_at)} | module_data.json(image)
