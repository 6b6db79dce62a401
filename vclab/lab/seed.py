"""The files that a new lab is filled with: keys, the vCenter's password, certificate and masters, and the settings.

Everything here may be run at each ``up``: what is there already stays as it is.
"""

import json
import os
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vclab import settings as configuration
from vclab.debian import Say
from vclab.lab import certificates, disks, metal, metal_image, passwords, rootfs
from vclab.lab.errors import LabError
from vclab.lab.layout import (
    API_ADDRESS,
    API_PORT,
    IMAGING,
    METAL,
    PEOPLE,
    PRIVATE,
    SUBNETS,
    TEMPORAL_PORT,
    UI_PATH,
    UI_PORT,
    Layout,
)
from vclab.lab.stock import (
    DATASTORES,
    ENDPOINT,
    IMAGES,
    LAB_IMAGE,
    LAB_MACHINES,
    NO_SSH,
    NODES,
    OPERATOR,
)
from vclab.library.repository import Repository
from vclab.model.catalog import Image
from vclab.provisioning.vsphere.data import ImageData
from vclab.settings import Settings

LOCAL = "local"
"""The certificate of the tools that root runs on the management node: an operator's."""


def prepare(layout: Layout, tree: Path, say: Say) -> None:
    """All files that the parts need. Raises ``LabError``."""
    for directory in (
        layout.logs,
        layout.machines,
        *map(layout.datastore_called, DATASTORES),
        layout.leases.parent,
        layout.layers,
    ):
        directory.mkdir(parents=True, exist_ok=True)
    for directory in (layout.vcenter, layout.vcenter / "journal", layout.temporal_database.parent):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    metal_image.management_key(layout.ssh_key)
    for login in PEOPLE:
        _person_key(layout.person_key(login))
    Repository.make(layout.repository)
    metal_image.keep(layout, tree, say)
    authorized = layout.ssh_key.with_suffix(".pub").read_text()
    for image in IMAGES:
        rootfs.make_layer(layout.layers / image.name, authorized)
        put_master(layout, image, image.name, tree)
    rootfs.make_layer(layout.layers / NO_SSH, authorized, ssh=False)
    rootfs.make_layer(layout.layers / LAB_IMAGE.name, authorized)
    shared = layout.lab_machine_disk(LAB_IMAGE.name)
    disks.make_master(shared, tree, layout.layers / LAB_IMAGE.name, LAB_IMAGE.disk_gb)
    for machine in LAB_MACHINES:
        put_lab_machine(layout, machine.name, shared)
    metal.prepare(layout)
    certificates.self_signed(layout.vcenter, ENDPOINT, layout.address)
    _write_private(layout.vcenter / "password", passwords.of_vcenter(layout))
    issue(layout)
    for node in NODES:
        if node.redfish:
            certificates.self_signed(layout.nodes / node.name, node.name, node.bmc_address)
        passwords.of_bmc(layout, node)
    write_settings(layout)


def put_master(layout: Layout, image: Image, boots: str, tree: Path) -> None:
    """The master disk of an image, from which the tree with the files of the layer ``boots`` boots."""
    master = ImageData.of(image.module_data, f"the image {image.name}").master_path
    disks.make_master(layout.datastore / master, tree, layout.layers / boots, image.disk_gb)


def put_lab_machine(layout: Layout, name: str, shared: Path) -> None:
    """The disk of a lab machine, a child of the ``shared`` one; what it holds already stays as it is."""
    with tempfile.TemporaryDirectory() as layer:
        etc = Path(layer) / "etc"
        etc.mkdir(mode=0o755)
        (etc / "hostname").write_text(f"{name}\n")
        Path(layer).chmod(0o755)
        disks.make_child(layout.lab_machine_disk(name), shared, LAB_IMAGE.disk_gb, Path(layer))


def _person_key(path: Path) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        metal_image.make_key(path, f"{path.parent.name}@vclab")


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def issue(layout: Layout) -> None:
    """What the parts show Temporal, and Temporal shows them, anew at each start: an address may have changed. Who has
    what key is who may do what (``deploy/temporal/authorizer.go``), so only root can read them."""
    ours = certificates.Authority.of(layout.tls)
    ours.issue("temporal", addresses=(layout.address,))
    ours.issue("public", "vclab", addresses=(API_ADDRESS, layout.address))
    for part in ("worker", "api", "ui"):
        ours.issue(part, role=part)
    ours.issue(LOCAL, "management-node", role="operator")
    ours.issue(OPERATOR, role="operator")
    profile = {
        "address": f"{layout.address}:{TEMPORAL_PORT}",
        "tls": {
            "server_ca_cert_path": str(layout.tls / "ca.pem"),
            "client_cert_path": str(layout.tls / f"{OPERATOR}.pem"),
            "client_key_path": str(layout.tls / f"{OPERATOR}.key"),
        },
    }
    layout.temporal_profile.write_text("\n".join(to_toml({"profile": {"default": profile}})).lstrip() + "\n")


# The settings file.

HEADER = """\
# Written by each `vclab up`. Put your own settings into local.toml in this folder: they are laid over these.
# Environment variables (VCLAB_WAITS__ACKNOWLEDGE=30 …) count more; the worker has those of `vclab up`.
"""


def lab_settings(layout: Layout) -> dict[str, Any]:
    """What the lab itself sets."""
    ours = [net.management for net in SUBNETS if net.bridge in (PRIVATE, IMAGING, METAL)]
    return {
        "installation": layout.tag,
        "database": f"sqlite:///{layout.database}",
        "secrets_dir": str(layout.secrets),
        "secret_keys": str(layout.secret_keys),
        "ssh_key": str(layout.ssh_key),
        "management_addresses": ours,
        "dhcp_leases": str(layout.leases),
        "operators": [OPERATOR],
        "temporal": {
            "address": f"{layout.address}:{TEMPORAL_PORT}",
            "namespace": "default",
            "tls_ca": str(layout.tls / "ca.pem"),
            "tls_cert": str(layout.tls / f"{LOCAL}.pem"),  # of `vclab doctor` and its like; parts have their own
            "tls_key": str(layout.tls / f"{LOCAL}.key"),
            "ui": f"https://{layout.address}:{API_PORT}{UI_PATH}",
        },
        "api": {
            "listen": f"{API_ADDRESS}:{API_PORT}",
            "tls_cert": str(layout.tls / "public.pem"),
            "tls_key": str(layout.tls / "public.key"),
            "temporal_ui": f"https://{layout.address}:{UI_PORT}",
        },
        "limits": {"at_once": 50},
        "netboot": metal.settings(layout),
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
    temporary.write_text(HEADER + "\n".join(to_toml(table)) + "\n")
    temporary.replace(layout.settings_file)
    read_settings(layout)


def read_settings(layout: Layout) -> Settings:
    """The lab's settings as the product sees them. Raises ``Refused``."""
    before = os.environ.get("VCLAB_CONFIG")
    os.environ["VCLAB_CONFIG"] = str(layout.settings_file)
    try:
        return configuration.load()
    finally:  # who started us may have settings of their own
        os.environ.pop("VCLAB_CONFIG")
        if before is not None:
            os.environ["VCLAB_CONFIG"] = before


def _laid_over(table: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(table)
    for key, value in own.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _laid_over(below or {}, value) if both else value
    return merged


def to_toml(table: Mapping[str, Any], name: str = "") -> list[str]:
    """TOML of strings, numbers, booleans, lists of those, and tables; JSON writes all but tables alike."""
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    lines = [f"\n[{name}]"] if name and plain else []
    lines += [
        f"{json.dumps(key)} = {json.dumps(value, default=str, ensure_ascii=False)}" for key, value in plain.items()
    ]
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += to_toml(value, f"{name}.{json.dumps(key)}" if name else json.dumps(key))
    return lines
