"""Which address is taken, from what guest tools, leases and the neighbour table say."""

import time
from pathlib import Path

from vclab.provisioning.vsphere.address import best, leased, neighbours

MAC = "02:76:63:00:00:01"
TABLE = """\
10.77.0.9 dev br0 lladdr 02:76:63:00:00:01 REACHABLE
10.77.0.8 dev br0 lladdr 02:76:63:00:00:02 STALE
fe80::1 dev br0 lladdr 02:76:63:00:00:01 STALE
10.77.0.7 dev br0 lladdr 02:76:63:00:00:01 FAILED
10.77.0.6 dev br0 INCOMPLETE
"""


def test_ipv4_before_ipv6_and_never_link_local() -> None:
    assert best(["fe80::1", "2001:db8::7", "10.77.0.9", "169.254.1.1"]) == "10.77.0.9"
    assert best(["fe80::1", "2001:db8::7"]) == "2001:db8::7"
    assert best(["169.254.1.1", "0.0.0.0", "127.0.0.1"]) == ""
    assert best([]) == ""


def test_the_newest_valid_lease_of_the_mac(tmp_path: Path) -> None:
    file = tmp_path / "leases"
    now = int(time.time())
    file.write_text(
        f"{now + 100} {MAC.upper()} 10.77.0.5 vm01 *\n"
        f"{now + 900} {MAC} 10.77.0.6 vm01 01:{MAC}\n"
        f"{now - 5} {MAC} 10.77.0.4 vm01 *\n"
        f"{now + 900} 02:76:63:00:00:02 10.77.0.7 vm01 *\n"
        "duid 00:01:00:01\n"
    )
    assert leased(file, MAC) == "10.77.0.6"
    assert leased(file, "02:76:63:00:00:09") == ""
    file.write_text(f"{now - 5} {MAC} 10.77.0.4 vm01 *\n")
    assert leased(file, MAC) == ""
    file.write_text(f"0 {MAC} 10.77.0.3 vm01 *\n{now + 9} {MAC} 10.77.0.4 vm01 *\n")
    assert leased(file, MAC) == "10.77.0.3", "0 never ends"


def test_no_lease_file(tmp_path: Path) -> None:
    assert leased(tmp_path / "none", MAC) == ""


def test_neighbours_only_by_mac_and_only_those_that_answer() -> None:
    assert neighbours(TABLE, MAC) == ["10.77.0.9", "fe80::1"]
    assert neighbours(TABLE, "02:76:63:00:00:03") == []
