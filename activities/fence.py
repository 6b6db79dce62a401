"""The fence: is the tenure still ours?"""

from vclab.model.plans import Target
from vclab.store import tenures
from vclab.store.engine import Store


class TenureFence:
    """Asks the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def check(self, target: Target) -> None:
        """Blocks. Raises ``Fenced`` when the tenure is not held any more in that generation."""
        with self._store.read() as session:
            tenures.check(session, target.computer, target.generation)
