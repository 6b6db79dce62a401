"""Throw-away computers of captures: where they are taken, what they claim, and that all is given back."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.store.lab import NOW, OLGA, RULES, inventory
from vclab.model.catalog import IdentityPool
from vclab.model.errors import Fenced, Refused
from vclab.model.ids import new_id
from vclab.model.inventory import Amounts
from vclab.model.messages import Capture as Wanted
from vclab.model.messages import capture_workflow
from vclab.model.plans import Access, Becomes, Facts, Target
from vclab.model.reservations import Placed, ReserveRequest
from vclab.model.states import Ending
from vclab.store import (
    Store,
    captures,
    catalog,
    claims,
    needs_help,
    placement,
    reservations,
    tenures,
    throw_aways,
    verification,
)
from vclab.store.models import Claim

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
