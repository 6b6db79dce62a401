"""The rows of the product's database that an administrator would enter: users, images, the endpoint, identities.

What is there already stays as it is, but for the endpoint's address and certificate: those are the lab's to say.
"""

from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from vclab.lab import metal_image
from vclab.lab.layout import IMAGING, PEOPLE, PRIVATE, PUBLIC, Layout
from vclab.lab.passwords import bmc_pin, fingerprint, vcenter_url
from vclab.lab.people import new_tokens, write_contexts
from vclab.lab.seed import read_settings
from vclab.lab.stock import (
    DATASTORE,
    ENDPOINT,
    FIRST_UID,
    IMAGES,
    LAB_ENDPOINT,
    LAB_IMAGE,
    LAB_MACHINES,
    METAL_ENDPOINT,
    METAL_IMAGE,
    NODES,
    PASSWORD_REF,
    POOL,
    REPOSITORY,
    VCENTER_USER,
)
from vclab.model.catalog import Endpoint, Image, User
from vclab.model.errors import NotFound, VclabError
from vclab.model.power import PowerAddress
from vclab.model.revisions import Origin
from vclab.provisioning import bare_metal, standalone
from vclab.provisioning.vsphere.data import EndpointData
from vclab.store import catalog, copies, power, repositories
from vclab.store.engine import open_store
from vclab.store.repositories import RepositoryFacts

_NETWORKS = EndpointData(private_network=PRIVATE, public_network=PUBLIC, imaging_network=IMAGING)


def fill_store(layout: Layout, images: tuple[Image, ...] = IMAGES) -> None:
    """Bring the database up to date and add what is missing. Raises the store's errors."""
    store = open_store(read_settings(layout).database)
    try:
        try:
            store.check()
        except VclabError:  # there is none yet, or it is of an older version
            store.migrate()
        store.run(lambda session: _fill(layout, session, images))
        if layout.database.exists():  # else it is another one, by local.toml
            layout.database.chmod(0o600)
        write_contexts(layout, store.run(lambda session: new_tokens(layout, session)))
    finally:
        store.close()


def _fill(layout: Layout, session: Session, images: tuple[Image, ...]) -> None:
    known = {user.login for user in catalog.users(session)}
    for number, login in enumerate(PEOPLE):
        if login not in known:
            key = layout.person_key(login).with_suffix(".pub").read_text().strip()
            catalog.put_user(session, User(login, FIRST_UID + number, public_keys=(key,)))
    present, masters = {image.name for image in catalog.images(session)}, list[Image]()
    for image in (*images, LAB_IMAGE):
        if image.name not in present:
            catalog.put_image(session, image)
            if image.module != standalone.NAME:
                masters.append(image)
    _put_endpoint(layout, session)
    now = datetime.now(UTC)
    for image in masters:
        copies.seen(session, image, ENDPOINT, [DATASTORE], now)
    here = RepositoryFacts(REPOSITORY, Endpoint.site, str(layout.repository))
    if REPOSITORY not in {each.name for each in repositories.all_of_them(session)}:
        repositories.put(session, here, now)
    catalog.put_pool(session, POOL)
    _put_lab_machines(session)
    _put_metal(layout, session, now)


def _put_endpoint(layout: Layout, session: Session) -> None:
    url, pin = vcenter_url(layout), fingerprint(layout.vcenter)
    try:
        endpoint = catalog.endpoint(session, ENDPOINT)
    except NotFound:
        endpoint = Endpoint(
            name=ENDPOINT,
            module="vsphere",
            url=url,
            username=VCENTER_USER,
            password_ref=PASSWORD_REF,
            fingerprint=pin,
            module_data=_NETWORKS.encoded(),
        )
    catalog.put_endpoint(session, replace(endpoint, url=url, fingerprint=pin))


def _put_lab_machines(session: Session) -> None:
    """Their host keys are pinned at the first contact: they make them when they first boot."""
    if LAB_ENDPOINT not in {endpoint.name for endpoint in catalog.endpoints(session)}:
        endpoint = Endpoint(LAB_ENDPOINT, standalone.NAME, url="", username="", password_ref="", fingerprint="")
        catalog.put_endpoint(session, endpoint)
    for machine in LAB_MACHINES:
        catalog.put_lab_computer(
            session,
            machine.name,
            endpoint=LAB_ENDPOINT,
            address=machine.private_address,
            private_mac=machine.private_mac,
            public_mac=machine.public_mac,
        )


def _put_metal(layout: Layout, session: Session, now: datetime) -> None:
    """The group of nodes, and the image that the repository has for them."""
    if METAL_ENDPOINT not in {endpoint.name for endpoint in catalog.endpoints(session)}:
        endpoint = Endpoint(METAL_ENDPOINT, bare_metal.NAME, url="", username="", password_ref="", fingerprint="")
        catalog.put_endpoint(session, endpoint)
    known = {computer.name for computer in catalog.computers(session)}
    for node in NODES:
        if node.name in known:
            continue
        catalog.put_lab_computer(
            session,
            node.name,
            endpoint=METAL_ENDPOINT,
            address=node.private_address,
            private_mac=node.private_mac,
            public_mac=node.public_mac,
        )
        pin = bmc_pin(layout, node)
        power.set_address(session, node.name, PowerAddress(node.bmc_url, node.password_ref, pin))
    if METAL_IMAGE.name not in {image.name for image in catalog.images(session)}:
        kept = metal_image.record(layout)
        origin = Origin(sha256=kept.sha256, size=kept.size, made_at=kept.made_at, made_by=kept.made_by)
        catalog.put_image(session, METAL_IMAGE, lent=True, origin=origin)
        repositories.holds(session, REPOSITORY, METAL_IMAGE.name, METAL_IMAGE.revision, now)
