"""What a new lab is filled with, so that it behaves like a configured installation: keys, a vCenter with images, users,
an endpoint, an identity pool, and the settings file.

Everything here may be run at each ``up``: what is there already stays as it is.
"""

import datetime
import hashlib
import ipaddress
import json
import os
import ssl
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from vclab import settings as configuration
from vclab.lab import rootfs
from vclab.lab.errors import LabError
from vclab.lab.layout import PEOPLE, PRIVATE, PUBLIC, SUBNETS, TEMPORAL_PORT, UI_PORT, VCENTER_PORT, Layout
from vclab.lab.machines import descriptor
from vclab.model.catalog import Endpoint, IdentityPool, Image, User
from vclab.model.errors import NotFound
from vclab.secrets.store import SecretStore
from vclab.settings import Settings
from vclab.store import catalog
from vclab.store.engine import open_store

ENDPOINT = "lab-vcenter"
PASSWORD_REF = f"endpoint/{ENDPOINT}"
VCENTER_USER = "vclab@vsphere.local"
HOSTS = "esx1=8:16384,esx2=8:16384"
DATASTORE_GB = 500
OPERATOR = "olga"
FIRST_UID = 20001
POOL = IdentityPool(prefix="vm", count=40)

IMAGES = (
    ("debian-12", "Debian 12", 1, 1024, 8),
    ("debian-12-large", "Debian 12, large", 4, 8192, 16),
)
"""Name, title, CPUs, MiB of memory, GiB of disk."""

NO_SSH = "debian-12-no-ssh"
"""A root file system for tests: it boots and has addresses, but never answers SSH."""

CERTIFICATE_DAYS = 3650


def prepare(layout: Layout) -> None:
    """All files that the parts need. Raises ``LabError``."""
    for directory in (layout.logs, layout.machines, layout.datastore, layout.leases.parent, layout.layers):
        directory.mkdir(parents=True, exist_ok=True)
    for directory in (layout.vcenter, layout.vcenter / "journal", layout.temporal_database.parent):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    _make_key(layout.ssh_key)
    for login in PEOPLE:
        _make_key(layout.person_key(login))
    authorized = layout.ssh_key.with_suffix(".pub").read_text()
    for name in (image[0] for image in IMAGES):
        rootfs.make_layer(layout.layers / name, authorized)
    rootfs.make_layer(layout.layers / NO_SSH, authorized, ssh=False)
    for name, _, _, _, disk_gb in IMAGES:
        put_master(layout, name, disk_gb)
    password = SecretStore(layout.secrets).generate(PASSWORD_REF, 24)
    _write_private(layout.vcenter / "password", password)
    if not (layout.vcenter / "key.pem").exists():
        _make_certificate(layout)
    write_settings(layout)


def master_path(image: str, revision: int = 1) -> str:
    """Where an image's master disk is in the datastore."""
    return f"vclab-images/{image}/{revision}/disk.vmdk"


def put_master(layout: Layout, image: str, disk_gb: int, boots: str = "") -> None:
    """The master disk of an image's first revision, from which ``boots`` (else the image's own system) boots."""
    disk = layout.datastore / master_path(image)
    if not disk.exists():
        disk.parent.mkdir(parents=True, exist_ok=True)
        disk.write_text(descriptor(boots or image, disk_gb))


def _make_key(path: Path) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{path.parent.name}@vclab", "-f", str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if ran.returncode:
        raise LabError(f"no SSH key can be made in {path.parent}: {ran.stderr.strip() or 'ssh-keygen failed'}")


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _make_certificate(layout: Layout) -> None:
    """Self-signed, as a new vCenter's is; the endpoint's fingerprint pins it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, ENDPOINT)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(layout.address))]), False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    (layout.vcenter / "cert.pem").write_bytes(certificate.public_bytes(pem))
    text = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain).decode()
    _write_private(layout.vcenter / "key.pem", text)


def fingerprint(layout: Layout) -> str:
    """SHA-256 of the vCenter's certificate, lower-case hex."""
    pem = (layout.vcenter / "cert.pem").read_text()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


# The settings file.

HEADER = """\
# Written by each `vclab up`. Put your own settings into local.toml in this folder: they are laid over these.
# Environment variables (VCLAB_WAITS__ACKNOWLEDGE=30 …) count more; the worker has those of `vclab up`.
"""


def lab_settings(layout: Layout) -> dict[str, Any]:
    """What the lab itself sets."""
    private = next(net for net in SUBNETS if net.bridge == PRIVATE)
    return {
        "installation": layout.tag,
        "database": f"sqlite:///{layout.database}",
        "secrets_dir": str(layout.secrets),
        "ssh_key": str(layout.ssh_key),
        "management_addresses": [private.management],
        "dhcp_leases": str(layout.leases),
        "act_as": "alice",
        "operators": [OPERATOR],
        "temporal": {
            "address": f"{layout.address}:{TEMPORAL_PORT}",
            "namespace": "default",
            "ui": f"http://{layout.address}:{UI_PORT}",
        },
        "limits": {"at_once": 50},
        "people": {
            login: {
                "via": ["ip", "netns", "exec", layout.person(login)],
                "address": address,
                "identity_file": str(layout.person_key(login)),
            }
            for login, address in PEOPLE.items()
        },
    }


def write_settings(layout: Layout) -> None:
    """Write the settings file and read it back. Raises ``LabError`` when the user's own part of it is wrong."""
    table = lab_settings(layout)
    own = layout.local_settings_file
    if own.exists():
        try:
            table = _laid_over(table, tomllib.loads(own.read_text()))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise LabError(f"{own} is not TOML: {error}") from None
    temporary = layout.settings_file.with_suffix(".new")
    temporary.write_text(HEADER + "\n".join(_toml(table)) + "\n")
    temporary.replace(layout.settings_file)
    read_settings(layout)


def read_settings(layout: Layout) -> Settings:
    """The lab's settings as the product sees them. Raises ``Refused``."""
    os.environ["VCLAB_CONFIG"] = str(layout.settings_file)
    return configuration.load()


def _laid_over(table: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(table)
    for key, value in own.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _laid_over(below or {}, value) if both else value
    return merged


def _toml(table: Mapping[str, Any], name: str = "") -> list[str]:
    """TOML of strings, numbers, booleans, lists of those, and tables; JSON writes all but tables alike."""
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    lines = [f"\n[{name}]"] if name and plain else []
    lines += [
        f"{json.dumps(key)} = {json.dumps(value, default=str, ensure_ascii=False)}" for key, value in plain.items()
    ]
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += _toml(value, f"{name}.{json.dumps(key)}" if name else json.dumps(key))
    return lines


# The store.


def fill_store(layout: Layout) -> None:
    """Bring the database up to date and add what is missing. Raises the store's errors."""
    store = open_store(read_settings(layout).database)
    try:
        store.migrate()
        store.run(lambda session: _fill(layout, session))
    finally:
        store.close()


def _fill(layout: Layout, session: Session) -> None:
    known = {user.login for user in catalog.users(session)}
    for number, login in enumerate(PEOPLE):
        if login not in known:
            key = layout.person_key(login).with_suffix(".pub").read_text().strip()
            catalog.put_user(session, User(login, FIRST_UID + number, public_keys=(key,)))
    images = {image.name for image in catalog.images(session)}
    for name, title, cpus, memory_mb, disk_gb in IMAGES:
        if name not in images:
            catalog.put_image(session, image(name, title, cpus, memory_mb, disk_gb))
    _put_endpoint(layout, session)
    catalog.put_pool(session, POOL)


def image(name: str, title: str, cpus: int, memory_mb: int, disk_gb: int) -> Image:
    """An image of the lab, in its first revision."""
    return Image(
        name=name,
        title=title,
        revision=1,
        module="vsphere",
        guest="linux",
        guest_id="debian12_64Guest",
        master_path=master_path(name),
        cpus=cpus,
        memory_mb=memory_mb,
        disk_gb=disk_gb,
        datastore="ds1",
    )


def _put_endpoint(layout: Layout, session: Session) -> None:
    """The address and the certificate are the lab's to say; the rest may have been changed by an operator."""
    url, pin = f"https://{layout.address}:{VCENTER_PORT}/sdk", fingerprint(layout)
    try:
        endpoint = catalog.endpoint(session, ENDPOINT)
    except NotFound:
        endpoint = Endpoint(
            name=ENDPOINT,
            module="vsphere",
            url=url,
            fingerprint=pin,
            username=VCENTER_USER,
            password_ref=PASSWORD_REF,
            private_network=PRIVATE,
            public_network=PUBLIC,
        )
    catalog.put_endpoint(session, replace(endpoint, url=url, fingerprint=pin))
