"""Copies are read back by the clock; a broken one is replaced by a good one, or waits until nobody needs it."""

import dataclasses
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from tests.store.lab import NOW, RULES, image, reserve
from vclab.model.catalog import Thing
from vclab.model.errors import NotFound
from vclab.model.nights import parse_night
from vclab.model.plans import Evidence
from vclab.model.reservations import FailedStep, Placed
from vclab.model.revisions import Content, Copied, CopyState, Origin, Place, RevisionState, Wanted
from vclab.model.rules import Library
from vclab.store import (
    Store,
    audit,
    catalog,
    copies,
    copy_jobs,
    copy_verification,
    failed_steps,
    repositories,
    retirement,
    revisions,
)
from vclab.store.repositories import RepositoryFacts

DAY = timedelta(days=1)
GOOD = Content("a" * 64, 1 << 30)
IMAGE = image("debian-12", 2048)
DS1 = Wanted("debian-12", 1, Place("lab-vcenter", "ds1"))
MAIN = Wanted("debian-12", 1, Place("", "main"))


@pytest.fixture
def library(lab: Store) -> Store:
    """The image is in a repository and, copied from there, on ds1."""

    def make(session: Session) -> None:
        origin = Origin(GOOD.sha256, GOOD.size)
        catalog.put_image(session, IMAGE, False, RevisionState.PRODUCTION, origin)
        repositories.put(session, RepositoryFacts("main", "default", "/srv/images"), NOW)
        repositories.holds(session, "main", "debian-12", 1, NOW)
        copies.begin(session, DS1, NOW, kept=True)
        copies.made(session, DS1, Copied("[ds1] x/disk.vmdk"), NOW + timedelta(hours=1))

    lab.run(make)
    return lab


def due(store: Store, now: datetime, library: Library = RULES.library) -> list[Wanted]:
    rules = dataclasses.replace(RULES, library=library)
    with store.read() as session:
        return list(copy_verification.due(session, rules, now).values())


def found(store: Store, wanted: Wanted, what: Content | None, now: datetime, why: str = "") -> None:
    store.run(lambda s: copy_verification.verified(s, wanted, what, why, now))


def states(store: Store) -> dict[str, tuple[CopyState, str]]:
    with store.read() as session:
        return {each.place.storage: (each.state, each.why) for each in revisions.one(session, "debian-12", 1).copies}


def acts(store: Store) -> list[str]:
    with store.read() as session:
        return [event.what for event in audit.events(session, "image-debian-12")]


def test_each_is_read_when_its_time_has_come_and_one_at_a_time(library: Store) -> None:
    assert due(library, NOW + 30 * DAY) == []
    assert due(library, NOW + 31 * DAY) == [MAIN]
    found(library, MAIN, GOOD, NOW + 31 * DAY)
    assert due(library, NOW + 31 * DAY) == [DS1]
    found(library, DS1, None, NOW + 31 * DAY, "the endpoint is away")
    assert due(library, NOW + 31 * DAY) == [], "not at once again"
    assert due(library, NOW + 33 * DAY) == [DS1]
    assert due(library, NOW + 99 * DAY, Library(verify_every=0)) == []
    assert acts(library) == ["copy not verified"]


def test_it_is_read_in_the_night_only(library: Store) -> None:
    night, then = Library(night=parse_night("22:00-06:00")), NOW.replace(hour=12) + 40 * DAY
    assert due(library, then, night) == []
    assert due(library, then.replace(hour=23), night) == [MAIN]


def test_a_broken_copy_that_nobody_needs_is_made_again(library: Store) -> None:
    found(library, DS1, Content("b" * 64, GOOD.size), NOW)
    state, why = states(library)["ds1"]
    assert (state, why) == (CopyState.BROKEN, f"it has other bytes: SHA-256 {'b' * 64}")
    assert library.run(lambda s: copy_verification.replace_broken(s, NOW)) == [DS1]
    library.run(lambda s: copies.gone(s, DS1, NOW))
    assert states(library)["ds1"][0] is CopyState.COPYING
    with library.read() as session:
        job = copy_jobs.job(session, DS1, RULES)
        assert job is not None and job.source.repository == "/srv/images"
        assert copies.to_be_made(session, at_night=True) == [DS1]
        assert copies.to_be_made(session, at_night=False) == [], "nobody waits for it"
    assert acts(library) == ["copy broken", "broken copy deleted"]


def test_a_broken_copy_stays_while_there_is_no_good_one(library: Store) -> None:
    for wanted in (DS1, MAIN):
        found(library, wanted, Content(), NOW)
    assert states(library) == dict.fromkeys(("ds1", "main"), (CopyState.BROKEN, "it is not there any more"))
    assert library.run(lambda s: copy_verification.replace_broken(s, NOW)) == []
    found(library, MAIN, GOOD, NOW)
    assert states(library)["main"][0] is CopyState.USABLE, "somebody has brought it back"


def test_a_broken_copy_stays_while_disks_are_made_from_it(library: Store) -> None:
    outcome = reserve(library)
    assert isinstance(outcome, Placed) and outcome.target.copy
    found(library, DS1, Content("b" * 64, 1), NOW)
    assert library.run(lambda s: copy_verification.replace_broken(s, NOW)) == []
    assert states(library)["ds1"][0] is CopyState.BROKEN


def test_a_load_that_finds_no_copy_says_so(library: Store) -> None:
    outcome = reserve(library)
    assert isinstance(outcome, Placed)
    place, cause = (outcome.target.computer, 1, outcome.target.host), "[ds1] x/disk.vmdk is not there"
    step = FailedStep(NOW, *place, "vsphere.create_vm", 2, "Create", cause, Evidence(), copy_lost=True)
    library.run(lambda s: failed_steps.note(s, outcome.target, step, RULES.health))
    assert states(library)["ds1"] == (CopyState.BROKEN, "[ds1] x/disk.vmdk is not there")


def test_what_was_retired_long_ago_is_deleted(library: Store) -> None:
    def another(session: Session) -> None:
        catalog.put_image(session, dataclasses.replace(IMAGE, revision=2), False, RevisionState.TEST)
        revisions.promote(session, "debian-12", 2)
        revisions.retire(session, "debian-12", 1, NOW)

    library.run(another)
    keep = 30 * 86400.0
    assert library.run(lambda s: revisions.delete_overdue(s, keep, NOW + 30 * DAY)) == []
    over = NOW + 30 * DAY + timedelta(minutes=1)
    assert library.run(lambda s: revisions.delete_overdue(s, keep, over)) == ["debian-12/1"]
    assert {state for state, _ in states(library).values()} == {CopyState.RETIRING}
    assert library.run(lambda s: revisions.delete_overdue(s, keep, over)) == [], "once"
    for wanted in (DS1, MAIN):
        library.run(lambda s, wanted=wanted: copies.gone(s, wanted, over))  # type: ignore[misc]
    library.run(lambda s: revisions.forget_if_nothing_is_left(s, "debian-12", 1))
    with library.read() as session, pytest.raises(NotFound):
        revisions.one(session, "debian-12", 1)
    assert acts(library) == ["revision deleted"]


def test_what_is_kept_of_a_removed_image_goes_too(library: Store) -> None:
    library.run(lambda s: retirement.remove(s, Thing.IMAGE, "debian-12", NOW))
    with library.read() as session:
        assert catalog.image_names(session) == ["big"]
    assert library.run(lambda s: revisions.delete_overdue(s, 86400.0, NOW + 2 * DAY)) == ["debian-12/1"]
    for wanted in (DS1, MAIN):
        library.run(lambda s, wanted=wanted: copies.gone(s, wanted, NOW + 2 * DAY))  # type: ignore[misc]
    library.run(lambda s: revisions.forget_if_nothing_is_left(s, "debian-12", 1))
    with library.read() as session:
        assert copies.known(session, "debian-12", 1) is False


def test_what_was_restored_in_time_stays(library: Store) -> None:
    def another(session: Session) -> None:
        catalog.put_image(session, dataclasses.replace(IMAGE, revision=2), False, RevisionState.TEST)
        revisions.promote(session, "debian-12", 2)
        revisions.retire(session, "debian-12", 1, NOW)
        revisions.restore(session, "debian-12", 1)

    library.run(another)
    assert library.run(lambda s: revisions.delete_overdue(s, 0.0, NOW + 300 * DAY)) == []
