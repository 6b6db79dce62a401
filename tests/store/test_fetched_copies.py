"""Copies come from datastores into repositories: from where, with what is known of them, and what is learned."""

from datetime import timedelta

import pytest

from tests.store.lab import HOUR, NOW, RULES, image
from vclab.model.catalog import Endpoint
from vclab.model.errors import NotFound
from vclab.model.revisions import Content, Copied, CopyState, Origin, Place, Wanted
from vclab.store import Store, catalog, copies, copy_jobs, copy_verification, repositories, revisions
from vclab.store.repositories import RepositoryFacts

IMAGE = image("debian-12", 2048)
MAIN = Wanted("debian-12", 1, Place("", "main"))
DS1 = Wanted("debian-12", 1, Place("lab-vcenter", "ds1"))
READ = Copied("", 8 << 30, "5a" * 32)
THERE = Endpoint("there", "vsphere", "https://127.0.0.2/sdk", "u", "endpoint/there", "00", site="there")


@pytest.fixture
def store(lab: Store) -> Store:
    """An image that was added by its master, which is on ds2, and a repository."""
    lab.run(lambda s: catalog.put_endpoint(s, THERE))
    lab.run(lambda s: repositories.put(s, RepositoryFacts("main", "default", "/srv/images"), NOW))
    lab.run(lambda s: copies.seen(s, IMAGE, "lab-vcenter", ("ds2",), NOW))
    return lab


def begun(store: Store, wanted: Wanted = MAIN, at: timedelta = HOUR) -> None:
    store.run(lambda s: copies.begin(s, wanted, NOW + at, kept=True).place)


def made(store: Store, copied: Copied = READ, wanted: Wanted = MAIN) -> None:
    store.run(lambda s: copies.made(s, wanted, copied, NOW + 2 * HOUR))


def origin(store: Store) -> Origin:
    with store.read() as session:
        return revisions.one(session, "debian-12", 1).origin


def states(store: Store) -> dict[str, tuple[CopyState, str]]:
    with store.read() as session:
        return {each.place.storage: (each.state, each.why) for each in revisions.one(session, "debian-12", 1).copies}


def test_it_comes_from_a_datastore_of_its_site_with_all_that_is_known(store: Store) -> None:
    begun(store)
    with store.read() as session:
        job = copy_jobs.job(session, MAIN, RULES)
    assert job is not None and job.of_repository and job.repository == "/srv/images"
    assert (job.module, job.site, job.disk_gb) == ("vsphere", "default", IMAGE.disk_gb)
    assert (job.source.at, job.source.storage, job.source.path) == (Place("lab-vcenter", "ds2"), "ds2", "")
    record = job.record
    assert record is not None and (record.sha256, record.size, record.title) == ("", 0, IMAGE.title)
    assert record.made_at == NOW + HOUR, "nobody knows better"
    made(store, Copied("[ds1] x/disk.vmdk"), DS1)
    store.run(lambda s: copies.begin(s, DS1, NOW).place)
    made(store, Copied("[ds1] x/disk.vmdk"), DS1)
    with store.read() as session:
        job = copy_jobs.job(session, MAIN, RULES)
    assert job is not None and job.source.path == "[ds1] x/disk.vmdk", "what vclab has made is preferred"


def test_what_can_not_be_brought_says_why(store: Store) -> None:
    store.run(lambda s: repositories.put(s, RepositoryFacts("far", "there", "/srv/far"), NOW))
    far = Wanted("debian-12", 1, Place("", "far"))
    begun(store, far)
    with store.read() as session, pytest.raises(NotFound) as refused:
        copy_jobs.job(session, far, RULES)
    text = "no copy of debian-12/1 that can be read is on an endpoint of the site there, of which the repository far is"
    assert (
        str(refused.value)
        == f"{text}; it is on ds2 of lab-vcenter; a repository is filled from datastores of its own site only"
    )


def test_what_is_read_is_known_from_then_on(store: Store) -> None:
    begun(store)
    assert states(store)["main"] == (CopyState.COPYING, "")
    made(store)
    assert (origin(store).sha256, origin(store).size) == (READ.sha256, READ.size)
    assert states(store)["main"] == (CopyState.USABLE, "")
    with store.read() as session:
        main = next(each for each in revisions.one(session, "debian-12", 1).copies if not each.place.endpoint)
        assert main.verified_at == NOW + 2 * HOUR and main.ours
        places = copies.of(session, IMAGE)
    assert places is not None and places.sites == {"default"}
    begun(store, DS1)
    with store.read() as session:
        job = copy_jobs.job(session, DS1, RULES)
    assert job is not None and not job.of_repository and job.record is None
    made(store, Copied("[ds1] x/disk.vmdk"), DS1)
    assert origin(store).sha256 == READ.sha256, "a copy that was not read back says nothing"


def test_other_bytes_than_another_copy_had_are_broken(store: Store) -> None:
    """Two were read at the same time: who is first is believed."""
    store.run(lambda s: repositories.put(s, RepositoryFacts("second", "default", "/srv/second"), NOW))
    second = Wanted("debian-12", 1, Place("", "second"))
    begun(store)
    begun(store, second)
    made(store)
    made(store, Copied("", 8 << 30, "77" * 32), second)
    assert origin(store).sha256 == READ.sha256
    assert states(store)["second"] == (CopyState.BROKEN, f"it has other bytes: SHA-256 {'77' * 32}")
    assert states(store)["main"] == (CopyState.USABLE, "")


def test_what_is_still_to_come_is_not_missing(store: Store) -> None:
    begun(store)
    store.run(lambda s: repositories.holds(s, "main", "debian-12", 1, NOW + HOUR, "it is not there"))
    assert states(store)["main"] == (CopyState.COPYING, "")


def test_what_could_not_be_brought_is_not_tried_for_ever(store: Store) -> None:
    """A copy that broke is replaced, once."""
    begun(store)
    store.run(lambda s: copies.not_made(s, MAIN, "no room", NOW + HOUR))
    assert store.run(lambda s: copy_verification.replace_broken(s, NOW + HOUR)) == []
    begun(store)
    made(store)
    store.run(lambda s: copy_verification.verified(s, MAIN, Content("77" * 32, 8 << 30), "", NOW + 3 * HOUR))
    assert store.run(lambda s: copy_verification.replace_broken(s, NOW + 3 * HOUR)) == [MAIN]
    store.run(lambda s: copies.gone(s, MAIN, NOW + 3 * HOUR))
    assert states(store)["main"] == (CopyState.COPYING, "")
    store.run(lambda s: copies.not_made(s, MAIN, "no room", NOW + 4 * HOUR))
    assert store.run(lambda s: copy_verification.replace_broken(s, NOW + 4 * HOUR)) == []
