"""A reservation that waits for the copy that its machine's disk is made from."""

from datetime import datetime

from sqlalchemy.orm import Session

from vclab.model.reservations import Placed
from vclab.model.rules import Rules
from vclab.store import children, copies, locks, placement, targets


def look(session: Session, id: str, again: bool, rules: Rules, now: datetime) -> tuple[Placed, str]:
    """Where the reservation is placed: its target awaits the copy still, or has it. And why it waits for nothing.

    ``again``: one that could not be made is to be tried again. Raises ``NotFound``.
    """
    row, why_not = locks.reservation(session, id), ""
    target = targets.of(row)
    if target.awaits_copy and target.generation:
        wanted = target.made_from
        why_not = "" if again else copies.why_broken(session, wanted)
        if not why_not:
            target = children.hold(session, target, now)
            why_not = copies.why_broken(session, wanted)
            targets.record(row, target)
            session.flush()
    return placement.placed(session, row, rules), why_not
