"""Images as administrators keep them. ``reservations.images`` is the users' list."""

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from vclab.contract import images as contract
from vclab.contract.failures import Suspect
from vclab.contract.images import (
    MOST_REVISIONS,
    Add,
    CopyPlace,
    DetailedImage,
    Edit,
    Image,
    ListedImage,
    Revision,
    Which,
)
from vclab.contract.retiring import Disable, Named
from vclab.model import catalog as model
from vclab.model.errors import Invalid, Refused, StepFailed
from vclab.model.revisions import RevisionState
from vclab.model.rules import LEAST_CHILD_FACTOR
from vclab.model.typed import known
from vclab.service import checks, masters, module_data
from vclab.service.retiring import Kept
from vclab.service.rights import hidden_images
from vclab.service.use_case import Call, does
from vclab.store import catalog, copies, failures, retirement

_NO_ROOT = "users of lab machines can't be root: lab machines can't be reimaged"


@dataclass(frozen=True)
class Changes:
    """What was given, checked."""

    image: dict[str, Any]  #: fields of the image
    data: dict[str, str]  #: fields of its module's data


@does(contract.listing)
async def listing(call: Call, question: Which) -> tuple[ListedImage, ...]:
    checks.limit(question.limit)
    asked = question.module, question.cursor, question.limit

    def ask(session: Session) -> tuple[ListedImage, ...]:
        suspects = {(each.image, each.revision) for each in failures.suspects(session)}
        found = catalog.images(session, *asked, hidden=hidden_images(session, call.actor))
        return tuple(_listed(image, (image.name, image.revision) in suspects) for image in found)

    return await call.backend.read(ask)


@does(contract.show)
async def show(call: Call, question: Named) -> DetailedImage:
    def ask(session: Session) -> DetailedImage:
        image = shown_image(session, call, question.name)
        suspects = {each.revision: Suspect.of(each) for each in failures.suspects(session, image.name)}
        revisions = [
            _revision(each, state, suspects.get(each.revision))
            for each, state in catalog.revisions(session, image.name)
        ]
        there = tuple(_copies(session, image))
        return DetailedImage(**dict(_view(image)), revisions=tuple(revisions), copies=there)

    return await call.backend.read(ask)


@does(contract.add)
async def add(call: Call, question: Add) -> Image:
    checks.name(question.name, "an image")
    module = question.module or model.DEFAULT_MODULE
    changes = _changes(call, question, module)
    image = _new(question.name, module, changes)
    there: masters.Masters = {}
    if not question.unchecked and await call.backend.read(lambda s: find(s, question.name)) is None:
        there = await masters.check(call.backend, image)

    def change(session: Session) -> model.Image:
        present = find(session, question.name)
        if present is None:
            number = catalog.newest_revision(session, image.name) + 1  # one that was removed may have had some
            first = replace(image, revision=number)
            _put(session, first)
            masters.seen(session, first, there)
            retirement.enable(session, model.Thing.IMAGE, image.name)
        elif _changed(present, changes) != _changed(present, Changes({}, {})):
            raise Refused(f"the image {image.name} exists", f"change it with `vclab image edit {image.name}`")
        return catalog.image(session, question.name)

    return _view(await call.backend.write(change))


@does(contract.edit)
async def edit(call: Call, question: Edit) -> Image:
    checks.given(question, revision=_revision_number)
    present = await call.backend.read(lambda session: known_image(session, question.name))
    changes = _changes(call, question, question.module or present.module)
    there: masters.Masters = {}
    if not question.unchecked and _needs_check(question, changes, present):
        there = await masters.check(call.backend, await call.backend.read(lambda s: _edited(s, question, changes)))

    def change(session: Session) -> model.Image:
        _put(session, _edited(session, question, changes))
        image = catalog.image(session, question.name)
        masters.seen(session, image, there)
        if question.trusted:
            failures.trust(session, image.name, image.revision)
        return image

    return _view(await call.backend.write(change))


@does(contract.check)
async def check(call: Call, question: Named) -> DetailedImage:
    image = await call.backend.read(lambda session: known_image(session, question.name))
    there = await masters.check(call.backend, image)
    await call.backend.write(lambda session: masters.seen(session, image, there))
    return await show(call, question)


@does(contract.disable)
async def disable(call: Call, question: Disable) -> Image:
    await _IMAGES.disable(call, question)
    return await _shown(call, question.name)


@does(contract.enable)
async def enable(call: Call, question: Named) -> Image:
    await _IMAGES.enable(call, question.name)
    return await _shown(call, question.name)


@does(contract.remove)
async def remove(call: Call, question: Named) -> None:
    await _IMAGES.remove(call, question.name)


# What was given.


def _changes(call: Call, question: Add, module: str) -> Changes:
    checks.given(question, module=lambda name: checks.one_of(name, "provisioning module", checks.MODULES))
    for name in (question.module, question.guest):
        checks.offered(name, call.backend.settings)
    traits = checks.traits(module)
    if traits.lent and not traits.reloadable and question.root_access:
        raise Invalid(_NO_ROOT, "use --no-sudo")
    image = checks.given(
        question,
        title=lambda text: checks.line(text, "the title", 100),
        cpus=lambda number: checks.number(number, "the number of CPUs", 1, checks.MOST_CPUS),
        memory_mb=checks.memory,
        disk_gb=lambda number: checks.number(number, "the disk in GiB", 1, checks.MOST_DISK_GB),
        ports=checks.ports,
        root_access=bool,
        child_factor=_child_factor,
        module=str,
        guest=checks.guest,
    )
    return _with_master(Changes(image, dict(question.data)), question.master, traits.lent)


def _with_master(changes: Changes, master: str | None, lent: bool) -> Changes:
    """``master`` is short for a datastore and a path, or for the group of lab machines that has the image."""
    if master is None:
        return changes
    if lent:
        group = checks.name(master, "a group of lab machines") if master else ""
        return Changes({**changes.image, "endpoint": group}, changes.data)
    datastore, path = checks.master(master)
    data = module_data.united(changes.data, {"datastore": datastore, "master_path": path})
    return Changes(changes.image, data)


def _child_factor(number: float) -> float:
    if number and not LEAST_CHILD_FACTOR <= number <= 1:
        allowed = f"between {LEAST_CHILD_FACTOR} and 1, or 0 for the site's setting"
        raise Invalid(f"the child factor must be {allowed}, not {number:g}")
    return number


def _revision_number(number: int) -> int:
    return checks.number(number, "the revision", 1, MOST_REVISIONS)


def planned(call: Call, question: Add, before: model.Image | None, number: int) -> model.Image:
    """An image as it is going to be in a revision of the library. Raises ``Invalid``."""
    module = question.module or (before.module if before else model.DEFAULT_MODULE)
    changes = _changes(call, question, module)
    content = dict.fromkeys(_content_fields(module), "")  # which is the library's to say
    changes = Changes(changes.image, {**content, **changes.data})
    if before is not None:
        return _changed(replace(before, revision=number), changes)
    sizes = {"--cpus": "cpus", "--memory": "memory_mb"}
    missing = [option for option, field in sizes.items() if field not in changes.image]
    if missing and not checks.traits(module).lent:
        raise Invalid(f"a new image needs {' and '.join(missing)} too")
    guest = "linux" if checks.traits(module).guest else ""
    guest = changes.image.get("guest", guest)
    empty = model.Image(question.name, question.name, number, module, guest, 0, 0, 0, True, (22,) if guest else ())
    return _changed(empty, changes)


# What that makes.


def _new(name: str, module: str, changes: Changes) -> model.Image:
    """An image as it is added. Raises ``Invalid`` when something is missing."""
    traits = checks.traits(module)
    if missing := _missing_options(module, changes):
        raise Invalid(f"a new image needs {', '.join(missing)} too")
    guest = changes.image.get("guest", "linux" if traits.guest else "")
    ports = (22,) if guest else ()
    return _changed(model.Image(name, name, 1, module, guest, 0, 0, 0, not traits.lent, ports), changes)


def _missing_options(module: str, changes: Changes) -> list[str]:
    needed = module_data.kind_of(module).image_data.needed()
    lacking = [name for name in needed if name not in changes.data]
    sizes = {"--cpus": "cpus", "--memory": "memory_mb", "--disk": "disk_gb"}
    missing = [option for option, field in sizes.items() if field not in changes.image]
    return [module_data.options(lacking)] * bool(lacking) + ([] if checks.traits(module).lent else missing)


def _changed(image: model.Image, changes: Changes) -> model.Image:
    """The image with the changes. Raises ``Invalid`` for what its module can't provide."""
    changed = replace(image, **changes.image)
    traits = checks.traits(changed.module)
    guest = changed.guest
    if "guest" not in changes.image and traits.guest != checks.traits(image.module).guest:
        guest = "linux" if traits.guest else ""
    if guest and not traits.guest:
        raise Invalid(f"computers of the module {changed.module} have no guest", "leave out --guest")
    if not guest and traits.guest and traits.lent and not traits.reloadable:
        raise Invalid("a lab machine needs a guest: only a guest can clean it", "leave out --guest none")
    return replace(changed, guest=guest, module_data=_merged(image, changed, changes.data))


def _merged(before: model.Image, after: model.Image, given: dict[str, str]) -> str:
    """The module's data; that of another module says nothing to this one."""
    data, whose = module_data.kind_of(after.module).image_data, f"the image {after.name}"
    kept = before.module_data if before.module == after.module else ""
    return module_data.merged(data, kept, given, whose, after.module)


def _edited(session: Session, question: Edit, changes: Changes) -> model.Image:
    """What an edit makes. Raises ``Refused`` when a known revision would hold something else."""
    present = known_image(session, question.name)
    revisions = {image.revision: image for image, _ in catalog.revisions(session, present.name)}
    number = present.revision if question.revision is None else question.revision
    if number in revisions:
        return _same_content(revisions[number], _changed(revisions[number], changes), max(revisions) + 1)
    if number != max(revisions) + 1:
        raise Refused(f"the next revision of {present.name} is {max(revisions) + 1}, not {number}")
    if not _gives_content(present, changes):
        option = _content_options(changes.image.get("module", present.module))
        raise Invalid(f"revision {number} of {present.name} is new and needs its own {option}")
    return _changed(replace(present, revision=number), changes)


def _same_content(before: model.Image, after: model.Image, following: int) -> model.Image:
    if before.module == after.module and _content(before) not in (None, _content(after)):
        raise Refused(
            f"the content of revision {before.revision} of {before.name} can't change ({_source(before)})",
            f"make another revision: --revision {following}",
        )
    return after


def _content(image: model.Image) -> tuple[Any, ...] | None:
    """What makes a revision what it is; None when it can't be read, so that it can be corrected."""
    try:
        data = module_data.of_image(image)
    except StepFailed:
        return None
    return (image.endpoint, *(getattr(data, name) for name in _content_fields(image.module)))


def _content_fields(module: str) -> tuple[str, ...]:
    return module_data.kind_of(module).image_data.content


def _content_options(module: str) -> str:
    """The options that give the content. A lab machine without data of its own holds what its group holds."""
    return module_data.options(_content_fields(module)) or "--master"


def _gives_content(image: model.Image, changes: Changes) -> bool:
    fields = _content_fields(changes.image.get("module", image.module))
    return "endpoint" in changes.image or any(name in changes.data for name in fields)


def _needs_check(question: Edit, changes: Changes, image: model.Image) -> bool:
    """Whether the edit names another master, or a value that the module's library lists."""
    choices = module_data.kind_of(changes.image.get("module", image.module)).choices
    return _gives_content(image, changes) or any(name in changes.data for name in choices)


# The store, and what is shown.


def find(session: Session, name: str) -> model.Image | None:
    """The image that is reserved by this name; None: there is none."""
    return next((image for image in catalog.images(session) if image.name == name), None)


def shown_image(session: Session, call: Call, name: str) -> model.Image:
    """The same, of what the caller is shown. Raises ``NotFound``, also for an image that is hidden from them."""
    return known_image(session, name, hidden_images(session, call.actor))


def known_image(session: Session, name: str, hidden: Collection[str] = ()) -> model.Image:
    """The image as it is in production, else in its newest revision. Raises ``NotFound``."""
    names = {each: each for each in catalog.names_of_all_images(session) if each not in hidden}
    known("image", name, names, "`vclab images` lists them")
    return find(session, name) or catalog.revisions(session, name)[-1][0]


_IMAGES = Kept(model.Thing.IMAGE, known_image)


async def _shown(call: Call, name: str) -> Image:
    return _view(await call.backend.read(lambda session: known_image(session, name)))


def _copies(session: Session, image: model.Image) -> Iterator[CopyPlace]:
    places = copies.of(session, image)
    for endpoint, there in sorted(places.storages.items()) if places else ():
        yield from (CopyPlace(endpoint=endpoint, datastore=name, state=state) for name, state in sorted(there.items()))


def _put(session: Session, image: model.Image) -> None:
    catalog.put_image(session, image, checks.traits(image.module).lent)


def _listed(image: model.Image, suspect: bool) -> ListedImage:
    return ListedImage(**dict(_view(image)), suspect=suspect)


def _revision(image: model.Image, state: RevisionState, suspect: Suspect | None) -> Revision:
    data, error = module_data.document(image)
    return Revision(
        revision=image.revision,
        state=state,
        endpoint=image.endpoint,
        module_data=data,
        error=error or None,
        source=_source(image),
        suspect=suspect,
    )


def _source(image: model.Image) -> str:
    """Where the image's content is, in words."""
    try:
        data = module_data.of_image(image)
    except StepFailed as error:
        return str(error)
    if checks.traits(image.module).lent and not data.source():
        return f"on the machines of {image.endpoint}" if image.endpoint else "on all lab machines"
    return data.source()


def _view(image: model.Image) -> Image:
    """An image as it is stored."""
    data, error = module_data.document(image)
    return Image(**asdict(image) | {"module_data": data, "error": error or None, "source": _source(image)})
