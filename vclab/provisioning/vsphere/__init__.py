"""The vSphere provisioning module. Importing this imports none of its libraries."""

from collections.abc import Collection

from vclab.model.traits import POWER, Operation, Traits
from vclab.provisioning.base import ProvisioningModule
from vclab.provisioning.enquiry import Enquiry
from vclab.provisioning.kind import Kind, Surroundings
from vclab.provisioning.vsphere.data import EndpointData, ImageData

NAME = "vsphere"
TRAITS = Traits(copies=True, seals=True, operations=(*POWER, Operation.CAPTURE))


def build(surroundings: Surroundings) -> ProvisioningModule:
    """The driver. Its library is imported now."""
    from vclab.provisioning.vsphere.module import VSphere

    return VSphere(
        endpoints=surroundings.endpoints,
        password=surroundings.password,
        installation=surroundings.installation,
        calls_at_once=surroundings.calls_at_once,
        dhcp_leases=surroundings.dhcp_leases,
    )


def enquiry() -> Enquiry:
    """How an administrator asks a vCenter or an ESXi host. Its library is imported now."""
    from vclab.provisioning.vsphere.enquiry import ask, shown_fingerprint

    return Enquiry(shown_fingerprint, ask)


def guest_ids() -> Collection[str]:
    """What vSphere calls operating systems (``VirtualMachineGuestOsIdentifier``). Its library is imported now."""
    from vclab.provisioning.vsphere.api import vim

    return tuple(vim.vm.GuestOsDescriptor.GuestOsIdentifier.values)


KIND = Kind(
    NAME,
    TRAITS,
    build,
    image_data=ImageData,
    endpoint_data=EndpointData,
    enquiry=enquiry,
    choices={"guest_id": guest_ids},
)
