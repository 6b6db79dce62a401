"""The VM folder for our machines: created on demand, and marked with the installation that holds it.

An unmarked folder that holds machines of others is never used: people may have had it before vclab came.
"""

from collections.abc import Iterator

from vclab.model.errors import NotOurs, StepFailed
from vclab.provisioning.vsphere.api import Ref, vim
from vclab.provisioning.vsphere.faults import explained
from vclab.provisioning.vsphere.machines import Machine, all_machines
from vclab.provisioning.vsphere.properties import read, read_all
from vclab.provisioning.vsphere.site import Site

FIELD = "vclab.installation"
"""The custom attribute on the folder. A mark on the folder, not only on machines in it: two installations that both
find it empty would otherwise shut each other out for good."""

_HINT = "use another folder: --folder NAME"


def machine_folder(site: Site) -> Ref:
    """The folder ``EndpointData.folder`` (a path with "/"), held by us. Raises ``NotOurs`` when it is another's."""
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
    """Raises ``NotOurs`` when the folder is somebody else's. Only reads; a folder that does not exist is free."""
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
        if not holder:
            _refuse_foreign(site, folder)


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
        _refuse_foreign(site, folder)
        site.content.customFieldsManager.SetField(folder, key, site.installation)
        holder = _holder(site, folder, key)
    if holder != site.installation:
        raise _held(site, holder)


def _held(site: Site, holder: str) -> NotOurs:
    return NotOurs(f"the folder {site.data.folder} on {site.endpoint.name} is held by the installation {holder}", _HINT)


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


def _refuse_foreign(site: Site, folder: Ref) -> None:
    """A folder without a mark is free if it is empty, or holds machines of ours only. Raises ``NotOurs``."""
    machines = {machine.ref._moId: machine for machine in all_machines(site)}
    inside = [machines.get(ref._moId, _VAPP) for ref in _below(site, [folder])]
    foreign = [machine for machine in inside if not machine.ours(site.installation)]
    if foreign:
        others = sorted({machine.installation for machine in foreign} - {"", site.installation})
        whose = f"machines of the installation {', '.join(others)}" if others else "machines that vclab did not make"
        names = ", ".join(machine.name for machine in foreign[:3]) + ", …" * (len(foreign) > 3)
        raise NotOurs(f"the folder {site.data.folder} on {site.endpoint.name} holds {whose} ({names})", _HINT)


_VAPP = Machine(None, "a vApp", "", "", "", "", None)
"""What stands for a vApp: vclab makes none, so what is in it is not ours."""


def _below(site: Site, folders: list[Ref]) -> Iterator[Ref]:
    """Machines and vApps in these folders and in the folders below."""
    for _, values in read_all(site.session, folders, ["childEntity"]):
        children = values.get("childEntity", [])
        inner = [child for child in children if isinstance(child, vim.Folder)]
        yield from (child for child in children if child not in inner)
        yield from _below(site, inner)
