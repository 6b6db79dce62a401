"""``vclab user|image|computer``: what an administrator keeps, checked before anything is touched."""

import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from tests.cli.conftest import DEBIAN, ENDPOINT, Command
from tests.cli.terminal import terminal
from tests.targets import target_of
from vclab.cli.verbs import NOUNS
from vclab.model.catalog import Endpoint
from vclab.model.computer_checks import Repair, Verdict
from vclab.model.intents import Author
from vclab.model.plans import Evidence
from vclab.model.power import PowerAddress, PowerSeen, PowerVerb, Switch
from vclab.model.reservations import FailedStep
from vclab.model.rules import Health
from vclab.model.states import Purpose
from vclab.service.authentication import Account
from vclab.settings import Settings
from vclab.store import background_loads, catalog, computer_checks, failed_steps, power, tenures
from vclab.store.engine import open_store

NAMED = ("image", "add", "ubuntu", "--unchecked")
IMAGE = (*NAMED, "--master", "[ds1] u/1/disk.vmdk", "--cpus", "2", "--memory", "2048", "--disk", "16")
SIZE = ("--cpus", "1", "--memory", "512", "--disk", "4")
MACS = ("--mac", "02:76:63:99:00:01", "--public-mac", "02-76-63-99-01-01")


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key pair; the path of its public half."""
    file = tmp_path_factory.mktemp("key") / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "dora", "-f", file], check=True)
    return file.with_suffix(".pub")


@pytest.mark.parametrize("noun", [noun.name for noun in NOUNS])
def test_each_noun_has_help_and_its_verbs_examples(vclab: Command, noun: str) -> None:
    said = vclab(noun, "--help")
    assert said.code == 0
    verbs = [line.split()[0] for line in said.out.partition("Commands:\n")[2].splitlines()]
    assert verbs
    for verb in verbs:
        said_of_verb = vclab(noun, verb, "--help")
        assert said_of_verb.code == 0
        assert f"vclab {noun} {verb}" in said_of_verb.out.partition("Examples:")[2]


def test_only_operators_and_root(vclab: Command, store: Path, key: Path) -> None:
    adding = ("user", "add", "dora", "--key", str(key))
    for command in (adding, IMAGE, ("computer", "edit", "vm01", "--maintenance"), ("history", "--user", "alice")):
        vclab("--as", "alice", *command).one_line_error(3, "alice may not")
    assert "dora" not in vclab("--as", "alice", "user", "list").out
    assert vclab("--as", "olga", *adding).code == 0
    assert "dora" not in vclab("--as", "alice", "user", "list").out
    assert "dora" in vclab("--as", "olga", "user", "list").out


@pytest.fixture
def pretending(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pretended world is switched on."""
    monkeypatch.setenv("VCLAB_FAKE__ENABLED", "true")


def test_a_module_that_is_off(
    vclab: Command, store: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Nothing is added that no worker knows; what was added before is named by the doctor."""
    room = ("endpoint", "add", "room", "--module", "fake-metal")
    metal = ("image", "add", "metal", "--module", "fake-metal", "--guest", "fake", *SIZE)
    vclab(*room).one_line_error(3, "fake-metal is part of the pretended world, which is off", "`fake.enabled`")
    vclab(*metal).one_line_error(3, "fake-metal is part of the pretended world")
    vclab("image", "edit", "debian-12", "--guest", "fake").one_line_error(3, "fake is part of the pretended world")
    assert "room" not in vclab("endpoint", "list").out
    request.getfixturevalue("pretending")
    assert vclab(*room).code == 0
    monkeypatch.delenv("VCLAB_FAKE__ENABLED")
    found = {check["name"]: check for check in vclab("doctor", "--json").json["checks"]}["endpoint room"]
    assert (found["ok"], "its module fake-metal" in found["found"]) == (False, True), found
    assert "restart the worker" in found["todo"]


@pytest.mark.usefixtures("pretending")
def test_a_computer_is_reloaded_if_it_can_be(vclab: Command, store: Path) -> None:
    """Refused with the reason before anything is started; what may be loaded is asked of Temporal."""
    for command in (
        ("endpoint", "add", "room", "--module", "fake-metal"),
        ("computer", "add", "m1", "--group", "room", "--address", "10.77.0.31", "--trust-first-contact"),
        ("image", "add", "metal", "--module", "fake-metal", "--guest", "fake", *SIZE),
    ):
        said = vclab(*command)
        assert said.code == 0, said
    reload = ("computer", "reload")
    vclab("--as", "alice", *reload, "m1").one_line_error(3, "alice may not")
    vclab(*reload, "m9").one_line_error(4, "there is no computer 'm9'")
    vclab(*reload, "m1", "--image", "metall").one_line_error(4, "did you mean metal?")
    vclab(*reload, "m1").one_line_error(3, "nothing was ever loaded on m1", "which image")
    vclab(*reload, "m1", "--image", "debian-12").one_line_error(3, "room can't load the image debian-12")
    vclab(*reload, "vm01").one_line_error(3, "each reservation makes a virtual one anew")
    vclab(*reload).one_line_error(2, "no computer is named", "--group")
    vclab(*reload, "--group", "rom").one_line_error(4, "did you mean room?")
    vclab(*reload, "m1", "m9", "--image", "metal").one_line_error(4, "there is no computer 'm9'")
    vclab(*reload, "m1", "--image", "metal:0").one_line_error(2, "'0' is no number of a revision")
    vclab(*reload, "m1", "--image", "metal:2", "--yes").one_line_error(3, "there is no revision 2 of image metal")
    vclab(*reload, "m1", "--image", "metal").one_line_error(3, "all that is on m1 would be lost", "--yes")
    vclab(*reload, "m1", "--image", "metal", "--yes").one_line_error(5, "Temporal server", "does not answer")
    assert vclab("computer", "show", "m1", "--json").json["load_intent"] == "", (
        "nothing is written down before it answers"
    )


@pytest.mark.usefixtures("pretending")
def test_what_becomes_of_a_group_after_use(vclab: Command, store: Path) -> None:
    """Only what is lent has a policy, and only what can be loaded is left unloaded."""
    assert vclab("endpoint", "add", "room", "--module", "fake-metal", "--after-use", "unloaded").code == 0
    vclab("endpoint", "add", "labs", "--module", "standalone")
    assert vclab("endpoint", "show", "room", "--json").json["after_use"] == "unloaded"
    assert "switched off as they are" in vclab("endpoint", "show", "room").out
    assert vclab("endpoint", "show", "labs", "--json").json["after_use"] == "on"
    edit = ("endpoint", "edit")
    vclab(*edit, "labs", "--after-use", "unloaded").one_line_error(2, "standalone can't be loaded", "on or off")
    vclab(*edit, "labs", "--after-use", "asleep").one_line_error(2, "there is no after use 'asleep'", "on, off")
    vclab(*edit, "vc1", "--after-use", "off").one_line_error(2, "are made for each reservation")
    assert vclab(*edit, "labs", "--after-use", "off").code == 0
    assert vclab(*edit, "labs", "--site", "north").code == 0
    assert vclab("endpoint", "show", "labs", "--json").json["after_use"] == "off", "what is not given stays"


@pytest.mark.usefixtures("pretending")
def test_whom_a_reload_hits_is_shown_at_a_terminal(vclab: Command, store: Path) -> None:
    """Nothing is done without a yes."""
    vclab("endpoint", "add", "room", "--module", "fake-metal")
    vclab("image", "add", "metal", "--module", "fake-metal", "--guest", "fake", *SIZE)
    for name in ("m1", "m2"):
        vclab("computer", "add", name, "--group", "room", "--address", f"10.77.0.3{name[1]}", "--trust-first-contact")
    with terminal(100, "computer", "reload", "--group", "room", "--image", "metal") as shown:
        shown.until("Type yes")
        shown.write("no\n")
        assert shown.wait() == 3
    assert "All that is on 2 computers will be lost" in shown.shown
    for name in ("m1", "m2"):
        assert re.search(rf"{name} +metal/1 +now", shown.shown), shown.shown
    assert "nothing was changed" in shown.shown


def test_what_was_found_of_a_computer_that_nobody_has(vclab: Command, store: Path) -> None:
    """By its check: when it was, and what followed. Its events tell it for good, beside what else was done to it."""
    opened, moment = open_store(f"sqlite:///{store}"), datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
    rules = Settings().rules()

    def fill(session: Session) -> None:
        catalog.put_endpoint(session, Endpoint("labs", "standalone", "", "", "", ""))
        catalog.put_lab_computer(session, "pc07", endpoint="labs", address="10.0.0.1")
        session.flush()
        power.set_address(session, "pc07", PowerAddress("wol://02-76-63-99-00-08@10.0.0.1/10.0.0.255"))
        order = computer_checks.begin(session, "pc07", rules, moment)
        computer_checks.end(session, order, Verdict("it was off: switched on; it answers", Repair.SWITCH_ON), moment)
        switch = Switch("pc07", PowerVerb.OFF, intent="a1")
        off = power.begin(session, switch, Author("olga", operator=True), rules, moment + timedelta(hours=1))
        power.end(session, off, PowerSeen("unknown"), "", moment + timedelta(hours=1))

    opened.run(fill)
    opened.close()
    shown = vclab("computer", "show", "pc07")
    assert "2026-11-28" in shown.out and "it was off: switched on; it answers" in shown.out
    assert "it is switched on when somebody needs it" in shown.out
    document = vclab("computer", "show", "pc07", "--json").json
    assert (document["check_repair"], document["checked_at"]) == ("switched on", "2026-11-28T09:00:00Z")
    assert document["off_since"] == "2026-11-28T10:00:00Z"
    assert "available, off" in vclab("computer", "list").out
    done = [(each["who"], each["what"]) for each in vclab("computer", "events", "pc07", "--json").json]
    assert done == [("vclab", "checked: switched on"), ("olga", "power"), ("vclab", "power")]
    assert "checked: switched on" in vclab("computer", "events", "pc07").out
    assert vclab("computer", "events", "pc99", "--json").json == []


def test_a_computer_that_could_not_be_loaded(vclab: Command, store: Path) -> None:
    """What failed and what could be seen, for those who mend it; and what they can do."""
    opened = open_store(f"sqlite:///{store}")
    metal = Endpoint("room", "fake-metal", "", "", "", "")
    target = target_of(
        reservation="computer-m1",
        computer="m1",
        module="fake-metal",
        guest="fake",
        endpoint="room",
        host="m1",
        image="metal",
    )
    seen = Evidence("off", ("m1 in room",), ("panic: no disk",))
    trouble = FailedStep(datetime.now(UTC), "m1", 1, "m1", "fake-metal.power_on", 2, "Power it on", "no disk", seen)

    def fill(session: Session) -> None:
        catalog.put_endpoint(session, metal)
        catalog.put_lab_computer(session, "m1", endpoint="room", address="10.0.0.1")
        session.flush()
        tenures.take(session, "m1", "computer-m1", Purpose.LOAD, datetime.now(UTC), datetime.now(UTC))
        failed_steps.note(session, target, trouble, Health())
        background_loads.failed(session, target, "step 2, Power it on: no disk", datetime.now(UTC))

    opened.run(fill)
    opened.close()
    said = vclab("--as", "olga", "computer", "show", "m1").out
    assert "step 2, Power it on: no disk" in said
    assert "panic: no disk" in said and "`vclab computer reload m1` loads it again" in said
    assert "panic" in vclab("--as", "olga", "needs-help").out
    (one,) = vclab("--as", "olga", "needs-help", "--json").json
    assert (one["kind"], one["computer"], one["failure"]["number"]) == ("computer", "m1", 2)
    assert vclab("--as", "olga", "computer", "show", "m1", "--json").json["failure"] == one["failure"]
    assert "panic" not in vclab("--as", "alice", "computer", "show", "m1").out
    assert "m1 failed at Power it on; `vclab needs-help` shows" in vclab("status").out


def test_an_operator_need_not_be_a_user(vclab: Command, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vclab.service.authentication.may_write", lambda folder: False)
    monkeypatch.setattr("vclab.service.authentication.local_account", lambda secrets: Account("olga"))
    assert vclab("user", "add", "dora").code == 0


def test_a_user_is_added_shown_and_changed(vclab: Command, store: Path, key: Path) -> None:
    line = key.read_text().strip()
    added = vclab("user", "add", "dora", "--key", str(key), "--zone", "Europe/Paris", "--json").json
    assert added == {
        "login": "dora",
        "uid": 20001,
        "affiliation": "local",
        "public_keys": [line],
        "zone": "Europe/Paris",
        "operator": False,
        "disabled_at": None,
        "disabled_why": "",
    }
    assert vclab("user", "add", "dora", "--json").json == added
    assert vclab("user", "add", "dora", "--key", line, "--uid", "20001", "--json").json == added
    vclab("user", "add", "dora", "--uid", "20002").one_line_error(3, "user add: ", "vclab user edit dora")
    assert vclab("user", "add", "emil", "--json").json["uid"] == 20002
    edited = vclab("user", "edit", "dora", "--uid", "3000", "--no-keys", "--json").json
    assert (edited["uid"], edited["public_keys"], edited["zone"]) == (3000, [], "Europe/Paris")
    assert vclab("user", "edit", "dora", "--add-key", line, "--add-key", str(key), "--json").json["public_keys"] == [
        line
    ]
    assert vclab("user", "show", "dora", "--json").json["uid"] == 3000
    assert line in vclab("user", "show", "dora").out
    assert [user["login"] for user in vclab("user", "list", "--json").json] == ["alice", "bob", "dora", "emil", "olga"]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("älice",), ("the login name 'älice' has 'ä' (U+00E4)", "only a-z, 0-9, _ and -")),
        (("Dora",), ("has 'D'",)),
        (("do ra",), ("a space",)),
        (("do\x07ra",), ("a control character (U+0007)",)),
        (("dora\n",), ("a control character (U+000A)",)),
        (("",), ("is empty",)),
        (("1dora",), ("must begin with a letter",)),
        (("root",), ("root can't be a user",)),
        (("d" * 33,), ("longer than 32",)),
        (("d" * 5000,), ("longer than 32",)),
        (("dora", "--uid", "999"), ("999",)),
        (("dora", "--uid", "-1"), ("-1",)),
        (("dora", "--uid", "65534"), ("65534",)),
        (("dora", "--uid", "2147483648"), ("2147483648",)),
        (("dora", "--uid", "abc"), ("--uid must be a whole number",)),
        (("dora", "--zone", "Mars/Olympus"), ("there is no time zone 'Mars/Olympus'",)),
        (("dora", "--zone", "Europe/Berln"), ("did you mean Europe/Berlin",)),
        (("dora", "--zone", "../../etc/passwd"), ("no time zone",)),
        (("dora", "--zone", ""), ("--zone has an empty value",)),
        (("dora", "--key", "ssh-ed25519 AAAA"), ("damaged",)),
        (("dora", "--key", "hello"), ("neither an SSH public key",)),
        (("dora", "--key", ""), ("--key has an empty value",)),
        (("dora", "--key", "-----BEGIN OPENSSH PRIVATE KEY-----"), ("private key",)),
        (("dora", "--key", 'command="x" ssh-ed25519 AAAA'), ("begins with its type",)),
        (("dora", "--affiliation", "Größe"), ("an affiliation",)),
    ],
)
def test_what_is_no_user(vclab: Command, store: Path, arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    vclab("user", "add", *arguments).one_line_error(2, "user add: ", *parts)
    assert len(vclab("user", "list", "--json").json) == 3


def test_a_private_keys_file_and_a_weak_key(vclab: Command, store: Path, key: Path, tmp_path: Path) -> None:
    vclab("user", "add", "dora", "--key", str(key.with_suffix(""))).one_line_error(2, "holds a private key")
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", tmp_path / "weak"], check=True)
    vclab("user", "add", "dora", "--key", str(tmp_path / "weak.pub")).one_line_error(2, "less than 2048 bits")


def test_users_that_collide_or_are_not_there(vclab: Command, store: Path) -> None:
    vclab("user", "add", "dora", "--uid", "2001").one_line_error(3, "the uid 2001 of dora belongs to alice")
    vclab("user", "edit", "bob", "--uid", "2001").one_line_error(3, "belongs to alice")
    vclab("user", "edit", "alcie", "--zone", "UTC").one_line_error(4, "did you mean alice?")
    vclab("user", "show", "☃").one_line_error(4, "there is no user")
    vclab("user", "add").one_line_error(2, "LOGIN")
    vclab("user", "frob").one_line_error(2, "frob")


def test_an_image_its_revisions_and_back(vclab: Command, store: Path) -> None:
    added = vclab(*IMAGE, "--json").json
    disk = {"datastore": "ds1", "master_path": "u/1/disk.vmdk", "guest_id": "otherLinux64Guest"}
    assert (added["revision"], added["module_data"], added["endpoint"]) == (1, disk, "")
    assert (added["title"], added["ports"], added["root_access"], added["module"]) == ("ubuntu", [22], True, "vsphere")
    assert vclab(*IMAGE, "--json").json == added
    vclab(*IMAGE[:-1], "17").one_line_error(3, "the image ubuntu exists")
    vclab("image", "edit", "ubuntu", "--master", "u/2/disk.vmdk").one_line_error(3, "another revision: --revision 2")
    vclab("image", "edit", "ubuntu", "--revision", "3").one_line_error(3, "the next revision of ubuntu is 2, not 3")
    vclab("image", "edit", "ubuntu", "--revision", "2").one_line_error(2, "its own --master")
    second = vclab(
        "image", "edit", "ubuntu", "--unchecked", "--revision", "2", "--master", "[ds1] u/2/disk.vmdk",
        "--port", "22", "--port", "3389", "--json",
    ).json  # fmt: skip
    disk = second["module_data"]["master_path"]
    assert (second["revision"], disk, second["ports"]) == (2, "u/2/disk.vmdk", [22, 3389])
    back = vclab("image", "edit", "ubuntu", "--revision", "1", "--memory", "4096", "--title", "Ubuntu", "--json").json
    assert (back["revision"], back["ports"], back["memory_mb"], back["title"]) == (1, [22], 4096, "Ubuntu")
    shown = vclab("image", "show", "ubuntu", "--json").json
    assert [(r["revision"], r["state"]) for r in shown["revisions"]] == [(1, "production"), (2, "test")]
    assert "[ds1] u/2/disk.vmdk" in vclab("image", "show", "ubuntu").out
    assert "ubuntu" in vclab("image", "list").out
    assert [image["name"] for image in vclab("images", "--json").json] == ["debian-12", "ubuntu"]


def test_an_image_without_a_guest_keeps_none(vclab: Command, store: Path) -> None:
    made = vclab(*IMAGE, "--guest", "none", "--json").json
    assert (made["guest"], made["ports"]) == ("", [])
    assert vclab("image", "edit", "ubuntu", "--memory", "4096", "--json").json["guest"] == ""
    assert vclab("image", "edit", "ubuntu", "--guest", "linux", "--json").json["guest"] == "linux"
    assert vclab("image", "edit", "ubuntu", "--guest", "none", "--json").json["guest"] == ""
    vclab(*NAMED, "--master", "u/1/disk.vmdk", "--guest", "none").one_line_error(2, "needs --cpus, --memory, --disk")
    lab = ("image", "add", "lent", "--module", "standalone", "--guest", "none", *SIZE)
    vclab(*lab).one_line_error(2, "a lab machine needs a guest")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"ubuntu": "Übuntu"}, "'Ü'"),
        ({"ubuntu": "-ubuntu"}, ""),
        ({"ubuntu": "ubuntu."}, "begin and end"),
        ({"2": "0"}, "between 1 and 768"),
        ({"2": "1000000000"}, "between 1 and 768"),
        ({"2048": "63"}, "memory"),
        ({"2048": "2047"}, "multiple of 4"),
        ({"16": "-1"}, "disk"),
        ({"16": "1.5"}, "--disk must be a whole number, not 1.5"),
        ({"[ds1] u/1/disk.vmdk": "/etc/passwd"}, "path inside a datastore"),
        ({"[ds1] u/1/disk.vmdk": "[ds1] ../x.vmdk"}, "path inside a datastore"),
        ({"[ds1] u/1/disk.vmdk": "u/disk-flat.vmdk"}, "disk's description"),
        ({"[ds1] u/1/disk.vmdk": "u/disk.iso"}, "disk's description"),
        ({"[ds1] u/1/disk.vmdk": "u/\x00.vmdk"}, "U+0000"),
        ({"[ds1] u/1/disk.vmdk": ""}, "empty"),
        ({"--disk": "--title", "16": "x"}, "--disk"),
    ],
)
def test_what_is_no_image(vclab: Command, store: Path, change: dict[str, str], part: str) -> None:
    vclab(*(change.get(word, word) for word in IMAGE)).one_line_error(2, part)
    assert len(vclab("image", "list", "--json").json) == 1


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [
        ("--title", "a\nb", "control character"),
        ("--title", "x" * 101, "longer than 100"),
        ("--port", "0", "between 1 and 65535"),
        ("--port", "65536", "between 1 and 65535"),
        ("--module", "xen", "there is no provisioning module 'xen'"),
        ("--guest", "windoze", "there is no guest"),
        ("--guest-id", "Debian 12", "not a guest id"),
        ("--revision", "0", "revision"),
        (
            "--child-factor",
            "0.01",
            "the child factor must be between 0.05 and 1, or 0 for the site's setting, not 0.01",
        ),
        ("--child-factor", "1.5", "between 0.05 and 1"),
        ("--child-factor", "nan", "a number is not finite"),
    ],
)
def test_what_is_no_change_of_an_image(vclab: Command, store: Path, option: str, value: str, part: str) -> None:
    vclab("image", "edit", "debian-12", option, value).one_line_error(2, part)


def test_what_a_linked_disk_claims(vclab: Command, store: Path) -> None:
    assert vclab("image", "edit", "debian-12", "--child-factor", "0.25", "--json").json["child_factor"] == 0.25
    assert "0.25 of its disk" in vclab("image", "show", "debian-12").out
    assert vclab("image", "edit", "debian-12", "--memory", "1024", "--json").json["child_factor"] == 0.25
    assert vclab("image", "edit", "debian-12", "--child-factor", "0", "--json").json["child_factor"] == 0


def test_an_image_that_is_not_there(vclab: Command, store: Path) -> None:
    vclab("image", "edit", "debain-12", "--cpus", "2").one_line_error(4, "did you mean debian-12?")
    vclab("image", "show", "nope").one_line_error(4, "there is no image")


def test_a_pool_is_made_and_grows(vclab: Command, store: Path) -> None:
    first = vclab("computer", "add", "lab", "--count", "2", "--mac-prefix", "00:50:56", "--json").json
    assert [(c["name"], c["private_mac"], c["public_mac"]) for c in first] == [
        ("lab01", "00:50:56:00:00:01", "00:50:56:01:00:01"),
        ("lab02", "00:50:56:00:00:02", "00:50:56:01:00:02"),
    ]
    grown = vclab("computer", "add", "lab", "--count", "3", "--json").json
    assert [c["private_mac"] for c in grown] == [f"00:50:56:00:00:0{n}" for n in (1, 2, 3)]
    vclab("computer", "add", "lab", "--count", "4", "--mac-prefix", "02:11:22").one_line_error(3, "begin with 00:50:56")
    vclab("computer", "add", "other", "--count", "1").one_line_error(3, "MAC 02:76:63:00:00:01 of other01 belongs to")
    assert len(vclab("computer", "list", "--json").json) == 4 + 3


def test_one_computer_with_macs_of_its_own(vclab: Command, store: Path) -> None:
    (made,) = vclab("computer", "add", "paint-1", *MACS, "--json").json
    assert (made["name"], made["public_mac"], made["state"]) == ("paint-1", "02:76:63:99:01:01", "available")
    assert vclab("computer", "add", "paint-1", *MACS).code == 0
    vclab("computer", "add", "paint-2", *MACS).one_line_error(3, "belongs to paint-1")
    other = [word.replace("99", "98") for word in MACS]
    vclab("computer", "add", "paint-1", *other).one_line_error(3, "exists, with the MACs")
    vclab("computer", "add", "vm01", *other).one_line_error(3, "already a computer vm01")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("Lab", "--count", "2"), "'L'"),
        (("lab.x", "--count", "2"), "'.'"),
        (("lab", "--count", "0"), "between 1 and 4096"),
        (("lab", "--count", "4097"), "between 1 and 4096"),
        (("lab",), "--count"),
        (("lab", "--count", "2", *MACS), "--count"),
        (("lab", "--private-mac", "02:76:63:99:00:01"), "both"),
        (("lab", "--count", "2", "--mac-prefix", "02:76"), "three bytes"),
        (("lab", "--count", "2", "--mac-prefix", "01:76:63"), "multicast"),
        (("lab", "--count", "2", "--mac-prefix", "00:0c:29"), "vSphere assigns itself"),
        (("lab", "--private-mac", "00:50:56:80:00:01", "--public-mac", "02:00:00:00:00:02"), "vSphere assigns itself"),
        (("lab", "--private-mac", "zz:50:56:80:00:01", "--public-mac", "02:00:00:00:00:02"), "not a MAC address"),
        (("lab", "--private-mac", MACS[1], "--public-mac", MACS[1]), "different MACs"),
        (("l" * 61, "--count", "2"), "longer than 60"),
    ],
)
def test_what_is_no_computer(vclab: Command, store: Path, arguments: tuple[str, ...], part: str) -> None:
    vclab("computer", "add", *arguments).one_line_error(2, "computer add: ", part)
    assert len(vclab("computer", "list", "--json").json) == 4


def test_lab_machines(vclab: Command, store: Path, key: Path) -> None:
    assert vclab("endpoint", "add", "room-12", "--module", "standalone", "--json").json["module"] == "standalone"
    assert vclab("endpoint", "add", "room-12", "--module", "standalone").code == 0
    pc = ("computer", "add", "pc-07", "--group", "room-12", "--address")
    made = vclab(*pc, "10.77.0.27", "--host-key", str(key), "--json").json
    assert (made["kind"], made["pool"], made["private_address"]) == ("lab", "room-12", "10.77.0.27")
    assert made["host_key"] == " ".join(key.read_text().split()[:2])
    changed = vclab(*pc, "10.77.0.28", "--private-mac", "02-76-62-00-00-01", "--json").json
    assert (changed["private_address"], changed["private_mac"]) == ("10.77.0.28", "02:76:62:00:00:01")
    assert changed["host_key"] == made["host_key"]
    room = ("computer", "add", "pc-08", "--group")
    vclab(*room, "room-12", "--address", "10.77.0.29").one_line_error(
        2, "anybody could answer", "--trust-first-contact"
    )
    trusted = ("--trust-first-contact", "--json")
    assert (
        vclab("computer", "add", "pc-09", "--group", "room-12", "--address", "10.77.0.30", *trusted).json["host_key"]
        == ""
    )
    vclab(*room, "room-12", "--address", "10.77.0.28", "--trust-first-contact").one_line_error(
        3, "of pc-08 belongs to pc-07"
    )
    vclab(
        *room, "room-12", "--address", "10.77.0.29", "--public-mac", "02:76:62:00:00:01", *trusted[:1]
    ).one_line_error(3, "pc-07")
    vclab(*room, "room-13", "--address", "10.77.0.29").one_line_error(4, "did you mean room-12?")
    vclab(*room, "vc1", "--address", "10.77.0.29").one_line_error(4, "there is no group of lab machines 'vc1'")
    vclab(*room, "room-12", "--address", "10.77").one_line_error(2, "'10.77' is not an address")
    vclab(*room, "room-12", "--address", "::1").one_line_error(2, "can't be a machine's address")
    vclab(*room, "room-12").one_line_error(2, "needs --address")
    vclab("computer", "add", "pc-08", "--address", "10.77.0.29").one_line_error(2, "--group")
    vclab("computer", "add", "vm01", "--group", "room-12", "--address", "10.77.0.31", *trusted[:1]).one_line_error(
        3, "identity vm01"
    )
    vclab("endpoint", "check", "room-12").one_line_error(3, "which has nothing to log in to")
    vclab("endpoint", "add", "vc1", "--module", "standalone").one_line_error(3, "the endpoint vc1 exists")
    vclab("endpoint", "add", "r", "--module", "standalone", "--url", "https://x").one_line_error(2, "need no login")
    vclab("endpoint", "add", "r", "--module", "standalone", "--memory-reserve", "9").one_line_error(2, "as a whole")
    vclab("endpoint", "add", "r").one_line_error(2, "needs --url and --username")
    assert "standalone" in vclab("endpoint", "show", "room-12").out
    assert "room-12" in vclab("endpoint", "list").out


def test_a_site_of_an_endpoint(vclab: Command, store: Path) -> None:
    room = ("endpoint", "add", "room-12", "--module", "standalone")
    assert vclab(*room, "--site", "north", "--json").json["site"] == "north"
    vclab(*room, "--site", "south").one_line_error(3, "the endpoint room-12 exists")
    assert vclab(*room).code == 0, "what is not said stays"
    assert vclab("endpoint", "edit", "room-12", "--site", "south", "--json").json["site"] == "south"
    assert "south" in vclab("endpoint", "show", "room-12").out
    mixed = ("endpoint", "edit", "room-12", "--site", "north", "--certificate")
    vclab(*mixed).one_line_error(3, "nothing to log in to")
    vclab(*mixed[:-1], "--url", "").one_line_error(2, "--url has an empty value")
    assert vclab("endpoint", "show", "room-12", "--json").json["site"] == "south"
    assert vclab("endpoint", "add", "room-13", "--module", "standalone", "--json").json["site"] == "default"
    for wrong in ("North", "a-long", "", "a" * 32):
        assert vclab(*room, "--site", wrong).code == 2


def test_an_endpoint_of_a_module_that_makes_computers_and_has_nothing_to_log_in_to(
    vclab: Command, store: Path, installation: Path
) -> None:
    installation.write_text(installation.read_text() + "\nfake.enabled = true\n")
    made = vclab("endpoint", "add", "fakes", "--module", "fake", "--cpu-overcommit", "2", "--json").json
    assert (made["module"], made["cpu_overcommit"], made["url"]) == ("fake", 2, "")
    changed = vclab("endpoint", "edit", "fakes", "--memory-reserve", "0", "--json").json
    assert (changed["memory_reserve_mb"], changed["cpu_overcommit"]) == (0, 2)
    vclab("endpoint", "check", "fakes").one_line_error(3, "of the module fake, which has nothing to log in to")


def test_an_image_of_lab_machines(vclab: Command, store: Path) -> None:
    lent = ("image", "add", "lent", "--module", "standalone", "--cpus", "8", "--memory", "16384", "--disk", "500")
    vclab(*lent, "--sudo").one_line_error(2, "lab machines can't be reimaged")
    vclab(*lent, "--master", "[ds1] x.vmdk").one_line_error(2, "a group of lab machines")
    made = vclab(*lent, "--json").json
    assert (made["endpoint"], made["module_data"], made["root_access"]) == ("", {}, False)
    assert "on all lab machines" in vclab("image", "show", "lent").out
    assert vclab("image", "add", "plain", "--module", "standalone", "--json").json["cpus"] == 0, "it is what it is"
    edited = vclab("image", "edit", "lent", "--revision", "2", "--master", "room-12", "--json").json
    assert (edited["revision"], edited["endpoint"]) == (2, "room-12")
    assert "on the machines of room-12" in vclab("image", "list").out
    vclab("image", "edit", "lent", "--sudo").one_line_error(2, "lab machines can't be reimaged")


def test_an_option_that_the_module_does_not_have(vclab: Command, store: Path) -> None:
    """Nothing is written then."""
    lent = ("image", "add", "lent", "--module", "standalone", "--cpus", "8", "--memory", "16384", "--disk", "500")
    vclab(*lent, "--guest-id", "debian12_64Guest").one_line_error(2, "--guest-id is not for the module standalone")
    room = ("endpoint", "add", "room-12", "--module", "standalone")
    vclab(*room, "--folder", "x").one_line_error(2, "--folder is not for the module standalone")
    vclab("image", "edit", "debian-12", "--module", "standalone", "--guest-id", "a").one_line_error(2, "--guest-id is")
    assert vclab("image", "list", "--json").json[0]["module_data"]["guest_id"] == "debian12_64Guest"
    assert [each["name"] for each in vclab("endpoint", "list", "--json").json] == ["vc1"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("image", "edit", "debian-12", "--set", "guest_id"), "--set takes FIELD=VALUE, not 'guest_id'"),
        (("image", "edit", "debian-12", "--set", "=x"), "--set takes FIELD=VALUE"),
        (("image", "edit", "debian-12", "--set", "vlan=7"), "--set vlan=… is not for the module vsphere"),
        (("image", "edit", "debian-12", "--set", "version=2"), "--set version=… is not for the module vsphere"),
        (("image", "edit", "debian-12", "--guest-id", "a", "--set", "guest_id=b"), "guest_id is given twice"),
        (("image", "edit", "debian-12", "--set", "guest_id=Debian 12"), "not a guest id"),
        (("image", "edit", "debian-12", "--set", "datastore=a\nb"), "control characters"),
        ((*IMAGE, "--set", "master_path=../x.vmdk"), "given twice"),
        ((*NAMED, *SIZE, "--set", "master_path=../x.vmdk"), "path inside a datastore"),
        (("endpoint", "add", "r", "--module", "standalone", "--set", "a=b"), "is not for the module standalone"),
    ],
)
def test_fields_that_the_module_does_not_take(vclab: Command, store: Path, words: tuple[str, ...], part: str) -> None:
    """Nothing is written then."""
    before = [vclab(noun, "list", "--json").out for noun in ("image", "endpoint")]
    vclab(*words).one_line_error(2, part)
    assert [vclab(noun, "list", "--json").out for noun in ("image", "endpoint")] == before


def test_fields_of_the_module(vclab: Command, store: Path) -> None:
    made = vclab(*NAMED, *SIZE, "--set", "master_path=u/1/disk.vmdk", "--set", "datastore=ds1", "--json").json
    assert made["module_data"]["datastore"] == "ds1"
    edited = vclab("image", "edit", "ubuntu", "--unchecked", "--set", "guest_id=a", "--json").json
    assert edited["module_data"]["guest_id"] == "a"
    assert "[ds1] u/1/disk.vmdk" in vclab("image", "list").out


def test_data_that_can_not_be_read(vclab: Command, store: Path) -> None:
    """One line says whose it is and what is wrong; a list is a list all the same, and what is said anew mends it."""
    opened = open_store(f"sqlite:///{store}")
    opened.run(lambda s: catalog.put_image(s, replace(DEBIAN, module_data='{"version": 9, "master_path": "x"}')))
    opened.run(lambda s: catalog.put_endpoint(s, replace(ENDPOINT, module_data='{"vlan": 7}')))
    opened.close()
    image, endpoint = (
        "data of the image debian-12 can't be read: version",
        "data of the endpoint vc1 can't be read: vlan",
    )
    vclab("image", "show", "debian-12").one_line_error(1, image)
    vclab("endpoint", "show", "vc1").one_line_error(1, endpoint)
    assert image in vclab("image", "list").out
    assert image in vclab("image", "list", "--json").json[0]["error"]
    assert endpoint in vclab("endpoint", "list", "--json").json[0]["error"]
    assert vclab("endpoint", "list").code == 0
    vclab("image", "edit", "debian-12", "--memory", "1024").one_line_error(2, "needs --master too")
    mended = vclab("image", "edit", "debian-12", "--unchecked", "--master", "[ds1] d/1/disk.vmdk", "--json").json
    assert mended["revision"] == 1
    assert mended["module_data"] == {
        "datastore": "ds1",
        "master_path": "d/1/disk.vmdk",
        "guest_id": "otherLinux64Guest",
    }


def test_texts_to_hand_out(vclab: Command, store: Path, installation: Path, tmp_path: Path) -> None:
    """The toy module: no guest, no addresses, no sizes; offered only with the pretended world."""
    image = ("image", "add", "note", "--module", "text-file", "--set", "text=Hello")
    vclab(*image).one_line_error(3, "text-file is part of the pretended world, which is off")
    installation.write_text(installation.read_text() + "\nfake.enabled = true\n")
    vclab(*image[:-2]).one_line_error(2, "a new image needs --set text=… too")
    vclab(*image, "--guest", "linux").one_line_error(2, "computers of the module text-file have no guest")
    vclab(*image, "--sudo").one_line_error(2, "--no-sudo")
    made = vclab(*image, "--json").json
    assert (made["module_data"]["text"], made["guest"], made["module"], made["ports"]) == ("Hello", "", "text-file", [])
    assert vclab(*image, "--json").json == made
    vclab("image", "edit", "note", "--set", "text=Bye").one_line_error(3, "another revision: --revision 2")
    vclab("image", "edit", "note", "--revision", "2").one_line_error(2, "needs its own --set text=…")
    second = vclab("image", "edit", "note", "--revision", "2", "--set", "text=Bye", "--json").json
    assert second["module_data"] == {"text": "Bye"}
    assert "Bye" in vclab("image", "show", "note").out
    assert vclab("image", "list").code == 0
    other = ("image", "edit", "debian-12", "--module", "text-file", "--set", "text=x")
    vclab(*other, "--guest", "linux").one_line_error(2, "have no guest")

    group = ("endpoint", "add", "texts", "--module", "text-file")
    vclab(*group).one_line_error(2, "the endpoint texts needs --folder too")
    vclab(*group, "--folder", "../x").one_line_error(2, "the endpoint texts: folder: ", "absolute path")
    assert vclab(*group, "--folder", str(tmp_path), "--json").json["module_data"]["folder"] == str(tmp_path)
    vclab(*group, "--folder", "/else").one_line_error(3, "change it with `vclab endpoint edit texts`")
    edited = vclab("endpoint", "edit", "texts", "--set", "folder=/srv/texts", "--json").json
    assert edited["module_data"] == {"folder": "/srv/texts"}
    assert "/srv/texts" in vclab("endpoint", "show", "texts").out
    vclab("endpoint", "edit", "texts").one_line_error(3, "nothing to log in to")

    for name in ("note1", "note2", "note1"):
        assert vclab("computer", "add", name, "--group", "texts", "--json").json["private_address"] == ""


def test_maintenance_and_back(vclab: Command, store: Path) -> None:
    edited = vclab("computer", "edit", "vm01", "--maintenance", "--notes", "its address answers", "--json").json
    assert (edited["state"], edited["notes"]) == ("maintenance", "its address answers")
    assert "its address answers" in vclab("computer", "list").out
    assert "maintenance" in vclab("computer", "show", "vm01").out
    edited = vclab("computer", "edit", "vm01", "--available", "--notes", "", "--json").json
    assert (edited["state"], edited["notes"]) == ("available", "")
    vclab("computer", "edit", "vm01").one_line_error(2, "--maintenance")
    vclab("computer", "edit", "vm1", "--available").one_line_error(4, "did you mean vm01")
    vclab("computer", "edit", "vm01", "--notes", "a\x1bb").one_line_error(2, "control character")


def test_a_computer_that_is_held_keeps_its_state(vclab: Command, store: Path) -> None:
    from tests.store.lab import HOUR, NOW

    opened = open_store(f"sqlite:///{store}")
    opened.run(lambda s: tenures.take(s, "vm02", "r7", Purpose.RESERVATION, NOW + HOUR, NOW))
    opened.close()
    vclab("computer", "edit", "vm02", "--maintenance").one_line_error(3, "vm02 is held by r7")
    assert vclab("computer", "edit", "vm02", "--notes", "noisy", "--json").json["holder"] == "r7"


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("vclab user show al", "alice"),
        ("vclab computer edit vm0", "vm03"),
        ("vclab endpoint check v", "vc1"),
        ("vclab image show deb", "debian-12"),
        ("vclab history --user o", "olga"),
        ("vclab history --computer vm04", "vm04"),
        ("vclab user ", "edit"),
    ],
)
def test_completion(vclab_process: Command, store: Path, typed: str, wanted: str) -> None:
    said = vclab_process(_VCLAB_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS=typed)
    assert wanted in said.out, said


def test_without_a_database(vclab: Command) -> None:
    vclab("user", "add", "dora").one_line_error(5, "the database does not answer")
    vclab("user", "list").one_line_error(5, "the database does not answer")


def test_a_copy_is_wanted_on_a_datastore_or_in_a_repository(vclab: Command, store: Path) -> None:
    said, copy = vclab("image", "copy", "--help"), ("image", "copy", "debian-12", "1")
    assert said.code == 0 and "vclab image copy debian-12 1 --repository main" in said.out
    for options in ((), ("--endpoint", "vc"), ("--endpoint", "vc", "--datastore", "ds1", "--repository", "main")):
        vclab(*copy, *options).one_line_error(2, "give --endpoint and --datastore, or else --repository")
    vclab(*copy, "--repository", "").one_line_error(2, "--repository")
    vclab(*copy, "--repository", "main").one_line_error(5, "Temporal server", "does not answer")
