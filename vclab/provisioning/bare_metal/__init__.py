"""The module ``bare-metal``: computers with a BMC, whose disks are written. Importing this imports no library of its.

An endpoint of it is a group of nodes. ``plans`` names the steps of a load; ``module`` is the driver. What the steps
do is in ``booting``, ``inspecting``, ``writing`` and ``capturing``; ``nodes`` finds a node and what drives it,
``disks`` what is written to it, ``imaging`` reaches the imaging environment on it, ``returning`` gets it back there,
and ``data`` is what is kept of it.
"""

from vclab.model.traits import POWER, Operation, Traits
from vclab.provisioning.bare_metal.data import NodeData
from vclab.provisioning.base import ProvisioningModule
from vclab.provisioning.kind import Kind, Need, Surroundings

NAME = "bare-metal"
TRAITS = Traits(
    lent=True,
    reloadable=True,
    identity=False,
    streams=True,
    seals=True,
    operations=(*POWER, Operation.CAPTURE, Operation.INSPECT),
)


def build(surroundings: Surroundings) -> ProvisioningModule:
    """The driver. Its libraries are imported now."""
    from vclab.provisioning.bare_metal.module import BareMetal

    return BareMetal(surroundings.installation, surroundings.group, surroundings.metal)


KIND = Kind(NAME, TRAITS, build, computer_data=NodeData, computer_needs=(Need.MAC, Need.ADDRESS, Need.BMC))
