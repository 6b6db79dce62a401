"""`vclab up` and `down`: twice, killed, cut off, refused. Each test leaves the lab as it needs it."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.labfixture import VCLAB, Lab, addresses, eventually, run, wait
from vclab.cli.app import run as command_line
from vclab.lab import lab as _embedded  # noqa: F401 (loaded before a test gives up the right to read it)
from vclab.lab import network, processes, status
from vclab.lab.layout import TEMPORAL_PORT, Layout
from vclab.lab.stock import LAB_MACHINES

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, lab: Lab) -> Iterator[Lab]:
    """A second lab, beside the shared one, that these tests may ill-treat."""
    made = Lab(tmp_path_factory.mktemp("own"))
    yield made
    made.down("--wipe")


def traces(lab: Lab) -> list[str]:
    """All that this machine shows of a lab: processes, namespaces, mounts, files outside its folder."""
    found = [
        str(path) for path in (lab.layout.run, *(network.NETNS / n for n in lab.layout.namespaces)) if path.exists()
    ]
    words = (str(lab.layout.folder), lab.layout.tag)
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if any(word in line for word in words)]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().decode(errors="replace")
            environment = (process / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if any(word in arguments + environment for word in words) and int(process.name) != os.getpid():
            found.append(f"{process.name}: {arguments}")
    return found


def test_up_twice_says_where_it_is(own: Lab) -> None:
    first, second = own.up(), own.up()
    assert "is up\n" in first.stdout and "is up already\n" in second.stdout
    for text in (first.stdout, second.stdout):
        assert (
            f"https://{own.layout.address}:8443/temporal" in text and f"https://{own.layout.address}:8989/sdk" in text
        )
    metal = {"dnsmasq-metal", *(f"bmc-metal{n:02}" for n in range(1, 5))}
    own_parts = {"dnsmasq", "dnsmasq-imaging", "temporal", "vcsim", "api", "worker"}
    assert own.state.ready and set(own.state.parts) == own_parts | metal


def test_two_labs_are_up_side_by_side(own: Lab, lab: Lab) -> None:
    own.up()
    assert own.layout.address != lab.layout.address
    for one in (own, lab):
        socket.create_connection((one.layout.address, TEMPORAL_PORT), 5).close()


def test_down_leaves_nothing_and_up_restores_what_was_on(own: Lab) -> None:
    own.up()
    vcenter = own.vcenter()
    machine = vcenter.make("kept", 1)
    wait(machine.PowerOnVM_Task())
    private, public = addresses(machine)
    eventually(lambda: own.ssh_root(private, "echo still here > /root/mark; sync").returncode == 0)
    vcenter.make("resting", 2)

    own.down()
    assert traces(own) == []
    assert "was not up" in own.down().stdout

    own.up()
    eventually(lambda: own.ssh_root(private, "cat", "/root/mark").stdout == "still here\n")
    again = own.vcenter()
    assert again.find("kept").runtime.powerState == "poweredOn"
    assert again.find("resting").runtime.powerState == "poweredOff"
    assert addresses(again.find("kept")) == (private, public)


def all_run(found: list[tuple[int, int]], at_least: int) -> list[tuple[int, int]]:
    """So many processes; none yet, when one has not started."""
    return found if len(found) >= at_least and all(pid for pid, _ in found) else []


def test_a_killed_supervisor_takes_all_with_it_and_up_restores(own: Lab) -> None:
    own.up()
    kept_and_others = 1 + len(LAB_MACHINES)  # the machine of the test before, and the lab machines
    everything = eventually(lambda: all_run(own.state.processes(), 1 + len(own.state.parts) + kept_and_others))
    own.kill("supervisor", signal.SIGKILL)
    assert processes.wait_gone(everything, 30) == []
    assert "is up\n" in own.up().stdout
    eventually(lambda: own.machine("kept"))


def test_down_cleans_after_a_killed_supervisor(own: Lab) -> None:
    own.up()
    own.kill("supervisor", signal.SIGKILL)
    own.down()
    assert traces(own) == []


def test_lab_machines_are_on_whatever_the_vcenter_does_and_come_back(own: Lab) -> None:
    own.up()
    first = eventually(lambda: own.machine("lab01"))
    own.kill("vcsim")
    eventually(lambda: own.state.parts["vcsim"].ok, 60)
    assert own.machine("lab01") == first
    os.kill(first, signal.SIGKILL)
    eventually(lambda: own.machine("lab01") not in (0, first))
    own.down()
    own.up()
    assert {one.name for one in own.state.machines.values()} >= {"lab01", "lab02"}


@pytest.mark.parametrize(
    "part", ["temporal", "vcsim", "dnsmasq", "dnsmasq-imaging", "worker", "dnsmasq-metal", "bmc-metal01"]
)
def test_a_killed_part_comes_back_and_the_machine_stays_on(own: Lab, part: str) -> None:
    own.up()
    machine = eventually(lambda: own.machine("kept"))
    old = own.kill(part)
    eventually(lambda: own.state.parts[part].ok and own.state.parts[part].pid != old, 60)
    assert own.machine("kept") == machine
    if part == "vcsim":
        eventually(lambda: own.vcenter().find("kept").guest.ipAddress)


def test_a_user_who_is_logged_in_does_not_hold_up_down(own: Lab) -> None:
    own.up()
    session = subprocess.Popen(["ip", "netns", "exec", own.layout.person("alice"), "sleep", "600"])
    own.down()
    assert session.wait(30) == -signal.SIGKILL
    assert traces(own) == []


def delete(folder: Path) -> None:
    """What runs may just be writing a file there."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
    raise AssertionError(f"{folder} can't be deleted")


@pytest.mark.long
def test_a_deleted_run_folder_or_lab_folder_is_mended(own: Lab) -> None:
    own.up()
    delete(own.layout.run)
    own.up()
    assert own.state.ready
    delete(own.layout.folder)
    assert "is up\n" in own.up().stdout
    assert own.state.ready and own.layout.settings_file.exists()


def test_in_the_foreground_until_it_is_interrupted(own: Lab) -> None:
    own.down()
    process = subprocess.Popen([VCLAB, "up", "--foreground"], env=own.env, stderr=subprocess.PIPE, text=True)
    eventually(lambda: own.state.ready, 60)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=90)
    assert process.returncode == 0 and "Ctrl-C stops it" in said
    assert traces(own) == []


def test_status_and_own_settings(own: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VCLAB_CONFIG", str(own.layout.settings_file))
    own.down()
    (line,) = status.parts()
    assert not line.ok and f"vclab up --lab {own.layout.folder}" in line.detail

    own.layout.local_settings_file.write_text("[limits]\nat_once = 7\n")
    own.up()
    assert {line.name for line in status.parts()} > {"lab", "lab: temporal", "lab: vcsim"}
    eventually(lambda: all(line.ok for line in status.parts()), 60)
    text = own.layout.settings_file.read_text()
    assert '"at_once" = 7' in text and f'"installation" = "{own.layout.tag}"' in text


# What can't be done is said in one line.


def refusal(lab: Lab, *arguments: str, **env: str) -> str:
    ran = run(str(VCLAB), *arguments, env={**lab.env, **env})
    assert ran.returncode in (1, 3), ran
    (line,) = ran.stderr.strip().splitlines()
    return line


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Lab]:
    """A lab that was never started."""
    made = Lab(tmp_path / "fresh")
    yield made
    run(str(VCLAB), "down", env=made.env)


def test_a_taken_port_is_named_with_who_takes_it(fresh: Lab) -> None:
    with socket.create_server((fresh.layout.address, TEMPORAL_PORT)):
        line = refusal(fresh, "up")
    assert f"port {TEMPORAL_PORT} on {fresh.layout.address}, for Temporal, is taken by" in line
    assert f"(pid {os.getpid()})" in line and "--address" in line
    assert traces(fresh) == []


def test_wrong_own_settings_are_named(fresh: Lab) -> None:
    fresh.layout.local_settings_file.write_text("[limits]\nat_once = 'many'\n")
    assert "limits.at_once" in refusal(fresh, "up")
    fresh.layout.local_settings_file.write_text("limits = \n")
    assert "local.toml is not TOML" in refusal(fresh, "up")


def test_without_root(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    child = os.fork()  # not a new program: nobody may not be allowed to read this checkout
    if not child:
        try:
            os.setgroups([])
            os.setresuid(65534, 65534, 65534)
            os._exit(command_line(["up", "--lab", str(tmp_path)]))
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    said = capfd.readouterr().err
    assert "sudo vclab up" in said and len(said.splitlines()) == 1


def test_a_full_disk(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(tmp_path)], check=True)
    try:
        assert "is full" in refusal(Lab(tmp_path / "small"), "up")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_missing_package(fresh: Lab) -> None:
    line = refusal(fresh, "up", PATH="/nonexistent")
    assert "apt-get install" in line and "util-linux" in line


def test_an_address_that_is_not_loopback(fresh: Lab) -> None:
    assert "127.0.0.0/8" in refusal(fresh, "up", "--address", "192.0.2.1")


def test_another_address_while_up(own: Lab) -> None:
    own.up()
    assert "vclab down" in refusal(own, "up", "--address", "127.9.9.9")


def test_wipe_spares_what_is_not_a_lab(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")
    ran = run(str(VCLAB), "down", "--wipe", "--lab", str(tmp_path))
    assert ran.returncode == 1 and "holds no lab" in ran.stderr
    assert (tmp_path / "precious").exists()


def test_the_default_lab_has_the_usual_names() -> None:
    layout = Layout(Path("/var/lib/vclab/lab"))
    assert (layout.tag, layout.usual_address, layout.management) == ("vclab", "127.0.0.1", "vclab-mgmt")
    assert Layout(Path("/srv/other")).tag != Layout(Path("/srv/another")).tag
