"""What an administrator asks an endpoint before and after it is added. Nothing is changed there."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from vclab.model.catalog import Endpoint, Image
from vclab.model.inventory import Inventory


@dataclass(frozen=True)
class Answer:
    """What an endpoint reports of itself."""

    product: str  #: e.g. "VMware vCenter Server 8.0.2 build-22617221"
    clock: datetime  #: what time it is there, in UTC
    inventory: Inventory
    networks: Mapping[str, tuple[str, ...]]  #: by host
    missing: tuple[str, ...]  #: "debian-12: [ds1] images/debian/1/disk.vmdk is not there"
    masters: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Of each image asked for, the usable datastores that have its master."""
    lacking: tuple[str, ...] = ()  #: what the login may not do: "datastore ds1: Datastore.Browse"
    mistakes: tuple[str, ...] = ()  #: names in the entry that the endpoint does not have: it can't be used as it is
    warnings: tuple[str, ...] = ()  #: what it can't do as it is, a line each; all else works


@dataclass(frozen=True)
class Enquiry:
    """How the endpoints of a module are asked. Both functions block."""

    shown_fingerprint: Callable[[str], str]
    """SHA-256 of the certificate that a URL shows, in lower-case hex; nothing is sent. Raises ``Unreachable``."""

    ask: Callable[[Endpoint, str, str, Iterable[Image]], Answer]
    """Log in with a password as an installation, look also for the masters of images, and log out.

    Raises ``Refused`` (wrong login, or the entry can't be used) and ``Unreachable``."""
