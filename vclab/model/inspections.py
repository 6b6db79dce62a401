"""What an inspection of a computer has found, what became of that, and what differs from the record. Pure."""

import json
from dataclasses import dataclass, replace

from vclab.model import bmc_facts, nodes
from vclab.model.bmc_facts import BmcFacts, facts_of
from vclab.model.nodes import Difference, NodeReport, report_of

_BMC = "bmc"
_OURS = ("disk",)
"""What each load has the BMC boot from at its end."""


@dataclass(frozen=True)
class Inspected:
    """The answer of an inspection."""

    hardware: str = ""  #: what was found, as ``document`` gives it
    differences: tuple[str, ...] = ()  #: from what is recorded, the worst first
    recorded: bool = False  #: it is the record from now on: the first one, or accepted
    out_of_service: str = ""  #: the computer is in maintenance since then, and why


def document(node: NodeReport, bmc: BmcFacts | None = None) -> str:
    """As it is recorded: JSON, which ``report_of`` takes too."""
    return json.dumps(node.document() | ({_BMC: bmc.document()} if bmc else {}))


def differences(recorded: str, found: str) -> tuple[Difference, ...]:
    """What is otherwise than in the record, the worst first. What is not recorded is not compared."""
    old, new = json.loads(recorded), json.loads(found)
    before, now = report_of(old), report_of(new)
    of_bmc = bmc_facts.differences(facts_of(old.get(_BMC)), _foreign(facts_of(new.get(_BMC)), now))
    every = (*nodes.differences(before, now), *(Difference(text, guarded=True) for text in of_bmc))
    return tuple(sorted(every, key=lambda one: (not one.too_little, not one.guarded)))


def _foreign(facts: BmcFacts, node: NodeReport) -> BmcFacts:
    """What vclab does not set itself: it has the BMC boot the disk, and gives a UEFI firmware entries for it. The boot
    order of a UEFI firmware, without such entries, is in its own report."""
    return replace(facts, boot=()) if facts.boot == _OURS or node.firmware == "efi" else facts
