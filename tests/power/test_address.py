"""How power addresses are read, and why some are refused."""

import pytest

from vclab.model.errors import Refused
from vclab.power.address import LONGEST, Address, Scheme, parse


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("none", Address(Scheme.NONE)),
        ("ipmi://admin@10.1.2.3", Address(Scheme.IPMI, "10.1.2.3", 623, "admin")),
        ("ipmi://admin@BMC1.Lab.Example:6230", Address(Scheme.IPMI, "bmc1.lab.example", 6230, "admin")),
        ("ipmi://admin@[fd00::1]:6230", Address(Scheme.IPMI, "fd00::1", 6230, "admin")),
        ("ipmi://admin@[fd00:0:0::1]", Address(Scheme.IPMI, "fd00::1", 623, "admin")),
        ("redfish://root@bmc1", Address(Scheme.REDFISH, "bmc1", 443, "root")),
        (
            "redfish://root@bmc1:8443/redfish/v1/Systems/1",
            Address(Scheme.REDFISH, "bmc1", 8443, "root", "/redfish/v1/Systems/1"),
        ),
        (
            "wol://02-76-63-00-00-0A@pc1/10.1.255.255",
            Address(Scheme.WAKE_ON_LAN, "pc1", 22, "", "", "02:76:63:00:00:0a", "10.1.255.255", 9),
        ),
        (
            "wol://02:76:63:00:00:0a@10.1.0.7:2222/10.1.255.255:7",
            Address(Scheme.WAKE_ON_LAN, "10.1.0.7", 2222, "", "", "02:76:63:00:00:0a", "10.1.255.255", 7),
        ),
    ],
)
def test_what_is_written_is_read_and_written_again(text: str, parsed: Address) -> None:
    assert parse(text) == parsed
    assert parse(str(parsed)) == parsed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a power address"),
        ("https://bmc1", "not a power address"),
        ("ipmi://", "not a power address"),
        ("ipmi://10.1.2.3", "no user"),
        ("wol://10.1.2.3", "no MAC"),
        ("ipmi://admin@", "the host"),
        ("ipmi://admin@10.1.2.300", "not a valid IP"),
        ("ipmi://admin@[10.1.2.3]", "not a valid IP"),
        ("ipmi://admin@[fe80::1%eth0]", "not a valid IP"),
        ("ipmi://admin@0.0.0.0", "not the address of one computer"),
        ("ipmi://admin@224.0.0.1", "not the address of one computer"),
        ("ipmi://admin@-bmc", "the host"),
        ("ipmi://admin@bmc:0", "the port"),
        ("ipmi://admin@bmc:65536", "the port"),
        ("ipmi://admin@bmc:", "the port"),
        ("ipmi://a b@bmc", "one word"),
        ("ipmi://ädmin@bmc", "one word"),
        ("ipmi://administrators-of-it@bmc", "1 to 16"),
        ("ipmi://ad/min@bmc", "1 to 16"),
        ("ipmi://admin@bmc/redfish", "no path"),
        ("redfish://admin@bmc/redfish/v1/Systems/../Managers/1", "the path"),
        ("redfish://admin@bmc/redfish/v1/Managers/1", "the path"),
        ("wol://02-76-63-00-00-01@pc1", "broadcast address"),
        ("wol://02-76-63-00-00@pc1/10.1.255.255", "not the MAC"),
        ("wol://ff-ff-ff-ff-ff-ff@pc1/10.1.255.255", "not the MAC"),
        ("wol://02-76-63-00-00-01@pc1/everybody", "IPv4"),
        ("ipmi://admin@" + "b" * LONGEST, "at most"),
    ],
)
def test_what_can_not_be_meant_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        parse(text)


@pytest.mark.parametrize("scheme", ["ipmi", "redfish"])
def test_a_password_in_an_address_is_refused_and_not_repeated(scheme: str) -> None:
    with pytest.raises(Refused, match="has no password") as refusal:
        parse(f"{scheme}://admin:hunter2@bmc1")
    assert "hunter2" not in str(refusal.value)
