"""Faults of what vclab depends on: said in one line, cleaned up after, and what runs goes on when they are over."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.labfixture import eventually, wait
from tests.stack.conftest import DEDICATED, LONG, SETTINGS, Session, Stack, elapsed, everything
from vclab.lab.layout import TEMPORAL_PORT, VCENTER_PORT

pytestmark = pytest.mark.lab


def failure(stack: Stack, image: str = "debian-12") -> tuple[str, str]:
    """Reserve, and see it fail: its id, and what is said of it. Nothing of it is left."""
    ran = stack.vclab("reserve", image, "--for", "1h", "--wait", check=False)
    assert ran.returncode == 1 and "Traceback" not in ran.stderr, ran
    said = ran.stderr.strip().splitlines()[-1]
    r = stack.column("SELECT id FROM reservations ORDER BY created DESC LIMIT 1")[0]
    assert f"{r} failed: " in said
    stack.finished(r)
    stack.nothing_left(r)
    shown = stack.show(r)
    assert (shown["state"], shown["ending"]) == ("failed", "failed") and shown["reason"] in said
    assert stack.column("SELECT count(*) FROM tenures WHERE released_at IS NULL") == [0]
    assert stack.workflow_status(r) == "FAILED"
    return r, said


@pytest.mark.long
def test_a_full_datastore_and_hosts_that_refuse(stack: Stack) -> None:
    stack.vcsim.full()
    _, said = failure(stack)
    assert "datastore ds1" in said and "vsphere" not in said, said
    stack.vcsim.mend()

    for host in ("esx1", "esx2"):
        stack.vcsim.refuse_power_on(host)
    r, said = failure(stack)
    assert f"host {stack.show(r)['host']} refuses to power on" in said and "InsufficientResources" in said, said
    stack.vcsim.mend()
    assert stack.reserve("--wait")["state"] == "reserved"


@pytest.fixture
def impatient(stack: Stack) -> Iterator[Stack]:
    """The lab, with little patience for a step."""
    stack.configure({**SETTINGS, "waits": {**SETTINGS["waits"], "step_ceiling": 8}})
    yield stack
    stack.configure(SETTINGS)


@pytest.mark.long
def test_a_guest_that_never_answers(impatient: Stack) -> None:
    impatient.add_image("silent")
    _, said = failure(impatient, "silent")
    assert "step 5, " in said and "SSH" in said and "it did not finish in time" in said, said


def test_machines_of_others_are_never_touched(stack: Stack) -> None:
    vcenter = stack.vcenter()
    near = vcenter.make("vm01-abc-g1", 1)  # named like one of ours, without our mark
    stack.vcsim.slow_copies(2)
    client, r = stack.reserve_in_background(image=DEDICATED)
    stack.in_step(r, "vsphere.copy_disk")
    row = stack.show(r)
    same = vcenter.make(f"{row['computer']}-{r}-g{row['generation']}", 2)  # just as ours is going to be called
    before = [picture(machine) for machine in (near, same)]
    out, err = client.communicate(timeout=LONG)
    assert client.returncode == 0, (out, err)
    (ours,) = stack.machines_of(r)
    assert ours.name == same.name and ours.config.instanceUuid != same.config.instanceUuid
    stack.end(r)
    assert [picture(machine) for machine in (near, same)] == before
    assert stack.machines_of(r) == []
    for machine in (near, same):
        wait(machine.Destroy_Task())
    stack.nothing_left(r)


def picture(machine: Any) -> tuple[str, ...]:
    """All of a virtual machine that anybody could have changed."""
    return str(machine.config), str(machine.runtime.powerState), str(machine.runtime.host), str(machine.layoutEx)


def test_the_vcenter_is_down(stack: Stack) -> None:
    used = stack.reserve("--wait")
    session = Session(stack, used["id"])
    stack.vcsim.slow_copies(2)
    client, loading = stack.reserve_in_background(image=DEDICATED)
    stack.in_step(loading, "vsphere.copy_disk")
    with stack.cut_off(VCENTER_PORT):
        start = time.monotonic()
        line = stack.one_line(stack.vclab("reserve", "debian-12", check=False), 3)
        assert "lab-vcenter" in line and "does not answer" in line and elapsed(start) < 60, line
        session.goes_on()
        assert stack.show(loading)["word"].startswith("Preparing")
        assert stack.vclab("end", used["id"]).stdout.endswith("Ended: released\n")  # told at once, done when it is back
    out, err = client.communicate(timeout=LONG)
    assert client.returncode == 0, (out, err)
    stack.finished(used["id"])
    session.over()
    stack.nothing_left(used["id"])


@pytest.mark.long
def test_temporal_is_down(stack: Stack) -> None:
    r = stack.reserve("--wait")["id"]
    session = Session(stack, r)
    with stack.cut_off(TEMPORAL_PORT):
        for words in (("reserve", "debian-12"), ("extend", r, "--by", "1h"), ("end", r), ("connect", r)):
            start = time.monotonic()
            line = stack.one_line(stack.vclab(*words, check=False), 5)
            assert "Temporal" in line and elapsed(start) < 90, line
        ran = stack.vclab("status", check=False)
        assert ran.returncode == 5 and "Traceback" not in ran.stdout + ran.stderr
        assert [one["id"] for one in stack.listed()] == [r]
        shown = stack.show(r)
        assert shown["now"]["answered"] is False and "Temporal" in shown["now"]["why_not"]
        session.goes_on()
    end = shown["end"]
    eventually(lambda: stack.vclab("extend", r, "--by", "1h", check=False).returncode == 0, 60, 0.5)
    session.goes_on()
    assert stack.show(r)["end"] > end


@pytest.mark.long
def test_everything_hangs(stack: Stack) -> None:
    """A server that takes connections and says nothing is worse than one that is gone."""
    with stack.frozen("temporal"):
        for words in (("reserve", "debian-12"), ("status",)):
            start = time.monotonic()
            ran = stack.vclab(*words, check=False)
            assert ran.returncode == 5 and elapsed(start) < 90 and "Traceback" not in ran.stderr, ran
    with stack.frozen("vcsim"):
        start = time.monotonic()
        line = stack.one_line(stack.vclab("reserve", "debian-12", check=False), 3)
        assert "lab-vcenter" in line and elapsed(start) < 60, line
    assert everything(stack.vcenter()) == []
