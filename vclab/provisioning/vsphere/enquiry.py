"""What an administrator asks of a vCenter or an ESXi host. It only reads: nothing is made there."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC

from vclab.model.catalog import Endpoint, Image
from vclab.model.errors import Refused, StepFailed, Unreachable
from vclab.model.inventory import Inventory
from vclab.provisioning.enquiry import Answer
from vclab.provisioning.vsphere import files
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.data import EndpointData, ImageData
from vclab.provisioning.vsphere.faults import explained
from vclab.provisioning.vsphere.folder import check_holder
from vclab.provisioning.vsphere.properties import find_all
from vclab.provisioning.vsphere.session import Session, shown_fingerprint
from vclab.provisioning.vsphere.site import Site, open_site
from vclab.provisioning.vsphere.survey import survey

__all__ = ["ask", "shown_fingerprint"]


def ask(endpoint: Endpoint, password: str, installation: str, images: Iterable[Image] = ()) -> Answer:
    """Log in, look, and log out.

    Raises:
        Refused: the login is wrong, another installation holds the folder, or the datacenter is not clear.
        Unreachable: it does not answer, or shows another certificate than the pinned one.
    """
    session = Session(endpoint, lambda _: password, 2)
    try:
        with explained(f"asking {endpoint.name}"):
            return _ask(_log_in(session, installation), images)
    except StepFailed as error:
        raise Refused(str(error)) from None
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
    return Answer(
        product=site.content.about.fullName,
        clock=clock.astimezone(UTC),
        inventory=inventory,
        networks=networks,
        missing=tuple(text for image in images for text in _missing(site, image, inventory)),
        mistakes=tuple(_mistakes(site.session.endpoint, networks)),
    )


def _mistakes(endpoint: Endpoint, networks: Mapping[str, Sequence[str]]) -> Iterable[str]:
    """A host may be in maintenance today; a network that no host has is a mistake."""
    data = EndpointData.of(endpoint.module_data, f"the endpoint {endpoint.name}")
    there = sorted({name for names in networks.values() for name in names})
    known = ", ".join(there) or "none"
    for field in ("private_network", "public_network"):
        name = getattr(data, field)
        if networks and name not in there:
            yield f"no host of {endpoint.name} has a network {name!r} ({field}); there are: {known}"


def _networks(site: Site) -> dict[str, tuple[str, ...]]:
    hosts = find_all(site.session, vim.HostSystem, ["name", "network"], site.datacenter)
    names = {ref._moId: v["name"] for ref, v in find_all(site.session, vim.Network, ["name"], site.datacenter)}
    return {
        v["name"]: tuple(sorted(names[n._moId] for n in v.get("network", []) if n._moId in names)) for _, v in hosts
    }


def _missing(site: Site, image: Image, inventory: Inventory) -> Iterable[str]:
    """Where the image's master is wanted and is not: on its datastore, else on each that machines are placed on."""
    try:
        data = ImageData.of(image.module_data, f"the image {image.name}")
    except StepFailed as error:
        yield f"{image.name}: {error}"
        return
    usable = [store.name for store in inventory.datastores if store.usable]
    folder, _, name = data.master_path.rpartition("/")
    for wanted in [data.datastore] if data.datastore else usable:
        path = data.master(wanted)
        if wanted not in usable:
            known = any(store.name == wanted for store in inventory.datastores)
            yield f"{image.name}: {path}: the datastore is {'not usable' if known else 'not there'}"
        elif name not in (files.listing(site, site.datastore(wanted), f"[{wanted}] {folder}".rstrip()) or ()):
            yield f"{image.name}: {path} is not there"
