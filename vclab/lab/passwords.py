"""The passwords of the lab's vCenter and BMCs, as the product keeps them: made up once, sealed to the lab's worker."""

import hashlib
import ssl
from pathlib import Path

from vclab.lab.layout import VCENTER_PORT, Layout
from vclab.lab.stock import PASSWORD_REF, StockNode
from vclab.model.catalog import Endpoint
from vclab.secrets.references import API, Destination, site_reader
from vclab.secrets.store import SecretStore

BMC_PASSWORD_LETTERS = 16
"""IPMI takes no more than 20."""
_VCENTER_PASSWORD_LETTERS = 24


def secret_store(layout: Layout) -> SecretStore:
    """The lab's, with its keys."""
    store = SecretStore(layout.secrets, layout.secret_keys, Endpoint.site)
    store.keys.make_missing((site_reader(Endpoint.site), API))
    return store


def fingerprint(folder: Path) -> str:
    """SHA-256 of the certificate in a folder, lower-case hex."""
    pem = (folder / "cert.pem").read_text()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def vcenter_url(layout: Layout) -> str:
    """Where the vCenter is."""
    return f"https://{layout.address}:{VCENTER_PORT}/sdk"


def bmc_pin(layout: Layout, node: StockNode) -> str:
    """The certificate of a node's BMC; empty: it has none."""
    return fingerprint(layout.nodes / node.name) if node.redfish else ""


def of_vcenter(layout: Layout) -> str:
    """Its certificate must be there: the password is for whoever shows that."""
    destination = Destination(vcenter_url(layout), fingerprint(layout.vcenter))
    return secret_store(layout).generate(PASSWORD_REF, _VCENTER_PASSWORD_LETTERS, destination)


def of_bmc(layout: Layout, node: StockNode) -> str:
    """The same of a node's BMC."""
    destination = Destination(node.bmc_url, bmc_pin(layout, node))
    return secret_store(layout).generate(node.password_ref, BMC_PASSWORD_LETTERS, destination)
