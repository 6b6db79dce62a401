"""A machine's definition, authored on the fly: no template is needed on the endpoint."""

from collections.abc import Mapping
from typing import Any

from vclab.model.errors import StepFailed
from vclab.model.plans import Target
from vclab.provisioning.vsphere.api import Ref, vim
from vclab.provisioning.vsphere.data import endpoint_data, image_data, master
from vclab.provisioning.vsphere.files import Directory
from vclab.provisioning.vsphere.machines import marks
from vclab.provisioning.vsphere.properties import read
from vclab.provisioning.vsphere.site import Host, Site

_CONTROLLER = 1000  #: any key that is unique in the definition
_Device = vim.vm.device
CONTROLLERS = {
    "pvscsi": _Device.ParaVirtualSCSIController,
    "lsilogic": _Device.VirtualLsiLogicController,
    "lsisas": _Device.VirtualLsiLogicSASController,
    "ahci": _Device.VirtualAHCIController,
    "nvme": _Device.VirtualNVMEController,
}
CARDS = {"vmxnet3": _Device.VirtualVmxnet3, "e1000": _Device.VirtualE1000, "e1000e": _Device.VirtualE1000e}
"""By the words of ``Hardware``. The first of each is what an image gets that says nothing."""
_Spec = _Device.VirtualDeviceSpec


def definition(site: Site, target: Target, host: Host, place: Directory, linked: bool) -> Any:
    """What CreateVM is given; ``linked``: the disk is made then, as a child of the image's copy.

    Raises ``StepFailed`` when the host lacks a network or the datastore, or the image's hardware is not known.
    """
    if target.storage not in host.datastores:
        raise StepFailed(f"host {host.name} does not have the datastore {target.storage}")
    networks, card, isolated = endpoint_data(target), _known(target, "card", CARDS), target.isolated
    private = networks.imaging_network if isolated else networks.private_network
    cards = (
        _card(site, host, card, private, target.private_mac, 4000),
        _card(site, host, card, networks.public_network, target.public_mac, 4001, connected=not isolated),
    )
    return vim.vm.ConfigSpec(
        name=target.machine_name,
        guestId=image_data(target).guest_id,
        instanceUuid=target.instance_uuid,
        annotation=_annotation(target),
        files=vim.vm.FileInfo(vmPathName=place.definition),
        numCPUs=target.cpus,
        memoryMB=target.memory_mb,
        extraConfig=[vim.option.OptionValue(key=key, value=value) for key, value in marks(target).items()],
        firmware=target.hardware.firmware or "bios",
        deviceChange=[_controller(target), _disk(target, place, linked), *cards],
    )


def renaming(target: Target) -> Any:
    """What ReconfigVM is given when a machine goes to another tenure: its name and our marks, all at once."""
    return vim.vm.ConfigSpec(
        name=target.machine_name,
        annotation=_annotation(target),
        extraConfig=[vim.option.OptionValue(key=key, value=value) for key, value in marks(target).items()],
    )


def _annotation(target: Target) -> str:
    """For people who meet the machine in the vSphere client."""
    return (
        f"vclab ({target.installation}): {target.computer} with {target.image} revision {target.revision} for "
        f"reservation {target.reservation}. Made and removed by vclab; do not edit."
    )


def _known(target: Target, what: str, kinds: Mapping[str, Any]) -> Any:
    """The class of the image's controller or card."""
    word = getattr(target.hardware, what) or next(iter(kinds))
    if word not in kinds:
        text = f"the image {target.image} needs the {what} {word}, which vSphere does not have"
        raise StepFailed(text, f"it has: {', '.join(kinds)}")
    return kinds[word]


def _controller(target: Target) -> Any:
    kind = _known(target, "controller", CONTROLLERS)
    if not issubclass(kind, _Device.VirtualSCSIController):
        return _added(kind(key=_CONTROLLER, busNumber=0))
    return _added(kind(key=_CONTROLLER, busNumber=0, sharedBus=_Device.VirtualSCSIController.Sharing.noSharing))


def _disk(target: Target, place: Directory, linked: bool) -> Any:
    """A child of the image's copy, which takes its size from that; or the copied disk: no file operation, so that a
    missing file is an error and a present one is never overwritten."""
    backing = _Device.VirtualDisk.FlatVer2BackingInfo(fileName=place.disk, diskMode="persistent")
    size = 0 if linked else target.disk_gb * 2**30
    if linked:
        backing.thinProvisioned = True
        backing.parent = _Device.VirtualDisk.FlatVer2BackingInfo(fileName=master(target), diskMode="persistent")
    added = _added(
        _Device.VirtualDisk(
            key=2000,
            controllerKey=_CONTROLLER,
            unitNumber=0,
            backing=backing,
            capacityInKB=size // 1024,
            capacityInBytes=size,
        )
    )
    if linked:
        added.fileOperation = _Spec.FileOperation.create
    return added


def _card(site: Site, host: Host, kind: Any, network: str, mac: str, key: int, connected: bool = True) -> Any:
    if network not in host.networks:
        raise StepFailed(f"host {host.name} does not have the network {network}")
    return _added(
        kind(
            key=key,
            backing=_network(site, network, host.networks[network]),
            addressType="manual",
            macAddress=mac,
            connectable=_Device.VirtualDevice.ConnectInfo(
                startConnected=connected, connected=connected, allowGuestControl=connected
            ),
        )
    )


def _network(site: Site, name: str, ref: Ref) -> Any:
    if not isinstance(ref, vim.dvs.DistributedVirtualPortgroup):
        return _Device.VirtualEthernetCard.NetworkBackingInfo(deviceName=name, network=ref)
    group = read(site.session, ref, ["key", "config.distributedVirtualSwitch"]) or {}
    switch = read(site.session, group["config.distributedVirtualSwitch"], ["uuid"]) or {}
    port = vim.dvs.PortConnection(portgroupKey=group["key"], switchUuid=switch["uuid"])
    return _Device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(port=port)


def _added(device: Any) -> Any:
    return _Spec(operation=_Spec.Operation.add, device=device)
