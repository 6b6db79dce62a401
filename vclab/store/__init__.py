"""The store: SQLAlchemy models, queries and Alembic migrations, on SQLite and PostgreSQL.

Functions take the session of one transaction first and the time ``now`` last; ``Store.run`` makes the transaction.

| concept | modules |
|---|---|
| connections, transactions, tables | ``engine``, ``models``, ``column_types``, ``postgresql_types``, ``locks`` |
| catalog | ``catalog``, ``copies``, ``retirement`` (disable, remove), ``usage`` (what uses a thing), ``local_time`` |
| claims and pools: promises | ``claims``, ``pools``, ``identities`` |
| tenures: who holds a computer | ``tenures``, ``computers`` |
| placement | ``search``, ``placement``, ``lab_machines``, ``scheduling``, ``targets``, ``refusals`` |
| spares | ``spares``, ``eviction`` |
| the life of a reservation | ``reservations``, ``extension`` |
| loads without a reservation | ``background_loads``, ``orphans`` |
| failures | ``failed_steps``, ``failures``, ``host_rests``, ``relocation``, ``needs_help`` |
| history | ``history``, ``load_log``, ``audit``, ``intents`` |
"""

from vclab.store.engine import Store, open_store

__all__ = ["Store", "open_store"]
