"""The fence: is the tenure still ours, and are we the newest attempt that works on it?"""

from sqlalchemy.orm import Session

from activities.verified import VerifiedTargets
from vclab.model.attempts import ActivityAttempt
from vclab.model.plans import Target
from vclab.store import fences
from vclab.store.engine import Store


class TenureFence:
    """Asks the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._targets = VerifiedTargets()

    def begin(self, target: Target, attempt: ActivityAttempt) -> None:
        """Blocks. As ``check``, and from now on older attempts are refused."""

        def begin(session: Session) -> None:
            fences.begin(session, target.computer, target.generation, attempt)
            self._targets.check(session, target)

        self._store.run(begin, durable=False)

    def check(self, target: Target, attempt: ActivityAttempt | None) -> None:
        """Blocks. Raises ``Fenced`` when the tenure is not held any more in that generation, by a newer attempt,
        or for another target."""
        with self._store.read() as session:
            fences.check(session, target.computer, target.generation, attempt)
            self._targets.check(session, target)
