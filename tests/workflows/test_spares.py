"""What becomes of a machine that nobody has used, on a real server whose clock is skipped."""

import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.workflows.conftest import IMAGE, QUEUE, Life
from vclab.model import ids
from vclab.model.catalog import Computer
from vclab.model.errors import StepFailed, Unreachable
from vclab.model.inventory import HostFacts
from vclab.model.messages import Acknowledge, End, How, Resolve, computer_workflow
from vclab.model.plans import Status
from vclab.store import catalog, spares, tenures

END = End()
KEEPING = pytest.mark.parametrize("life", [{"spare": 1800}], indirect=True)
READY = ["node_status", "vsphere.adopt", "linux.post_load", "linux.read_public_address"]


def computer(life: Life, name: str = "vm01") -> Computer:
    with life.store.read() as session:
        return catalog.computer(session, name)


async def a_spare(life: Life) -> None:
    """One reservation, ready and deleted."""
    await life.ready()
    await life.reservations.end(life.id, END)
    await life.until("complete")


def another(life: Life) -> None:
    """The next acts are those of another reservation."""
    life.id = ids.new_id()
    life.world.done.clear()


def without_root(life: Life) -> None:
    """Whoever is let in can be followed by what they leave."""
    life.store.run(lambda session: catalog.put_image(session, replace(IMAGE, root_access=False)))


@KEEPING
async def test_kept_and_handed_out(life: Life) -> None:
    """Sanitized, not removed; the next one gets it by a short plan; used by nobody, it is kept again."""
    await a_spare(life)
    assert life.world.done[-1] == "sanitize" and "remove" not in life.world.done
    assert "why_tainted" not in life.world.done, "nobody was ever let in"
    found = computer(life)
    assert (found.state, found.image, found.holder) == ("available", "debian-12", "")
    another(life)
    await life.ready()
    assert life.world.done == READY
    assert computer(life).generation == 2
    await life.skip(seconds=930)
    assert (await life.until("complete")).ending == "noack"
    assert "remove" not in life.world.done
    assert computer(life).image == "debian-12"


@KEEPING
async def test_connect_without_a_connection(life: Life) -> None:
    """nologin: the login records are read once access is closed; what they show decides."""
    without_root(life)
    await life.ready()
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    await life.when(lambda: bool(life.world.granted))
    await life.skip(seconds=930)
    await life.until("complete")
    assert life.world.done[-2:] == ["why_tainted", "sanitize"]
    assert 890 < life.world.opened_seconds < 1200  # since access was opened, which the records must reach back to
    another(life)
    life.world.tainted = "there was a connection from 203.0.113.101"
    await life.ready()
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    await life.when(lambda: "grant_access" in life.world.done)
    await life.reservations.end(life.id, END)
    await life.until("complete")
    assert life.world.done[-4:] == ["why_tainted", "taint", "close_access", "remove"]
    assert computer(life).image == ""


@KEEPING
@pytest.mark.parametrize("tainted", ["", "there was a connection from 203.0.113.101"])
async def test_connect_that_failed_half_way(life: Life, tainted: str) -> None:
    """The firewall may have been open: the records are read, and it is shut before it is removed."""
    without_root(life)
    life.world.fail["grant_access"] = StepFailed("the firewall is not as it was set")
    life.world.tainted = tainted
    await life.ready()
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    await life.when(lambda: "not as it was set" in getattr(life.view(), "reason", ""))
    await life.reservations.end(life.id, END)
    assert (await life.until("complete")).ending == "released"
    end = ["why_tainted", "taint", "close_access", "remove"] if tainted else ["why_tainted", "sanitize"]
    assert life.world.done[-len(end) :] == end


@KEEPING
async def test_let_in_with_root_rights(life: Life) -> None:
    """nologin, and no look saw anybody: it is removed all the same, for root hides from looks."""
    await life.ready()
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    await life.when(lambda: bool(life.world.granted))
    assert computer(life).tainted
    await life.skip(seconds=930)
    await life.until("complete")
    assert life.world.done[-3:] == ["taint", "close_access", "remove"]
    found = computer(life)
    assert (found.image, found.tainted, found.spare_until) == ("", False, None)


@KEEPING
async def test_who_was_connected(life: Life) -> None:
    """In use: removed."""
    await life.in_use()
    await life.reservations.end(life.id, END)
    await life.until("complete")
    assert life.world.done[-2:] == ["close_access", "remove"] and "sanitize" not in life.world.done


@KEEPING
@pytest.mark.parametrize("trouble", [StepFailed("a file stays"), Unreachable("it does not answer")])
async def test_what_can_not_be_made_clean_is_removed(life: Life, trouble: Exception) -> None:
    life.world.fail["sanitize"] = trouble
    await a_spare(life)
    assert life.world.done[-1] == "remove"
    with life.store.read() as session:
        assert tenures.current(session, "vm01") is None
        assert spares.machines(session) == set()


@KEEPING
async def test_ended_while_it_was_loaded(life: Life) -> None:
    """What is half loaded is removed."""
    life.world.hold["vsphere.copy_disk"] = threading.Event()
    await life.reserve()
    await life.when(life.world.held.is_set)
    await life.reservations.end(life.id, END)
    await life.until("complete")
    assert life.world.done[-1] == "remove" and "sanitize" not in life.world.done


@KEEPING
async def test_not_ready_after_all(life: Life) -> None:
    """Tainted, or it can't be read: loaded anew, from the removal on."""
    await a_spare(life)
    another(life)
    life.world.status = Status.RELOAD
    await life.ready()
    assert life.world.done[:3] == ["node_status", "vsphere.remove_previous", "vsphere.copy_disk"]


@KEEPING
async def test_the_reconciler_removes_what_is_too_old(life: Life) -> None:
    """By a workflow of the computer's, until it is gone; again it finds nothing to do."""
    await a_spare(life)
    life.store.run(lambda s: catalog.put_image(s, replace(IMAGE, revision=2)))
    for _ in range(2):
        await life.client.execute_workflow(
            "Removal", {"computer": "vm01"}, id=f"{computer_workflow('vm01')}-{life.id}", task_queue=QUEUE
        )
    assert life.world.done[-1] == "remove" and life.world.done.count("remove") == 1
    found = computer(life)
    assert (found.state, found.image, found.holder, found.generation) == ("available", "", "", 2)


@pytest.fixture
async def crowd(life: Life) -> AsyncIterator[Life]:
    """Three spares on the only host, which is full then, and an image that needs all of it."""
    life.world.hosts = (HostFacts("esx1", 16, 3072, datastores=("ds1",)),)
    life.store.run(lambda s: catalog.put_image(s, replace(IMAGE, name="big", memory_mb=3072)))
    known = []
    for _ in range(3):
        life.id = ids.new_id()
        await life.ready()
        known.append(life.id)
    for life.id in known:
        await life.reservations.end(life.id, END)
        await life.until("complete")
    another(life)
    yield life


@KEEPING
async def test_room_is_made(crowd: Life) -> None:
    """Two are removed by its workflow before anything is loaded, the third by its load."""
    await crowd.reserve(image="big")
    await crowd.until("reserved")
    assert crowd.world.done[:4] == ["remove", "remove", "node_status", "vsphere.remove_previous"]
    with crowd.store.read() as session:
        assert spares.machines(session) == set()
        assert tenures.current(session, "vm02") is None


@KEEPING
async def test_ended_while_room_is_made(crowd: Life) -> None:
    """What is not gone yet is the reconciler's."""
    crowd.world.fail["remove"] = Unreachable("the vCenter does not answer")
    await crowd.reserve(image="big")
    view = crowd.view()
    assert view is not None and view.word == "Waiting for a computer"
    del crowd.world.fail["remove"]
    await crowd.reservations.end(crowd.id, END)
    await crowd.until("complete")
    with crowd.store.read() as session:
        left = spares.overdue(session, datetime.now(UTC))
    for name in left:
        await crowd.client.execute_workflow(
            "Removal", {"computer": name}, id=f"{computer_workflow(name)}-{crowd.id}", task_queue=QUEUE
        )
        assert computer(crowd, name).holder == ""
    with crowd.store.read() as session:
        assert spares.machines(session) == set()


@KEEPING
async def test_room_is_made_where_a_load_is_tried_again(life: Life) -> None:
    """The other host is full of a spare: it goes after what failed, and before anything is made there."""
    full = (HostFacts(f"esx{n}", 16, 3072, datastores=("ds1",)) for n in (1, 2))
    life.world.hosts = tuple(full)
    life.store.run(lambda s: catalog.put_image(s, replace(IMAGE, name="big", memory_mb=3072)))
    await a_spare(life)
    kept = life.view()
    another(life)
    life.world.fail["vsphere.power_on"] = StepFailed("it refuses")
    await life.reserve(image="big")
    await life.when(lambda: getattr(life.view(), "help_since", None) is not None)
    done = [what for what in life.world.done if what in ("vsphere.copy_disk", "remove")]
    assert done == ["vsphere.copy_disk", "remove", "remove", "vsphere.copy_disk"]
    del life.world.fail["vsphere.power_on"]
    await life.operator.resolve(life.id, Resolve(How.RETRY))
    view = await life.until("reserved")
    assert kept is not None and (view.host, view.computer, view.generation) == (kept.host, "vm02", 2)
    with life.store.read() as session:
        assert spares.machines(session) == set()
        assert tenures.current(session, kept.computer) is None


@KEEPING
async def test_handed_out_at_a_preload(life: Life) -> None:
    """Ready at once, by the short plan; and handed over at the start."""
    await a_spare(life)
    another(life)
    start = datetime.now(UTC) + timedelta(minutes=20)
    await life.reserve(start=start)
    await life.when(lambda: "linux.read_public_address" in life.world.done)
    assert life.world.done == READY
    await life.skip(minutes=21)
    view = await life.until("reserved")
    assert (view.computer, view.generation, view.host_key) == ("vm01", 2, "ssh-ed25519 AAAA")
    await life.reservations.end(life.id, END)
    await life.until("complete")
    assert computer(life).image == "debian-12", "and kept again"


@KEEPING
async def test_room_is_made_for_later(life: Life) -> None:
    """The reconciler removes what is in the way of a start; or else the load does, before anything is made."""
    life.world.hosts = (HostFacts("esx1", 16, 1024, datastores=("ds1",)),)
    life.store.run(lambda s: catalog.put_image(s, replace(IMAGE, name="other")))
    await a_spare(life)
    another(life)
    await life.reserve(image="other", start=datetime.now(UTC) + timedelta(minutes=20))
    await life.when(lambda: "linux.read_public_address" in life.world.done)
    assert life.world.done[0] == "remove"
    with life.store.read() as session:
        assert spares.machines(session) == set()
        assert tenures.current(session, "vm01") is None
