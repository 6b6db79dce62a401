"""In use: addresses that come and go, machines that are off or can't be looked at, waits that change."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.workflows.conftest import Life
from vclab.model import ids
from vclab.model.errors import Refused, Unreachable
from vclab.model.messages import Acknowledge, Extend, Reboot
from vclab.model.plans import Whereabouts
from vclab.store import audit

OFFICE, HOME, TRAIN = "203.0.113.101", "198.51.100.0/28", "2001:db8::7"


def noted(life: Life, what: str) -> list[str]:
    """The details of all audit events of this kind."""
    with life.store.read() as session:
        return [event.detail for event in audit.events(session, life.id) if event.what == what]


async def connect(life: Life, address: str, lets_in: tuple[str, ...]) -> None:
    """Press Connect, and wait until the computer lets in just these."""
    await life.reservations.acknowledge(life.id, Acknowledge(address))
    await life.when(lambda: life.world.granted[-1:] == [lets_in])


async def test_an_older_address_leaves_when_it_has_no_open_session(life: Life) -> None:
    """Not before; the newest stays unused; a prefix covers the addresses within."""
    life.world.sessions = (OFFICE,)
    await life.in_use(hours=3)
    await connect(life, HOME, (OFFICE, HOME))
    await life.skip(minutes=11)
    assert life.world.granted[-1] == (OFFICE, HOME)
    life.world.sessions = ("198.51.100.3",)
    await life.skip(minutes=11)
    await life.when(lambda: life.world.granted[-1] == (HOME,))
    await connect(life, TRAIN, (HOME, TRAIN))
    await life.skip(minutes=11)
    view = await life.until("inuse")
    assert (view.remote_addresses, view.access_open, view.connected) == ((HOME, TRAIN), True, True)
    assert noted(life, "access narrowed") == [HOME]
    assert noted(life, "disconnected") == []


async def test_connect_again_makes_an_address_the_newest(life: Life) -> None:
    """So the other one leaves."""
    life.world.sessions = (OFFICE,)
    await life.in_use(hours=3)
    await connect(life, HOME, (OFFICE, HOME))
    await life.reservations.acknowledge(life.id, Acknowledge(OFFICE))
    await life.skip(minutes=11)
    await life.when(lambda: life.world.granted[-1] == (OFFICE,))
    assert (await life.until("inuse")).remote_addresses == (OFFICE,)


async def test_the_first_connection_narrows_the_firewall(life: Life) -> None:
    """To who is there, and who pressed Connect last."""
    life.world.sessions = ()
    await life.ready()
    await connect(life, OFFICE, (OFFICE,))
    await connect(life, TRAIN, (OFFICE, TRAIN))
    life.world.sessions = (TRAIN,)
    await life.skip(seconds=30)
    await life.until("inuse")
    await life.when(lambda: life.world.granted[-1] == (TRAIN,))


async def test_a_machine_that_its_user_shut_down_stays_off_until_reboot(life: Life) -> None:
    """It is told; nothing ends it but its end; a restart is by force at once."""
    await life.in_use(hours=4)
    life.world.look_error, life.world.whereabouts = Unreachable("no route"), Whereabouts(trouble="vm01 is off")
    await life.skip(minutes=6)
    await life.when(lambda: noted(life, "disconnected") == ["vm01 is off"])
    await life.skip(hours=2)
    status = await life.reservations.status(life.id)
    assert (status.word, status.reason) == (
        "In use",
        f"vm01 is off. If it is only off, `vclab reboot {life.id}` starts it",
    )
    await life.reservations.reboot(life.id, Reboot())
    await life.when(lambda: bool(noted(life, "rebooted")))
    assert "power_reset" in life.world.done
    assert "reboot" not in life.world.done
    await life.when(lambda: len(noted(life, "connected")) == 2)
    assert (await life.reservations.status(life.id)).reason == ""
    await life.skip(hours=2)
    assert (await life.until("complete")).ending == "EOR"


async def test_a_restart_does_not_wait_for_an_address_that_cannot_be_let_in(life: Life) -> None:
    """It may be what it takes."""
    await life.in_use()
    life.world.fail["grant_access"] = Unreachable("no route")
    await life.reservations.acknowledge(life.id, Acknowledge(HOME))
    await life.reservations.reboot(life.id, Reboot(hard=True))
    await life.when(lambda: bool(noted(life, "rebooted")))
    del life.world.fail["grant_access"]
    await life.skip(minutes=2)
    await life.when(lambda: life.world.granted[-1] == ("203.0.113.101", HOME))


async def test_who_is_away_from_a_machine_that_cannot_be_looked_at_is_not_timed_out(life: Life) -> None:
    """The time to come back begins anew when the machine is back."""
    await life.in_use(hours=4)
    life.world.connected = [False]
    await life.skip(seconds=310)
    await life.when(lambda: len(noted(life, "disconnected")) == 1)
    life.world.look_error = Unreachable("no route to host")
    await life.skip(hours=2)
    status = await life.reservations.status(life.id)
    assert "the computer can't be looked at" in status.reason
    life.world.look_error = None
    await life.skip(minutes=10)
    status = await life.reservations.status(life.id)
    assert (status.waits_for, status.reason) == ("the user to come back", "")
    await life.skip(minutes=11)
    assert (await life.until("complete")).ending == "timeout"


async def test_extended_beyond_a_day_it_is_not_timed_out(life: Life) -> None:
    """What counts is the length as it is now (VCL: end - start), also when the user is away already."""
    await life.reserve(23, operator=True)
    await life.until("reserved")
    life.world.connected = [True, False]
    await life.reservations.acknowledge(life.id, Acknowledge(OFFICE))
    view = await life.until("inuse")
    await life.skip(seconds=310)
    await life.when(lambda: len(noted(life, "disconnected")) == 1)
    await life.operator.extend(life.id, Extend(view.end + timedelta(hours=1)))
    await life.skip(minutes=30)
    assert (await life.until("inuse")).ending is None
    assert (await life.reservations.status(life.id)).then == ""


@pytest.mark.parametrize(
    "life", [{"affiliations": {"local": {"waits": {"acknowledge": 60}, "limits": {"first": 1800}}}}], indirect=True
)
async def test_an_affiliation_with_waits_and_limits_of_its_own(life: Life) -> None:
    """alice belongs to it."""
    with pytest.raises(Refused, match="at most 30 min at first"):
        await life.reserve(1)
    life.id = ids.new_id()
    await life.ready(0.5)
    await life.skip(seconds=70)
    assert (await life.until("complete")).ending == "noack"


async def test_a_wait_is_read_when_it_begins(life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the settings were when the reservation began."""
    file = tmp_path / "vclab.toml"
    file.write_text("")
    await life.ready(3)
    file.write_text("[waits]\nfirst_connection = 7200")
    monkeypatch.setenv("VCLAB_CONFIG", str(file))
    await life.reservations.acknowledge(life.id, Acknowledge(OFFICE))
    await life.skip(minutes=20)
    await life.until("reserved")
    file.write_text("[waits]\ninuse_look = 60\nreconnect = 120\nnotices = [7200]")
    life.world.connected = [True]
    await life.skip(seconds=30)
    await life.until("inuse")
    await life.skip(minutes=45)
    await life.when(lambda: len(life.world.notices) == 1)
    life.world.connected = [False]
    await life.skip(minutes=4)
    assert (await life.until("complete")).ending == "timeout"
