"""Inspections: what hardware a computer has, and what differs from the record."""

from typing import Any

from vclab.contract.retiring import Named
from vclab.contract.use_case import act, get, needs, post, read
from vclab.contract.views import View
from vclab.model.access import Permission, ResourceKind


class Begin(Named):
    """Which computer."""

    accept: bool = False  #: what is found becomes the record


class Inspection(View):
    """How the newest inspection of a computer stands."""

    computer: str
    ended: bool
    step: int  #: that runs, of ``steps``; 0: none has begun yet
    steps: int
    step_title: str
    said: str  #: by the step, of how far it is or why it is tried again
    why_not: str  #: it has failed
    hardware: dict[str, Any]  #: what was found; empty: nothing yet
    differences: tuple[str, ...]  #: from what is recorded, the worst first
    recorded: bool  #: what was found is the record from now on
    out_of_service: str  #: it is in maintenance since then, and why


inspect = act(
    "inspections.inspect",
    needs(Permission.MAINTAIN, ResourceKind.COMPUTER),
    Begin,
    Inspection,
    post("/computers/{name}/inspect"),
    "Have the hardware of a computer read that nobody holds. Returns when that is begun.",
)


look = read(
    "inspections.look",
    needs(Permission.MAINTAIN, ResourceKind.COMPUTER),
    Named,
    Inspection,
    get("/computers/{name}/inspection"),
    "Tell how the newest inspection of a computer stands, and what it has found.",
)
