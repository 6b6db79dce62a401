"""The fence: is the tenure still ours, and are we the newest attempt that works on it?"""

from vclab.model.attempts import ActivityAttempt
from vclab.model.plans import Target
from vclab.store import fences
from vclab.store.engine import Store


class TenureFence:
    """Asks the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, target: Target, attempt: ActivityAttempt) -> None:
        """Blocks. As ``check``, and from now on older attempts are refused."""
        self._store.run(lambda s: fences.begin(s, target.computer, target.generation, attempt), durable=False)

    def check(self, target: Target, attempt: ActivityAttempt | None) -> None:
        """Blocks. Raises ``Fenced`` when the tenure is not held any more in that generation, or by a newer attempt."""
        with self._store.read() as session:
            fences.check(session, target.computer, target.generation, attempt)
