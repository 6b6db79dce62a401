"""Throw-away computers of captures: where they are taken, what they claim, and that all is given back."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.store.lab import NOW, OLGA, RULES, inventory
from vclab.model.catalog import Endpoint, IdentityPool, Image
from vclab.model.errors import Fenced, Refused
from vclab.model.ids import new_id
from vclab.model.inventory import Amounts, HostFacts, Inventory
from vclab.model.messages import Capture as Wanted
from vclab.model.messages import capture_workflow
from vclab.model.plans import Access, Becomes, Facts, StepInput, Target
from vclab.model.reservations import Placed, ReserveRequest
from vclab.model.revisions import CopyState, Hardware
from vclab.model.states import ComputerState, Ending
from vclab.store import (
    Store,
    background_loads,
    captures,
    catalog,
    claims,
    computers,
    load_log,
    needs_help,
    placement,
    repositories,
    reservations,
    revisions,
    targets,
    tenures,
    throw_aways,
    verification,
)
from vclab.store.models import Claim, Reservation
from vclab.store.repositories import RepositoryFacts

CLAIMED = sa.select(Claim.pool, sa.func.sum(Claim.disk_gb), sa.func.sum(Claim.cpus)).where(~Claim.released)


class Captured:
    """A virtual machine that is captured."""

    def __init__(self, store: Store, hosts: int = 2) -> None:
        self.store, self.said = store, (inventory(hosts=hosts),)
        request = ReserveRequest(new_id(), "alice", "debian-12", 3600, imaging=True)
        placed = store.run(lambda s: placement.place(s, request, OLGA, self.said, RULES, NOW))
        assert isinstance(placed, Placed), placed
        self.id, self.source = placed.reservation, placed.target
        store.run(lambda s: reservations.ready(s, self.id, Facts(), NOW))
        store.run(lambda s: reservations.handed_out(s, self.id, NOW))
        self.becomes = self.begin(Wanted(new_id(), "hello"))

    def begin(self, wanted: Wanted) -> Becomes:
        return self.store.run(lambda s: captures.begin(s, self.id, wanted, OLGA, NOW))

    def take(self, isolated: bool) -> Target:
        def take(session: Session) -> Target | None:
            return throw_aways.take(session, self.becomes, isolated, self.said, RULES, NOW)

        taken = self.store.run(take)
        assert taken is not None
        return taken

    def leave(self, why: str = "") -> None:
        self.store.run(lambda s: throw_aways.leave(s, self.becomes, why, NOW))

    def claimed(self) -> dict[str, tuple[int, int]]:
        """GiB and CPUs by pool, of the capture."""
        holders = capture_workflow(self.becomes.capture), captures.holder_of_room(self.becomes.capture)
        with self.store.read() as session:
            rows = session.execute(CLAIMED.where(Claim.holder.in_(holders)).group_by(Claim.pool))
            return {str(pool).partition("/")[2]: (disk, cpus) for pool, disk, cpus in rows}

    def held(self, target: Target) -> bool:
        with self.store.read() as session:
            return tenures.held(session, target.computer, target.generation)


def test_one_to_seal_has_the_macs_of_its_source_and_is_alone(lab: Store) -> None:
    made = Captured(lab)
    assert made.claimed() == {"datastore/ds1": (8, 0)}, "room for two copies"
    target = made.take(isolated=True)
    assert made.take(isolated=True) == target, "the same again"
    assert (target.private_mac, target.public_mac) == (made.source.private_mac, made.source.public_mac)
    assert (target.isolated, target.member, target.copy, target.dedicated) == (True, 1, "", False)
    assert (target.image, target.revision) == ("debian-12", 1)
    assert target.computer != made.source.computer and target.host != made.source.host
    assert made.claimed() == {"datastore/ds1": (12, 0), f"host/{target.host}": (0, 1)}
    with lab.read() as session:
        verification.check_target(session, target)
        with pytest.raises(Fenced):
            verification.check_target(session, replace(target, isolated=False))


def test_one_to_try_is_another_computer_with_another_controller(lab: Store) -> None:
    made = Captured(lab)
    sealing = made.take(isolated=True)
    for _ in range(2):
        made.leave()
    assert not made.held(sealing) and made.claimed() == {"datastore/ds1": (8, 0)}
    target = made.take(isolated=False)
    assert made.held(target)
    assert (target.isolated, target.image, target.revision, target.hardware.controller) == (False, "hello", 1, "ahci")
    assert not {target.private_mac, target.public_mac} & {made.source.private_mac, made.source.public_mac}


def test_with_one_host_it_is_that_of_its_source(lab: Store) -> None:
    made = Captured(lab, hosts=1)
    assert made.take(isolated=True).host == made.source.host


def test_none_can_be_had(lab: Store) -> None:
    made = Captured(lab)
    made.said = (inventory(hosts=0),)
    with pytest.raises(Refused, match="no computer to throw away can be had now"):
        made.take(isolated=True)
    made.said = (replace(inventory(), error="it does not answer"),)
    with pytest.raises(Refused, match="it does not answer"):
        made.take(isolated=True)
    lab.run(lambda s: catalog.put_pool(s, IdentityPool("vm", 1)))


def test_what_is_given_up_or_lost_gives_all_back(lab: Store) -> None:
    made = Captured(lab)
    target = made.take(isolated=True)
    made.leave("it does not go away")
    with lab.read() as session:
        (found,) = [each for each in catalog.computers(session) if each.name == target.computer]
        assert "it does not go away" in found.why_out_of_service
    lab.run(lambda s: captures.given_up(s, made.becomes, "an operator gave it up", NOW))
    assert made.claimed() == {}
    with lab.read() as session:
        assert captures.running_of(session, made.id) == ""
        with pytest.raises(Fenced):
            captures.check(session, made.becomes)
        view = reservations.view(session, made.id)
    assert view is not None and view.becomes == ""


def test_a_step_is_given_what_is_recorded(lab: Store) -> None:
    made = Captured(lab)
    assert made.becomes.access == Access("alice", 2001)
    with lab.read() as session:
        captures.check(session, made.becomes)
        for forged in (replace(made.becomes, image="debian-12"), replace(made.becomes, access=Access("root", 0))):
            with pytest.raises(Fenced):
                captures.check(session, forged)


def test_there_must_be_room_for_two_copies(lab: Store) -> None:
    made = Captured(lab)
    lab.run(lambda s: captures.given_up(s, made.becomes, "to begin anew", NOW))
    room = {claims.datastore_pool("lab-vcenter", "ds1"): Amounts(disk_gb=190)}
    lab.run(lambda s: claims.claim_pools(s, "others", NOW, NOW + captures.LONGEST, room))
    with pytest.raises(Refused, match="lab-vcenter/datastore/ds1 has no room"):
        made.begin(Wanted(new_id(), "other"))


def test_help_that_a_capture_needs_outlasts_its_reservation(lab: Store) -> None:
    """From when it is taken; before that the capture ends with it."""
    made = Captured(lab)
    lab.run(lambda s: captures.taken(s, made.becomes, Facts(raw_sha256="aa"), NOW))
    lab.run(lambda s: needs_help.begin(s, made.source, 7200, "it does not boot", NOW))
    lab.run(lambda s: reservations.ended(s, made.id, Ending.RELEASED, "", NOW))
    with lab.read() as session:
        view = reservations.view(session, made.id)
    assert view is not None and view.help_until == NOW + timedelta(seconds=7200)
    lab.run(lambda s: needs_help.resolved(s, made.id, OLGA, "retry", RULES, NOW, beside=True))
    with lab.read() as session:
        view = reservations.view(session, made.id)
    assert view is not None and view.help_since is None


# --- where computers are lent -------------------------------------------------------------------------------------


class Metal(Captured):
    """A computer of a group of these is captured: m1."""

    IMAGE = Image("os", "An OS", 1, "fake-metal", "fake", 1, 1024, 8)

    def __init__(self, store: Store, *names: str) -> None:
        def fill(session: Session) -> None:
            catalog.put_image(session, self.IMAGE)
            catalog.put_endpoint(session, Endpoint("room", self.IMAGE.module, "", "", "", ""))
            for number, name in enumerate(names, 1):
                catalog.put_lab_computer(session, name, endpoint="room", address=f"10.77.0.{number}")

        store.run(fill)
        self.store, self.said = store, (Inventory("room", NOW, tuple(HostFacts(name, 0, 0) for name in names)),)
        self.id = self.reserve()
        with store.read() as session:
            self.source = targets.of(session.get_one(Reservation, self.id))
        store.run(lambda s: reservations.ready(s, self.id, Facts(), NOW))
        store.run(lambda s: reservations.handed_out(s, self.id, NOW))
        self.becomes = self.begin(Wanted(new_id(), "hello"))

    def reserve(self, start: datetime | None = None, hours: float = 1) -> str:
        request = ReserveRequest(new_id(), "alice", "os", hours * 3600, start=start, imaging=True)
        placed = self.store.run(lambda s: placement.place(s, request, OLGA, self.said, RULES, NOW))
        assert isinstance(placed, Placed), placed
        return placed.reservation

    def loaded(self, computer: str, image: str, part: str = "") -> None:
        target = replace(self.source, computer=computer, image=image)
        given = StepInput("fake-metal.deploy", "Write the image", target, Facts(), part=part)
        self.store.run(lambda s: load_log.started(s, given, 1, NOW))

    def why_not(self) -> str:
        """Why none can be had; and that nothing has changed by asking."""
        before = self.claims()
        why = self.store.run(lambda s: throw_aways.why_not(s, self.becomes, True, self.said, RULES, NOW))
        assert self.claims() == before
        return why

    def claims(self) -> list[tuple[str, str]]:
        with self.store.read() as session:
            rows = session.execute(sa.select(Claim.computer, Claim.holder).where(~Claim.released).order_by(Claim.id))
            return [(str(computer), holder) for computer, holder in rows]


def test_a_lent_one_is_another_of_the_group_with_macs_of_its_own(lab: Store) -> None:
    made = Metal(lab, "m1", "m2")
    target = made.take(isolated=True)
    assert made.take(isolated=True) == target, "the same again"
    assert (made.source.computer, target.computer, target.host) == ("m1", "m2", "m2")
    assert (target.isolated, target.member, target.image, target.revision) == (True, 1, "os", 1)
    assert target.instance_uuid != made.source.instance_uuid
    assert made.claims()[1:] == [("m2", captures.holder_of_room(made.becomes.capture))]
    with lab.read() as session:
        verification.check_target(session, target)
        assert catalog.computer(session, "m2").holder == capture_workflow(made.becomes.capture)
    made.leave()
    tried = made.take(isolated=False)
    assert (tried.computer, tried.generation, tried.isolated) == ("m2", target.generation + 1, False)
    assert (tried.image, tried.revision, tried.hardware) == ("hello", 1, Hardware())


def test_what_it_held_is_unknown_afterwards(lab: Store) -> None:
    """It is loaded anew in the background, with what it was loaded with before it was thrown away."""
    made = Metal(lab, "m1", "m2")
    made.loaded("m2", "os")
    made.loaded("m2", "hello", f"{made.becomes.capture}/try")
    made.take(isolated=True)
    made.leave()
    with lab.read() as session:
        assert background_loads.due(session, ["fake-metal"]) == ["m2"]
    with lab.read() as session:
        found = catalog.computer(session, "m2")
        assert (found.state, found.image, found.holder) == (ComputerState.AVAILABLE, "", "")
    assert len(made.claims()) == 1


def test_none_that_is_held_promised_or_out_of_service(lab: Store) -> None:
    """It is told of each why. The source is never among them, also when it is nobody's by now."""
    made = Metal(lab, "m1", "m2", "m3", "m4")
    lab.run(lambda s: catalog.set_computer(s, "m3", ComputerState.MAINTENANCE, why="its fan is broken"))
    later = made.reserve(NOW + timedelta(minutes=30))
    held = made.reserve(hours=4)
    lab.run(lambda s: computers.give_back(s, made.source, "", NOW))
    lab.run(lambda s: claims.release(s, made.id, NOW))
    why = made.why_not()
    assert why.startswith("no other computer of room is free (room/m2: ")
    assert "room/m3: is out of service: its fan is broken" in why
    assert f"is promised to {later} until" in why and f"is held by {held}" in why
    assert "m1" not in why
    with pytest.raises(throw_aways.NoneFree):
        made.take(isolated=True)
    lab.run(lambda s: catalog.set_computer(s, "m3", ComputerState.AVAILABLE))
    assert made.why_not() == ""
    assert made.take(isolated=True).computer == "m3"


def test_a_group_of_one(lab: Store) -> None:
    assert Metal(lab, "m1").why_not() == "there is no other lab machine at room"


class Streamed(Metal):
    """The same, of a module that reads images from a repository."""

    IMAGE = replace(Metal.IMAGE, module="bare-metal", guest="linux")


def test_what_is_captured_into_a_repository_is_recorded_there(lab: Store) -> None:
    """The revision is as large as the disk; the record that the repository gets says the same as the database."""
    facts = Facts(disk_sha256="ab" * 32, disk_size=480_103_981_056, copy="/srv/images")
    lab.run(lambda s: repositories.put(s, RepositoryFacts("images", "default", "/srv/images"), NOW))
    made = Streamed(lab, "m1", "m2")
    with lab.read() as session:
        record = captures.record(session, made.becomes)
    assert (record.image, record.revision, record.module, record.sha256) == ("hello", 1, "bare-metal", "")
    lab.run(lambda s: captures.done(s, made.becomes, facts, timedelta(days=30), NOW))
    with lab.read() as session:
        assert repositories.contents(session, "images") == {("hello", 1): CopyState.USABLE}
        assert repositories.folders_with(session, "hello", 1, "default") == ["/srv/images"]
        kept, found = catalog.revision(session, "hello", 1), revisions.one(session, "hello", 1)
    assert kept.disk_gb == 448
    assert kept.record(replace(found.origin, sha256="", size=0)) == record
