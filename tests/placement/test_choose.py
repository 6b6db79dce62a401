"""Placement: by the policies, all reasons, and never beyond a limit."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from vclab.model.inventory import Amounts, DatastoreFacts, HostFacts, Policies, Policy
from vclab.model.reservations import Refusal
from vclab.placement import Booking, Choice, DatastoreRoom, EndpointRoom, HostRoom, Need, choose

NOW = datetime(2026, 8, 1, 10, tzinfo=UTC)
DISK = DatastoreRoom(DatastoreFacts("ds1", 1000, 1000))


def at(hour: float) -> datetime:
    return NOW + timedelta(hours=hour)


def need(memory_mb: int, cpus: int = 1, disk_gb: int = 4, starts: float = 0, ends: float = 1) -> Need:
    return Need(Amounts(cpus, memory_mb, disk_gb), at(starts), at(ends))


def booked(memory_mb: int, starts: float = 0, ends: float = 1, cpus: int = 1) -> Booking:
    return Booking(at(starts), at(ends), Amounts(cpus, memory_mb))


def host(name: str, *bookings: Booking, memory_mb: int = 16384, cpus: int = 16) -> HostRoom:
    return HostRoom(HostFacts(name, cpus, memory_mb, True, "", ("ds1",)), bookings)


def endpoint(*hosts: HostRoom, name: str = "vc") -> EndpointRoom:
    return EndpointRoom(name, hosts, (DISK,))


def chosen(outcome: Choice | Refusal) -> str:
    assert isinstance(outcome, Choice), outcome
    return outcome.host


def refused(outcome: Choice | Refusal) -> str:
    assert isinstance(outcome, Refusal), outcome
    return outcome.text()


def test_seed_003_the_large_image_still_finds_room() -> None:
    """ "The large RAM slots got used first for other images, and now the image in question can't find a slot." """
    hosts = {name: host(name) for name in ("esx1", "esx2", "esx3")}
    for _ in range(16):
        name = chosen(choose(need(2048), [endpoint(*hosts.values())], 1))
        hosts[name] = replace(hosts[name], bookings=(*hosts[name].bookings, booked(2048)))
    assert [len(h.bookings) for h in hosts.values()] == [8, 8, 0]
    assert chosen(choose(need(16384), [endpoint(*hosts.values())], 1)) == "esx3"


def test_when_there_is_really_none_every_host_is_named_with_all_it_lacks() -> None:
    in_maintenance = HostFacts("esx2", 2, 512, False, "in maintenance")
    small = DatastoreRoom(DatastoreFacts("ds1", 10, 10), (Booking(at(0), at(1), Amounts(disk_gb=8)),))
    rooms = [
        EndpointRoom("vc", (HostRoom(in_maintenance), host("esx1", booked(9000))), (small,)),
        EndpointRoom("vc2", error="does not answer"),
        EndpointRoom("vc3"),
    ]
    outcome = choose(need(8192, cpus=4), rooms, 0)
    assert refused(outcome).startswith(
        "there is no room for this machine now (3 of 4 considered: vc/esx1: needs 8192 MiB"
    )
    assert isinstance(outcome, Refusal)
    identity = "no identity (hostname and addresses) is left"
    assert {each.name: each.lacks for each in outcome.candidates} == {
        "vc/esx1": ("needs 8192 MiB memory, has 7384 free", "datastore ds1: needs 4 GiB disk, has 2 free", identity),
        "vc/esx2": (
            "in maintenance",
            "needs 4 CPUs, has 2 free",
            "needs 8192 MiB memory, has 512 free",
            "has no datastore",
            identity,
        ),
        "vc2": ("does not answer",),
        "vc3": ("has no host",),
    }


def test_the_smallest_hole_that_holds_it_and_names_decide_ties() -> None:
    hosts = (host("c", booked(4096)), host("b", booked(8192)), host("a", booked(15000)), host("d", booked(8192)))
    assert chosen(choose(need(4096), [endpoint(*hosts)], 1)) == "b"
    assert chosen(choose(need(4096), [endpoint(*reversed(hosts))], 1)) == "b"
    more_cpus = host("a", memory_mb=16384, cpus=32)
    assert chosen(choose(need(1), [endpoint(more_cpus, host("z"))], 1)) == "z"


def test_endpoints_are_compared_with_each_other() -> None:
    rooms = [endpoint(host("esx1"), name="vc2"), endpoint(host("esx1"), name="vc1")]
    assert choose(need(1), rooms, 1) == Choice("vc1", "esx1", "ds1")


def test_only_the_window_counts_and_it_is_half_open() -> None:
    full = (booked(16384, -5, 0), booked(16384, 1, 9))
    assert chosen(choose(need(16384), [endpoint(host("esx1", *full))], 1)) == "esx1"
    assert "has 0 free" in refused(choose(need(1, ends=1.01), [endpoint(host("esx1", *full))], 1))
    assert "has 0 free" in refused(choose(need(1, starts=-0.01), [endpoint(host("esx1", *full))], 1))


def test_one_after_the_other_is_not_both_at_once() -> None:
    turns = tuple(booked(10000, n / 4, (n + 1) / 4) for n in range(4))
    assert chosen(choose(need(6384), [endpoint(host("esx1", *turns))], 1)) == "esx1"
    assert "has 6384 free" in refused(choose(need(6385), [endpoint(host("esx1", *turns))], 1))


def test_the_emptiest_datastore_or_the_fullest_that_holds_the_disk() -> None:
    facts = HostFacts("esx1", 8, 8192, True, "", ("big", "broken", "full", "gone", "mid"))
    stores = (
        DatastoreRoom(DatastoreFacts("big", 500, 500)),
        DatastoreRoom(DatastoreFacts("mid", 100, 100), (Booking(at(0), at(1), Amounts(disk_gb=50)),)),
        DatastoreRoom(DatastoreFacts("full", 3, 3)),
        DatastoreRoom(DatastoreFacts("broken", 40, 40, False, "not accessible")),
        DatastoreRoom(DatastoreFacts("elsewhere", 4, 4)),
    )
    room = EndpointRoom("vc", (HostRoom(facts),), stores)
    assert choose(need(1), [room], 1) == Choice("vc", "esx1", "big")
    room = replace(room, policies=Policies(datastores=Policy.BEST_FIT))
    assert choose(need(1), [room], 1) == Choice("vc", "esx1", "mid")
    assert choose(need(1, disk_gb=51), [room], 1) == Choice("vc", "esx1", "big")
    text = refused(choose(need(1, disk_gb=501), [room], 1))
    assert "datastore broken: not accessible" in text
    assert "datastore gone: not usable" in text
    assert "datastore full: needs 501 GiB disk, has 3 free" in text


def a_class(policies: Policies, copy_on: str = "") -> tuple[Counter[str], Counter[str]]:
    """Where thirty machines go, of two hosts that hold twenty each and four datastores: hosts, datastores."""
    hosts = tuple(HostRoom(HostFacts(f"esx{n}", 64, 20 * 2048, True, "", ("a", "b", "c", "d"))) for n in (1, 2))
    stores = tuple(DatastoreRoom(DatastoreFacts(name, 200, 200), wait=2 * (name != copy_on)) for name in "abcd")
    room, on_hosts, on_stores = EndpointRoom("vc", hosts, stores, policies=policies), Counter[str](), Counter[str]()
    for _ in range(30):
        choice = choose(need(2048), [room], 1)
        assert isinstance(choice, Choice)
        on_hosts[choice.host] += 1
        on_stores[choice.storage] += 1
        disk = Booking(at(0), at(1), Amounts(disk_gb=4))
        hosts = tuple(
            replace(h, bookings=(*h.bookings, *[booked(2048)] * (h.facts.name == choice.host))) for h in room.hosts
        )
        stores = tuple(
            replace(s, bookings=(*s.bookings, *[disk] * (s.facts.name == choice.storage))) for s in room.datastores
        )
        room = replace(room, hosts=hosts, datastores=stores)
    return on_hosts, on_stores


def test_a_class_is_spread_or_fills_one_after_the_other() -> None:
    assert a_class(Policies(Policy.SPREAD, Policy.SPREAD)) == (
        {"esx1": 15, "esx2": 15},
        {"a": 8, "b": 8, "c": 7, "d": 7},
    )
    assert a_class(Policies(Policy.BEST_FIT, Policy.BEST_FIT)) == ({"esx1": 20, "esx2": 10}, {"a": 30})
    assert a_class(Policies()) == ({"esx1": 20, "esx2": 10}, {"a": 8, "b": 8, "c": 7, "d": 7})


def test_where_the_image_is_comes_before_the_policy() -> None:
    assert a_class(Policies(Policy.SPREAD, Policy.SPREAD), copy_on="c")[1] == {"c": 30}
    assert a_class(Policies(Policy.BEST_FIT, Policy.BEST_FIT), copy_on="c")[1] == {"c": 30}


def test_what_spreads_comes_before_what_keeps_large_gaps() -> None:
    rooms = [endpoint(host("esx1", booked(8192)), name="fills"), endpoint(host("esx1"), name="spreads")]
    rooms[1] = replace(rooms[1], policies=Policies(hosts=Policy.SPREAD))
    assert choose(need(1), rooms, 1) == Choice("spreads", "esx1", "ds1")
    assert choose(need(1), rooms[:1], 1) == Choice("fills", "esx1", "ds1")


def test_a_host_that_lost_memory_is_overbooked_and_says_zero() -> None:
    assert "has 0 free" in refused(choose(need(1), [endpoint(host("esx1", booked(9000), memory_mb=8000))], 1))


hours = st.integers(0, 20)
bookings = st.builds(
    lambda start, length, cpus, memory: Booking(at(start), at(start + length), Amounts(cpus, memory)),
    hours, st.integers(1, 8), st.integers(0, 4), st.integers(0, 40),
)  # fmt: skip
rooms = st.lists(st.lists(bookings, max_size=6).map(tuple), min_size=1, max_size=4)


def free_at(room: HostRoom, hour: int) -> Amounts:
    used = sum((b.amounts for b in room.bookings if b.starts <= at(hour) < b.ends), Amounts())
    return Amounts(room.facts.cpus, room.facts.memory_mb) - used


@settings(deadline=None)
@given(rooms=rooms, cpus=st.integers(1, 8), memory=st.integers(1, 100), start=hours, length=st.integers(1, 10))
def test_never_beyond_a_limit_and_never_refused_needlessly(
    rooms: list[tuple[Booking, ...]], cpus: int, memory: int, start: int, length: int
) -> None:
    """Hour by hour (all bookings are of whole hours): the chosen host holds it; when none is chosen, none does."""
    hosts = [host(f"h{n}", *booked_there, memory_mb=100, cpus=8) for n, booked_there in enumerate(rooms)]
    window = range(start, start + length)
    wanted = Amounts(cpus, memory)
    holds = {h.facts.name for h in hosts if all(not free_at(h, hour).lacks(wanted) for hour in window)}
    outcome = choose(need(memory, cpus, starts=start, ends=start + length), [endpoint(*hosts)], 1)
    if isinstance(outcome, Refusal):
        assert not holds
        assert {c.name for c in outcome.candidates} == {f"vc/{h.facts.name}" for h in hosts}
        assert all(c.lacks for c in outcome.candidates)
    else:
        assert outcome.host in holds


@settings(deadline=None)
@given(rooms=rooms, memory=st.integers(1, 100))
def test_the_order_of_hosts_and_bookings_does_not_matter(rooms: list[tuple[Booking, ...]], memory: int) -> None:
    hosts = [host(f"h{n}", *booked_there, memory_mb=100, cpus=8) for n, booked_there in enumerate(rooms)]
    turned = [replace(h, bookings=h.bookings[::-1]) for h in hosts[::-1]]
    wanted = need(memory, ends=5)
    assert choose(wanted, [endpoint(*hosts)], 1) == choose(wanted, [endpoint(*turned)], 1)
