"""Forgetting a person: the name is nowhere left, and nothing else has changed."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.store.lab import NOW, reserve
from vclab.model.errors import NotFound, Refused
from vclab.model.intents import Intent
from vclab.model.people import Claims
from vclab.model.reservations import Placed
from vclab.store import Store, audit, forgetting, intents, models, people, removals

TABLES = models.Base.metadata.tables
KEY = "ssh-ed25519 AAAA bob"
ADDRESS = "192.0.2.7"


def dump(session: Session) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables."""
    return {name: [dict(row) for row in session.execute(sa.select(t)).mappings()] for name, t in TABLES.items()}


@pytest.fixture
def past(lab: Store) -> Store:
    """bob has done many things, which are over; alice has written about him, and shares his address."""
    assert isinstance(reserve(lab, "bob"), Placed)
    id = lab.run(lambda s: s.scalars(sa.select(models.Reservation.id)).one())
    over = {"finished_at": NOW, "ended_at": NOW, "remote_addresses": [ADDRESS], "reason": "ended by bob."}
    lab.run(lambda s: s.execute(sa.update(models.Reservation).values(**over)))
    asked: dict[str, Any] = {"names": ["bob", "bobby"], "key": KEY, "open": {"bob": 1}}
    for intent in (
        Intent("i1", NOW, "bob", "token", ("user",), "acts.end", id, "bob", "site:bob", asked, token="bob's laptop"),
        Intent("i2", NOW, "alice", "token", ("user",), "users.edit", "bob", arguments={"name": "bob"}, address=ADDRESS),
        Intent("i3", NOW, "olga", "token", ("operator",), "users.forget", "bob"),
    ):
        lab.run(lambda s, intent=intent: intents.write(s, intent))  # type: ignore[misc]
    lab.run(lambda s: audit.note(s, id, "bob", "connected", f"from {ADDRESS}", NOW, "i1"))
    lab.run(lambda s: audit.note(s, "computer-vm02", "olga", "noted", "bob has bob-1 and bob@uni.edu, not kabob", NOW))

    capture = {"id": "c1", "reservation": id, "image": "big", "revision": 1, "title": "", "notes": "of bob"}
    capture |= {"made_by": "bob", "becomes": {}, "began": NOW, "ended": NOW, "why_not": ""}
    refused = {"id": "r1", "user": "bob", "image": "big", "seconds": 1, "at": NOW, "reason": "", "earliest": None}

    def more(session: Session) -> None:
        session.add(models.Capture(**capture))
        session.add(models.RefusedRequest(**refused, candidates=[["esx1", "bob has it"]]))
        session.execute(sa.update(models.Computer).where(models.Computer.name == "vm03").values(notes="ask bob first"))

    lab.run(more)
    account = {"provider": "site", "subject": "8c1f-bob-77", "user": "bob", "called": "Bob Byers", "groups": []}
    times = {"created_at": NOW, "confirmed_at": NOW, "check_at": NOW}
    lab.run(lambda s: s.add(models.ProviderAccount(**account, **times)))
    lab.run(lambda s: s.add(models.LocalPassword(user="bob", hash="x", changed_at=NOW)))
    lab.run(lambda s: audit.note(s, "computer-vm04", "olga", "noted", "Bob Byers (8c1f-bob-77) called", NOW))
    return lab


def forget(store: Store) -> int:
    return store.run(lambda s: forgetting.forget(s, "bob", "gone-1", "i3", NOW))


def test_the_name_is_nowhere_left(past: Store) -> None:
    assert forget(past)
    with past.read() as session:
        rows = dump(session)
    text = json.dumps(rows, default=str)
    left = text.replace("kabob", "").replace("bob-1", "").replace("bobby", "")
    assert "bob" not in left
    assert "AAAA bob" not in text
    assert "Byers" not in text
    assert "8c1f" not in text
    of_them = [row for row in rows["intents"] if row["actor"] == "gone-1"] + rows["events"]
    assert ADDRESS not in json.dumps(of_them, default=str)


def test_counts_and_everybody_elses_rows_stay(past: Store) -> None:
    """Other people's address is that of their own acts; words that only contain the name are other words."""
    with past.read() as session:
        before = dump(session)
        uid = session.get_one(models.User, "bob").uid
    forget(past)
    with past.read() as session:
        after = dump(session)
        assert session.get_one(models.User, "gone-1").uid == uid
    for name in TABLES.keys() - {"feed", "freed_logins", "removals", *forgetting.THEIRS}:
        assert len(after[name]) == len(before[name]), name
    (about,) = [row for row in after["intents"] if row["id"] == "i2"]
    assert (about["actor"], about["subject"], about["address"]) == ("alice", "gone-1", ADDRESS)
    (noted,) = [row for row in after["events"] if row["reservation"] == "computer-vm02"]
    assert noted["detail"] == "gone-1 has bob-1 and gone-1@uni.edu, not kabob"
    (act,) = [row for row in after["intents"] if row["id"] == "i1"]
    assert act["arguments"] == {"names": ["gone-1", "bobby"], "key": "gone-1", "open": {"gone-1": 1}}
    (removal,) = after["removals"]
    assert (removal["by"], removal["pseudonym"]) == ("i3", "gone-1")


def test_a_login_that_was_forgotten_is_given_to_nobody_else(past: Store) -> None:
    """Files and logs outside name them. All that is kept is a digest, without what leads from it to the pseudonym."""
    claims = Claims("uni", "another-bob", "bob@uni.edu", "uni")
    forget(past)
    assert past.run(lambda s: people.signed_in(s, claims, NOW, NOW, adopt=True, make=True)) == "bob-2"
    past.run(lambda s: forgetting.forget(s, "bob-2", "gone-2", "i3", NOW))
    another = replace(claims, subject="a-third-bob")
    assert past.run(lambda s: people.signed_in(s, another, NOW, NOW, adopt=True, make=True)) == "bob-3"
    with past.read() as session:
        assert [set(row) for row in dump(session)["freed_logins"]] == [{"digest"}] * 2


def test_a_name_that_a_thing_has_too_stays_that_things(past: Store) -> None:
    """A computer that is called as the person is."""
    past.run(lambda s: s.execute(sa.update(models.Computer).where(models.Computer.name == "vm05").values(name="bob")))
    forget(past)
    with past.read() as session:
        assert session.get(models.Computer, "bob")


def test_whoever_has_a_reservation_is_not_forgotten(lab: Store) -> None:
    assert isinstance(reserve(lab, "bob"), Placed)
    with pytest.raises(Refused, match="bob still has "):
        forget(lab)
    with pytest.raises(NotFound):
        lab.run(lambda s: forgetting.forget(s, "nobody", "gone-1", "i3", NOW))
    with lab.read() as session:
        assert session.get(models.User, "bob")
        assert removals.newest(session) == []


def test_what_there_is_of_them_is_told_before(past: Store) -> None:
    with past.read() as session:
        found = forgetting.known(session, "bob")
    assert (len(found.reservations), found.acts, found.addresses) == (1, 1, (ADDRESS,))
    assert found.ended == NOW
    assert found.ended - NOW == timedelta(0)


def test_every_column_that_is_named_is_there() -> None:
    columns = {f"{table.name}.{column.name}" for table in TABLES.values() for column in table.c}
    assert columns >= forgetting.THINGS
    assert {f"{table}.{column}" for table, column in forgetting.THEIRS.items()} <= columns
