"""A machine's definition, authored on the fly: no template is needed on the endpoint."""

from typing import Any

from vclab.model.errors import StepFailed
from vclab.model.plans import Target
from vclab.provisioning.vsphere.api import Ref, vim
from vclab.provisioning.vsphere.data import endpoint_data, image_data
from vclab.provisioning.vsphere.files import Directory
from vclab.provisioning.vsphere.machines import marks
from vclab.provisioning.vsphere.properties import read
from vclab.provisioning.vsphere.site import Host, Site

_CONTROLLER = 1000  #: any key that is unique in the definition
_Device = vim.vm.device
_Spec = _Device.VirtualDeviceSpec


def definition(site: Site, target: Target, host: Host, place: Directory) -> Any:
    """What CreateVM is given. Raises ``StepFailed`` when the host lacks a network or the datastore."""
    if target.storage not in host.datastores:
        raise StepFailed(f"host {host.name} does not have the datastore {target.storage}")
    networks = endpoint_data(target)
    cards = (
        _card(site, host, networks.private_network, target.private_mac, 4000),
        _card(site, host, networks.public_network, target.public_mac, 4001),
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
        deviceChange=[_controller(), _disk(target, place), *cards],
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


def _controller() -> Any:
    sharing = _Device.VirtualSCSIController.Sharing.noSharing
    return _added(_Device.ParaVirtualSCSIController(key=_CONTROLLER, busNumber=0, sharedBus=sharing))


def _disk(target: Target, place: Directory) -> Any:
    """The copied disk: no file operation, so that a missing file is an error and a present one is never overwritten."""
    backing = _Device.VirtualDisk.FlatVer2BackingInfo(fileName=place.disk, diskMode="persistent")
    size = target.disk_gb * 2**30
    return _added(
        _Device.VirtualDisk(
            key=2000,
            controllerKey=_CONTROLLER,
            unitNumber=0,
            backing=backing,
            capacityInKB=size // 1024,
            capacityInBytes=size,
        )
    )


def _card(site: Site, host: Host, network: str, mac: str, key: int) -> Any:
    if network not in host.networks:
        raise StepFailed(f"host {host.name} does not have the network {network}")
    return _added(
        _Device.VirtualVmxnet3(
            key=key,
            backing=_network(site, network, host.networks[network]),
            addressType="manual",
            macAddress=mac,
            connectable=_Device.VirtualDevice.ConnectInfo(startConnected=True, connected=True, allowGuestControl=True),
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
