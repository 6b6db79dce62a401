"""Endpoints, which provision: list, show, add, edit, check, disable, remove.

Adding and editing are two calls where somebody logs in: ``preview_add`` and ``preview_edit`` check the question and
show the certificate; the act carries the fingerprint that was confirmed, and the password.
"""

import asyncio
import secrets
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from vclab.contract import endpoints as contract
from vclab.contract.endpoints import Add, CheckedEndpoint, Datastore, Edit, Endpoint, Given, Host, Login
from vclab.contract.retiring import Disable, Named
from vclab.contract.use_case import Nothing, Question
from vclab.model import catalog as model
from vclab.model.errors import Invalid, Refused
from vclab.model.inventory import Inventory
from vclab.model.traits import Traits
from vclab.model.typed import known, quoted
from vclab.provisioning.enquiry import Answer, Enquiry
from vclab.secrets.references import Destination
from vclab.service import checks, masters, module_data
from vclab.service.authentication import may_write
from vclab.service.retiring import Kept
from vclab.service.rights import Care, care
from vclab.service.use_case import Call, does
from vclab.store import catalog, retirement


@dataclass(frozen=True)
class Wanted:
    """The entry as it would be, and what it was."""

    entry: model.Endpoint
    before: model.Endpoint | None
    confirm: bool  #: its certificate must be confirmed
    password: bool  #: its password must be given

    def needs_password(self, fingerprint: str) -> bool:
        """Whether the password must be given, where this certificate is shown. The one that is kept was entered for an
        address and a certificate, and is sealed to the workers of a site: it never goes anywhere else."""
        before = self.before
        if self.password or before is None or not self.entry.url:  # what has no address is not logged in to
            return self.password
        entry = replace(self.entry, fingerprint=fingerprint)
        return (entry.url, entry.fingerprint, entry.site) != (before.url, before.fingerprint, before.site)


@does(contract.listing)
async def listing(call: Call, question: Nothing) -> tuple[Endpoint, ...]:
    def ask(session: Session) -> tuple[Endpoint, ...]:
        cares = care(session, call.actor)
        return tuple(_seen(cares, each) for each in catalog.endpoints(session))

    return await call.backend.read(ask)


@does(contract.show)
async def show(call: Call, question: Named) -> Endpoint:
    return await call.backend.read(lambda session: _seen(care(session, call.actor), _known(session, question.name)))


@does(contract.check)
async def check(call: Call, question: Named) -> CheckedEndpoint:
    refuse_without_secrets(call)
    endpoint = await call.backend.read(lambda session: _known(session, question.name))
    _enquiry(endpoint)
    answer = await _ask(call, endpoint, None)
    await call.backend.write(lambda session: _remember(session, endpoint, answer))
    return _checked(endpoint, answer)


@does(contract.preview_add)
async def preview_add(call: Call, question: Add) -> Login:
    return await _login(await _added(call, question), question)


@does(contract.preview_edit)
async def preview_edit(call: Call, question: Edit) -> Login:
    return await _login(await _edited(call, question), question)


@does(contract.add)
async def add(call: Call, question: Add) -> CheckedEndpoint:
    return await _kept(call, await _added(call, question), question)


@does(contract.edit)
async def edit(call: Call, question: Edit) -> CheckedEndpoint:
    return await _kept(call, await _edited(call, question), question)


@does(contract.disable)
async def disable(call: Call, question: Disable) -> Endpoint:
    await _ENDPOINTS.disable(call, question)
    return await show(call, question)


@does(contract.enable)
async def enable(call: Call, question: Named) -> Endpoint:
    await _ENDPOINTS.enable(call, question.name)
    return await show(call, question)


@does(contract.remove)
async def remove(call: Call, question: Named) -> None:
    refuse_without_secrets(call)
    endpoint = await call.backend.read(lambda session: _known(session, question.name))
    await _ENDPOINTS.remove(call, question.name)
    if endpoint.password_ref:
        call.backend.secrets.forget(endpoint.password_ref)


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


# What was given.


async def _added(call: Call, question: Add) -> Wanted:
    """The new entry. Raises ``Invalid`` and ``Refused``."""
    refuse_without_secrets(call)
    checks.name(question.name, "an endpoint")
    checks.offered(checks.one_of(question.module, "module of endpoints", checks.MODULES), call.backend.settings)
    login = module_data.kind_of(question.module).enquiry is not None
    _check_login(question, login)
    before = await call.backend.read(lambda session: _find(session, question.name))
    entry = _merged(before or _blank(call, question, login), question)
    if before is not None and (before.module != question.module or entry != _merged(before, Named(name=before.name))):
        raise Refused(f"the endpoint {before.name} exists", f"change it with `vclab endpoint edit {before.name}`")
    return Wanted(entry, before, confirm=login, password=login)


def _check_login(question: Add, login: bool) -> None:
    if login and (question.url is None or question.username is None):
        raise Invalid("an endpoint needs --url and --username")
    if not login and (question.url, question.username, question.fingerprint) != (None, None, None):
        raise Invalid(f"endpoints of the module {question.module} need no login", "leave out URL, user and certificate")


def _blank(call: Call, question: Add, login: bool) -> model.Endpoint:
    reference = f"endpoint/{question.name}" if login else ""
    return model.Endpoint(question.name, question.module, "", "", reference, "", call.backend.settings.site)


async def _edited(call: Call, question: Edit) -> Wanted:
    """The entry with the changes. Raises ``NotFound``, ``Invalid`` and ``Refused``."""
    refuse_without_secrets(call)
    before = await call.backend.read(lambda session: _known(session, question.name))
    entry, login = _merged(before, question), module_data.kind_of(before.module).enquiry is not None
    if not login and (_of_login(question) or entry == _merged(before, Named(name=before.name))):
        _enquiry(before)  # raises: there is nothing to log in to
    await call.backend.read(lambda session: catalog.check_site(session, entry))
    confirm = login and (question.certificate or question.fingerprint is not None or question.url is not None)
    return Wanted(entry, before, confirm, login and (question.new_password or question.username is not None))


def _of_login(question: Edit) -> bool:
    given = (question.url, question.username, question.fingerprint, question.password)
    return question.certificate or question.new_password or any(value is not None for value in given)


def _merged(endpoint: model.Endpoint, question: Question) -> model.Endpoint:
    """The endpoint with what was given."""
    given = _fields(question, endpoint.module) if isinstance(question, Given) else {}
    data = question.data if isinstance(question, Given) else {}
    kind, whose = module_data.kind_of(endpoint.module), f"the endpoint {endpoint.name}"
    text = module_data.merged(kind.endpoint_data, endpoint.module_data, data, whose, endpoint.module)
    return replace(endpoint, module_data=text, **given)


def _fields(question: Given, module: str) -> dict[str, Any]:
    """The fields of the entry that were given, checked."""
    if checks.traits(module).lent and (question.cpu_overcommit, question.memory_reserve_mb) != (None, None):
        raise Invalid(
            f"computers of the module {module} are reserved as a whole", "leave out --cpu-overcommit, --memory-reserve"
        )
    traits = checks.traits(module)

    def after_use(text: str) -> model.AfterUse:
        return _after_use(text, module, traits)

    return checks.given(
        question,
        after_use=after_use,
        url=checks.url,
        username=lambda text: checks.line(text, "the user name"),
        site=_site,
        cpu_overcommit=_overcommit,
        memory_reserve_mb=lambda number: checks.number(number, "the memory reserve", 0, checks.MOST_MEMORY_MB),
    )


def _after_use(text: str, module: str, traits: Traits) -> model.AfterUse:
    """Raises ``Invalid``."""
    if not traits.lent:
        raise Invalid(f"computers of the module {module} are made for each reservation", "leave out --after-use")
    found = model.AfterUse(checks.one_of(text, "after use", [each.value for each in model.AfterUse]))
    if found is model.AfterUse.UNLOADED and not traits.reloadable:
        raise Invalid(f"computers of the module {module} can't be loaded", "use --after-use on or off")
    return found


def _site(text: str) -> str:
    """A site, checked as in the settings."""
    if checks.name(text, "a site", 31, "").endswith("-long"):
        raise Invalid(f"the name of a site can't end in -long: {quoted(text)}")
    return text


def _overcommit(number: float) -> float:
    if not 0.1 <= number <= 100:
        raise Invalid(f"the CPU overcommit must be between 0.1 and 100, not {number}")
    return number


# Logging in, and keeping.


async def _login(wanted: Wanted, question: Given) -> Login:
    entry = wanted.entry
    shown = await _certificate(entry) if wanted.confirm else ""
    password = wanted.needs_password(shown or entry.fingerprint)
    if question.fingerprint is not None:
        confirmed(entry.url, shown, question.fingerprint)
        shown = ""
    return Login(url=entry.url, username=entry.username, certificate=shown, password=password)


async def _kept(call: Call, wanted: Wanted, question: Given) -> CheckedEndpoint:
    """Try the entry, then keep it."""
    entry = wanted.entry
    if module_data.kind_of(entry.module).enquiry is None:
        return _checked(await _put(call, entry, wanted.before), None)
    if wanted.confirm:
        entry = replace(entry, fingerprint=confirmed(entry.url, await _certificate(entry), question.fingerprint))
    password = _password(replace(wanted, entry=entry), question)
    answer = await _ask(call, entry, password)
    if answer.mistakes:
        raise Refused("; ".join(answer.mistakes))
    if password is None:
        kept = await _put(call, entry, wanted.before)
    else:
        kept = await _put_both(call, entry, password, wanted.before)
    await call.backend.write(lambda session: _remember(session, kept, answer))
    return _checked(kept, answer)


def _password(wanted: Wanted, question: Given) -> str | None:
    """That which was given; None: the one that is kept. Raises ``Invalid`` when it must be given."""
    if question.password is not None and question.password.get_secret_value():
        return question.password.get_secret_value()
    if wanted.needs_password(wanted.entry.fingerprint):
        raise Invalid("there is no password", "type it at the terminal, or put it into standard input (< file)")
    return None


async def _put_both(call: Call, entry: model.Endpoint, password: str, before: model.Endpoint | None) -> model.Endpoint:
    """Keep entry and password. If both change, the password gets a reference of its own, which the entry names:
    so the old pair stays in force until the entry is written, whatever fails.
    """
    there = Destination(entry.url, entry.fingerprint)
    if entry == before:
        call.backend.secrets.put(entry.password_ref, password, there, entry.site)
        return entry
    reference = f"endpoint/{entry.name}" + (f"@{secrets.token_hex(4)}" if before else "")
    call.backend.secrets.put(reference, password, there, entry.site)
    try:
        kept = await _put(call, replace(entry, password_ref=reference), before)
    except BaseException:
        call.backend.secrets.forget(reference)
        raise
    if before:
        call.backend.secrets.forget(before.password_ref)
    return kept


async def _put(call: Call, entry: model.Endpoint, before: model.Endpoint | None) -> model.Endpoint:
    def change(session: Session) -> None:
        catalog.put_endpoint(session, entry)
        if before is None:
            retirement.enable(session, model.Thing.ENDPOINT, entry.name)  # one that was removed may have been disabled

    await call.backend.write(change)
    return entry


async def _certificate(endpoint: model.Endpoint) -> str:
    """The fingerprint of the certificate that it shows now."""
    return await asyncio.to_thread(_enquiry(endpoint).shown_fingerprint, endpoint.url)


def confirmed(where: str, shown: str, fingerprint: str | None, by: str = "--fingerprint") -> str:
    """What is shown ``where``, if it is the ``fingerprint`` that was confirmed. Raises ``Refused``, and says what it is
    confirmed ``by``."""
    colons = ":".join(shown[n : n + 2] for n in range(0, len(shown), 2))
    if fingerprint is None:
        raise Refused(f"{where} shows a certificate with SHA-256 {colons}", f"confirm it: {by} {shown}")
    if checks.fingerprint(fingerprint) != shown:
        raise Refused(f"{where} shows another certificate: SHA-256 {colons}", "nothing was sent to it")
    return shown


async def _ask(call: Call, endpoint: model.Endpoint, password: str | None) -> Answer:
    """With this password; None: with the one that is kept."""
    images = [each for each in await call.backend.read(catalog.images) if each.module == endpoint.module]
    if password is None:
        return await masters.ask_with_kept_password(call.backend, endpoint, images)
    return await masters.ask(call.backend, endpoint, password, images)


def _enquiry(endpoint: model.Endpoint) -> Enquiry:
    kind = module_data.kind_of(endpoint.module)
    if kind.enquiry is None:
        todo = "see `vclab computer list`" if kind.traits.lent else ""
        raise Refused(f"{endpoint.name} is of the module {endpoint.module}, which has nothing to log in to", todo)
    return kind.enquiry()


def refuse_without_secrets(call: Call) -> None:
    """Before anybody types a password."""
    folder = call.backend.settings.secrets_dir
    if not may_write(folder):
        raise Refused(f"you can't write {folder}, where passwords are kept", "run this as root or as its owner")


# The store, and what is shown.


def _remember(session: Session, endpoint: model.Endpoint, answer: Answer) -> None:
    for image in catalog.images(session):
        if image.name in answer.masters:
            masters.seen(session, image, {endpoint.name: answer.masters[image.name]})


def _find(session: Session, name: str) -> model.Endpoint | None:
    return next((endpoint for endpoint in catalog.endpoints(session) if endpoint.name == name), None)


def _known(session: Session, name: str) -> model.Endpoint:
    endpoints = {endpoint.name: endpoint for endpoint in catalog.endpoints(session)}
    return known("endpoint", name, endpoints, "`vclab endpoint list` lists them")


_ENDPOINTS = Kept(model.Thing.ENDPOINT, _known)


def _checked(endpoint: model.Endpoint, answer: Answer | None) -> CheckedEndpoint:
    """What is shown of an endpoint after it was asked; None: there was nobody to ask."""
    inventory = answer.inventory if answer else None
    why_not = useless(inventory) if inventory else ""
    return CheckedEndpoint(
        **dict(_view(endpoint)),
        product=answer.product if answer else "",
        usable=not why_not,
        why_not=why_not,
        hosts=_hosts(answer) if answer else (),
        datastores=tuple(Datastore(**asdict(store)) for store in inventory.datastores) if inventory else (),
        missing_masters=answer.missing if answer else (),
        lacking=answer.lacking if answer else (),
        warnings=answer.warnings if answer else (),
    )


def _hosts(answer: Answer) -> tuple[Host, ...]:
    return tuple(
        Host(**asdict(host), networks=tuple(answer.networks.get(host.name, ()))) for host in answer.inventory.hosts
    )


def _seen(cares: Care, endpoint: model.Endpoint) -> Endpoint:
    """An endpoint as it is stored; how one logs in there only for who cares for it."""
    view = _view(endpoint)
    if cares.of_endpoint(endpoint.name):
        return view
    return view.model_copy(update={"url": None, "username": None, "password_ref": None})


def _view(endpoint: model.Endpoint) -> Endpoint:
    """An endpoint as it is stored, for who keeps it."""
    data, error = module_data.document(endpoint)
    return Endpoint(**asdict(endpoint) | {"module_data": data, "error": error or None})
