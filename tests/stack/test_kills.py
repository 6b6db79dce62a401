"""SIGKILL at every moment of a reservation's life: it goes on, nothing is made twice, the user keeps the machine."""

import json
import time
from collections.abc import Iterator, Sequence

import pytest

from tests.labfixture import eventually
from tests.stack.conftest import DEDICATED, LONG, STEPS, Session, Stack, marks

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

TASKS = {"vsphere.create_vm": "CreateVm", "vsphere.power_on": "PowerOn"}
"""Steps that wait for a task of vCenter: they are cut off while it runs, and it goes on without them."""


@pytest.fixture
def user_at_work(stack: Stack) -> Iterator[Session]:
    """Alice works on a machine of hers, whatever is killed."""
    made = stack.reserve("--wait")
    session = Session(stack, made["id"])
    stack.is_in(made["id"], "inuse")
    yield session
    session.goes_on()
    assert stack.show(made["id"])["state"] == "inuse"
    session.close()


def only_one(stack: Stack, reservation: str) -> None:
    """One machine with one disk and one definition, and vCenter never made another one."""
    (machine,) = stack.machines_of(reservation)
    assert stack.created(reservation) == 1
    found = marks(machine)
    assert machine.name == f"{found['computer']}-{reservation}-g{found['generation']}"
    disks = [
        path
        for path in stack.files_of(reservation)
        if path.suffix == ".vmdk" and not path.stem.endswith(("-flat", "-delta"))
    ]
    assert [path.name for path in disks] == [f"{machine.name}.vmdk"]
    assert len([path for path in stack.files_of(reservation) if path.suffix == ".vmx"]) == 1


def cut_off(stack: Stack, reservation: str, step: str) -> bool:
    """True if an attempt of the step never told its end, and another one had to do it."""
    query = "SELECT outcome FROM load_log WHERE reservation = ? AND name = ? ORDER BY attempt"
    outcomes = stack.column(query, reservation, step)
    return "" in outcomes[:-1] and outcomes[-1] == "done"


def load_killed_in(stack: Stack, steps: Sequence[str], at_work: Session) -> str:
    """A reservation that became ready though its worker was killed in each of these steps."""
    client, r = stack.reserve_in_background()
    for step in steps:
        stack.in_step(r, step)
        if step in TASKS:
            time.sleep(0.8)  # its task runs by now
        eventually(lambda: stack.state.parts["worker"].pid)
        stack.kill("worker")
        at_work.goes_on()
    out, err = client.communicate(timeout=LONG)
    assert client.returncode == 0 and "Traceback" not in err, err
    assert json.loads(out)["state"] == "reserved"
    return r


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(("vsphere.create_vm", "linux.post_load"), id="two-steps", marks=pytest.mark.long),
        pytest.param(STEPS, id="every-step", marks=pytest.mark.long),
    ],
)
def test_the_worker_is_killed_in_each_step_and_phase(stack: Stack, user_at_work: Session, steps: Sequence[str]) -> None:
    # Two more reservations are there all the time: one waits for Connect, one for the first connection.
    idle, opened = (one["id"] for one in stack.json("reserve", "debian-12", "--for", "1h", "--count", "2"))
    stack.vclab("connect", opened, "--print")
    before = {r: stack.show(r) for r in (idle, opened)}

    for task in TASKS.values():
        stack.vcsim.slow_task(task, 2.0)
    r = load_killed_in(stack, steps, user_at_work)
    missed = [step for step in steps if not cut_off(stack, r, step)]
    for _ in range(3):  # on a busy machine a quick step may be over before its worker is killed
        if missed:
            stack.end(r)
            r = load_killed_in(stack, missed, user_at_work)
            missed = [step for step in missed if not cut_off(stack, r, step)]
    assert missed == []
    for each in (r, idle, opened):
        only_one(stack, each)
    for each, old in before.items():
        assert {**stack.show(each), "now": None, "history": None} == {**old, "now": None, "history": None}
    assert stack.vclab("connect", opened, "--", "id", "-un").stdout == "alice\n"

    # At Connect, before access is open: the client waits, and knows nothing of it.
    client = stack.start("connect", idle, "--", "id", "-un")
    query = "SELECT acknowledged_at FROM reservations WHERE id = ?"
    eventually(lambda: stack.column(query, idle)[0], LONG, 0.005)
    stack.kill("worker")
    out, err = client.communicate(timeout=LONG)
    assert (client.returncode, out) == (0, "alice\n"), err

    # While the computer is taken back: the removal's own task runs on, the worker is away.
    stack.vcsim.slow_task("Destroy", 2.0)
    stack.vclab("end", r)
    stack.is_in(r, "reclaim")
    time.sleep(0.5)
    stack.kill("worker")
    stack.finished(r)
    stack.nothing_left(r)
    shown = stack.show(r)
    assert (shown["state"], shown["ending"]) == ("complete", "deleted")


def test_servers_are_killed_while_it_loads(stack: Stack, user_at_work: Session) -> None:
    stack.vcsim.slow_copies(3)
    client, r = stack.reserve_in_background(image=DEDICATED)
    watching = stack.start("watch", r)
    stack.in_step(r, "vsphere.copy_disk")
    time.sleep(0.5)
    stack.kill("vcsim")  # and with it the copy, half done, and whoever was logged in
    user_at_work.goes_on()
    stack.in_step(r, "vsphere.power_on")
    stack.kill("temporal")
    user_at_work.goes_on()
    out, err = client.communicate(timeout=LONG)
    assert client.returncode == 0 and "Traceback" not in err, err
    assert json.loads(out)["state"] == "reserved"
    only_one(stack, r)
    assert stack.vclab("connect", r, "--", "id", "-un").stdout == "alice\n"

    stack.kill("worker")
    stack.worker_works()
    stack.vclab("end", r)
    out, err = watching.communicate(timeout=LONG)
    assert (watching.returncode, out) == (0, f"{r}  Ended: released\n"), "who watches outlasts all of it"
    assert "Traceback" not in err and "WARN" not in err, err


@pytest.mark.long
def test_ten_at_once_and_the_worker_killed_in_between(stack: Stack) -> None:
    client = stack.start("reserve", "debian-12", "--for", "1h", "--count", "10", "--no-wait", "--json")
    eventually(lambda: len(placed(stack)) >= 3, LONG, 0.01)
    stack.kill("worker")
    eventually(lambda: len(on(stack)) >= 3, LONG, 0.01)
    stack.kill("worker")
    out, err = client.communicate(timeout=LONG)
    assert client.returncode == 0 and "Traceback" not in err, err
    ids = sorted(one["id"] for one in json.loads(out))
    assert len(ids) == 10

    def all_ready() -> bool:
        states = stack.column("SELECT state FROM reservations WHERE finished_at IS NULL")
        assert len(states) == 10 and set(states) <= {"new", "reserved"}, states
        return set(states) == {"reserved"}

    eventually(all_ready, 3 * LONG, 0.2)
    listed = stack.listed()
    assert sorted(one["id"] for one in listed) == ids
    for key in ("computer", "address", "host_key"):
        assert len({one[key] for one in listed}) == 10, key
    for r in ids:
        only_one(stack, r)
    one = listed[-1]
    ran = stack.vclab("connect", one["id"], "--", "hostname")
    assert ran.stdout == f"{one['computer']}\n"
    stack.end(*ids)
    stack.nothing_left(*ids)


def placed(stack: Stack) -> list[str]:
    return stack.column("SELECT id FROM reservations WHERE finished_at IS NULL")


def on(stack: Stack) -> list[str]:
    query = "SELECT reservation FROM load_log JOIN reservations ON reservation = reservations.id"
    return stack.column(f"{query} WHERE name = 'linux.wait_ssh' AND finished_at IS NULL")
