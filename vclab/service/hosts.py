"""Hosts out of service: list, rest, wake. Nothing is placed on a host while it rests."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from vclab.contract import hosts as contract
from vclab.contract.failures import RestingHost
from vclab.contract.hosts import Host, KnownHost, Named, Rest
from vclab.contract.use_case import Nothing
from vclab.model.errors import NotFound, Refused
from vclab.model.typed import near, quoted
from vclab.service import checks
from vclab.service.use_case import Call, does
from vclab.store import catalog, failures, host_rests


@does(contract.listing)
async def listing(call: Call, question: Nothing) -> tuple[RestingHost, ...]:
    found = await call.backend.read(host_rests.resting)
    return tuple(map(RestingHost.of, found.values()))


@does(contract.names)
async def names(call: Call, question: Nothing) -> tuple[KnownHost, ...]:
    found = await call.backend.read(host_rests.known_hosts)
    return tuple(KnownHost(endpoint=endpoint, host=host) for endpoint, host in found)


@does(contract.rest)
async def rest(call: Call, question: Rest) -> RestingHost:
    why = checks.line(question.reason, "the reason", 200)

    def change(session: Session) -> RestingHost:
        endpoint, host = _known(session, question.name)
        host_rests.order(session, endpoint, host, why, call.actor.login, datetime.now(UTC))
        return RestingHost.of(host_rests.resting(session)[endpoint, host])

    return await call.backend.write(change)


@does(contract.wake)
async def wake(call: Call, question: Named) -> Host:
    def change(session: Session) -> Host:
        resting = [f"{endpoint}/{host}" for endpoint, host in host_rests.resting(session)]
        endpoint, host = _one(question.name, resting, " out of service", "`vclab host list` lists them")
        failures.wake(session, endpoint, host, call.actor.login, datetime.now(UTC))
        return Host(endpoint=endpoint, host=host, rests=False)

    return await call.backend.write(change)


def _known(session: Session, name: str) -> tuple[str, str]:
    """A host that an endpoint has reported. Raises ``NotFound``, and ``Refused`` for a lab machine."""
    machine = name.rpartition("/")[2]
    groups = [each.name for each in catalog.endpoints(session) if checks.traits(each.module).lent]
    if any(computer.name == machine and computer.pool in groups for computer in catalog.computers(session)):
        raise Refused(f"{machine} is a lab machine", f"use `vclab computer edit {machine} --maintenance`")
    hosts = [f"{endpoint}/{host}" for endpoint, host in host_rests.known_hosts(session)]
    return _one(name, hosts, "", "a host is known after the first reservation at its endpoint")


def _one(name: str, hosts: list[str], which: str, otherwise: str) -> tuple[str, str]:
    """The one host of that name. Raises ``NotFound``, and ``Refused`` when several have it."""
    fitting = [each for each in hosts if name in (each, each.split("/", 1)[1])]
    if len(fitting) > 1:
        raise Refused(f"several hosts are called {quoted(name)}", f"write one of {', '.join(fitting)}")
    if not fitting:
        known = [*hosts, *(each.split("/", 1)[1] for each in hosts)]
        raise NotFound(f"there is no host {quoted(name)}{which}{near(name, known)}", otherwise)
    endpoint, _, host = fitting[0].partition("/")
    return endpoint, host
