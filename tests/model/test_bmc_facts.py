"""What a BMC says of itself, with bounds, and what differs from the record."""

from dataclasses import replace

import pytest

from vclab.model.bmc_facts import UNREADABLE, BmcFacts, differences, facts_of, not_told

FACTS = BmcFacts(("2 admin: administrator", "3 vclab: operator"), ("Hdd", "Pxe"), "a" * 64, "2.50")


def test_facts_are_read_back_as_they_were() -> None:
    assert facts_of(FACTS.document()) == FACTS
    assert facts_of(BmcFacts().document()) == BmcFacts()
    assert facts_of({"accounts": []}) == BmcFacts(accounts=())


@pytest.mark.parametrize("said", [None, "x", {"accounts": "all", "boot": {}, "settings": 7, "version": None}])
def test_what_is_not_as_it_should_be_is_not_told(said: object) -> None:
    assert facts_of(said) == BmcFacts()


def test_texts_and_lists_have_bounds() -> None:
    found = facts_of({"accounts": ["x\x1b[2J" * 99] * 999, "boot": ["\n", 5, "Pxe"], "settings": "f" * 999})
    assert found.accounts is not None and len(found.accounts) == 64 and len(found.accounts[0]) <= 80
    assert found.accounts[0].isprintable() and found.boot == ("Pxe",) and len(found.settings) == 64


@pytest.mark.parametrize(
    ("found", "texts"),
    [
        (FACTS, []),
        (
            BmcFacts(),
            [
                "the accounts of its BMC are recorded, but its BMC does not tell them any more",
                "the settings of its firmware are recorded, but its BMC does not tell them any more",
                "the firmware of its BMC is recorded, but it does not tell it any more",
            ],
        ),
        (
            replace(FACTS, accounts=("2 admin: administrator", f"3: {UNREADABLE}")),
            [
                f"its BMC has the account 3: {UNREADABLE}, which is not recorded",
                "its BMC no longer has the account 3 vclab: operator",
            ],
        ),
        (
            replace(FACTS, accounts=("2 admin: administrator", "4 backdoor: administrator")),
            [
                "its BMC has the account 4 backdoor: administrator, which is not recorded",
                "its BMC no longer has the account 3 vclab: operator",
            ],
        ),
        (replace(FACTS, boot=()), []),
        (replace(FACTS, boot=("Pxe", "Hdd")), ["its BMC says that it boots from Pxe, Hdd; recorded is Hdd, Pxe"]),
        (replace(FACTS, settings="b" * 64), ["the settings of its firmware are not those that are recorded"]),
        (replace(FACTS, version="2.51"), ["the firmware of its BMC is 2.51, recorded is 2.50"]),
    ],
)
def test_what_differs_is_told(found: BmcFacts, texts: list[str]) -> None:
    assert list(differences(FACTS, found)) == texts
    assert differences(BmcFacts(), found) == (), "what is not recorded is not compared"


def test_what_can_not_be_compared_is_named() -> None:
    assert not_told(FACTS) == ()
    assert not_told(BmcFacts(("vclab: Operator", f"1: {UNREADABLE}"), version="2.50")) == (
        "what some accounts of its BMC may do",
        "the settings of its firmware",
    )
    assert not_told(BmcFacts())[0] == "the accounts of its BMC"
