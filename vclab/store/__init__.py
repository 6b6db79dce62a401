"""The store: SQLAlchemy models, queries and Alembic migrations, on SQLite and PostgreSQL.

Functions take the session of one transaction first and the time ``now`` last; ``Store.run`` makes the transaction.
"""

from vclab.store.engine import Store, open_store

__all__ = ["Store", "open_store"]
