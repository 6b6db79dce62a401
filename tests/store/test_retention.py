"""What is too old goes, batch by batch; what is younger, or still needed, stays."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.store.lab import NOW, reserve
from vclab.model.intents import Intent
from vclab.model.reservations import Placed
from vclab.store import Store, audit, intents, models, removals, retention
from vclab.store.removal_tables import Kept

OLD, DAY = NOW - timedelta(days=100), timedelta(days=1)
BEFORE = OLD + DAY


def count(store: Store, table: type[models.Base]) -> int:
    with store.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def asked(store: Store, id: str, at: object, subject: str = "") -> None:
    intent = Intent(id, at, "alice", "token", ("user",), "acts.end", subject)  # type: ignore[arg-type]
    store.run(lambda s: intents.write(s, intent))


def test_the_old_audit_goes_and_that_is_recorded(lab: Store) -> None:
    asked(lab, "old", OLD)
    asked(lab, "new", NOW)
    for number in range(3):
        lab.run(lambda s, number=number: audit.note(s, f"r{number}", "alice", "ended", "", OLD))  # type: ignore[misc]
    lab.run(lambda s: audit.note(s, "r4", "alice", "ended", "", NOW))
    assert lab.run(lambda s: retention.sweep_audit(s, BEFORE, NOW)) == 4
    assert lab.run(lambda s: retention.sweep_audit(s, BEFORE, NOW)) == 0
    assert (count(lab, models.Intent), count(lab, models.Event)) == (1, 1)
    with lab.read() as session:
        assert [(one.what, one.rows, one.before) for one in removals.newest(session)] == [(Kept.AUDIT, 4, BEFORE)]


def test_a_batch_is_small(lab: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for number in range(3):
        asked(lab, f"i{number}", OLD)
    assert [lab.run(lambda s: retention.sweep_audit(s, BEFORE, NOW)) for _ in range(3)] == [2, 1, 0]


def test_what_is_known_of_a_reservation_that_goes_on_stays(lab: Store) -> None:
    placed = reserve(lab, now=OLD, hours=1)
    assert isinstance(placed, Placed)
    id = lab.run(lambda s: s.scalars(sa.select(models.Reservation.id)).one())
    asked(lab, "old", OLD, subject=id)
    events = count(lab, models.Event)
    assert events
    assert lab.run(lambda s: retention.sweep_audit(s, NOW, NOW)) == 0
    assert lab.run(lambda s: retention.sweep_reservations(s, NOW, NOW)) == 0
    finish(lab, id)
    assert lab.run(lambda s: retention.sweep_audit(s, NOW, NOW)) == events + 1


def finish(store: Store, id: str) -> None:
    over = {"finished_at": OLD, "ended_at": OLD, "remote_addresses": ["192.0.2.7"], "reason": "alice has ended it"}
    store.run(lambda s: s.execute(sa.update(models.Reservation).where(models.Reservation.id == id).values(**over)))


def test_reservations_become_nobodys_and_are_still_counted(lab: Store) -> None:
    for _ in range(2):
        assert isinstance(reserve(lab, now=OLD), Placed)
    first, second = lab.run(lambda s: s.scalars(sa.select(models.Reservation.id)).all())
    finish(lab, first)

    def address(session: Session) -> None:
        tenure = session.scalars(sa.select(models.Tenure).where(models.Tenure.holder == first)).one()
        place = {"computer": tenure.computer, "generation": tenure.generation}
        session.add(models.Addresses(**place, since=OLD, private_address="10.0.0.1", public_address=""))

    lab.run(address)
    assert lab.run(lambda s: retention.sweep_reservations(s, BEFORE, NOW)) == 1
    assert lab.run(lambda s: retention.sweep_reservations(s, BEFORE, NOW)) == 0
    with lab.read() as session:
        over, open_one = session.get(models.Reservation, first), session.get(models.Reservation, second)
        assert over is not None
        assert open_one is not None
        assert (over.user, over.requested_by, over.reason) == (retention.NOBODY, retention.NOBODY, "")
        assert over.remote_addresses == []
        assert open_one.user == "alice"
    assert count(lab, models.Addresses) == 0


def test_the_old_load_log_goes_but_for_what_counts(lab: Store) -> None:
    common = {"reservation": "r", "computer": "vm01", "generation": 1, "image": "debian-12", "revision": 1}
    step = {**common, "name": "x", "title": "X", "number": 1, "count": 1}
    failure = {**common, "endpoint": "e", "host": "h", "cause": "full", "in_guest": False}

    def fill(session: Session) -> None:
        session.add_all([models.LoadStep(**step, attempt=n, started_at=at) for n, at in enumerate((OLD, NOW))])
        for number, counts in enumerate((True, False)):
            more = {"step": f"s{number}", "at": OLD, "against_host": counts, "against_revision": False}
            session.add(models.LoadFailure(**failure, **more))

    lab.run(fill)
    assert lab.run(lambda s: retention.sweep_loads(s, BEFORE, NOW)) == 2
    assert (count(lab, models.LoadStep), count(lab, models.LoadFailure)) == (1, 1)
