"""Failed loads: hosts that rest, revisions under suspicion, lab machines that need their owner."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

from tests.store.lab import HOUR, NOW, OLGA, RULES, inventory, must_reserve, reserve
from tests.targets import target_of
from vclab.model.health import BY_CHECK
from vclab.model.ids import new_id
from vclab.model.inventory import HostFacts, Inventory
from vclab.model.plans import Facts
from vclab.model.reservations import Placed, Refusal, ReserveRequest
from vclab.model.rules import Health
from vclab.model.states import ComputerState, Ending
from vclab.store import (
    Store,
    catalog,
    failures,
    host_rests,
    placement,
    relocation,
    reservations,
    tenures,
)
from vclab.store.models import HostRest, LoadFailure

ESX1, ESX2 = ("lab-vcenter", "esx1"), ("lab-vcenter", "esx2")
MINUTE = timedelta(minutes=1)
TARGET = target_of(installation="test", reservation="r1", endpoint="lab-vcenter", image="debian-12")


def fail(
    store: Store, image: str = "debian-12", host: str = "esx1", step: str = "vsphere.power_on", at: datetime = NOW
) -> None:
    """A load of the image fails on the host."""
    target = replace(TARGET, reservation=f"{image}-{host}", image=image, host=host)
    store.run(lambda s: failures.note(s, target, step, "no power", step.startswith("linux."), at))


def resting(store: Store) -> list[tuple[str, str]]:
    with store.read() as session:
        return sorted(host_rests.resting(session))


def suspects(store: Store) -> list[tuple[str, int]]:
    with store.read() as session:
        return [(each.image, each.revision) for each in failures.suspects(session)]


def well(store: Store, host: str = "esx1", image: str = "debian-12") -> None:
    """A load ends well there."""
    store.run(lambda s: failures.loaded_well(s, "lab-vcenter", host, image, 1, NOW))


def test_a_host_rests_after_three_different_images_in_a_row(lab: Store) -> None:
    for n in range(5):  # one image alone says nothing about the host
        fail(lab, at=NOW + n * MINUTE)
    fail(lab, "big")
    assert resting(lab) == []
    fail(lab, "third")
    assert resting(lab) == [ESX1]


def test_the_same_failure_noted_twice_counts_once(lab: Store) -> None:
    for _ in range(3):
        fail(lab)
    with lab.read() as session:
        assert session.query(LoadFailure).count() == 1


def test_a_good_load_in_between_begins_the_count_anew(lab: Store) -> None:
    fail(lab)
    fail(lab, "big")
    well(lab)
    fail(lab, "third")
    assert resting(lab) == []
    fail(lab, "debian-12", at=NOW + MINUTE)
    fail(lab, "big", at=NOW + MINUTE)
    assert resting(lab) == [ESX1]


def test_a_good_load_elsewhere_does_not(lab: Store) -> None:
    fail(lab)
    fail(lab, "big")
    well(lab, "esx2")
    fail(lab, "third")
    assert resting(lab) == [ESX1]


def test_a_resting_host_is_passed_over_and_named_with_the_reason_in_the_users_zone(lab: Store) -> None:
    for name in ("debian-12", "big", "third"):
        fail(lab, name)
    assert must_reserve(lab).target.host == "esx2"
    must_reserve(lab)
    outcome = reserve(lab, image="big")
    assert isinstance(outcome, Refusal)
    text = next(candidate for candidate in outcome.candidates if candidate.name.endswith("esx1")).lacks[0]
    assert text.startswith("rests since 2026-08-01 12:00 CEST: 3 loads of 3 different images failed on it in a row")
    assert "last third of third-esx1 at vsphere.power_on: no power" in text
    assert text.endswith("it is checked at 2026-08-01 12:10 CEST")


def test_a_check_brings_a_host_back_and_in_vain_comes_later_each_time(lab: Store) -> None:
    for name in ("debian-12", "big", "third"):
        fail(lab, name)
    health = Health(check_after=600, check_longest=1500)
    with lab.read() as session:
        assert host_rests.due(session, NOW + 9 * MINUTE) == []
        (rest,) = host_rests.due(session, NOW + 10 * MINUTE)
    pauses = []
    for _ in range(2):
        assert rest.next_check is not None
        at = rest.next_check
        lab.run(lambda s, at=at: host_rests.checked(s, *ESX1, "in maintenance", health, at))  # type: ignore[misc]
        with lab.read() as session:
            rest = host_rests.resting(session)[ESX1]
        assert rest.next_check is not None
        pauses.append((rest.next_check - at).total_seconds())
    assert (pauses, rest.checks, rest.last_check) == ([1200, 1500], 2, "in maintenance")
    assert lab.run(lambda s: failures.wake(s, *ESX1, BY_CHECK, NOW + HOUR))
    assert resting(lab) == []
    fail(lab, at=NOW + HOUR)
    assert resting(lab) == []  # what failed before does not count any more


def test_a_host_that_a_check_brought_back_in_vain_is_checked_later_and_later(lab: Store) -> None:
    def next_pause(at: datetime) -> float:
        for name in ("debian-12", "big", "third"):
            fail(lab, name, at=at)
        with lab.read() as session:
            rest = host_rests.resting(session)[ESX1]
        assert rest.next_check is not None
        lab.run(lambda s: failures.wake(s, *ESX1, BY_CHECK, at))
        return (rest.next_check - at).total_seconds()

    assert [next_pause(NOW + n * HOUR) for n in range(3)] == [600, 1200, 2400]
    well(lab)
    assert next_pause(NOW + 4 * HOUR) == 600


def test_a_load_that_ends_well_wakes_a_host_but_not_one_that_an_operator_let_rest(lab: Store) -> None:
    for name in ("debian-12", "big", "third"):
        fail(lab, name)
    well(lab)
    assert resting(lab) == []
    lab.run(lambda s: host_rests.order(s, *ESX1, "new memory", "olga", NOW))
    well(lab)
    assert resting(lab) == [ESX1]
    with lab.read() as session:
        assert host_rests.due(session, NOW + 9999 * HOUR) == []
    assert lab.run(lambda s: failures.wake(s, *ESX1, "olga", NOW))
    assert not lab.run(lambda s: failures.wake(s, *ESX1, "olga", NOW))


def test_for_later_only_the_hosts_count_that_nothing_brings_back_by_itself(lab: Store) -> None:
    def later() -> str:
        request = ReserveRequest(new_id(), "alice", "big", 3600, start=NOW + 24 * HOUR)
        outcome = lab.run(lambda s: placement.place(s, request, OLGA, [inventory(hosts=1)], RULES, NOW))
        return outcome.text() if isinstance(outcome, Refusal) else outcome.target.host

    for name in ("debian-12", "big", "third"):
        fail(lab, name)
    assert later() == "esx1"
    lab.run(lambda s: host_rests.order(s, *ESX1, "new memory", "olga", NOW))
    assert "by order of olga: new memory" in later()


def test_an_operator_takes_over_a_rest(lab: Store) -> None:
    for name in ("debian-12", "big", "third"):
        fail(lab, name)
    lab.run(lambda s: host_rests.order(s, *ESX1, "new memory", "olga", NOW))
    with lab.read() as session:
        assert session.query(HostRest).count() == 1
        assert "by order of olga: new memory; `vclab host wake`" in host_rests.resting(session)[ESX1].text(str)


def test_a_revision_that_fails_inside_in_two_places_is_suspect_and_no_host_is_blamed(lab: Store) -> None:
    fail(lab, step="linux.post_load")
    fail(lab, step="linux.post_load", at=NOW + MINUTE)
    assert suspects(lab) == []  # twice in one place: it may be the place
    fail(lab, host="esx2", step="linux.wait_ssh")
    assert suspects(lab) == [("debian-12", 1)]
    fail(lab, "big")
    fail(lab, "third")
    assert resting(lab) == []
    with lab.read() as session:
        suspect = failures.suspect(session, "debian-12", 1)
        assert suspect is not None
        assert suspect.text().startswith("revision 1 of debian-12 is suspect: its last loads failed inside")
        assert "on esx1, esx2" in suspect.text()


def test_two_failures_at_the_same_moment_count_each_other(lab: Store) -> None:
    with ThreadPoolExecutor() as pool:
        for host in ("esx1", "esx2"):
            pool.submit(fail, lab, host=host, step="linux.post_load")
    assert suspects(lab) == [("debian-12", 1)]
    with lab.read() as session:
        assert [row.against_host for row in session.query(LoadFailure)] == [False, False]
    must_reserve(lab)  # so that the host has a pool, whose row they wait for
    with ThreadPoolExecutor() as pool:
        for name in ("a", "b", "c"):
            pool.submit(fail, lab, name)
    assert resting(lab) == [ESX1]


def test_a_host_that_rests_because_of_a_revision_comes_back_when_that_is_found_out(lab: Store) -> None:
    fail(lab, "big")
    fail(lab, "third")
    fail(lab, step="linux.wait_ssh")
    assert resting(lab) == [ESX1]  # of a host with a broken network all images fail inside
    fail(lab, host="esx2", step="linux.wait_ssh")
    assert (resting(lab), suspects(lab)) == ([], [("debian-12", 1)])


def test_a_good_load_clears_a_revision_and_an_operator_can(lab: Store) -> None:
    for at in (NOW, NOW + HOUR):
        for host in ("esx1", "esx2"):
            fail(lab, host=host, step="linux.post_load", at=at)
        assert suspects(lab) == [("debian-12", 1)]
        if at == NOW:
            well(lab, "esx3")
        else:
            assert lab.run(lambda s: failures.trust(s, "debian-12", 1))
        assert suspects(lab) == []
    assert not lab.run(lambda s: failures.trust(s, "debian-12", 1))


def test_outside_of_the_guest_no_revision_is_blamed(lab: Store) -> None:
    for host in ("esx1", "esx2", "esx3"):
        fail(lab, host=host)
    assert suspects(lab) == []


def test_what_failed_because_the_endpoint_was_away_speaks_against_nobody(lab: Store) -> None:
    away = Inventory("lab-vcenter", NOW, error="it does not answer")
    for name in ("debian-12", "big", "third"):
        fail(lab, name)
    placed = must_reserve(lab)  # on the other host
    assert (placed.target.host, resting(lab)) == ("esx2", [ESX1])
    for number, step in enumerate(("vsphere.copy_disk", "vsphere.find_address")):
        fail(lab, f"other{number}", "esx2")
        at = NOW + number * MINUTE
        lab.run(lambda s, step=step, at=at: failures.note(s, placed.target, step, "away", True, at))  # type: ignore[misc]
    assert resting(lab) == [ESX1, ESX2]
    assert isinstance(lab.run(lambda s: relocation.find(s, placed.target, [away], RULES, NOW)), Refusal)
    assert resting(lab) == [ESX1]  # it does not rest for that
    with lab.read() as session:
        rows = session.query(LoadFailure).filter_by(reservation=placed.reservation).all()
        assert {(row.against_host, row.against_revision) for row in rows} == {(False, False)}


def test_ready_is_a_good_load(lab: Store) -> None:
    fail(lab)
    fail(lab, "big")
    placed = must_reserve(lab)
    lab.run(lambda s: reservations.ready(s, placed.reservation, Facts(), NOW))
    fail(lab, "third")
    assert resting(lab) == []


# --- lab machines -------------------------------------------------------------------------------------------------


def lend(lab_machines: Store) -> Placed:
    """A lab machine, given away."""
    heard = Inventory("labs", NOW, (HostFacts("lab01", 0, 0), HostFacts("lab02", 0, 0)))
    outcome = reserve(lab_machines, image="lab-debian", inventories=(heard,))
    assert isinstance(outcome, Placed), outcome
    return outcome


def failed_and_back(lab_machines: Store, step: str, nobody: bool = False) -> tuple[ComputerState, str]:
    """The state of a lab machine that is given back, clean, after its load failed, and why it is out of service."""
    placed = lend(lab_machines)
    target = placed.target
    lab_machines.run(
        lambda s: failures.note(
            s, target, step, "no answer", not nobody and step.startswith("linux."), NOW, None, nobody
        )
    )
    lab_machines.run(lambda s: reservations.ended(s, placed.reservation, Ending.FAILED, "", NOW))
    lab_machines.run(lambda s: reservations.finished(s, placed.reservation, NOW))
    with lab_machines.read() as session:
        computer = catalog.computer(session, target.computer)
        assert tenures.current(session, target.computer) is None
        return computer.state, computer.why_out_of_service


def test_a_lab_machine_whose_load_failed_goes_into_maintenance(lab_machines: Store) -> None:
    state, why = failed_and_back(lab_machines, "standalone.check")
    assert state is ComputerState.MAINTENANCE
    assert why.endswith(": its load failed at standalone.check: no answer")


def test_one_at_which_somebody_sits_does_not(lab_machines: Store) -> None:
    assert failed_and_back(lab_machines, "linux.check_free", nobody=True) == (ComputerState.AVAILABLE, "")


def test_no_lab_machine_is_marked_for_a_suspect_revision(lab_machines: Store) -> None:
    assert failed_and_back(lab_machines, "linux.prepare")[0] is ComputerState.MAINTENANCE
    assert failed_and_back(lab_machines, "linux.prepare") == (ComputerState.AVAILABLE, "")
    with lab_machines.read() as session:
        assert {catalog.computer(session, name).state for name in ("lab01", "lab02")} == {ComputerState.AVAILABLE}


def test_a_lab_machine_that_was_mended_and_loaded_after_all_is_given_back(lab_machines: Store) -> None:
    placed = lend(lab_machines)
    lab_machines.run(lambda s: failures.note(s, placed.target, "linux.prepare", "no space", True, NOW))
    lab_machines.run(lambda s: reservations.ready(s, placed.reservation, Facts(), NOW + MINUTE))
    lab_machines.run(lambda s: reservations.ended(s, placed.reservation, Ending.RELEASED, "", NOW + HOUR))
    lab_machines.run(lambda s: reservations.finished(s, placed.reservation, NOW + HOUR))
    with lab_machines.read() as session:
        assert catalog.computer(session, placed.target.computer).state is ComputerState.AVAILABLE
