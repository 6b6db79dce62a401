"""What the verbs do to reservations: the real workflows on a real Temporal server; only the drivers are scripted."""

import asyncio
import json
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.cli.conftest import Command, Said, fill, log_in
from tests.cli.node import Node
from tests.fakes import World
from tests.secret_store import secret_store
from tests.workflows.tampered import Sleeper
from vclab.cli.app import run
from vclab.cli.progress import Lines
from vclab.model.errors import StepFailed, Unreachable
from vclab.model.ids import new_id
from vclab.model.inventory import HostFacts
from vclab.model.reservations import ReserveRequest
from vclab.store import reservations
from vclab.temporal.client import Reservations


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One for all tests here."""
    folder = tmp_path_factory.mktemp("node")
    made = Node(folder)
    made.store.run(fill)
    via = folder / "via"
    via.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n')
    via.chmod(0o755)
    made.start_worker()
    yield made
    made.stop()


@pytest.fixture
def world(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The scripted world, as new; every reservation is gone afterwards."""
    monkeypatch.setenv("VCLAB_CONFIG", str(node.settings_file))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    log_in(monkeypatch, "root")
    fresh = World()
    for name, value in vars(fresh).items():
        setattr(node.world, name, value)
    yield node.world
    for event in node.world.hold.values():
        event.set()
    node.world.fail.clear()
    for reservation in _unfinished(node):
        run(["--as", "olga", "end", reservation])
    _until(lambda: not _unfinished(node))


@pytest.fixture
def vclab(world: World, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process."""

    def call(*arguments: str) -> Said:
        capfd.readouterr()
        code = run(arguments)
        return Said(code, *capfd.readouterr())

    return call


def _unfinished(node: Node) -> list[str]:
    with node.store.read() as session:
        return reservations.unfinished(session)


def _until(fact: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def _hold(world: World, step: str) -> threading.Event:
    """That step goes on until the event is set."""
    world.hold[step] = threading.Event()
    return world.hold[step]


def test_reserve_waits_until_ready_and_prints_one_document(vclab: Command) -> None:
    said = vclab("reserve", "debian-12", "--for", "1h", "--json")
    assert said.code == 0, said
    view = said.json
    assert (view["state"], view["word"], view["ending"], view["user"]) == ("reserved", "Ready", None, "alice")
    assert (view["host"], view["address"], view["computer"][:2]) == ("esx1", "203.0.113.9", "vm")
    assert view["end"].endswith("Z")
    assert "password" not in said.out
    shown = vclab("show", view["id"], "--json").json
    assert view == {key: value for key, value in shown.items() if key in view}
    assert set(shown) - set(view) == {"now", "capture", "history", "load", "failures", "suspect", "resting"}
    assert [view] == vclab("list", "--json").json


def test_reinstall_brings_a_computer_back(vclab: Command, world: World) -> None:
    world.connected = [True]
    id = vclab("reserve", "debian-12", "--for", "1h", "--json").json["id"]
    assert "only what is in use can be reinstalled: it is Ready" in vclab("reinstall", id, "--yes").err
    assert vclab("connect", id, "--from", "203.0.113.7", "--print").code == 0
    _until(lambda: vclab("show", id, "--json").json["state"] == "inuse")
    said = vclab("reinstall", id)
    said.one_line_error(3, f"all that is on the computer of {id} would be lost", "--yes")
    world.granted.clear()
    assert "is being reinstalled" in vclab("reinstall", id, "--yes").out
    _until(lambda: world.granted == [("203.0.113.7",)])
    _until(lambda: vclab("show", id, "--json").json["state"] == "inuse")
    shown = vclab("show", id, "--json").json
    assert [each["what"] for each in shown["history"]].count("ready") == 2


def test_reserve_a_full_copy(vclab: Command) -> None:
    view = vclab("reserve", "debian-12", "--for", "1h", "--dedicated", "--json").json
    assert view["dedicated"] is True
    assert "a full copy of the image's" in vclab("show", view["id"]).out


def test_reserve_for_people(vclab: Command) -> None:
    said = vclab("reserve", "debian-12", "--for", "1h")
    assert said.code == 0
    (line,) = said.out.splitlines()
    assert "Ready: debian-12 on vm" in line
    assert " CE" in line.split("until ")[1], "alice's zone is Berlin"
    assert "vclab connect " in said.err


def test_progress_names_the_steps(vclab: Command, world: World) -> None:
    copying = _hold(world, "vsphere.copy_disk")
    threading.Timer(2.5, copying.set).start()
    said = vclab("reserve", "debian-12", "--for", "1h")
    assert "Preparing (2/8): Copy the image's disk" in said.err
    assert said.err.count("Copy the image's disk") == 1, "a line only when something changes"


def test_many_at_once_and_those_that_find_no_place(vclab: Command) -> None:
    said = vclab("--as", "olga", "reserve", "debian-12", "--for", "1h", "--count", "6", "--json")
    assert said.code == 3
    documents = said.json
    placed = [d for d in documents if "error" not in d]
    assert len(documents) == 6
    assert len({d["computer"] for d in placed}) == len(placed) == 4
    assert all(d["error"]["code"] == "refused" for d in documents if "error" in d)
    assert said.err.count("vclab: reserve ") == 2
    assert "Traceback" not in said.err
    assert len(vclab("list", "--everyone", "--as", "olga", "--json").json) == 4


def test_several_are_ended_and_each_is_reported(vclab: Command) -> None:
    """A failure of one does not keep the others; the exit code is that of the first."""
    made = vclab("--as", "olga", "reserve", "debian-12", "--for", "1h", "--count", "2", "--no-wait", "--json").json
    first, second = (each["id"] for each in made)
    said = vclab("--as", "olga", "end", f"reservation-{first.upper()}", "nothere1234", second)
    assert said.code == 4
    assert said.out.splitlines() == [
        f"{first}  Ended: deleted before Connect",
        f"{second}  Ended: deleted before Connect",
    ]
    assert said.err.startswith("vclab: end nothere1234: there is no reservation 'nothere1234'")
    said = vclab("--as", "olga", "end", first, "nothere1234", "--json")
    assert (said.code, len(said.err.splitlines())) == (4, 1)
    ended, unknown = said.json
    assert (ended["id"], ended["already"], unknown["error"]["code"]) == (first, True, "not_found")


def test_limits_are_refusals(vclab: Command) -> None:
    first = vclab("reserve", "debian-12", "--for", "1h", "--no-wait", "--json").json["id"]
    vclab("reserve", "debian-12", "--for", "1h").one_line_error(3, f"at most 1 reservations at one time ({first})")


def _needing_help(vclab: Command, world: World) -> str:
    world.fail["vsphere.power_on"] = StepFailed("the host refuses")
    reservation = str(vclab("reserve", "debian-12", "--for", "1h", "--no-wait", "--json").json["id"])
    _until(lambda: vclab("show", reservation, "--json").json["word"] == "Needs help")
    return reservation


def test_a_load_that_needs_help_and_is_given_up(vclab: Command, world: World) -> None:
    reservation = _needing_help(vclab, world)
    said = vclab("show", reservation)
    assert "step 4, Power on: the host refuses" in said.out and f"`vclab end {reservation}` cancels it" in said.out
    vclab("connect", reservation).one_line_error(3, "not ready yet: Needs help")
    vclab("needs-help").one_line_error(3, "alice may not operate the lab")
    vclab("resolve", reservation, "retry").one_line_error(3, "alice may not operate reservation")
    vclab("--as", "olga", "resolve", reservation, "hope").one_line_error(2, "choose one of retry, elsewhere, give-up")
    (one,) = vclab("--as", "olga", "needs-help", "--json").json
    assert f"1 needs help: {reservation} at Power on on esx1" in vclab("status").out
    assert (one["id"], one["failure"]["step"], one["failure"]["number"]) == (reservation, "vsphere.power_on", 4)
    assert one["failure"]["power"] == "on" and one["needs_help"]["until"] == one["end"], "its end comes first"
    shown = vclab("--as", "olga", "needs-help").out
    assert "Power on" in shown and f"vclab resolve {reservation} retry" in shown
    assert "it was not reached by then" in shown
    assert vclab("--as", "olga", "show", reservation, "--json").json["failures"] == [one["failure"]]
    why = vclab("why", reservation)
    assert "State        Needs help" in why.out and "vsphere.power_on on esx1, " in why.out
    assert f"`vclab end {reservation}` cancels it" in why.out
    assert vclab("--as", "olga", "why", reservation, "--json").json["evidence"] == one["failure"]
    assert f"`vclab resolve {reservation} retry`" in vclab("--as", "olga", "why", reservation).out
    assert "is given up" in vclab("--as", "olga", "resolve", reservation, "give-up").out
    vclab("watch", reservation).one_line_error(1, "given up by olga: step 4, Power on: the host refuses")
    vclab("--as", "olga", "resolve", reservation, "retry").one_line_error(1, "has ended, failed, and")
    assert "Nothing needs help" in vclab("--as", "olga", "needs-help").err
    _stays_listed_until_dismissed(vclab, reservation)


def _stays_listed_until_dismissed(vclab: Command, reservation: str) -> None:
    listed = vclab("list")
    assert reservation in listed.out and "Ended (failed)" in listed.out and "`vclab dismiss R`" in listed.err
    vclab("--as", "bob", "dismiss", reservation).one_line_error(4, "there is no reservation")
    assert vclab("dismiss", reservation, "--json").json["dismissed_at"] is not None
    assert "is off the list" in vclab("dismiss", reservation).out
    assert reservation not in vclab("list").out
    assert reservation in vclab("list", "--all").out and "Dismissed" in vclab("show", reservation).out
    said = vclab("list", "--all", "--limit", "1")
    assert "These are the newest 1; --limit shows more" in said.err


def test_only_what_failed_is_dismissed(vclab: Command) -> None:
    reservation = str(vclab("reserve", "debian-12", "--for", "1h", "--json").json["id"])
    vclab("dismiss", reservation).one_line_error(3, "has not failed: it is Ready", f"`vclab end {reservation}` ends it")
    assert vclab("end", reservation).code == 0
    vclab("dismiss", reservation).one_line_error(3, "has not failed: it has ended, deleted before Connect, and")


def test_who_waits_is_told_and_gets_the_computer_when_it_is_mended(
    vclab: Command, world: World, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("vclab.cli.reserve.display", lambda: Lines(told.append))
    world.fail["vsphere.power_on"] = StepFailed("the host refuses")

    def mend() -> None:
        _until(lambda: any("Needs help" in line for line in told), 60)
        world.fail.clear()
        run(["--as", "olga", "resolve", _unfinished(node)[0], "retry"])

    operator = threading.Thread(target=mend)
    operator.start()
    said = vclab("reserve", "debian-12", "--for", "1h")
    operator.join()
    assert said.code == 0, said
    assert "goes on from the step that failed; it ends " in said.out and ": debian-12 on vm" in said.out
    line = next(line for line in told if "Needs help" in line)
    assert "Needs help: step 4, Power on: the host refuses" in line and "cancels it" in line
    assert world.done.count("vsphere.copy_disk") == 1


def test_connect_before_ready(vclab: Command, world: World) -> None:
    _hold(world, "vsphere.copy_disk")
    reservation = vclab("reserve", "debian-12", "--for", "1h", "--no-wait", "--json").json["id"]
    _until(world.held.is_set)
    vclab("connect", reservation).one_line_error(3, "not ready yet: Preparing (2/8): Copy the image's disk")


def test_connect_says_why_the_computer_can_not_be_opened(vclab: Command, world: World) -> None:
    reservation = vclab("reserve", "debian-12", "--for", "1h", "--json").json["id"]
    world.fail["grant_access"] = StepFailed("useradd: no space left")
    vclab("connect", reservation, "--print").one_line_error(
        3, "198.51.100.1 could not be let in: useradd: no space left"
    )
    world.fail.clear()
    assert vclab("connect", reservation, "--print").code == 0


def test_connect_runs_ssh_and_passes_its_exit_code_on(vclab: Command, world: World) -> None:
    reservation = vclab("reserve", "debian-12", "--for", "1h", "--json").json["id"]
    said = vclab("connect", reservation, "--", "id", "-un")
    assert said.code == 7
    words = said.out.splitlines()
    assert words[0] == "ssh"
    assert words[-4:] == ["alice", "--", "203.0.113.9", "id -un"]
    assert world.granted == [("198.51.100.1",)]
    (hosts,) = [word for word in words if word.startswith("UserKnownHostsFile=")]
    assert not Path(hosts.partition("=")[2]).exists()


def test_connect_prints_a_command_that_keeps_working(vclab: Command, world: World) -> None:
    reservation = vclab("reserve", "debian-12", "--for", "1h", "--json").json["id"]
    said = vclab("connect", reservation, "--from", "192.0.2.77/24", "--print")
    (line,) = said.out.splitlines()
    (hosts,) = [Path(w.partition("=")[2]) for w in shlex.split(line) if w.startswith("UserKnownHostsFile=")]
    assert hosts.read_text() == "203.0.113.9 ssh-ed25519 AAAA\n"
    assert world.granted == [("192.0.2.0/24",)]
    assert vclab("connect", reservation, "--print").code == 0
    assert world.granted[-1] == ("192.0.2.0/24", "198.51.100.1"), "a second address is added"
    vclab("connect", reservation, "--from", "nowhere").one_line_error(2, "'nowhere' is not an IP address")
    vclab("end", reservation)
    assert not hosts.exists()
    vclab("connect", reservation).one_line_error(1, "has ended: released")


def test_the_password_is_shown_on_demand(vclab: Command, node: Node) -> None:
    reservation = vclab("reserve", "debian-12", "--for", "1h", "--json").json["id"]
    vclab("connect", reservation, "--password").one_line_error(3, "no password")
    with node.store.read() as session:
        view = reservations.view(session, reservation)
    assert view is not None
    secret_store(node.folder / "secrets").put(view.password_ref, "once-only")
    said = vclab("connect", reservation, "--password")
    assert (said.code, said.out) == (0, "once-only\n")


def test_other_peoples_reservations_are_not_found(vclab: Command) -> None:
    reservation = vclab("reserve", "debian-12", "--for", "1h", "--no-wait", "--json").json["id"]
    for verb in ("show", "watch", "connect", "end"):
        vclab("--as", "bob", verb, reservation).one_line_error(4, "there is no reservation")
    vclab("--as", "bob", "extend", reservation, "--by", "1h").one_line_error(4, "there is no reservation")
    assert vclab("--as", "olga", "show", reservation).code == 0


def test_end_twice(vclab: Command) -> None:
    reservation = vclab("reserve", "debian-12", "--for", "1h", "--no-wait", "--json").json["id"]
    assert "Ended: deleted before Connect" in vclab("end", reservation).out
    said = vclab("end", reservation)
    assert said.code == 0
    assert "has ended already: deleted before Connect, " in said.out
    assert vclab("end", reservation, "--json").json["ending"] == "deleted"
    other = reservation[:-1] + ("p" if reservation.endswith("q") else "q")
    vclab("end", other).one_line_error(4, f"did you mean {reservation}")
    vclab("extend", reservation, "--by", "1h").one_line_error(1, "has ended, deleted before Connect, and")


def test_extend(vclab: Command) -> None:
    view = vclab("reserve", "debian-12", "--for", "1h", "--json").json
    longer = vclab("extend", view["id"], "--by", "30m", "--json").json
    assert longer["end"] > view["end"]
    assert vclab("extend", view["id"], "--to", longer["end"]).code == 0, "the same end again is no error"
    vclab("extend", view["id"], "--by", "3h").one_line_error(3, "extend: ", "the latest possible end is")
    vclab("extend", view["id"], "--to", "2020-01-01").one_line_error(2, "is in the past")
    vclab("extend", view["id"], "--by", "-1h").one_line_error(2, "can't be negative")


def test_show_tells_what_it_waits_for(vclab: Command) -> None:
    reservation = vclab("reserve", "debian-12", "--for", "1h", "--json").json["id"]
    now = vclab("show", reservation, "--json").json["now"]
    assert (now["answered"], now["waits_for"], now["then"]) == (True, "Connect", "it ends as noack")
    said = vclab("show", reservation)
    assert "State        Ready\n" in said.out
    assert [event["what"] for event in vclab("show", reservation, "--json").json["history"]][-1] == "ready"
    for word in ("Waits for", "Until", "Then", "Host key", "203.0.113.9"):
        assert word in said.out


def test_watch_to_the_end(vclab: Command, world: World) -> None:
    reservation = vclab("reserve", "debian-12", "--for", "1h", "--no-wait", "--json").json["id"]
    threading.Timer(2.5, lambda: run(["end", reservation])).start()
    said = vclab("watch", reservation, "--json")
    assert said.code == 0
    states = [json.loads(line)["state"] for line in said.out.splitlines() if line.startswith("{")]
    assert states[-1] in ("reclaim", "complete")


def test_everything_is_there(vclab: Command) -> None:
    said = vclab("status", "--json")
    parts = {part["name"]: part["ok"] for part in said.json["parts"]}
    product = ("database", "temporal", "queue site-default", "queue site-default-long", "workflows")
    assert [parts[name] for name in product] == [True] * len(product), said.out


INTERRUPTIBLE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from tests.command import main
main()
"""
"""The command line, also when these tests run in the background: a shell has such a process ignore Ctrl-C, and its
children inherit that."""


def test_ctrl_c_leaves_the_reservation_running(vclab: Command, world: World, node: Node) -> None:
    _hold(world, "vsphere.copy_disk")
    words = [sys.executable, "-c", INTERRUPTIBLE, "--as", "alice"]
    child = subprocess.Popen(
        [*words, "reserve", "debian-12", "--for", "1h"], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    _until(world.held.is_set)
    time.sleep(1.5)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=90)
    (reservation,) = _unfinished(node)
    assert (child.returncode, out) == (130, b"")
    assert err.decode().splitlines()[-1].startswith(f"{reservation} goes on without you")
    assert b"Traceback" not in err
    # A second one, while it is still starting: neither a traceback nor a panic of the client's threads.
    child = subprocess.Popen([*words, "watch", reservation], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    time.sleep(1)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=90)
    assert child.returncode == 130, err
    assert len(err.splitlines()) <= 3, err.decode()
    assert b"panicked" not in err


def test_waiting_outlasts_a_worker_that_is_gone_for_a_while(vclab: Command, world: World, node: Node) -> None:
    copying = _hold(world, "vsphere.copy_disk")
    seen: list[tuple[str, str]] = []

    async def look_until_it_is_noticed() -> None:
        (reservation,) = _unfinished(node)
        reservations = Reservations(await Client.connect(node.address), node.settings.temporal.workflow_queue)
        async with asyncio.timeout(60):
            while not seen or not seen[-1][1]:
                with suppress(Unreachable):  # a slow machine
                    status, why_not = await reservations.look(reservation, 2.0)
                    seen.append((status.state if status else "", why_not))

    def away() -> None:
        world.held.wait(60)
        copying.set()
        node.stop_worker()
        try:
            asyncio.run(look_until_it_is_noticed())
        finally:
            node.start_worker()

    thread = threading.Thread(target=away)
    thread.start()
    said = vclab("reserve", "debian-12", "--for", "1h", "--json")
    thread.join()
    assert said.code == 0
    assert said.json["state"] == "reserved"
    assert seen[-1] == ("new", "no worker has taken up its next task yet: either none runs, or all are busy")
    assert said.err.count("Nobody works on it") <= 1
    assert "No live answer" not in said.err


def test_why_it_waits(vclab: Command, world: World) -> None:
    world.fail["vsphere.power_on"] = Unreachable("the host is away")
    reservation = vclab("reserve", "debian-12", "--for", "1h", "--no-wait", "--json").json["id"]
    _until(lambda: any(a["attempt"] > 1 for a in vclab("why", reservation, "--json").json["activities"]))
    found = vclab("why", reservation, "--json").json
    assert (found["word"], found["now"]["waits_for"], found["now"]["then"]) == (
        "Preparing (4/8)",
        "Power on",
        "another place is tried, or an operator is asked for help",
    )
    (activity,) = found["activities"]
    assert (activity["name"], activity["last_failure"]) == ("vsphere.power_on", "the host is away")
    assert activity["given_up"] > found["now"]["since"]
    said = vclab("why", reservation)
    assert "Waits for     Power on\n" in said.out
    assert "Last attempt  the host is away, " in said.out
    world.fail.clear()
    _until(lambda: vclab("why", reservation, "--json").json["state"] == "reserved")
    assert "Connect" in vclab("why", reservation).out


def test_a_refusal_names_the_id_that_why_takes(vclab: Command, world: World) -> None:
    world.hosts = (HostFacts("esx1", 16, 512, datastores=("ds1",)),)
    vclab("reserve", "debian-12", "--for", "1h", "--no-wait")
    said = vclab("--as", "bob", "reserve", "debian-12", "--for", "1h")
    assert (said.code, said.out) == (3, "")
    assert "there is room from " in said.err
    refused = said.err.split()[2].rstrip(":")
    assert said.err.startswith(f"vclab: reserve {refused}: there is no room for this machine now; ")
    assert "needs 512 MiB memory, has 0 free" in vclab("--as", "bob", "why", refused).out
    said = vclab("--as", "bob", "reserve", "debian-12", "--for", "1h", "--json")
    assert (said.code, said.json["error"]["code"], said.json["refused"]["kind"]) == (3, "refused", "refused")
    assert said.json["refused"]["earliest"] == vclab("--as", "bob", "why", said.json["id"], "--json").json["earliest"]


async def test_a_server_that_hangs_while_a_place_is_asked_for(node: Node) -> None:
    """What was told as an error is no traceback at the end, nor a cancelled program."""
    acts = Reservations(await Client.connect(node.address), node.settings.temporal.workflow_queue)
    with node.frozen(), pytest.raises(Unreachable, match="does not answer"):
        await acts.reserve(ReserveRequest(new_id(), "alice", "debian-12", 3600), timeout=1)


def _replay(vclab: Command) -> Said:
    """``vclab doctor --replay``, once the server lists what has begun."""
    said = Said(0, "", "")

    def listed() -> bool:
        nonlocal said
        said = vclab("doctor", "--replay", "--json")
        return bool(said.json["replayed"])

    _until(listed)
    return said


def test_what_runs_goes_on_with_the_code_that_is_installed(vclab: Command) -> None:
    assert vclab("reserve", "debian-12", "--for", "1h").code == 0
    said = _replay(vclab)
    assert (said.code, said.json["ok"], said.json["stand_still"]) == (0, True, []), said
    said = vclab("doctor", "--replay")
    assert (said.code, said.out) == (0, "")
    assert "would go on with the code that is installed here." in said.err


def test_what_would_stand_still_with_the_code_that_is_installed(
    vclab: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = vclab("reserve", "debian-12", "--for", "1h", "--json").json["id"]
    _replay(vclab)
    monkeypatch.setattr("vclab.local.replay.installed", lambda: [Sleeper])
    monkeypatch.setattr("vclab.local.replay.PROGRESS_SECONDS", 0.0)
    said = vclab("doctor", "--replay", "--json")
    assert (said.code, said.json["ok"]) == (1, False)
    (one,) = (each for each in said.json["stand_still"] if each["reservation"] == id)
    assert (one["workflow"], one["state"]) == (f"reservation-{id}", "Ready")
    assert "Nondeterminism error" in one["why"]
    assert "of about" in said.err
    said = vclab("doctor", "--replay")
    assert said.code == 1
    assert any(line.split()[:2] == [id, "Ready"] for line in said.out.splitlines()), said.out
    assert "When a reservation stands still" in said.err


def test_code_that_can_not_be_replayed_against(vclab: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("vclab", "no.such.package:WORKFLOWS", "vclab.workflows")
    monkeypatch.setattr("vclab.local.replay.entry_points", lambda group: [broken])
    vclab("doctor", "--replay").one_line_error(1, "no.such.package:WORKFLOWS can't be loaded", "ModuleNotFoundError")
    monkeypatch.setattr("vclab.local.replay.entry_points", lambda group: [])
    vclab("doctor", "--replay").one_line_error(1, "no workflow code is installed here")
