"""Where a virtual machine goes: the fullest host that still holds it, so that the large holes stay large."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from vclab.model.inventory import Amounts, DatastoreFacts, HostFacts
from vclab.model.reservations import Candidate, Refusal
from vclab.placement.capacity import Booking, peak


@dataclass(frozen=True)
class Need:
    """What is to be placed: the amounts of one virtual machine during [starts, ends)."""

    amounts: Amounts
    starts: datetime
    ends: datetime


@dataclass(frozen=True)
class HostRoom:
    """A host, and what is promised of its CPUs and memory."""

    facts: HostFacts
    bookings: tuple[Booking, ...] = ()
    rests: str = ""  #: why nothing is placed on it for now, though its endpoint says that it can be used


@dataclass(frozen=True)
class DatastoreRoom:
    """A datastore, and what is promised of its disk space."""

    facts: DatastoreFacts
    bookings: tuple[Booking, ...] = ()


@dataclass(frozen=True)
class EndpointRoom:
    """An endpoint with its hosts and datastores; ``error`` is set when it could not be asked."""

    name: str
    networks: tuple[str, ...] = ()  #: each machine needs all of them
    hosts: tuple[HostRoom, ...] = ()
    datastores: tuple[DatastoreRoom, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Choice:
    """Where the machine goes."""

    endpoint: str
    host: str
    datastore: str


_Fit = tuple[int, int, str, str, Choice]
"""Sorts the best fit first: memory left, CPUs left, then names, so that equals are always decided alike."""


def choose(need: Need, endpoints: Sequence[EndpointRoom], free_identities: int) -> Choice | Refusal:
    """The best-fitting host and datastore, or a refusal that names each host with all that it lacks."""
    fits: list[_Fit] = []
    candidates: list[Candidate] = []
    for endpoint in endpoints:
        if endpoint.error:
            candidates.append(Candidate(endpoint.name, (endpoint.error,)))
        elif not endpoint.hosts:
            candidates.append(Candidate(endpoint.name, ("has no host",)))
        else:
            _sort_out(need, endpoint, free_identities, fits, candidates)
    if fits:
        return min(fits, key=lambda fit: fit[:4])[-1]
    candidates.sort(key=lambda candidate: candidate.name)
    return Refusal("there is no room for this machine now", tuple(candidates))


def _sort_out(
    need: Need, endpoint: EndpointRoom, free_identities: int, fits: list[_Fit], candidates: list[Candidate]
) -> None:
    stores = {store.facts.name: _store(need, store) for store in endpoint.datastores}
    compute = Amounts(cpus=need.amounts.cpus, memory_mb=need.amounts.memory_mb)
    for room in endpoint.hosts:
        host = room.facts
        free = Amounts(host.cpus, host.memory_mb) - peak(room.bookings, need.starts, need.ends)
        datastore, without_room = _datastore(host, stores)
        lacks = (*unfit(room, endpoint.networks), *free.lacks(compute), *without_room)
        if not free_identities:
            lacks += ("no identity (hostname and addresses) is left",)
        if lacks:
            candidates.append(Candidate(f"{endpoint.name}/{host.name}", lacks))
        else:
            left = free - compute
            choice = Choice(endpoint.name, host.name, datastore)
            fits.append((left.memory_mb, left.cpus, endpoint.name, host.name, choice))


def unfit(room: HostRoom, networks: Sequence[str]) -> Iterator[str]:
    host = room.facts
    if room.rests:
        yield room.rests
    if not host.usable:
        yield host.why_not or "not usable"
    for network in sorted(set(networks) - set(host.networks)):
        yield f"has no network {network}"


_Store = tuple[int, tuple[str, ...]]
"""GiB free, and what it lacks. Worked out once for all hosts that see it."""


def _store(need: Need, store: DatastoreRoom) -> _Store:
    if not store.facts.usable:
        return 0, (store.facts.why_not or "not usable",)
    free = Amounts(disk_gb=store.facts.disk_gb) - peak(store.bookings, need.starts, need.ends)
    return free.disk_gb, free.lacks(Amounts(disk_gb=need.amounts.disk_gb))


def _datastore(host: HostFacts, stores: dict[str, _Store]) -> tuple[str, tuple[str, ...]]:
    """The fullest datastore of the host that holds the disk, or "" and what each one lacks."""
    fits: list[tuple[int, str]] = []
    lacks: list[str] = []
    for name in sorted(set(host.datastores)):
        free_gb, short = stores.get(name, (0, ("not usable",)))
        lacks.extend(f"datastore {name}: {text}" for text in short)
        if not short:
            fits.append((free_gb, name))
    if fits:
        return min(fits)[1], ()
    return "", tuple(lacks) or ("has no datastore",)
