"""Capacity pools: what each host and datastore can hold, as its endpoint said last, and what is promised of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Row
from sqlalchemy.orm import Session

from vclab.model.inventory import Amounts, DatastoreFacts, Inventory, PoolKind
from vclab.model.revisions import CopyState
from vclab.placement import Booking, Choice, DatastoreRoom, EndpointRoom, HostRoom
from vclab.store import claims
from vclab.store.column_types import utc
from vclab.store.inserts import dialect_of, insert
from vclab.store.models import Pool
from vclab.store.search import Search

Promised = Callable[[Session, Iterable[str], datetime, datetime], Mapping[str, Sequence[Booking]]]


_FACTS = ("cpus", "memory_mb", "disk_gb", "usable", "why_not", "linked")
"""What an endpoint says about a pool."""


class _Said(NamedTuple):
    """One pool, as its endpoint said. A plain tuple: each placement reads thousands in a large lab."""

    name: str
    endpoint: str
    kind: PoolKind
    resource: str
    seen_at: datetime
    facts: tuple[Any, ...]

    def columns(self) -> dict[str, Any]:
        """The pool's row."""
        facts = dict(zip(_FACTS, self.facts, strict=True))
        return {name: value for name, value in self._asdict().items() if name != "facts"} | facts


def refresh(session: Session, inventories: Sequence[Inventory]) -> None:
    """Lock the pools of the endpoints that answered, and record what is newer than what is known."""
    newest = {pool.name: pool for inventory in inventories if not inventory.error for pool in _pools_of(inventory)}
    locked = _lock(session, newest)
    missing = [newest[name] for name in sorted(set(newest) - set(locked))]
    if missing:
        _insert_new(session, [pool.columns() for pool in missing])
        locked = _lock(session, newest)
    newer = [pool for name, pool in newest.items() if locked[name].seen_at < pool.seen_at]
    changed = [pool.columns() for pool in newer if pool.facts != tuple(locked[pool.name][2:])]
    if changed:
        session.execute(sa.update(Pool), changed)
    # Most answers have not changed: one statement updates their time.
    for moment in {pool.seen_at for pool in newer}:
        names = [pool.name for pool in newer if pool.seen_at == moment]
        session.execute(
            sa.update(Pool).where(Pool.name.in_(names)).values(seen_at=moment),
            execution_options={"synchronize_session": False},
        )


_LOCKED = (
    sa.select(Pool.name, Pool.seen_at, *(getattr(Pool, fact) for fact in _FACTS))
    .where(Pool.name.in_(sa.bindparam("names", expanding=True)))
    .order_by(Pool.name)
    .with_for_update(key_share=True)
)


def _lock(session: Session, names: Iterable[str]) -> dict[str, Row[Any]]:
    """The pools of these names, locked in their order. Plain columns, the facts last: there may be thousands."""
    return {row[0]: row for row in session.execute(_LOCKED, {"names": sorted(names)})}


def _pools_of(inventory: Inventory) -> Iterator[_Said]:
    """The pools that an endpoint's answer describes."""
    endpoint, seen_at = inventory.endpoint, utc(inventory.taken_at)
    for host in inventory.hosts:
        facts = host.cpus, host.memory_mb, 0, host.usable, host.why_not, True
        name = claims.host_pool(endpoint, host.name)
        yield _Said(name, endpoint, PoolKind.HOST, host.name, seen_at, facts)
    for store in inventory.datastores:
        facts = 0, 0, store.disk_gb, store.usable, store.why_not, store.linked
        name = claims.datastore_pool(endpoint, store.name)
        yield _Said(name, endpoint, PoolKind.DATASTORE, store.name, seen_at, facts)


def _names(inventory: Inventory) -> list[str]:
    """The names of the pools that an endpoint's answer describes."""
    hosts = [claims.host_pool(inventory.endpoint, host.name) for host in inventory.hosts]
    return hosts + [claims.datastore_pool(inventory.endpoint, store.name) for store in inventory.datastores]


def _insert_new(session: Session, rows: list[dict[str, Any]]) -> None:
    """Another placement may insert the same pools at this moment. The second one waits and keeps the first one's."""
    session.execute(
        insert(dialect_of(session), Pool.metadata.tables[Pool.__tablename__]).on_conflict_do_nothing(), rows
    )


def rooms(session: Session, search: Search, promised: Promised) -> list[EndpointRoom]:
    """What each endpoint can hold during the search's time; for one that did not answer, why it holds nothing."""
    return [_room(session, search, endpoint.name, promised) for endpoint in search.endpoints]


def _room(session: Session, search: Search, endpoint: str, promised: Promised) -> EndpointRoom:
    inventory = search.heard.get(endpoint)
    if inventory is None or inventory.error:
        return EndpointRoom(endpoint, error=(inventory and inventory.error) or "was not asked")
    claimed = promised(session, _names(inventory), search.window.claim_starts, search.window.claim_ends)
    resting = search.resting
    hosts = (
        HostRoom(host, tuple(claimed[claims.host_pool(endpoint, host.name)]), resting.get((endpoint, host.name), ""))
        for host in inventory.hosts
    )
    datastores = (
        _datastore(search, endpoint, store, tuple(claimed[claims.datastore_pool(endpoint, store.name)]))
        for store in inventory.datastores
    )
    return EndpointRoom(endpoint, tuple(hosts), tuple(datastores), policies=inventory.policies)


def _datastore(search: Search, endpoint: str, store: DatastoreFacts, bookings: tuple[Booking, ...]) -> DatastoreRoom:
    """A datastore as machines of the search's image see it: where no copy of it is, one needs room too."""
    if search.places is None:
        return DatastoreRoom(store, bookings)
    state = search.places.storages.get(endpoint, {}).get(store.name)
    what = f"{search.image.name}, revision {search.image.revision}"
    if state is CopyState.RETIRING:
        return DatastoreRoom(replace(store, usable=False, why_not=f"its copy of {what} is being deleted"), bookings)
    if state is CopyState.USABLE:
        return DatastoreRoom(store, bookings)
    if not search.traits.copies:
        return DatastoreRoom(replace(store, usable=False, why_not=f"has no copy of {what}"), bookings)
    if state is CopyState.COPYING:  # which has its room
        return DatastoreRoom(store, bookings, wait=1)
    return DatastoreRoom(store, bookings, wait=2, copy_gb=search.image.disk_gb)


def is_linked(session: Session, endpoint: str, storage: str) -> bool:
    """Whether disks on the storage can be children of others; so it is with one that is not known."""
    pool = claims.datastore_pool(endpoint, storage)
    return bool(session.scalar(sa.select(Pool.linked).where(Pool.name == pool)) is not False)


def wanted(choice: Choice, amounts: Amounts) -> dict[str, Amounts]:
    """The amounts that a machine takes, by pool."""
    return {
        claims.host_pool(choice.endpoint, choice.host): Amounts(cpus=amounts.cpus, memory_mb=amounts.memory_mb),
        claims.datastore_pool(choice.endpoint, choice.storage): Amounts(disk_gb=amounts.disk_gb),
    }
