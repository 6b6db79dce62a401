"""Capacity pools: what each host and datastore can hold, as its endpoint said last, and what is promised of it."""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row
from sqlalchemy.orm import Session

from vclab.model.inventory import Amounts, DatastoreFacts, HostFacts, Inventory, PoolKind
from vclab.placement import Booking, Choice, DatastoreRoom, EndpointRoom, HostRoom
from vclab.store import claims
from vclab.store.column_types import utc
from vclab.store.models import Pool
from vclab.store.search import Search

Promised = Callable[[Session, Iterable[str], datetime, datetime], Mapping[str, Sequence[Booking]]]


def refresh(session: Session, inventories: Sequence[Inventory]) -> None:
    """Lock the pools of the endpoints that answered, and record what is newer than what is known."""
    newest: dict[str, dict[str, Any]] = {}
    for inventory in inventories:
        if not inventory.error:
            newest |= _pools_of(inventory)
    locked = _lock(session, newest)
    missing = [newest[name] for name in sorted(set(newest) - set(locked))]
    if missing:
        _insert_new(session, missing)
        locked = _lock(session, newest)
    newer = [values for name, values in newest.items() if locked[name].seen_at < values["seen_at"]]
    changed = [values for values in newer if _facts(values) != tuple(locked[values["name"]][2:])]
    if changed:
        session.execute(sa.update(Pool), changed)
    # Most answers have not changed: one statement updates their time.
    for moment in {values["seen_at"] for values in newer}:
        names = [values["name"] for values in newer if values["seen_at"] == moment]
        session.execute(
            sa.update(Pool).where(Pool.name.in_(names)).values(seen_at=moment),
            execution_options={"synchronize_session": False},
        )


_FACTS = ("cpus", "memory_mb", "disk_gb", "usable", "why_not")
_facts = operator.itemgetter(*_FACTS)
"""What an endpoint says about a pool."""
_LOCKED = (
    sa.select(Pool.name, Pool.seen_at, *(getattr(Pool, fact) for fact in _FACTS))
    .where(Pool.name.in_(sa.bindparam("names", expanding=True)))
    .order_by(Pool.name)
    .with_for_update(key_share=True)
)


def _lock(session: Session, names: Iterable[str]) -> dict[str, Row[Any]]:
    """The pools of these names, locked in their order. Plain columns, the facts last: there may be thousands."""
    return {row[0]: row for row in session.execute(_LOCKED, {"names": sorted(names)})}


def _pools_of(inventory: Inventory) -> dict[str, dict[str, Any]]:
    """The pools that an endpoint's answer describes, by name."""
    found: dict[str, dict[str, Any]] = {}
    for host in inventory.hosts:
        amounts = {"cpus": host.cpus, "memory_mb": host.memory_mb, "disk_gb": 0}
        found[claims.host_pool(inventory.endpoint, host.name)] = amounts | _facts_of(PoolKind.HOST, host)
    for store in inventory.datastores:
        amounts = {"cpus": 0, "memory_mb": 0, "disk_gb": store.disk_gb}
        found[claims.datastore_pool(inventory.endpoint, store.name)] = amounts | _facts_of(PoolKind.DATASTORE, store)
    for name, values in found.items():
        values |= {"name": name, "endpoint": inventory.endpoint, "seen_at": utc(inventory.taken_at)}
    return found


def _facts_of(kind: PoolKind, facts: HostFacts | DatastoreFacts) -> dict[str, Any]:
    return {"kind": kind, "resource": facts.name, "usable": facts.usable, "why_not": facts.why_not}


def _names(inventory: Inventory) -> list[str]:
    """The names of the pools that an endpoint's answer describes."""
    hosts = [claims.host_pool(inventory.endpoint, host.name) for host in inventory.hosts]
    return hosts + [claims.datastore_pool(inventory.endpoint, store.name) for store in inventory.datastores]


def _insert_new(session: Session, rows: list[dict[str, Any]]) -> None:
    """Another placement may insert the same pools at this moment. The second one waits and keeps the first one's."""
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert

        session.execute(insert(Pool).values(rows).on_conflict_do_nothing())
    else:
        session.execute(sa.insert(Pool), rows)


def rooms(session: Session, search: Search, promised: Promised) -> list[EndpointRoom]:
    """What each endpoint can hold during the search's time; for one that did not answer, why it holds nothing."""
    return [_room(session, search, endpoint.name, promised) for endpoint in search.endpoints]


def _room(session: Session, search: Search, endpoint: str, promised: Promised) -> EndpointRoom:
    inventory = search.heard.get(endpoint)
    if inventory is None or inventory.error:
        return EndpointRoom(endpoint, error=(inventory and inventory.error) or "was not asked")
    claimed = promised(session, _names(inventory), search.window.claim_starts, search.window.claim_ends)
    hosts = (
        HostRoom(
            host, tuple(claimed[claims.host_pool(endpoint, host.name)]), search.resting.get((endpoint, host.name), "")
        )
        for host in inventory.hosts
    )
    datastores = (
        DatastoreRoom(store, tuple(claimed[claims.datastore_pool(endpoint, store.name)]))
        for store in inventory.datastores
    )
    return EndpointRoom(endpoint, tuple(hosts), tuple(datastores))


def wanted(choice: Choice, amounts: Amounts) -> dict[str, Amounts]:
    """The amounts that a machine takes, by pool."""
    return {
        claims.host_pool(choice.endpoint, choice.host): Amounts(cpus=amounts.cpus, memory_mb=amounts.memory_mb),
        claims.datastore_pool(choice.endpoint, choice.storage): Amounts(disk_gb=amounts.disk_gb),
    }
