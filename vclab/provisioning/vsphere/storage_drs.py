"""Storage DRS: it would carry a machine's disk to another datastore of its cluster, and make a whole disk of a child.
So each machine of ours is left out of it."""

import logging
from collections.abc import Mapping
from typing import Any

from vclab.model.errors import Unreachable
from vclab.model.plans import Target
from vclab.model.steps import StepContext
from vclab.provisioning.vsphere.api import Ref, vim
from vclab.provisioning.vsphere.machines import Machine
from vclab.provisioning.vsphere.properties import find_all, read, read_all
from vclab.provisioning.vsphere.site import Site

log = logging.getLogger(__name__)

_CONFIG = "podStorageDrsEntry.storageDrsConfig"
_ENABLED = f"{_CONFIG}.podConfig.enabled"
_MACHINES = f"{_CONFIG}.vmConfig"


def clusters(site: Site) -> dict[str, Ref]:
    """The datastore clusters whose storage DRS is enabled, by name."""
    stores = find_all(site.session, vim.Datastore, ["parent"], site.datacenter)
    pods = {ref._moId: ref for _, values in stores if (ref := _pod(values)) is not None}
    return {v["name"]: ref for ref, v in read_all(site.session, pods.values(), ["name", _ENABLED]) if v.get(_ENABLED)}


def leave_out(site: Site, target: Target, machine: Machine, context: StepContext) -> None:
    """Have storage DRS leave the machine where it is, if it is enabled for the target's datastore.

    A login that may not say so is logged, and the load goes on: ``endpoint check`` names the privilege that it lacks.
    """
    pod = _enabled_pod(site, target.storage)
    if pod is None or (said := _said(site, pod, machine)) is False:
        return
    context.fence()
    try:
        _configure(site, pod, machine, "add" if said is None else "edit")
    except vim.fault.NoPermission:
        log.warning("%s may be moved by storage DRS: the login may not configure it", machine.name)
        return
    if _said(site, pod, machine) is not False:
        raise Unreachable(f"storage DRS does not leave out {machine.name} yet; it will be tried again")


def _pod(datastore: Mapping[str, Any]) -> Ref | None:
    parent = datastore.get("parent")
    return parent if isinstance(parent, vim.StoragePod) else None


def _enabled_pod(site: Site, storage: str) -> Ref | None:
    stores = find_all(site.session, vim.Datastore, ["name", "parent"], site.datacenter)
    pod = next((_pod(values) for _, values in stores if values["name"] == storage), None)
    enabled = pod is not None and (read(site.session, pod, [_ENABLED]) or {}).get(_ENABLED)
    return pod if enabled else None


def _said(site: Site, pod: Ref, machine: Machine) -> bool | None:
    """Whether storage DRS may move the machine; None: the cluster says nothing of this one."""
    listed = (read(site.session, pod, [_MACHINES]) or {}).get(_MACHINES, [])
    its = [entry for entry in listed if entry.vm is not None and entry.vm._moId == machine.ref._moId]
    return its[0].enabled is not False if its else None


def _configure(site: Site, pod: Ref, machine: Machine, operation: str) -> None:
    info = vim.storageDrs.VmConfigInfo(vm=machine.ref, enabled=False)
    change = vim.storageDrs.ConfigSpec(vmConfigSpec=[vim.storageDrs.VmConfigSpec(operation=operation, info=info)])
    site.finish(site.content.storageResourceManager.ConfigureStorageDrsForPod_Task(pod, change, True))
