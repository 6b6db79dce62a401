"""For other systems that provision: hosts, the operating systems that each can run, and that it is to run one."""

from sqlalchemy.orm import Session

from vclab.contract import computers
from vclab.contract import systems as contract
from vclab.contract.computers import Reload, Reloaded
from vclab.contract.systems import Host, Kind, OnHost, Reprovision, System
from vclab.contract.use_case import Nothing
from vclab.model import catalog as model
from vclab.model import messages
from vclab.model.errors import NotFound, Refused
from vclab.model.rules import Rules
from vclab.model.typed import near, quoted
from vclab.service import checks
from vclab.service.rights import hidden_images
from vclab.service.use_case import Call, does, perform
from vclab.store import background_loads, catalog, host_rests

_ADD = (
    "its administrator adds it: a virtualization host through the virtualization software, a machine by "
    "`vclab computer add`; it is known after that is discovered"
)


@does(contract.hosts)
async def hosts(call: Call, question: Nothing) -> tuple[Host, ...]:
    return await call.backend.read(_hosts)


@does(contract.every)
async def every(call: Call, question: Nothing) -> tuple[System, ...]:
    return tuple(_system(image) for image in await call.backend.read(lambda session: _enabled(session, call)))


@does(contract.of_host)
async def of_host(call: Call, question: OnHost) -> tuple[System, ...]:
    rules = call.backend.settings.rules()

    def ask(session: Session) -> tuple[System, ...]:
        host = _known(session, question)
        return tuple(_system(image) for image in _enabled(session, call) if _runs(session, host, image, rules))

    return await call.backend.read(ask)


@does(contract.reprovision)
async def reprovision(call: Call, question: Reprovision) -> Reloaded:
    host = await call.backend.read(lambda session: _known(session, question))
    if host.kind is Kind.VIRTUALIZATION:
        raise Refused(f"{host.host} runs virtual machines, and is not loaded itself", "reserve a machine on it instead")
    wanted = Reload(names=(host.host,), image=question.image, revision=question.revision, when_free=question.when_free)
    # A reload by itself, with an intent of its own: that is what its record compares.
    (done,) = await perform(computers.reload, call.backend, call.actor, wanted, intent=f"{call.intent}.reload")
    return done


def _hosts(session: Session) -> tuple[Host, ...]:
    """Computers that are there without vclab, and hosts on which machines run."""
    groups = [each.name for each in catalog.endpoints(session) if checks.traits(each.module).lent]
    found = [_computer(each) for each in catalog.computers(session) if each.pool in groups]
    known = host_rests.known_hosts(session)
    found += [
        Host(host=host, kind=Kind.VIRTUALIZATION, endpoint=endpoint, image="", revision=0, busy=False)
        for endpoint, host in known
        if endpoint not in groups
    ]
    return tuple(sorted(found, key=lambda host: (host.host, host.endpoint)))


def _computer(computer: model.Computer) -> Host:
    return Host(
        host=computer.name,
        kind=Kind.COMPUTER,
        endpoint=computer.pool,
        image=computer.image,
        revision=computer.revision,
        busy=bool(computer.holder),
    )


def _known(session: Session, question: OnHost) -> Host:
    """Raises ``NotFound`` with who adds it, and ``Refused`` when several are called so."""
    there = _hosts(session)
    named = [each for each in there if each.host == question.host and question.endpoint in ("", each.endpoint)]
    if not named:
        like = near(question.host, [each.host for each in there])
        raise NotFound(f"there is no host {quoted(question.host)}{like}", _ADD)
    if len(named) > 1:
        endpoints = ", ".join(each.endpoint for each in named)
        raise Refused(f"several hosts are called {quoted(question.host)}", f"name its endpoint: one of {endpoints}")
    return named[0]


def _enabled(session: Session, call: Call) -> list[model.Image]:
    hidden = hidden_images(session, call.actor)
    return [image for image in catalog.images(session, hidden=hidden) if image.disabled_at is None]


def _runs(session: Session, host: Host, image: model.Image, rules: Rules) -> bool:
    """Whether the host can run it: a computer could be loaded with it, or its machines could be made there."""
    if host.kind is Kind.VIRTUALIZATION:
        module = next(each.module for each in catalog.endpoints(session) if each.name == host.endpoint)
        return image.module == module and image.endpoint in ("", host.endpoint)
    try:
        background_loads.planned(session, messages.Reload(host.host, image.name, "preview"), rules)
    except (Refused, NotFound):
        return False
    return True


def _system(image: model.Image) -> System:
    return System(image=image.name, title=image.title, revision=image.revision, module=image.module)
