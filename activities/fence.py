"""The fence: is the tenure still ours?"""

from vclab.model.errors import Fenced
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
            if not tenures.held(session, target.computer, target.generation):
                raise Fenced(
                    f"{target.computer} is not held in generation {target.generation} any more; nothing is touched"
                )
