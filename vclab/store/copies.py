"""Where the master of a revision was seen: machines of it are placed only there.

Of a revision of which none was ever seen nothing is known: it was added unchecked, or nobody can be asked. It is placed
anywhere.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.store import models
from vclab.store.column_types import utc

Places = Mapping[str, frozenset[str]]
"""The datastores that have it, by endpoint. An empty name: machines on all of the endpoint's can be made from it."""

_table = models.Copy.metadata.tables[models.Copy.__tablename__]
_OF = sa.select(_table.c.endpoint, _table.c.storage).where(
    _table.c.image == sa.bindparam("of"), _table.c.revision == sa.bindparam("which")
)


def seen(session: Session, image: model.Image, endpoint: str, storages: Collection[str], now: datetime) -> None:
    """What an endpoint has now: these and no others."""
    session.execute(
        sa.delete(_table).where(
            _table.c.image == image.name, _table.c.revision == image.revision, _table.c.endpoint == endpoint
        )
    )
    lines = {"image": image.name, "revision": image.revision, "endpoint": endpoint, "seen_at": utc(now)}
    if storages:
        session.execute(sa.insert(_table), [lines | {"storage": storage} for storage in sorted(set(storages))])


def of(session: Session, image: model.Image) -> Places | None:
    """Where the image's revision is; None: nothing is known."""
    found = defaultdict[str, set[str]](set)
    for endpoint, storage in session.execute(_OF, {"of": image.name, "which": image.revision}):
        found[endpoint].add(storage)
    return {endpoint: frozenset(storages) for endpoint, storages in found.items()} or None
