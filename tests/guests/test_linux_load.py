"""The load steps of the Linux guest on real machines."""

from dataclasses import replace

import pytest

from tests.guests.bench import ALICE, MANAGEMENT, Bench, Context, Place, interrupted, target_of
from vclab.guests.base import Guest
from vclab.guests.linux import Linux
from vclab.model.errors import Fenced, NotOurs, NotYet, StepFailed
from vclab.model.plans import Access, Facts, StepInput

pytestmark = pytest.mark.lab

PRIVATE_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.fixture(scope="module")
def fresh(bench: Bench) -> Place:
    """A machine that answers SSH and has not been post-loaded; tests that need it so must not do it."""
    place = bench.machine("fresh")
    place.facts = Facts(private_address=place.wait_for_addresses()[place.target.private_mac])
    place.facts = place.facts.merged(place.wait_ssh())
    return place


def test_the_host_key_is_pinned_as_it_is(loaded: Place) -> None:
    kind_and_key = loaded.inside("cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()[:2]
    assert loaded.facts.host_key.split() == kind_and_key


def test_ssh_that_does_not_answer_is_looked_for_again(bench: Bench, loaded: Place) -> None:
    place = Place(bench, loaded.machine)
    place.facts = Facts(private_address="10.77.200.200")
    with pytest.raises(NotYet) as wait:
        place.step("linux.wait_ssh", linux=bench.linux(replace(bench.linux()._patience, connect=0.5)))
    assert wait.value.next_look_seconds == 5


def test_a_machine_that_lets_nobody_in_is_looked_for_again(bench: Bench, loaded: Place) -> None:
    stranger = bench.linux(key=bench.new_key("no_one"))
    with pytest.raises(NotYet, match="does not accept the management key"):
        loaded.step("linux.wait_ssh", linux=stranger)


def test_a_known_host_key_must_match(bench: Bench, loaded: Place) -> None:
    place = Place(bench, loaded.machine)
    other = bench.new_key("other_pin").with_suffix(".pub").read_text()
    place.facts = replace(loaded.facts, host_key=other)
    with pytest.raises(StepFailed, match="was pinned"):
        place.step("linux.wait_ssh")


def test_a_machine_with_another_card_is_not_taken(loaded: Place) -> None:
    with pytest.raises(NotOurs, match=r"not 02:76:63:00:00:99"):
        loaded.step("linux.wait_ssh", private_mac="02:76:63:00:00:99")


def test_post_load_is_fenced_before_it_changes_anything(fresh: Place) -> None:
    before = fresh.inside("find", "/etc", "/root", "-newer", "/etc/machine-id")
    with pytest.raises(Fenced):
        fresh.step("linux.post_load", Context(stale=Fenced("given to another")))
    assert fresh.inside("find", "/etc", "/root", "-newer", "/etc/machine-id") == before
    assert not fresh.inside("nft", "list", "tables")


def test_post_load_needs_its_programs(fresh: Place) -> None:
    fresh.inside("mv", "/usr/sbin/nft", "/usr/sbin/nft.away")
    try:
        with pytest.raises(StepFailed, match=r"the image lacks nft$"):
            fresh.step("linux.post_load")
    finally:
        fresh.inside("mv", "/usr/sbin/nft.away", "/usr/sbin/nft")


def test_post_load_does_not_lock_ourselves_out(bench: Bench, fresh: Place) -> None:
    wrong = Linux(bench.key, bench.secrets, ["192.0.2.0/24"])
    with pytest.raises(StepFailed, match=rf"from {MANAGEMENT}, which is not among management_addresses \(192"):
        fresh.step("linux.post_load", linux=wrong)
    assert not fresh.inside("nft", "list", "tables")


def test_before_the_load_the_port_is_open_and_after_it_shut(bench: Bench) -> None:
    place = bench.machine("portal")
    public = place.wait_for_addresses()[place.target.public_mac]
    place.facts = Facts(private_address=place.wait_for_addresses()[place.target.private_mac], public_address=public)
    place.facts = place.facts.merged(place.wait_ssh())
    assert place.opens("alice")
    place.load()
    assert place.shut("alice")
    assert place.facts.public_address == public


def test_a_newer_generation_is_never_touched(bench: Bench, loaded: Place) -> None:
    newer = "vclab_installation=vclab-test\ncomputer_hostname=vm77\nvclab_reservation=r9\nvclab_generation=5"
    place = bench.machine("newer")
    place.facts = Facts(private_address=place.wait_for_addresses()[place.target.private_mac])
    place.facts = place.facts.merged(place.wait_ssh())
    place.write("/root/currentimage.txt", newer)
    for generation in (3, 4):
        with pytest.raises(NotOurs, match="generation 5, of reservation r9"):
            place.step("linux.post_load", computer="vm77", generation=generation)
    assert place.inside("cat", "/root/currentimage.txt") == newer
    assert not place.inside("nft", "list", "tables")
    place.step("linux.post_load", computer="vm77", generation=6)  # an old image's own file is no hindrance
    assert "vclab_generation=6" in place.inside("cat", "/root/currentimage.txt")


def test_post_load_twice_is_harmless_and_keeps_password_and_taint(bench: Bench, loaded: Place) -> None:
    def state() -> str:
        files = ["/root/currentimage.txt", "/etc/hosts", "/etc/hostname", "/etc/ssh/sshd_config.d/00-vclab.conf"]
        return loaded.inside("cat", *files) + loaded.inside("nft", "list", "ruleset")

    bench.manage(bench.linux().taint(loaded.target, loaded.facts, "test"))
    password, before = bench.secrets.get("tenure/vm01/1/root"), state()
    loaded.step("linux.post_load")
    assert state() == before
    assert bench.secrets.get("tenure/vm01/1/root") == password
    assert loaded.hash_of("root") == loaded.crypt(password, loaded.hash_of("root"))
    assert loaded.inside("hostname").strip() == "vm01"
    assert loaded.inside("getent", "hosts", "vm01").split()[0] == "127.0.1.1"


def test_an_interrupted_post_load_converges(bench: Bench, access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    place = bench.machine("interrupted")
    place.facts = Facts(private_address=place.wait_for_addresses()[place.target.private_mac])
    place.facts = place.facts.merged(place.wait_ssh())
    assert interrupted(monkeypatch, lambda: place.step("linux.post_load")) == 7
    place.load()
    bench.manage(bench.linux().grant_access(place.target, place.facts, access))
    assert place.ssh("alice", bench.layout.folder / "alice", access.login, "hostname").stdout == "vm01\n"
    assert place.shut("bob")
    place.machine.stop()


def test_without_management_addresses_it_is_who_comes(bench: Bench, loaded: Place, access: Access) -> None:
    guest: Guest = Linux(bench.key, bench.secrets, [])
    bench.manage(guest.close_access(loaded.target, loaded.facts, access))
    assert f"elements = {{ {MANAGEMENT} }}" in loaded.inside("nft", "list", "set", "inet", "vclab", "management4")


def test_private_keys_of_root_are_removed_and_nothing_else(fresh: Place) -> None:
    for name in ("id_rsa", "id with blank"):
        fresh.write(f"/root/.ssh/{name}", PRIVATE_KEY)
    fresh.write("/root/.ssh/config", "Host x\n")
    fresh.step("linux.post_load")
    assert sorted(fresh.inside("ls", "/root/.ssh").split("\n")) == ["", "authorized_keys", "config"]


def test_root_comes_in_from_the_management_node_only(bench: Bench, loaded: Place, access: Access) -> None:
    access = replace(access, addresses=(ALICE,))
    bench.manage(bench.linux().grant_access(loaded.target, loaded.facts, access))
    assert "Permission denied" in loaded.ssh("alice", bench.key, "root", "true").stderr
    root = bench.secrets.get("tenure/vm01/1/root")
    assert not bench.person("alice", loaded.password_login("root", root))
    assert not bench.manage(loaded.password_login("root", root, loaded.facts.private_address))


def test_a_password_opens_only_accounts_that_we_made(bench: Bench, loaded: Place, access: Access) -> None:
    loaded.inside("useradd", "-m", "-u", "5000", "-s", "/bin/bash", "imageuser")
    loaded.inside("sh", "-c", "echo imageuser:known-to-many | chpasswd")
    bench.manage(bench.linux().grant_access(loaded.target, loaded.facts, access))
    assert not bench.person("alice", loaded.password_login("imageuser", "known-to-many"))


def test_the_public_address_is_waited_for_but_not_for_ever(loaded: Place) -> None:
    context = Context()
    with pytest.raises(NotYet, match="has no address yet"):
        loaded.step("linux.read_public_address", context, public_mac="02:76:63:00:00:98")
    context.remembered["looks"] = "30"  # two seconds apart, whatever the clock says
    with pytest.raises(StepFailed, match="after 31 looks"):
        loaded.step("linux.read_public_address", context, public_mac="02:76:63:00:00:98")


def test_a_computer_with_one_card_has_its_private_address_as_public(loaded: Place) -> None:
    assert loaded.step("linux.read_public_address", public_mac="").public_address == loaded.facts.private_address


def test_after_a_power_cut_the_firewall_is_back_and_the_boot_is_another(bench: Bench, access: Access) -> None:
    place = bench.machine("cut").load()
    bench.manage(bench.linux().grant_access(place.target, place.facts, access))
    place.machine.stop()
    place.machine.start()
    place.wait_for_addresses()
    place.wait_ssh()
    assert place.ssh("alice", bench.layout.folder / "alice", access.login, "id", "-un").stdout.strip() == access.login
    assert place.shut("bob")
    again = place.step("linux.read_public_address")
    assert again.boot_id != place.facts.boot_id
    assert again.public_address == place.facts.public_address


def test_the_steps_names_are_forever(bench: Bench, loaded: Place) -> None:
    assert list(bench.linux().steps()) == [
        "linux.wait_ssh",
        "linux.post_load",
        "linux.check_free",
        "linux.prepare",
        "linux.read_public_address",
        "linux.check_capture",
        "linux.shut_down",
        "linux.seal",
        "linux.try_login",
    ]


def test_the_current_image_can_be_read(bench: Bench, loaded: Place) -> None:
    tags = bench.manage(bench.linux().current_image(loaded.target, loaded.facts))
    assert (tags["image_name"], tags["imagerevision"], tags["computer_hostname"]) == ("debian-12", "1", "vm01")
    assert tags["vcld_post_load"].startswith("success (20")


def test_without_an_address_nothing_is_dialled(bench: Bench, loaded: Place) -> None:
    step = bench.linux().steps()["linux.wait_ssh"]
    given = StepInput("linux.wait_ssh", "", target_of(loaded.machine.spec), Facts())

    async def look() -> Facts:
        return await step(Context(), given)

    with pytest.raises(StepFailed, match="the private address is not known"):
        bench.manage(look())


def test_a_computer_that_asks_a_name_server_that_is_gone(bench: Bench) -> None:
    """Its image asks who comes in; that is waited for, and asked no more from post-load on."""
    place = bench.machine("asks")
    place.facts = Facts(private_address=place.wait_for_addresses()[place.target.private_mac])
    place.wait_ssh()
    place.write("/etc/resolv.conf", "nameserver 10.77.200.53\noptions timeout:1 attempts:1\n")  # nobody is there
    place.write("/etc/ssh/sshd_config.d/image.conf", "UseDNS yes\n")
    place.inside("sh", "-c", "kill -HUP $(cat /run/sshd.pid)")
    assert "usedns yes" in place.inside("sshd", "-T").splitlines()
    place.load()
    assert "usedns no" in place.inside("sshd", "-T").splitlines()
    assert place.inside("cat", "/etc/hostname").strip() == place.target.computer
