"""What differs from the record of a computer: its hardware, and what its BMC says."""

import json
from dataclasses import replace

import pytest

from vclab.model.bmc_facts import BmcFacts
from vclab.model.inspections import differences, document
from vclab.model.nodes import NodeReport, report_of

NODE = NodeReport(cpus=8, memory_mib=16384, firmware="bios", firmware_version="1.2", secure_boot=True)
BMC = BmcFacts(("2 vclab: administrator",), (), "ab" * 32, "3.4")
RECORD = document(NODE, BMC)


def test_what_is_as_recorded_differs_in_nothing() -> None:
    assert differences(RECORD, RECORD) == ()
    assert report_of(json.loads(RECORD)) == NODE


def test_what_is_not_recorded_is_not_compared_and_what_is_hidden_since_then_is_grave() -> None:
    assert differences(document(NODE), RECORD) == ()
    hidden = differences(RECORD, document(NODE, BmcFacts()))
    assert len(hidden) == 3 and all(each.grave for each in hidden)


@pytest.mark.parametrize(
    "bmc",
    [
        replace(BMC, accounts=(*(BMC.accounts or ()), "3 mallory: administrator")),
        replace(BMC, accounts=()),
        replace(BMC, settings="cd" * 32),
        replace(BMC, version="3.5"),
    ],
)
def test_who_had_the_computer_may_have_changed_its_bmc(bmc: BmcFacts) -> None:
    (found,) = differences(RECORD, document(NODE, bmc))
    assert (found.grave, found.too_little) == (True, False)


@pytest.mark.parametrize(
    "node", [replace(NODE, firmware_version="1.3"), replace(NODE, firmware="efi"), replace(NODE, secure_boot=False)]
)
def test_and_its_firmware(node: NodeReport) -> None:
    (found,) = differences(RECORD, document(node, BMC))
    assert found.grave


def test_the_worst_comes_first_and_more_of_something_is_only_told() -> None:
    found = differences(RECORD, document(replace(NODE, cpus=4, memory_mib=32768), replace(BMC, version="3.5")))
    assert [(each.too_little, each.guarded) for each in found] == [(True, False), (False, True), (False, False)]
    assert not found[-1].grave


def test_what_vclab_has_set_itself_is_no_difference() -> None:
    network = document(NODE, replace(BMC, boot=("network",)))
    assert differences(network, document(NODE, replace(BMC, boot=("disk",)))) == ()
    assert len(differences(network, document(NODE, replace(BMC, boot=("cd",))))) == 1
    efi = replace(NODE, firmware="efi")
    order = document(efi, replace(BMC, boot=("Boot0001", "Boot0002")))
    assert differences(order, document(efi, replace(BMC, boot=("Boot0003", "Boot0001")))) == ()
