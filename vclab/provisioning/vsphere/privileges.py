"""What the login must be allowed to do, object by object; ``docs/first-lab.md`` has the same as a role."""

from collections.abc import Iterator, Mapping, Sequence

from vclab.provisioning.vsphere import storage_drs
from vclab.provisioning.vsphere.api import Ref, vim
from vclab.provisioning.vsphere.properties import find_all, read_all
from vclab.provisioning.vsphere.site import Site

MACHINES = (
    "Folder.Create",
    "VirtualMachine.Inventory.Create",
    "VirtualMachine.Inventory.Delete",
    "VirtualMachine.Inventory.Unregister",
    "VirtualMachine.Config.AddNewDisk",
    "VirtualMachine.Config.AddExistingDisk",
    "VirtualMachine.Config.AddRemoveDevice",
    "VirtualMachine.Config.AdvancedConfig",
    "VirtualMachine.Config.Annotation",
    "VirtualMachine.Config.Rename",
    "VirtualMachine.Interact.PowerOn",
    "VirtualMachine.Interact.PowerOff",
    "VirtualMachine.Interact.Reset",
    "VApp.Export",
)
"""On the datacenter."""
FILES = ("Datastore.AllocateSpace", "Datastore.Browse", "Datastore.FileManagement")
"""On each datastore."""
NETWORK = ("Network.Assign",)
"""On each network in which machines have cards, the imaging network too."""
POOL = ("Resource.AssignVMToPool", "VApp.Import")
"""On the resource pool of each host or cluster in which machines are made."""
CLUSTER = ("StoragePod.Config",)
"""On each datastore cluster with storage DRS, which is to leave our machines where they are."""
ATTRIBUTES = ("Global.ManageCustomFields", "Global.SetCustomField")
"""On the root folder: the mark of our folder is a custom attribute."""


def lacking(site: Site) -> tuple[str, ...]:
    """What the login may not do, a line an object: "datastore ds1: Datastore.Browse". A lone ESXi has no roles that
    would say it."""
    if site.content.about.apiType == "HostAgent":
        return ()
    named = dict(_objects(site))
    return tuple(line for privileges, objects in named.items() for line in _lacking(site, privileges, objects))


def _objects(site: Site) -> Iterator[tuple[Sequence[str], Mapping[str, Ref]]]:
    """Each set of privileges, with the objects on which it is needed, by what they are called."""
    stores = find_all(site.session, vim.Datastore, ["name"], site.datacenter)
    networks = find_all(site.session, vim.Network, ["name"], site.datacenter)
    parents = {v["parent"]._moId: v["parent"] for _, v in find_all(site.session, vim.HostSystem, ["parent"])}
    resources = [pair for each in parents.values() for pair in read_all(site.session, [each], ["name"])]
    pools = site.pools_of(parents.values())
    yield ATTRIBUTES, {"the root folder": site.content.rootFolder}
    yield MACHINES, {"the datacenter": site.datacenter}
    yield FILES, {f"datastore {v['name']}": ref for ref, v in stores}
    yield CLUSTER, {f"datastore cluster {name}": ref for name, ref in storage_drs.clusters(site).items()}
    used = {*site.data.networks, site.data.imaging_network}
    yield NETWORK, {f"network {v['name']}": ref for ref, v in networks if v["name"] in used}
    yield POOL, {f"the resource pool of {v['name']}": pool for r, v in resources for pool in pools.get(r._moId, ())}


def _lacking(site: Site, privileges: Sequence[str], objects: Mapping[str, Ref]) -> Iterator[str]:
    if not objects:
        return
    key = site.content.sessionManager.currentSession.key
    manager = site.content.authorizationManager
    found = manager.HasPrivilegeOnEntities(list(objects.values()), key, list(privileges))
    names = {ref._moId: name for name, ref in objects.items()}
    for each in found or []:
        denied = [one.privId for one in each.privAvailability if not one.isGranted]
        if denied:
            yield f"{names.get(each.entity._moId, 'an object')}: {', '.join(sorted(denied))}"
