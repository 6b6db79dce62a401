"""The VM folder that our machines are put in: made on demand, marked with the installation that holds it."""

from vclab.model.errors import NotOurs, StepFailed
from vclab.provisioning.vsphere.api import Ref, vim
from vclab.provisioning.vsphere.faults import explained
from vclab.provisioning.vsphere.machines import all_machines
from vclab.provisioning.vsphere.properties import read, read_all
from vclab.provisioning.vsphere.site import Site

FIELD = "vclab.installation"
"""The custom attribute on the folder. A mark on the folder, not only on machines in it: two installations that both
find it empty would else shut each other out for good."""


def machine_folder(site: Site) -> Ref:
    """The folder ``EndpointData.folder`` (a path with "/"), held by us. Raises ``NotOurs`` when another holds it."""
    folder = site.vm_folder
    if site.content.about.apiType == "HostAgent":
        return folder  # a lone ESXi has neither folders for machines nor attributes to mark one
    with explained(f"making the folder {site.data.folder} on {site.endpoint.name}"):
        for name in filter(None, site.data.folder.split("/")):
            folder = _child(site, folder, name) or _make(site, folder, name)
        if folder is not site.vm_folder:
            _hold(site, folder)
    return folder


def check_holder(site: Site) -> None:
    """Raises ``NotOurs`` when another installation holds the folder. Reads only; one that is not there is nobody's."""
    folder = site.vm_folder
    if site.content.about.apiType == "HostAgent":
        return
    for name in filter(None, site.data.folder.split("/")):
        folder = _child(site, folder, name)
        if folder is None:
            return
    if folder is not site.vm_folder:
        key = _known_field(site)
        holder = _holder(site, folder, key) if key is not None else ""
        if holder not in ("", site.installation):
            raise _held(site, holder)
        _refuse_machines_of_others(site, folder)


def _child(site: Site, folder: Ref, name: str) -> Ref | None:
    children = (read(site.session, folder, ["childEntity"]) or {}).get("childEntity", [])
    folders = [child for child in children if isinstance(child, vim.Folder)]
    return next((ref for ref, v in read_all(site.session, folders, ["name"]) if v["name"] == name), None)


def _make(site: Site, folder: Ref, name: str) -> Ref:
    try:
        return folder.CreateFolder(name)
    except vim.fault.DuplicateName:
        found = _child(site, folder, name)  # another worker was quicker
        if found is None:
            raise StepFailed(f"{site.endpoint.name} has something else named {name} where the folder goes") from None
        return found


def _hold(site: Site, folder: Ref) -> None:
    """Verify that the folder is ours, or make it so."""
    key = _field(site)
    holder = _holder(site, folder, key)
    if not holder:
        _refuse_machines_of_others(site, folder)
        site.content.customFieldsManager.SetField(folder, key, site.installation)
        holder = _holder(site, folder, key)
    if holder != site.installation:
        raise _held(site, holder)


def _held(site: Site, holder: str) -> NotOurs:
    return NotOurs(
        f"the folder {site.data.folder} on {site.endpoint.name} is held by the installation {holder}; "
        "give the endpoint another folder"
    )


def _holder(site: Site, folder: Ref, key: int) -> str:
    values = (read(site.session, folder, ["customValue"]) or {}).get("customValue", [])
    return next((str(value.value) for value in values if value.key == key), "")


def _field(site: Site) -> int:
    """The key of the custom attribute; defined on first use."""
    for _ in range(2):
        key = _known_field(site)
        if key is not None:
            return key
        try:
            return int(site.content.customFieldsManager.AddCustomFieldDef(FIELD, vim.Folder).key)
        except vim.fault.DuplicateName:
            continue  # another worker was quicker
    raise StepFailed(f"{site.endpoint.name} has a custom attribute {FIELD} that is not for folders; remove it")


def _known_field(site: Site) -> int | None:
    fields = (read(site.session, site.content.customFieldsManager, ["field"]) or {}).get("field", [])
    ours = (f.key for f in fields if f.name == FIELD and f.managedObjectType in (vim.Folder, None))
    return next((int(key) for key in ours), None)


def _refuse_machines_of_others(site: Site, folder: Ref) -> None:
    """A folder without a mark, but with machines of another installation, is theirs."""
    children = (read(site.session, folder, ["childEntity"]) or {}).get("childEntity", [])
    inside = {child._moId for child in children}
    for machine in all_machines(site):
        if machine.ref._moId in inside and machine.installation not in ("", site.installation):
            raise NotOurs(
                f"the folder {site.data.folder} on {site.endpoint.name} holds machines of the installation "
                f"{machine.installation}; give the endpoint another folder"
            )
