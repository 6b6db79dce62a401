"""What administrators are warned of."""

import pytest

from vclab.power.address import parse
from vclab.power.findings import DEFAULTS, Probed, findings

ADDRESS = parse("ipmi://admin@10.9.0.5")
GOOD = "correct-horse-batt"


def test_a_bmc_that_is_guarded_well_gets_no_warning() -> None:
    assert findings(ADDRESS, GOOD, Probed(False, False, False), ["10.1.0.0/16", "fd00::/8"]) == []


def test_what_a_bmc_does_not_tell_is_no_warning() -> None:
    assert findings(ADDRESS, GOOD, Probed()) == findings(ADDRESS, GOOD, None) == []


@pytest.mark.parametrize(
    ("probed", "words"),
    [
        (Probed(cipher_zero=True), "cipher suite 0"),
        (Probed(anonymous=True), "anybody may log in"),
        (Probed(nameless=True), "a user without a name"),
    ],
)
def test_what_a_probe_found_is_told(probed: Probed, words: str) -> None:
    (warning,) = findings(ADDRESS, GOOD, probed)
    assert words in warning


@pytest.mark.parametrize(("user", "password"), [*sorted(DEFAULTS), ("operator", "operator")])
def test_a_default_password_is_told_and_not_repeated(user: str, password: str) -> None:
    (warning,) = findings(parse(f"redfish://{user}@10.9.0.5"), password)
    assert warning == f"{user} still has the password that BMCs are delivered with: change it"


def test_a_short_password_matters_where_its_hash_is_given_away() -> None:
    (warning,) = findings(ADDRESS, "s3cret-8")
    assert "RAKP" in warning
    assert findings(parse("redfish://admin@10.9.0.5"), "s3cret-8") == []


@pytest.mark.parametrize(
    ("address", "found"),
    [("ipmi://admin@10.1.0.9", ()), ("ipmi://admin@bmc1", ("10.1.0.9",)), ("ipmi://admin@bmc1", ("::1", "fd01::9"))],
)
def test_a_bmc_among_users_computers_is_told(address: str, found: tuple[str, ...]) -> None:
    (warning,) = findings(parse(address), GOOD, tenants=["10.1.0.0/16", "fd01::/16"], found=found)
    assert "move it into a network of its own" in warning


def test_the_worst_comes_first() -> None:
    warnings = findings(ADDRESS, "admin", Probed(True, True, True), ["10.0.0.0/8"])
    assert [text.split(":")[0][:20] for text in warnings][:2] == ["it accepts cipher su", "anybody may log in w"]
    assert len(warnings) == 6
