"""``vclab endpoint``: against a real vSphere API, of which nothing may be changed."""

import io
import os
import pty
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command, Said
from tests.secret_store import secret_store
from tests.vcsim import VcsimProcess
from vclab.model.errors import Unreachable
from vclab.model.intents import Outcome
from vclab.model.inventory import Amounts, DatastoreFacts, HostFacts, Inventory
from vclab.secrets.references import Destination
from vclab.store import claims, intents, pools
from vclab.store.engine import open_store

SIZES = {"esx1": (8, 16384), "esx2": (4, 8192)}


@pytest.fixture(scope="module")
def vcenter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VcsimProcess]:
    """A vCenter with two hosts, and the master of one image."""
    simulator = VcsimProcess(tmp_path_factory.mktemp("vcenter"), SIZES, {"ds1": 100}).start()
    simulator.master("ds1", "vclab-images/debian-12/1/disk.vmdk", 4)
    yield simulator
    simulator.stop()


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put text into standard input."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


@pytest.fixture
def add(vclab: Command, store: Path, vcenter: VcsimProcess, typed: Callable[[str], None]) -> Callable[..., Said]:
    """``endpoint add vc2`` with the right values, but for what is said."""

    def call(*more: str, name: str = "vc2", url: str = "", user: str = "", pin: str = "", password: str = "") -> Said:
        typed((password or vcenter.password) + "\n")
        words = ["endpoint", "add", name, "--url", url or vcenter.url, "--username", user or vcenter.user]
        if pin != "none":
            words += ["--fingerprint", pin or vcenter.fingerprint]
        return vclab(*words, *more)

    return call


def test_add_check_list_show(add: Callable[..., Said], vclab: Command, vcenter: VcsimProcess, tmp_path: Path) -> None:
    before = vcenter.control("GET", "/state")
    added = add("--json").json
    assert (added["name"], added["fingerprint"], added["usable"]) == ("vc2", vcenter.fingerprint, True)
    assert [(h["name"], h["cpus"], h["memory_mb"]) for h in added["hosts"]] == [
        ("esx1", 32, 15360),
        ("esx2", 16, 7168),
    ]
    assert [(s["name"], s["usable"]) for s in added["datastores"]] == [("ds1", True)]
    assert added["missing_masters"] == []
    secret = tmp_path / "secrets" / "endpoint" / "vc2"
    assert kept(tmp_path, vcenter) == vcenter.password and vcenter.password not in secret.read_text()
    assert [oct(p.stat().st_mode & 0o777) for p in (secret, secret.parent, secret.parents[1])] == [
        "0o600",
        "0o700",
        "0o700",
    ]
    checked = vclab("endpoint", "check", "vc2", "--json").json
    assert (checked["hosts"], checked["fingerprint"]) == (added["hosts"], added["fingerprint"])
    assert "esx2" in vclab("endpoint", "check", "vc2").out
    assert vcenter.url in vclab("endpoint", "list").out
    assert vclab("endpoint", "show", "vc2", "--json").json["module_data"]["folder"] == "vclab"
    assert vcenter.fingerprint in vclab("endpoint", "show", "vc2").out
    assert add("--json").json["hosts"] == added["hosts"]
    assert vcenter.control("GET", "/state") == before
    assert vcenter.password not in vclab("endpoint", "list", "--json").out + vclab("endpoint", "show", "vc2").out


def test_a_fingerprint_may_have_colons(add: Callable[..., Said], vcenter: VcsimProcess) -> None:
    pin = vcenter.fingerprint.upper()
    assert add(pin=":".join(pin[n : n + 2] for n in range(0, 64, 2))).code == 0


def test_a_certificate_must_be_confirmed(add: Callable[..., Said], vcenter: VcsimProcess, tmp_path: Path) -> None:
    add(pin="none").one_line_error(3, "confirm it by --fingerprint " + vcenter.fingerprint)
    add(pin="ab" * 32).one_line_error(3, "shows another certificate", "nothing was sent")
    assert not (tmp_path / "secrets").exists()


def test_a_wrong_login(add: Callable[..., Said], vclab: Command, vcenter: VcsimProcess, tmp_path: Path) -> None:
    said = add(password="not the password")
    said.one_line_error(3, f"refuses the user {vcenter.user} with this password")
    assert "not the password" not in said.err
    add(user="nobody").one_line_error(3, "refuses the user nobody")
    assert not (tmp_path / "secrets").exists()
    vclab("endpoint", "show", "vc2").one_line_error(4, "there is no endpoint 'vc2' (did you mean vc1?)")


def test_what_does_not_answer(add: Callable[..., Said], nobody_listens: str) -> None:
    add(url=f"https://{nobody_listens}/sdk").one_line_error(5, f"{nobody_listens} does not answer: connection refused")
    add(url="https://no-such-host.invalid/sdk").one_line_error(5, "host name is unknown")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"name": "vc/2"}, "'/'"),
        ({"name": "Vc2"}, "'V'"),
        ({"url": "http://vc.example.org/sdk"}, "must be https://"),
        ({"url": "https://u:secret@vc.example.org/sdk"}, "must not contain a user name or a password"),
        ({"url": "https://"}, "must be https://"),
        ({"url": "https://vc:99999/sdk"}, "not a URL"),
        ({"url": "vc.example.org"}, "must be https://"),
        ({"user": "a\nb"}, "control character"),
        ({"pin": "12:34"}, "64 hex digits"),
    ],
)
def test_what_is_no_endpoint(add: Callable[..., Said], change: dict[str, str], part: str) -> None:
    said = add(**change)
    said.one_line_error(2, "endpoint add: ", part)
    assert "secret" not in said.err


def test_no_password(add: Callable[..., Said]) -> None:
    add(password="\n").one_line_error(2, "there is no password")


def test_networks_and_datacenters_that_are_not_there(add: Callable[..., Said]) -> None:
    add("--private-network", "mgmt").one_line_error(
        3, "has a network 'mgmt' (private_network)", "imaging, private, public"
    )
    add("--resource-pool", "staff").one_line_error(3, "has a resource pool 'staff' (resource_pool); there are: none")
    add("--host-policy", "random").one_line_error(2, "host_policy", "'best-fit' or 'spread'")
    add("--datacenter", "Paris").one_line_error(3, "has no single datacenter", "--datacenter")
    add("--cpu-overcommit", "0").one_line_error(2, "overcommit")
    add("--memory-reserve", "-1").one_line_error(2, "memory reserve")


def test_the_imaging_network(add: Callable[..., Said], vclab: Command, vcenter: VcsimProcess) -> None:
    add("--imaging-network", "nowhere").one_line_error(
        3, "no host of vc2 has a network 'nowhere' (imaging_network); there are: VM Network, imaging, private, public"
    )
    assert add("--imaging-network", "imaging", "--json").json["warnings"] == []
    assert shown(vclab) == "imaging"
    for other in ("private", "public"):
        same = vclab("endpoint", "edit", "vc2", "--imaging-network", other)
        same.one_line_error(2, f"the imaging network '{other}' must be neither the private nor the public network")
    vclab("endpoint", "edit", "vc2", "--public-network", "imaging").one_line_error(2, "the imaging network 'imaging'")
    assert shown(vclab) == "imaging"
    assert vclab("endpoint", "edit", "vc2", "--imaging-network", "").code == 0
    assert shown(vclab) == ""


@pytest.fixture(scope="module")
def wider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VcsimProcess]:
    """A vCenter of which one host, esx3, has none of our networks."""
    simulator = VcsimProcess(tmp_path_factory.mktemp("wider"), SIZES, {"ds1": 100}).start()
    add_host(simulator, "esx3")
    yield simulator
    simulator.stop()


def test_a_host_without_the_imaging_network_is_warned_of(
    wider: VcsimProcess, add: Callable[..., Said], vclab: Command
) -> None:
    added = add("--imaging-network", "imaging", url=wider.url, pin=wider.fingerprint)
    warning = "host esx3 lacks the imaging network 'imaging': captured machines can't be sealed there"
    assert (added.code, added.err.count("lacks the imaging network")) == (0, 1), added
    assert f"Warning: {warning}" in " ".join(added.err.split())
    checked = vclab("endpoint", "check", "vc2", "--json").json
    assert (checked["warnings"], checked["usable"]) == ([warning], True)
    found = [check for check in vclab("doctor", "--json").json["checks"] if check["name"] == "capture at vc2"]
    assert [(check["ok"], check["found"]) for check in found] == [(True, f"warning: {warning}")]


def add_host(vcenter: VcsimProcess, name: str) -> None:
    """A host that has none of our networks."""
    import ssl

    import pyVim.connect
    import pyVmomi

    vim: Any = pyVmomi.vim
    connect: Any = pyVim.connect
    service = connect.SmartConnect(
        host=vcenter.address,
        port=vcenter.port,
        user=vcenter.user,
        pwd=vcenter.password,
        sslContext=ssl._create_unverified_context(),
    )
    try:
        folder = service.content.rootFolder.childEntity[0].hostFolder
        task = folder.AddStandaloneHost_Task(vim.host.ConnectSpec(hostName=name, force=False), None, True)
        while task.info.state in ("queued", "running"):
            time.sleep(0.02)
        assert task.info.state == "success", task.info.error
    finally:
        connect.Disconnect(service)


def shown(vclab: Command) -> str:
    return str(vclab("endpoint", "show", "vc2", "--json").json["module_data"]["imaging_network"])


def test_a_folder_of_another_installation(add: Callable[..., Said], vcenter: VcsimProcess) -> None:
    from vclab.model.catalog import Endpoint
    from vclab.provisioning.vsphere.data import EndpointData
    from vclab.provisioning.vsphere.folder import machine_folder
    from vclab.provisioning.vsphere.session import Session
    from vclab.provisioning.vsphere.site import open_site

    theirs = Endpoint("x", "vsphere", vcenter.url, vcenter.user, "", vcenter.fingerprint)
    theirs = replace(theirs, module_data=EndpointData(folder="lab/theirs").encoded())
    session = Session(theirs, lambda _: vcenter.password, 1)
    machine_folder(open_site(session, "other"))
    session.close()
    add("--folder", "lab/theirs").one_line_error(3, "is held by the installation other; use another folder")
    assert add("--folder", "lab/ours").code == 0


def test_a_master_that_is_missing_is_told(add: Callable[..., Said], vclab: Command) -> None:
    master = ("--unchecked", "--cpus", "1", "--memory", "512", "--disk", "4")
    vclab("image", "add", "lost", "--master", "[ds1] lost/disk.vmdk", *master)
    vclab("image", "add", "nowhere", "--master", "[ds9] lost/disk.vmdk", *master)
    vclab("image", "add", "anywhere", "--master", "lost/disk.vmdk", *master)
    assert add("--json").json["missing_masters"] == [
        "anywhere: [ds1] lost/disk.vmdk is not there",
        "lost: [ds1] lost/disk.vmdk is not there",
        "nowhere: [ds9] lost/disk.vmdk: the datastore is not there",
    ]


def test_an_image_is_added_when_an_endpoint_has_its_master(add: Callable[..., Said], vclab: Command) -> None:
    new = ("image", "add", "new", "--cpus", "1", "--memory", "512", "--disk", "4")
    there, lost = ("--master", "[ds1] vclab-images/debian-12/1/disk.vmdk"), ("--master", "[ds1] lost/disk.vmdk")
    said = vclab(*new, *there)
    said.one_line_error(3, "the master of new can't be checked: vc1: no secret is stored", "--unchecked")
    assert vclab("endpoint", "remove", "vc1").code == 0
    vclab(*new, *there).one_line_error(3, "there is no endpoint of the module vsphere; add the endpoint first")
    add()
    vclab(*new, *lost).one_line_error(
        3, "no endpoint has the master of new: vc2: [ds1] lost/disk.vmdk is not there; copy it there first"
    )
    vclab(*new, *there, "--guest-id", "debian12_64").one_line_error(
        2, "does not know --guest-id 'debian12_64' (did you mean debian12_64Guest", "--unchecked"
    )
    assert vclab("image", "list", "--json").json[-1]["name"] == "debian-12"
    made = vclab(*new, *there, "--guest-id", "debian12_64Guest", "--json").json
    assert (made["revision"], made["source"]) == (1, "[ds1] vclab-images/debian-12/1/disk.vmdk")
    assert vclab("image", "edit", "new", "--memory", "1024").code == 0, "what names no master asks nobody"
    second = ("image", "edit", "new", "--revision", "2", *lost)
    vclab(*second).one_line_error(3, "no endpoint has the master of new")
    assert vclab(*second, "--unchecked", "--json").json["revision"] == 2


def kept(folder: Path, vcenter: VcsimProcess, name: str = "vc2") -> str:
    """The password that would be sent to the vCenter."""
    there = Destination(vcenter.url, vcenter.fingerprint)
    return secret_store(folder / "secrets").get(f"endpoint/{name}", there)


def test_a_failed_write_leaves_the_old_entry_and_password(
    add: Callable[..., Said], vclab: Command, vcenter: VcsimProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add()
    before = vclab("endpoint", "show", "vc2", "--json").json

    def fails(*arguments: object) -> None:
        raise Unreachable("the database does not answer")

    def tried() -> Said:
        monkeypatch.setattr(sys, "stdin", io.StringIO(vcenter.password + "\n"))
        return vclab("endpoint", "edit", "vc2", "--username", vcenter.user, "--cpu-overcommit", "2", "--json")

    with monkeypatch.context() as patch:
        patch.setattr("vclab.store.catalog.put_endpoint", fails)
        tried().one_line_error(5, "the database does not answer")
    secrets = tmp_path / "secrets/endpoint"
    assert vclab("endpoint", "show", "vc2", "--json").json == before
    assert [path.name for path in secrets.iterdir()] == ["vc2"]
    changed = tried().json
    (file,) = secrets.iterdir()
    assert (changed["cpu_overcommit"], changed["password_ref"]) == (2, f"endpoint/{file.name}")
    assert kept(tmp_path, vcenter, file.name) == vcenter.password and file.name != "vc2"
    assert vclab("endpoint", "check", "vc2").code == 0


def test_the_password_is_in_no_intent(add: Callable[..., Said], vcenter: VcsimProcess, store: Path) -> None:
    assert add().code == 0
    assert vcenter.password.encode() not in store.read_bytes()
    opened = open_store(f"sqlite:///{store}")
    with opened.read() as session:
        (intent,) = intents.newest(session, 10, intents.Sought(subject="vc2"))
    opened.close()
    assert (intent.verb, intent.outcome) == ("endpoints.add", Outcome.DONE)
    assert intent.arguments["password"] == "**********"


def test_edit_tries_first(
    add: Callable[..., Said],
    vclab: Command,
    vcenter: VcsimProcess,
    typed: Callable[[str], None],
    tmp_path: Path,
    store: Path,
) -> None:
    add()
    vclab("endpoint", "edit", "vc2", "--public-network", "students").one_line_error(3, "has a network 'students'")
    typed("wrong\n")
    vclab("endpoint", "edit", "vc2", "--password").one_line_error(3, "refuses the user")
    assert kept(tmp_path, vcenter) == vcenter.password
    assert vclab("endpoint", "edit", "vc2", "--cpu-overcommit", "2", "--json").json["hosts"][0]["cpus"] == 16
    vclab("endpoint", "edit", "vc2", "--certificate").one_line_error(3, "confirm it by --fingerprint")
    opened = open_store(f"sqlite:///{store}")
    found = Inventory("vc2", datetime.now(UTC), (HostFacts("esx1", 8, 8192),), (DatastoreFacts("ds1", 9, 9),))
    opened.run(lambda s: pools.refresh(s, [found]))
    wanted, now = {"vc2/host/esx1": Amounts(1, 512, 0)}, datetime.now(UTC)
    opened.run(lambda s: claims.claim_pools(s, "r7", now, now + timedelta(hours=1), wanted))
    opened.close()
    typed("another\n")
    vclab("endpoint", "edit", "vc2", "--site", "south", "--password").one_line_error(3, "while it is used by r7; try")
    assert kept(tmp_path, vcenter) == vcenter.password
    vclab("endpoint", "edit", "vc9").one_line_error(4, "there is no endpoint 'vc9'")
    (tmp_path / "secrets/endpoint/vc2").unlink()
    vclab("endpoint", "check", "vc2").one_line_error(1, "no secret is stored under endpoint/vc2")


def test_hosts_that_are_unusable_are_told(add: Callable[..., Said], vclab: Command, vcenter: VcsimProcess) -> None:
    add()
    _maintenance(vcenter, "esx2", on=True)
    try:
        checked = vclab("endpoint", "check", "vc2", "--json").json
        assert [(h["name"], h["usable"], h["why_not"]) for h in checked["hosts"]] == [
            ("esx1", True, ""),
            ("esx2", False, "in maintenance"),
        ]
        _maintenance(vcenter, "esx1", on=True)
        said = vclab("endpoint", "check", "vc2")
        assert said.code == 1
        assert "no machine can be placed on vc2: esx1: in maintenance; esx2: in maintenance" in said.err
    finally:
        for host in SIZES:
            _maintenance(vcenter, host, on=False)


def _maintenance(vcenter: VcsimProcess, host: str, on: bool) -> None:
    from vclab.model.catalog import Endpoint
    from vclab.provisioning.vsphere import tasks
    from vclab.provisioning.vsphere.api import vim
    from vclab.provisioning.vsphere.properties import find_all
    from vclab.provisioning.vsphere.session import Session

    endpoint = Endpoint("x", "vsphere", vcenter.url, vcenter.user, "", vcenter.fingerprint)
    session = Session(endpoint, lambda _: vcenter.password, 1)
    paths = ["name", "runtime.inMaintenanceMode"]
    ref: Any
    for ref, values in find_all(session, vim.HostSystem, paths):
        if values["name"] == host and values["runtime.inMaintenanceMode"] is not on:
            change = ref.EnterMaintenanceMode_Task if on else ref.ExitMaintenanceMode_Task
            tasks.finish(session, change(0))
    session.close()


def test_only_who_keeps_the_secrets(add: Callable[..., Said], vclab: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    vclab("--as", "alice", "endpoint", "check", "vc1").one_line_error(3, "alice may not")
    monkeypatch.setattr("vclab.service.endpoints.may_write", lambda folder: False)
    vclab("--as", "olga", "endpoint", "check", "vc1").one_line_error(3, "where passwords are kept; run this as root")


def test_at_a_terminal(vclab: Command, store: Path, vcenter: VcsimProcess, installation: Path, tmp_path: Path) -> None:
    words = ["endpoint", "add", "vc2", "--url", vcenter.url, "--username", vcenter.user]
    code, text = _terminal(words, [("Type yes", "yes"), ("Password of", vcenter.password)])
    assert code == 0, text
    assert vcenter.password not in text  # no echo
    assert kept(tmp_path, vcenter) == vcenter.password
    code, text = _terminal([*words[:2], "vc3", *words[3:]], [("Type yes", "no")])
    assert code == 3
    assert "was not confirmed" in text


def _terminal(arguments: list[str], talk: list[tuple[str, str]]) -> tuple[int, str]:
    """Run a command at a terminal of its own; answer each question. Its exit code, and all that was seen."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", "from tests.command import main; main()", *arguments])
    seen = ""
    while True:
        try:
            seen += os.read(terminal, 4096).decode()
        except OSError:
            break
        if talk and talk[0][0] in seen:
            os.write(terminal, talk.pop(0)[1].encode() + b"\n")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen


def test_a_password_that_root_keeps_is_the_workers(add: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir(mode=0o700)
    os.chown(tmp_path / "secrets", 65534, 65534)
    assert add().code == 0
    for path in (tmp_path / "secrets" / "endpoint", tmp_path / "secrets" / "endpoint" / "vc2"):
        assert path.stat().st_uid == 65534
