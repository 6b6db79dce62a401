"""What activities are given is compared with the store before anything is touched: an input is a claim."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from vclab.model.plans import Access, Facts, Target
from vclab.store import verification
from vclab.store.engine import Store

_MOST = 10_000


class VerifiedTargets:
    """Compares each target once: what is recorded for a tenure does not change while that is held."""

    def __init__(self) -> None:
        self._known: set[Target] = set()

    def check(self, session: Session, target: Target) -> None:
        """Raise ``Fenced`` unless exactly this target is recorded for the tenure that it names."""
        if target in self._known:
            return
        verification.check_target(session, target)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known.add(target)


Verified = Callable[[Target, Facts, Access], Access]
"""Whom to let in, as it is recorded."""


class VerifiedAccess:
    """Whom to let in, by the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, target: Target, facts: Facts, access: Access) -> Access:
        """The access as recorded. Blocks. Raises ``Refused`` when another one is asked for."""
        with self._store.read() as session:
            return verification.access(session, target, facts, access)
