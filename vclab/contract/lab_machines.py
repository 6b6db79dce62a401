"""Lab machines as they are entered, one or many: all is checked before a BMC is asked, and before anything is written.

``plan`` compares what is entered with what is there; it needs no more than the store, so it is asked again in the
transaction that writes.
"""

from enum import StrEnum

from pydantic import Field

from vclab.contract.computers import Computer
from vclab.contract.endpoints import Login
from vclab.contract.power import Switchable
from vclab.contract.retiring import Named
from vclab.contract.use_case import act, needs, post, put, read
from vclab.model.access import Permission, ResourceKind


class LabMachine(Switchable, Named):
    """A lab machine, or changes of one; what is None stays."""

    group: str | None = None  #: its endpoint; None: that in which it is, else the only one of the module
    module: str | None = None  #: of the endpoint
    address: str | None = None
    host_key: str | None = None  #: to be pinned
    trust_first_contact: bool = False  #: pin what answers at the address first, whoever it is
    private_mac: str | None = None
    public_mac: str | None = None
    data: dict[str, str] = Field(default_factory=dict)  #: fields of what only its module knows of it


class What(StrEnum):
    """What becomes of a lab machine that is entered."""

    ADD = "add"
    CHANGE = "change"
    SAME = "same"


preview = read(
    "lab_machines.preview",
    needs(Permission.KEEP, ResourceKind.COMPUTER),
    LabMachine,
    Login,
    post("/lab-machines/{name}/preview"),
    "Check a lab machine before anybody types a password, and say what the login at its BMC needs.",
)


add = act(
    "lab_machines.add",
    needs(Permission.KEEP, ResourceKind.COMPUTER),
    LabMachine,
    Computer,
    put("/lab-machines/{name}"),
    "Add a lab machine, or change what is given of one. The same again changes nothing.",
    long=True,
)
