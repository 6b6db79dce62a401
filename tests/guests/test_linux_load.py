"""The load steps of the Linux guest on a real machine."""

import pytest

from tests.guests.bench import MANAGEMENT, Bench, Place

pytestmark = pytest.mark.lab


def test_a_load_leaves_a_computer_that_can_be_handed_over(bench: Bench, loaded: Place) -> None:
    assert loaded.facts.host_key.startswith("ssh-ed25519 ")
    assert loaded.facts.public_address == loaded.machine.guest().addresses[loaded.target.public_mac]
    assert loaded.inside("hostname").strip() == "vm01"
    print(loaded.inside("nft", "list", "table", "inet", "vclab"), loaded.inside("cat", "/root/currentimage.txt"))
    assert MANAGEMENT
