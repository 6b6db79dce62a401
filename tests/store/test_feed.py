"""The feed: each change is told, once, to each reader, in the order of commits; and who goes on from too old a number
learns that."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from tests.store.lab import NOW, reserve
from vclab.model.catalog import User
from vclab.model.reservations import Placed
from vclab.store import Store, catalog, feed, models, open_store
from vclab.store.feed import Change
from vclab.store.feed_tables import SILENT

WRITERS, WRITES, READERS = 6, 25, 3


class Reader:
    """Polls from a number on, as a server does."""

    def __init__(self, store: Store) -> None:
        self.store = store
        with store.read() as session:
            self.cursor = feed.bounds(session).last
        self.seen: list[Change] = []

    def poll(self) -> None:
        """Take what is new."""
        while found := feed.advance(self.store, self.cursor):
            assert [each.number for each in found] == sorted({each.number for each in found})
            assert found[0].number > self.cursor
            self.seen += found
            self.cursor = found[-1].number

    def logins(self) -> list[str]:
        """The users of whom it heard."""
        return [each.thing for each in self.seen if each.kind == "user"]


@pytest.fixture
def reader(lab: Store) -> Reader:
    """One who has heard of nothing that the lab was made of."""
    made = Reader(lab)
    made.poll()
    made.seen.clear()
    return made


@pytest.fixture
def stores(store: Store, url: str) -> Iterator[list[Store]]:
    """The same database as several servers have it open."""
    made = [open_store(url) for _ in range(READERS)]
    yield made
    for each in made:
        each.close()


def add(login: str, uid: int) -> models.User:
    return models.User(login=login, uid=uid, affiliation="", public_keys=[], zone="UTC")


def test_every_table_is_told_of_or_is_silent_for_a_reason(store: Store) -> None:
    def triggers(session: Session) -> set[str]:
        if session.get_bind().dialect.name == "sqlite":
            query = "SELECT tbl_name || ' ' || name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'feed_%'"
            return {name.partition(" ")[0] for name in session.scalars(sa.text(query)) if name.count("_") >= 2}
        query = "SELECT event_object_table FROM information_schema.triggers WHERE trigger_name = 'feed'"
        return set(session.scalars(sa.text(query)))

    with store.read() as session:
        told = triggers(session)
    assert told.isdisjoint(SILENT)
    assert told | SILENT.keys() == models.Base.metadata.tables.keys()


def test_a_column_of_copies_that_is_not_quiet_is_told_of(lab: Store, reader: Reader) -> None:
    """Their trigger lists columns: a new one must be added to it."""

    def write(session: Session, column: str) -> None:
        copies = models.Copy.metadata.tables["copies"]
        values = {"image": "big", "revision": 1, "place": "p", "storage": "s", "path": "", "ours": False}
        if column == "image":
            session.execute(sa.insert(copies).values(**values, state="usable", why="", since=NOW, kept=False))
        session.execute(sa.update(copies).values({column: copies.c[column]}))

    columns = [column.name for column in models.Copy.metadata.tables["copies"].c]
    told = set()
    for column in columns:
        lab.run(lambda session, column=column: write(session, column))  # type: ignore[misc]
        reader.seen.clear()
        reader.poll()
        told |= {column} if reader.seen else set()
        assert all((each.kind, each.thing) == ("image", "big") for each in reader.seen)
    assert set(columns) - told == {"seen_at", "tried_at"}


def test_it_tells_whose_reservation_it_is_and_of_its_load(lab: Store, reader: Reader) -> None:
    placed = reserve(lab)
    assert isinstance(placed, Placed)
    reader.poll()
    (of_reservation,) = {(each.kind, each.owner) for each in reader.seen if each.kind == "reservation"}
    assert of_reservation == ("reservation", "alice")
    assert {"computer", "reservation"} <= {each.kind for each in reader.seen}
    id = next(each.thing for each in reader.seen if each.kind == "reservation")
    reader.seen.clear()
    step = {"reservation": id, "computer": "vm01", "generation": 1, "image": "debian-12", "revision": 1, "name": "x"}
    more = {"title": "X", "number": 1, "count": 1, "attempt": 1, "started_at": NOW}
    lab.run(lambda session: session.add(models.LoadStep(**step, **more)))
    lab.run(lambda session: session.add(models.LoadStep(**step | {"reservation": "computer-vm01"}, **more)))
    reader.poll()
    assert [(each.kind, each.thing, each.owner) for each in reader.seen] == [("reservation", id, "alice")]


def test_what_was_rolled_back_has_no_number(store: Store) -> None:
    reader = Reader(store)

    def fail(session: Session) -> None:
        session.add(add("alice", 1))
        session.flush()
        raise ValueError

    with pytest.raises(ValueError):
        store.run(fail)
    store.run(lambda session: session.add(add("bob", 2)))
    reader.poll()
    assert reader.logins() == ["bob"]


def write(store: Store, number: int, committed: list[str]) -> None:
    """Add users, one in five in vain."""
    chance = random.Random(number)
    for count in range(WRITES):
        login, fails = f"u{number:02}-{count:02}", chance.random() < 0.2

        def change(session: Session, login: str = login, uid: int = 1000 * number + count, fails: bool = fails) -> None:
            session.add(add(login, uid))
            session.flush()
            session.execute(sa.text("SELECT count(*) FROM feed AS a, feed AS b")).all()  # others overtake meanwhile
            if fails:
                raise ValueError(login)

        with suppress(ValueError):
            store.run(change)
            committed.append(login)


def read(reader: Reader, done: threading.Event) -> None:
    while not done.is_set():
        reader.poll()


def test_writers_and_readers_at_once(store: Store, stores: list[Store]) -> None:
    """Each reader has each committed change once and in the same order, however the commits overlap."""
    readers, done, committed = [Reader(each) for each in stores], threading.Event(), list[str]()
    with ThreadPoolExecutor(READERS + WRITERS) as pool:
        reading = [pool.submit(read, each, done) for each in readers]
        writing = [pool.submit(write, store, number, committed) for number in range(WRITERS)]
        wait(writing)
        done.set()
    for each in (*writing, *reading):
        each.result()
    for reader in readers:
        reader.poll()
    assert sorted(readers[0].logins()) == sorted(committed)
    assert [reader.seen for reader in readers[1:]] == [readers[0].seen] * (READERS - 1)


ACTS = st.lists(
    st.tuples(st.sampled_from(("write", "write", "commit", "roll back", "poll")), st.integers(0, 3)),
    min_size=10,
    max_size=40,
)


@pytest.fixture(scope="module")
def overlapping(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A PostgreSQL: SQLite has one writer, whose transactions can't overlap."""
    server, template = request.getfixturevalue("server"), request.getfixturevalue("postgresql_template")
    store = open_store(server.url(server.create(template)))
    yield store
    store.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
@example(acts=[("write", 0), ("write", 1), ("commit", 1), ("poll", 0), ("commit", 0)])  # an autoincrement id loses one
def test_transactions_that_overlap_in_any_way(overlapping: Store, acts: list[tuple[str, int]]) -> None:
    """Four transactions are open at once and end in any order; two readers poll meanwhile."""
    overlapping.run(lambda session: session.execute(sa.delete(models.User)))
    readers, committed, uid = [Reader(overlapping), Reader(overlapping)], list[list[str]](), 0
    for each in readers:
        each.poll()
        each.seen.clear()
    with ExitStack() as stack:
        engine = sa.create_engine(overlapping._url)
        stack.callback(engine.dispose)
        open_ones = [stack.enter_context(Session(engine)) for _ in range(4)]
        written: list[list[str]] = [[], [], [], []]
        for what, which in (*acts, *(("commit", n) for n in range(4))):
            if what == "write":
                uid += 1
                open_ones[which].add(add(f"u{uid}", uid))
                open_ones[which].flush()
                written[which].append(f"u{uid}")
            elif what == "poll":
                readers[which % 2].poll()
            else:
                (open_ones[which].commit if what == "commit" else open_ones[which].rollback)()
                committed += [written[which]] if what == "commit" and written[which] else []
                written[which] = []
    for each in readers:
        each.poll()
        assert sorted(each.logins()) == sorted(login for logins in committed for login in logins)
        for logins in committed:
            assert [login for login in each.logins() if login in logins] == logins
    assert readers[0].logins() == readers[1].logins()


def test_a_cursor_that_has_missed_something_is_too_old(store: Store) -> None:
    reader = Reader(store)
    store.run(lambda session: session.add(add("alice", 1)))
    reader.poll()
    store.run(lambda session: session.add(add("bob", 2)))  # nobody reads, so nobody numbers it
    store.run(lambda session: session.execute(sa.update(models.Change).values(at=NOW)))
    assert store.run(lambda session: feed.prune(session, NOW)) == 0
    assert store.run(lambda session: feed.prune(session, NOW + timedelta(seconds=1), limit=1)) == 1
    with store.read() as session:
        assert feed.bounds(session).reach(reader.cursor)
    assert store.run(lambda session: feed.prune(session, NOW + timedelta(seconds=1))) == 1
    with store.read() as session:
        bounds = feed.bounds(session)
    assert not bounds.reach(reader.cursor)
    assert bounds.reach(bounds.last)
    assert not bounds.reach(bounds.last + 1)
    store.run(lambda session: catalog.put_user(session, User("carol", 3)))
    assert [each.thing for each in feed.advance(store, bounds.last)] == ["carol"]
