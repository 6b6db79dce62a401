"""What an administrator asks a vCenter or an ESXi host. Nothing is changed there."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC

from vclab.model.catalog import Endpoint, Image
from vclab.model.errors import Refused, StepFailed, Unreachable
from vclab.model.inventory import Inventory
from vclab.provisioning.enquiry import Answer
from vclab.provisioning.vsphere import files
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.data import ImageData
from vclab.provisioning.vsphere.encryption import sealed_disks, why_encrypted
from vclab.provisioning.vsphere.faults import explained
from vclab.provisioning.vsphere.folder import check_holder
from vclab.provisioning.vsphere.privileges import lacking
from vclab.provisioning.vsphere.properties import find_all
from vclab.provisioning.vsphere.session import Session, shown_fingerprint
from vclab.provisioning.vsphere.site import Site, open_site
from vclab.provisioning.vsphere.survey import survey

__all__ = ["ask", "shown_fingerprint"]


def ask(endpoint: Endpoint, password: str, installation: str, images: Iterable[Image] = ()) -> Answer:
    """Log in, look, and log out.

    Raises:
        Refused: the login is wrong, the folder is somebody else's, or the datacenter is not clear.
        Unreachable: it does not answer, or shows another certificate than the pinned one.
    """
    session = Session(endpoint, lambda _: password, 2)
    try:
        with explained(f"asking {endpoint.name}"):
            return _ask(_log_in(session, installation), images)
    except StepFailed as error:
        raise Refused(error.message, error.hint) from None
    finally:
        session.close()


def _log_in(session: Session, installation: str) -> Site:
    try:
        site = open_site(session, installation)
    except Unreachable:
        if session.attempts:  # it was reached, and the password was sent
            raise Refused(f"{session.title} refuses the user {session.endpoint.username} with this password") from None
        raise
    check_holder(site)
    return site


def _ask(site: Site, images: Iterable[Image]) -> Answer:
    inventory = survey(site)
    clock = vim.ServiceInstance("ServiceInstance", site.content.propertyCollector._stub).CurrentTime()
    networks = _networks(site)
    made_of_masters = [image for image in images if _has_master(image)]
    sealed = sealed_disks(site) if made_of_masters else {}
    missing = {image.name: _missing(site, image, inventory, sealed) for image in made_of_masters}
    return Answer(
        product=site.content.about.fullName,
        clock=clock.astimezone(UTC),
        inventory=inventory,
        networks=networks,
        missing=tuple(text for texts, _ in missing.values() for text in texts),
        masters={name: found for name, (_, found) in missing.items()},
        lacking=lacking(site),
        mistakes=tuple(_mistakes(site, networks)),
        warnings=tuple(_warnings(site, networks)),
    )


def _mistakes(site: Site, networks: Mapping[str, Sequence[str]]) -> Iterable[str]:
    """A host may be in maintenance today; a network or a resource pool that no host has is a mistake."""
    data, hosts = site.data, f"no host of {site.endpoint.name}"
    there = sorted({name for names in networks.values() for name in names})
    for field in ("private_network", "public_network", "imaging_network"):
        name = getattr(data, field)
        if networks and name and name not in there:
            yield f"{hosts} has a network {name!r} ({field}); there are: {', '.join(there) or 'none'}"
    wanted = data.resource_pool
    pools = sorted({name for _, name, _ in site.pools()}) if wanted else []
    if wanted and networks and wanted not in pools:
        yield f"{hosts} has a resource pool {wanted!r} (resource_pool); there are: {', '.join(pools) or 'none'}"


def _warnings(site: Site, networks: Mapping[str, Sequence[str]]) -> Iterable[str]:
    """Each host that lacks the imaging network, if there is one."""
    wanted = site.data.imaging_network
    for host, there in sorted(networks.items()):
        if wanted and wanted not in there:
            yield f"host {host} lacks the imaging network {wanted!r}: captured machines can't be sealed there"


def _networks(site: Site) -> dict[str, tuple[str, ...]]:
    hosts = find_all(site.session, vim.HostSystem, ["name", "network"], site.datacenter)
    names = {ref._moId: v["name"] for ref, v in find_all(site.session, vim.Network, ["name"], site.datacenter)}
    return {
        v["name"]: tuple(sorted(names[n._moId] for n in v.get("network", []) if n._moId in names)) for _, v in hosts
    }


def _has_master(image: Image) -> bool:
    """The library's have none of their own: vclab makes their copies."""
    try:
        return bool(ImageData.of(image.module_data, image.name).master_path)
    except StepFailed:
        return True  # which is said then


def _missing(
    site: Site, image: Image, inventory: Inventory, sealed: Mapping[str, str]
) -> tuple[list[str], frozenset[str]]:
    """Where the image's master should be and is not, or can't be used, and the datastores on which it is (as
    ``Answer.masters``). ``sealed``: disks that can't be used, and why.

    It should be on the datastore that the image names, else on each datastore on which machines are placed.
    """
    try:
        data = ImageData.of(image.module_data, f"the image {image.name}")
    except StepFailed as error:
        return [f"{image.name}: {error}"], frozenset()
    wanted = [data.datastore] if data.datastore else [store.name for store in inventory.datastores if store.usable]
    why_not = {name: _why_missing(site, data, name, inventory, sealed) for name in wanted}
    found = frozenset(name for name, why in why_not.items() if not why)
    return [f"{image.name}: {data.master(name)}{why}" for name, why in why_not.items() if why], found


def _why_missing(site: Site, data: ImageData, datastore: str, inventory: Inventory, sealed: Mapping[str, str]) -> str:
    """Why the master can't be used there, to be put after its path; empty when it can."""
    known = {store.name: store.usable for store in inventory.datastores}
    if not known.get(datastore, False):
        return f": the datastore is {'not usable' if datastore in known else 'not there'}"
    path = data.master(datastore)
    _, folder, name = files.split(path)
    if name not in (files.listing(site, site.datastore(datastore), folder) or ()):
        return " is not there"
    why = sealed.get(path) or why_encrypted(site, path)
    return f" {why}" if why else ""
