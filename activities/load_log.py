"""When each step of a load started and how it ended, kept for good."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from vclab.model.errors import Fenced
from vclab.model.plans import StepInput
from vclab.store import load_log, tenures
from vclab.store.engine import Store


class StoreLoadLog:
    """Writes to the store's load log. A power cut may take the last lines of a log: nothing waits for the disk."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def started(self, step: StepInput, attempt: int) -> None:
        """An attempt begins, if its tenure still holds the computer: one transaction for both.

        Raises ``Fenced`` when it does not; that the attempt began is noted all the same.
        """
        target = step.target

        def note(session: Session) -> Fenced | None:
            load_log.started(session, step, attempt, datetime.now(UTC))
            try:
                tenures.check(session, target.computer, target.generation)
            except Fenced as fenced:
                return fenced
            return None

        fenced = self._store.run(note, durable=False)
        if fenced is not None:
            raise fenced

    def ended(self, step: StepInput, attempt: int, outcome: str, detail: str) -> None:
        """An attempt ended."""
        self._store.run(
            lambda session: load_log.ended(session, step, attempt, outcome, detail, datetime.now(UTC)), durable=False
        )
