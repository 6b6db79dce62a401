"""The earliest time that would fit: then it does, and at no earlier moment that could matter."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from vclab.model.inventory import Amounts, DatastoreFacts, HostFacts
from vclab.placement import (
    Booking,
    Choice,
    DatastoreRoom,
    EndpointRoom,
    HostRoom,
    MachineRoom,
    Need,
    Promise,
    choose,
    choose_machine,
    earliest,
    earliest_machine,
    ever,
)

NOW = datetime(2026, 8, 1, 10, tzinfo=UTC)


def at(hour: float) -> datetime:
    return NOW + timedelta(hours=hour)


def host(name: str, *bookings: Booking, rests: str = "", usable: bool = True, memory_mb: int = 4) -> HostRoom:
    facts = HostFacts(name, 4, memory_mb, usable, "", ("ds1", "ds2"))
    return HostRoom(facts, bookings, rests)


def store(name: str, *bookings: Booking) -> DatastoreRoom:
    return DatastoreRoom(DatastoreFacts(name, 4, 4), bookings)


def booked(memory_mb: int, starts: float, ends: float, disk_gb: int = 0) -> Booking:
    return Booking(at(starts), at(ends), Amounts(1, memory_mb, disk_gb))


def when(
    *hosts: HostRoom, memory_mb: int = 2, hours: float = 2, identities_from: datetime | None = NOW
) -> float | None:
    """In so many hours; None: never."""
    need = Need(Amounts(1, memory_mb, 1), NOW, at(hours))
    found = earliest(need, [EndpointRoom("vc", hosts, (store("ds1"),))], identities_from)
    return None if found is None else (found - NOW) / timedelta(hours=1)


def test_the_first_end_that_makes_room_for_the_whole_time() -> None:
    assert when(host("a", booked(3, 0, 4)), host("b", booked(4, 0, 1), booked(3, 2, 9))) == 4
    assert when(host("b", booked(4, 0, 1), booked(3, 2, 9)), hours=1) == 1


def test_what_time_does_not_cure_is_left_out() -> None:
    assert when(host("a", rests="rests"), host("b", usable=False), host("c", memory_mb=1)) is None
    assert when(host("a", booked(4, 0, 3)), memory_mb=9) is None


def test_an_identity_must_be_free_too() -> None:
    assert when(host("a"), identities_from=at(3)) == 3
    assert when(host("a", booked(4, 2, 5)), identities_from=at(1)) == 5
    assert when(host("a"), identities_from=None) is None


def test_a_promise_without_an_end_never_makes_room() -> None:
    forever = Booking(at(0), datetime.max.replace(tzinfo=UTC), Amounts(1, 4))
    assert when(host("a", forever)) is None


def test_nothing_is_said_of_the_time_of_which_nothing_is_known() -> None:
    room = EndpointRoom("vc", (host("a", booked(4, 0, 3)),), (store("ds1"),))
    need = Need(Amounts(1, 2, 1), NOW, at(2))
    assert earliest(need, [room], NOW, known=at(4.9)) is None
    assert earliest(need, [room], NOW, known=at(5)) == at(3)
    assert earliest(need, [room], NOW, known=at(2)) is None


def test_whether_it_would_ever_fit() -> None:
    def ever_on(*hosts: HostRoom) -> bool:
        return ever(Need(Amounts(1, 3, 1), NOW, at(2)), [EndpointRoom("vc", hosts, (store("ds1"),))])

    assert ever_on(host("a", Booking(at(0), datetime.max.replace(tzinfo=UTC), Amounts(1, 4))))
    assert not ever_on(host("a", memory_mb=2), host("b", rests="rests"))


bookings = st.lists(
    st.builds(
        lambda starts, length, memory_mb, disk_gb: booked(memory_mb, starts, starts + length, disk_gb),
        st.integers(-3, 12), st.integers(1, 6), st.integers(0, 4), st.integers(0, 4),
    ),
    max_size=5,
)  # fmt: skip


@given(
    st.lists(bookings, min_size=1, max_size=3), st.lists(bookings, min_size=1, max_size=2),
    st.integers(1, 5), st.integers(1, 5), st.integers(0, 8),
)  # fmt: skip
def test_it_fits_then_and_at_no_earlier_end_of_a_promise(
    on_hosts: list[list[Booking]], on_stores: list[list[Booking]], memory_mb: int, hours: int, identity_in: int
) -> None:
    rooms = EndpointRoom(
        "vc",
        tuple(host(f"esx{n}", *promised) for n, promised in enumerate(on_hosts)),
        tuple(store(f"ds{n + 1}", *promised) for n, promised in enumerate(on_stores)),
    )
    need = Need(Amounts(1, memory_mb, 2), NOW, at(hours))

    def fits(moment: datetime) -> bool:
        there = replace(need, starts=moment, ends=moment + timedelta(hours=hours))
        return isinstance(choose(there, [rooms], int(moment >= at(identity_in))), Choice)

    found = earliest(need, [rooms], at(identity_in))
    ends = {booking.ends for promised in (*on_hosts, *on_stores) for booking in promised}
    moments = sorted(moment for moment in {NOW, at(identity_in), *ends} if moment >= NOW)
    assert found == next(filter(fits, moments), None)


@given(st.lists(st.lists(st.tuples(st.integers(-3, 12), st.integers(1, 6)), max_size=5), max_size=3), st.integers(1, 5))
def test_of_lab_machines_too(taken: list[list[tuple[int, int]]], hours: int) -> None:
    machines = [
        MachineRoom("labs", f"lab{n}", promises=tuple(Promise(at(s), at(s + length), "r") for s, length in promised))
        for n, promised in enumerate(taken)
    ]

    def fits(moment: datetime) -> bool:
        return isinstance(choose_machine(moment, moment + timedelta(hours=hours), machines), MachineRoom)

    ends = {promise.ends for machine in machines for promise in machine.promises}
    moments = sorted(moment for moment in {NOW, *ends} if moment >= NOW)
    assert earliest_machine(NOW, at(hours), machines) == next(filter(fits, moments), None)


def test_of_a_lab_machine_that_is_held_beyond_its_time_nobody_can_tell() -> None:
    def free(ends: float, *lacks: str) -> datetime | None:
        return earliest_machine(NOW, at(1), [MachineRoom("labs", "a", lacks, held=Promise(at(-1), at(ends), "r1"))])

    assert free(2) == at(2)
    assert free(0) is None
    assert free(2, "is in maintenance") is None
