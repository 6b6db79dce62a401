"""When each step of a load started and how it ended, kept for good."""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from activities import metrics
from activities.verified import VerifiedTargets
from vclab.model.attempts import ActivityAttempt
from vclab.model.errors import Fenced
from vclab.model.plans import StepInput
from vclab.store import captures, fences, load_log
from vclab.store.engine import Store

_Attempt = tuple[str, str, int, str, str, int, int]


class StoreLoadLog:
    """Writes to the store's load log. A power cut may take the last lines of a log: nothing waits for the disk."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._targets = VerifiedTargets()
        self._begun: dict[_Attempt, tuple[datetime, float]] = {}  #: the clock's time, and one that never jumps

    def started(self, step: StepInput, attempt: ActivityAttempt) -> None:
        """An attempt begins, if its tenure still holds the computer and no newer attempt has begun: one transaction.

        Raises ``Fenced`` when that is not so; that the attempt began is noted all the same.
        """
        target, now = step.target, datetime.now(UTC)
        self._begun[_key(step, attempt.attempt)] = now, time.monotonic()

        def note(session: Session) -> Fenced | None:
            load_log.started(session, step, attempt.attempt, now)
            try:
                fences.begin(session, target.computer, target.generation, attempt)
                self._targets.check(session, target)
                if step.becomes is not None:
                    captures.check(session, step.becomes)
            except Fenced as fenced:
                return fenced
            return None

        fenced = self._store.run(note, durable=False)
        if fenced is not None:
            raise fenced

    def ended(self, step: StepInput, attempt: int, outcome: str, detail: str) -> None:
        """An attempt ended, so long after it began as it took: a clock that jumps meanwhile makes no step slow."""
        begun, since = self._begun.pop(_key(step, attempt), (datetime.now(UTC), time.monotonic()))
        lasted = time.monotonic() - since
        metrics.step_ended(step.step, outcome, lasted)
        end = begun + timedelta(seconds=lasted)
        self._store.run(lambda session: load_log.ended(session, step, attempt, outcome, detail, end), durable=False)


def _key(step: StepInput, attempt: int) -> _Attempt:
    target = step.target
    return target.reservation, target.computer, target.generation, step.part, step.step, step.run, attempt
