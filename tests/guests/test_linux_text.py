"""What the Linux guest reads and writes as text, where no machine is needed."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.targets import target_of
from vclab.guests import linux_firewall, linux_image, linux_look, linux_seal
from vclab.model import reported
from vclab.model.errors import StepFailed
from vclab.model.plans import Facts


def test_currentimage_in_vcls_own_form() -> None:
    text = "centos7-base42-v3\r\nid=42\n\nprettyname=CentOS = 7\nvcld_tainted=true (user logged in)\n"
    tags = linux_image.parse(text)
    assert tags == {
        "image_name": "centos7-base42-v3",
        "id": "42",
        "prettyname": "CentOS = 7",
        "vcld_tainted": "true (user logged in)",
    }
    assert linux_image.parse("") == {}


@pytest.mark.parametrize(
    ("addresses", "networks"),
    [
        (["203.0.113.9", "203.0.113.8"], ["203.0.113.8/31"]),
        (["203.0.113.9/24"], ["203.0.113.0/24"]),
        (["::ffff:203.0.113.9"], ["203.0.113.9/32"]),
        (["2001:db8::1", "10.0.0.1", "2001:DB8::1/128"], ["10.0.0.1/32", "2001:db8::1/128"]),
        ([], []),
    ],
)
def test_addresses_as_networks(addresses: list[str], networks: list[str]) -> None:
    assert [str(network) for network in linux_firewall.networks(addresses)] == networks


@pytest.mark.parametrize("text", ["", "any", "10.0.0.1/33", "fe80::1%eth0", "10.0.0.1 }", "010.0.0.1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(StepFailed, match="neither an address nor a prefix"):
        linux_firewall.networks([text])


@pytest.mark.parametrize(
    ("line", "peer"),
    [
        ("0 0 203.0.113.5:22 203.0.113.11:40112", (22, "203.0.113.11")),
        ("0 0 [2001:db8::1]:22 [2001:db8::11]:40112", (22, "2001:db8::11")),
        ("0 0 [::ffff:203.0.113.5]:3389 [::ffff:203.0.113.11]:5", (3389, "203.0.113.11")),
        ("0 0 [fe80::1]%eth0:22 [fe80::2]%eth0:40112", (22, "fe80::2")),
        ("0 0 203.0.113.5%eth1:22 203.0.113.11:40112", (22, "203.0.113.11")),
        ("", (0, "")),
        ("rubbish rubbish rubbish rubbish", (0, "")),
    ],
)
def test_lines_of_ss(line: str, peer: tuple[int, str]) -> None:
    assert linux_look._peer(line) == peer


def test_a_notice_is_printable() -> None:
    assert (
        linux_look.printable("\x1b]0;title\x07Käse\u202e 日本 🙂\r\nnext\tword\x9b2J")
        == "]0;titleKäse 日本 🙂\nnextword2J"
    )
    assert len(linux_look.printable("x" * 5000)) == linux_look.LONGEST_NOTICE


def test_rules_that_are_not_there_differ() -> None:
    firewall = linux_firewall.Firewall(linux_firewall.networks(["10.0.0.1"]))
    assert "input is not dropped" in linux_firewall.differences(firewall, "")
    assert "management4" in linux_firewall.differences(firewall, '{"nftables": []}')


# What a machine's root may have it answer

BOOT = "0a1b2c3d-0000-4000-8000-0123456789ab"
MAC = "02:76:63:00:00:01"
KEYS = st.sampled_from(["set", "chain", "name", "elem", "val", "expires", "prefix", "addr", "len", "range", "users4"])


def card(address: object, mac: object = MAC) -> object:
    return {"address": mac, "addr_info": [{"family": "inet", "scope": "global", "local": address}]}


@pytest.mark.parametrize(
    "address",
    ["-oProxyCommand=touch /tmp/evil", "127.0.0.1", "::1", "224.0.0.1", "169.254.1.1", "0.0.0.0", "1" * 9999, None, {}],
)
def test_a_public_address_that_is_none_is_not_known(address: object) -> None:
    told = f"{BOOT}\n{json.dumps([card(address)])}"
    assert linux_look._facts(told, MAC, "10.77.0.9") == Facts(boot_id=BOOT)


@pytest.mark.parametrize(
    "listing",
    ["[" * 50_000, '{"address": 1}', "null", "9" * 5000, '[[], 1, {"address": []}, {"addr_info": {}}]', "\x1b[2J", ""],
)
def test_a_listing_that_is_none_raises_nothing(listing: str) -> None:
    assert linux_look._facts(f"{BOOT}\n{listing}", MAC, "10.77.0.9") in (None, Facts(boot_id=BOOT))


def test_a_boot_id_that_is_none_is_not_stored() -> None:
    assert linux_look._facts(f"\x1b]0;evil\x07\n{json.dumps([card('203.0.113.9')])}", MAC, "10.77.0.9") is None


@given(st.recursive(st.none() | st.integers() | st.text(), lambda i: st.lists(i) | st.dictionaries(KEYS, i)))
def test_whatever_the_firewall_answers_is_read_or_not_known(answer: object) -> None:
    listing = json.dumps({"nftables": answer})
    linux_firewall.open_to(listing)
    assert all(reported.address(each) for each in linux_firewall.recent(listing, 60.0))
    assert linux_firewall.differences(linux_firewall.Firewall(()), listing)


@pytest.mark.parametrize("generation", ["9" * 5000, "-1", "٣", ""])
def test_a_generation_that_is_none_is_not_newer(generation: str) -> None:
    tags = linux_image.parse(f"vclab_installation=vclab\ncomputer_hostname=vm01\nvclab_generation={generation}\n")
    linux_image.refuse_newer(tags, target_of(installation="vclab", computer="vm01"))


def test_image_makers_read_what_sealing_does() -> None:
    page = (Path(__file__).parents[2] / "docs" / "images.md").read_text()
    what = page.partition("\n## What is removed, and what stays\n")[2]
    table = what.split("|---|---|\n")[1].split("\n\n")[0].splitlines()
    assert table == [f"| {part.name} | {part.what} |" for part in linux_seal.PARTS]
