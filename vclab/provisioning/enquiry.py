"""What an administrator asks of an endpoint that is logged in to, before and after it is added. It only reads."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from vclab.model.catalog import Endpoint, Image
from vclab.model.inventory import Inventory


@dataclass(frozen=True)
class Answer:
    """What an endpoint said of itself."""

    product: str  #: e.g. "VMware vCenter Server 8.0.2 build-22617221"
    clock: datetime  #: what time it is there, in UTC
    inventory: Inventory
    networks: Mapping[str, tuple[str, ...]]  #: by host
    missing: tuple[str, ...]  #: "debian-12: [ds1] images/debian/1/disk.vmdk is not there"
    mistakes: tuple[str, ...] = ()  #: of the entry: what it names and nothing there has; with one it is not kept


@dataclass(frozen=True)
class Enquiry:
    """How a module's endpoints are asked. Both block."""

    shown_fingerprint: Callable[[str], str]
    """SHA-256 of the certificate that a URL shows, lower-case hex; nothing is sent. Raises ``Unreachable``."""

    ask: Callable[[Endpoint, str, str, Iterable[Image]], Answer]
    """Log in with a password, look, and log out; for an installation, and the masters of images.

    Raises ``Refused`` (the login is wrong, the entry can't be used) and ``Unreachable``."""
