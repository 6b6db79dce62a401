"""Where a virtual machine goes: to one of the hosts that hold it, by its endpoint's policies. Where the image is comes
before them."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from vclab.model.inventory import Amounts, DatastoreFacts, HostFacts, Policies, Policy
from vclab.model.reservations import Candidate, Refusal
from vclab.placement.capacity import Booking, peak


@dataclass(frozen=True)
class Need:
    """What is to be placed: the amounts of one virtual machine during [starts, ends)."""

    amounts: Amounts
    starts: datetime
    ends: datetime
    whole_gb: int = 0  #: that its disk claims where it can't be a child of another one, if that is more

    def disk_on(self, store: DatastoreFacts) -> Amounts:
        """What its disk claims of the datastore."""
        return Amounts(disk_gb=self.amounts.disk_gb if store.linked else max(self.whole_gb, self.amounts.disk_gb))


@dataclass(frozen=True)
class HostRoom:
    """A host, and what is promised of its CPUs and memory."""

    facts: HostFacts
    bookings: tuple[Booking, ...] = ()
    rests: str = ""  #: why nothing is placed on it for now, although its endpoint calls it usable


@dataclass(frozen=True)
class DatastoreRoom:
    """A datastore, and what is promised of its disk space."""

    facts: DatastoreFacts
    bookings: tuple[Booking, ...] = ()
    wait: int = 0  #: 0: the image is there; 1: it is being copied there; 2: it must be
    copy_gb: int = 0  #: that this would take


@dataclass(frozen=True)
class EndpointRoom:
    """An endpoint with its hosts and datastores; ``error`` is set when it could not be asked."""

    name: str
    hosts: tuple[HostRoom, ...] = ()
    datastores: tuple[DatastoreRoom, ...] = ()
    error: str = ""
    policies: Policies = Policies()


@dataclass(frozen=True)
class Choice:
    """Where the machine goes."""

    endpoint: str
    host: str
    storage: str  #: the datastore that its disk is claimed of; empty: none


_Fit = tuple[int, int, int, str, str, str]
"""How long the image is waited for, memory left, CPUs left, endpoint, host, datastore. What is left is negative where
hosts are spread: these endpoints come before those that keep large gaps. The first one is taken, and ties always break
the same way."""


def choose(need: Need, endpoints: Sequence[EndpointRoom], free_identities: int) -> Choice | Refusal:
    """The host and datastore that the policies prefer, or a refusal that names each host with all that it lacks."""
    # Reasons are collected only when no host fits: a large lab may have a thousand hosts.
    fits = [fit for endpoint in endpoints for fit in _fits(need, endpoint)] if free_identities else []
    if fits:
        *_, name, host, datastore = min(fits)
        return Choice(name, host, datastore)
    candidates = [each for endpoint in endpoints for each in _candidates(need, endpoint, free_identities)]
    candidates.sort(key=lambda candidate: candidate.name)
    return Refusal("there is no room for this machine now", tuple(candidates))


def _fits(need: Need, endpoint: EndpointRoom) -> Iterator[_Fit]:
    """The endpoint's hosts that lack nothing."""
    if endpoint.error:
        return
    stores = {store.facts.name: _store(need, store) for store in endpoint.datastores}
    policies = endpoint.policies
    # Many hosts share datastores.
    datastore = functools.cache(functools.partial(_datastore, stores=stores, policy=policies.datastores))
    for room in endpoint.hosts:
        host, used = room.facts, peak(room.bookings, need.starts, need.ends)
        memory_mb = host.memory_mb - used.memory_mb - need.amounts.memory_mb
        cpus = host.cpus - used.cpus - need.amounts.cpus
        short = memory_mb < 0 or cpus < 0 or used.disk_gb > 0  # a host's own pool has no disk
        if short or any(unfit(room)):
            continue
        fitting, wait, _ = datastore(host.datastores)
        if fitting:
            left = _rank(policies.hosts, memory_mb), _rank(policies.hosts, cpus)
            yield wait, *left, endpoint.name, host.name, fitting


def _rank(policy: Policy, left: int) -> int:
    """What is left, so that the preferred place has the lowest."""
    return left if policy is Policy.BEST_FIT else -left


def _candidates(need: Need, endpoint: EndpointRoom, free_identities: int) -> Iterator[Candidate]:
    """What keeps each host from being chosen."""
    if endpoint.error or not endpoint.hosts:
        yield Candidate(endpoint.name, (endpoint.error or "has no host",))
        return
    stores = {store.facts.name: _store(need, store) for store in endpoint.datastores}
    compute = Amounts(cpus=need.amounts.cpus, memory_mb=need.amounts.memory_mb)
    for room in endpoint.hosts:
        host = room.facts
        free = Amounts(host.cpus, host.memory_mb) - peak(room.bookings, need.starts, need.ends)
        *_, without_room = _datastore(host.datastores, stores, endpoint.policies.datastores)
        lacks = (*unfit(room), *free.lacks(compute), *without_room)
        if not free_identities:
            lacks += ("no identity (hostname and addresses) is left",)
        yield Candidate(f"{endpoint.name}/{host.name}", lacks)


def unfit(room: HostRoom) -> Iterator[str]:
    host = room.facts
    if room.rests:
        yield room.rests
    if not host.usable:
        yield host.why_not or "not usable"


_Store = tuple[int, int, tuple[str, ...]]
"""How long the image is waited for, GiB free, and what it lacks. Computed once for all hosts that share it."""


def _store(need: Need, store: DatastoreRoom) -> _Store:
    if not store.facts.usable:
        return 0, 0, (store.facts.why_not or "not usable",)
    free = Amounts(disk_gb=store.facts.disk_gb) - peak(store.bookings, need.starts, need.ends)
    return store.wait, free.disk_gb, free.lacks(need.disk_on(store.facts) + Amounts(disk_gb=store.copy_gb))


def _datastore(
    names: tuple[str, ...], stores: Mapping[str, _Store], policy: Policy
) -> tuple[str, int, tuple[str, ...]]:
    """Of these datastores that hold the disk the one that the policy prefers, or "" and what each one lacks; one that
    has the image first. The number: how long that is waited for."""
    fits: list[tuple[int, int, str]] = []
    lacks: list[str] = []
    for name in sorted(set(names)):
        wait, free_gb, short = stores.get(name, (0, 0, ("not usable",)))
        lacks.extend(f"datastore {name}: {text}" for text in short)
        if not short:
            fits.append((wait, _rank(policy, free_gb), name))
    if fits:
        wait, _, name = min(fits)
        return name, wait, ()
    return "", 0, tuple(lacks) or ("has no datastore",)
